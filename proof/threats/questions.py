"""T20: texts that take for ever to look at, and questions that bring back the whole store."""

from __future__ import annotations

import inspect
import re
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest import mock

from connectors import csvtext
from connectors.redaction import redact
from jobs.clock import ManualClock
from mappings import Definitions
from mappings.problems import shown
from mappings.transforms.registry import TRANSFORMS
from proof.fuzz.clock import cpu_s, measured
from proof.threats.check import Checked, verdict
from state import card_numbers, inbox, migrate
from state import tables as t
from state.store import Store
from sync import candidates, parked, spreadsheets
from sync.context import Hub
from sync.routing import policy
from sync.support.redaction import Redactor

LONG = 15_000
"""Characters. What takes the square of them takes seconds."""
LOOK_S = 0.25
"""CPU seconds that one look at such a text may take."""
PARALLEL, LISTED = 100, 200
P99_S, EACH_CPU_S = 20.0, 0.1
"""Of each of so many listings at once: real seconds until it is there, and its share of the CPU."""
_STARS = "*" + "a*" * 30 + "b"
_ARGUMENTS: dict[str, Any] = {
    "country": "DE",
    "zone": "Europe/Berlin",
    "currency": "EUR",
    "otherwise": "x",
    "longest": 35,
    "line": 1,
    "table": [],
    "key": "a",
    "give": "b",
    "named": "x",
}
_BEGINNINGS = (
    *("a", " ", "<", "<a", "1", "1 ", "1-", "+1", "a@", "a.", "aA", "0", "(", "\t", ";", "=", "-"),
    *("_", '"', "\\", "bearer ", "token=", "4 111", "+1 (", "<!--", "&#", "\u0301", "\u200b"),
)
_NOW = datetime(2026, 11, 2, tzinfo=UTC)


def t20(parked_rows: int = 2_000) -> Checked:
    """Every text that somebody outside writes, through all that looks at such texts; and a hundred
    listings at once over a store in which very much has gone wrong."""

    def noticed(look: Callable[[str], Any]) -> str | None:
        return verdict(list(_slow("it", look)))

    looks = _looks()
    slow = [problem for name, look in looks.items() for problem in _slow(name, look)]
    with tempfile.TemporaryDirectory(prefix="crossdock-questions-") as name:
        store = _store_with(parked_rows, Path(name))
        try:
            broken, p99_s, share_s = _asked_at_once(store)
            planted = {
                "a cell looked for anew at each tab": noticed(_former_neutral),
                "an address looked for anew at each letter": noticed(_former_sentence),
                "a listing without a bound": _unbounded(store),
            }
        finally:
            store.close()
    return Checked(
        threat="T20",
        tried=len(looks) * len(_BEGINNINGS) + PARALLEL,
        figure=(
            f"{len(looks)} ways to look at {LONG:,} characters of {len(_BEGINNINGS)} kinds, each in"
            f" less than {LOOK_S} s; {PARALLEL} listings at once over {parked_rows:,} parked"
            f" records: p99 {p99_s:.1f} s, {share_s * 1000:.0f} ms of CPU each"
        ),
        violations=[*slow, *broken],
        planted=planted,
    )


def _looks() -> dict[str, Callable[[str], Any]]:
    """Everything that looks at what buyers, vendors and their files say, by name."""
    redactor = Redactor(["SKU-1"])
    found: dict[str, Callable[[str], Any]] = {
        "cells of files": csvtext.defused,
        "cells of exports": spreadsheets.neutral,
        "card numbers": lambda text: card_numbers.without_card_numbers(_as_json(text)),
        "messages": redact,
        "values in problems": shown,
        "sentences in bundles": redactor.sentence,
        "names of SKUs": candidates.normalised,
        "patterns of rules": lambda text: policy.any_alike([text], [_STARS]),
    }
    return found | {f"transform {name}": _applied(one) for name, one in TRANSFORMS.items()}


def _as_json(text: str) -> bytes:
    return b'{"note": "' + re.sub(r'[\\"\t]', "x", text).encode() + b'"}'


def _applied(transform: Callable[..., Any]) -> Callable[[str], Any]:
    """It with a text, and with a list of it; whatever it makes of them."""
    names = list(inspect.signature(transform).parameters)[1:]
    arguments = {name: _ARGUMENTS[name] for name in names if name in _ARGUMENTS}

    def apply(text: str) -> None:
        for value in (text, [text]):
            try:
                transform(value, **arguments)
            except (ValueError, TypeError, ArithmeticError, LookupError, AttributeError):
                continue  # it does not fit: how long that took is the question

    return apply


def _slow(name: str, look: Callable[[str], Any]) -> Iterator[str]:
    for beginning in _BEGINNINGS:
        text = (beginning * LONG)[:LONG]
        began = cpu_s()
        look(text)
        took = cpu_s() - began
        if took > LOOK_S:
            yield f"{name} took {took:.1f} s for {LONG} characters of {beginning!r}"
            return


def _former_neutral(text: str) -> str:
    """As it was: each of many tabs looks for a formula behind all the others."""
    return re.sub(r"(\A|[;\t\r\n])(?=[\s]*[=+@-])", r"\1'", text)


def _former_sentence(text: str) -> str:
    """As it was: an address was looked for from every letter of a word to the word's end."""
    return re.sub(r"[^\s@<>\"]+@[^\s@<>\"]+", "x", text)


def _store_with(rows: int, folder: Path) -> Store:
    """Records of one connection that did not map, each with a payload of its own."""
    store = Store(f"sqlite:///{folder / 'crossdock.db'}")
    migrate.upgrade(store)
    problem = {"field": "lines", "expression": "x", "value": "", "message": "", "file": ""}
    received = [
        inbox.Received(
            external_id=str(number),
            body=b'{"note": "%s"}' % (b"n" * 500),
            sha256=number.to_bytes(32, "big"),
            state="parked",
            problems=[problem],
        )
        for number in range(rows)
    ]
    with store.write() as conn:
        conn.execute(t.connection.insert().values(id=1, name="shop", kind="channel"))
        inbox.add(conn, 1, "orders", received, _NOW)
    return store


def _asked_at_once(store: Store) -> tuple[list[str], float, float]:
    """What is wrong with so many listings at once; p99 in seconds and CPU seconds of each."""
    hub = Hub(store, ManualClock(_NOW), Definitions({}), {})
    took: list[float] = []

    def ask(_: int) -> int:
        with measured() as cost, store.read() as conn:
            listed = len(parked.listing(conn, hub, limit=LISTED))
        took.append(cost.wall_s)
        return listed

    with _noted_reads() as read, measured() as whole, ThreadPoolExecutor(PARALLEL) as pool:
        listed = list(pool.map(ask, range(PARALLEL)))
    p99_s, share_s = sorted(took)[int(PARALLEL * 0.99) - 1], whole.cpu_s / PARALLEL
    wrong = []
    if max(*listed, *read) > LISTED:
        wrong.append(f"a listing of {LISTED} read {max(read)} rows")
    if p99_s > P99_S or share_s > EACH_CPU_S:
        wrong.append(f"p99 was {p99_s:.1f} s, and {share_s:.2f} s of CPU each")
    return wrong, p99_s, share_s


@contextmanager
def _noted_reads() -> Iterator[list[int]]:
    """How many records each look into the inbox brought."""
    read, look = [0], inbox.parked

    def noted(*given: Any, **more: Any) -> Any:
        rows = look(*given, **more)
        read.append(len(rows))
        return rows

    with mock.patch.object(inbox, "parked", noted):
        yield read


def _unbounded(store: Store) -> str | None:
    """The planted bug: all that is parked is read, and then cut."""
    look = inbox.parked

    def everything(*given: Any, **more: Any) -> Any:
        return look(*given, **{**more, "limit": None})

    with mock.patch.object(inbox, "parked", everything):
        return verdict(_asked_at_once(store)[0])
