"""T21: neither a credential nor a buyer shows in what operators read, whatever goes wrong."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import structlog
import zstandard
from click.testing import CliRunner
from sqlalchemy import select

from jobs.cli import cli
from proof.planting import Planted
from proof.threats import rig as rigs
from proof.threats.check import Checked, verdict
from proof.threats.rig import BOB, LABELS, SHOP, Rig
from sandbox.faults import KINDS
from sandbox.installation import SECRETS
from sandbox.people import Person
from state import tables as t
from sync import intake
from sync.reading import read_received
from sync.support import redaction

_PARAMS: dict[str, dict[str, Any]] = {
    "new-enum": {"field": "status", "value": "canary-status"},
    "missing-field": {"field": "id"},
    "type-change": {"field": "id"},
    "latency": {"seconds": 0.1},
    "late": {"seconds": 60.0},
}
_JOBS = (
    *(("pull-orders", SHOP), ("allocate", None), ("push", LABELS), ("push", BOB)),
    *(("pull-shipments", BOB), ("push", SHOP), ("pull-stock", BOB), ("pull-listings", SHOP)),
)
_GOODS = ("MUG-BLUE", "TIN-250", "TEE-OLIVE-S")
_BUYER = re.compile(r"(?i)canary\d*q")
_OF_MANY_PAGES = {"repeated-cursor"}
"""Cannot strike where everything fits on one page."""

_READ = (
    *(("status",), ("parked",), ("summary",), ("intents", "list", "--all"), ("guard", "list")),
    *(("strays", "list"), ("hooks",), ("privacy", "status"), ("audit",)),
)
"""What operators look at all day. ``explain ORDER`` and ``intents show KEY`` are not among them:
they are asked for one order, and show what was sent for it."""

_BUYER_IS = Person(
    *("Canary1qfirst", "Canary1qlast", "Canary1qstreet 1", "Canary1qcity", "", "10117", "DE"),
    *("+49 30 Canary1q", "Canary1qcompany", "Canary1qfloor"),
)


def t21(kinds: int | None = None) -> Checked:
    """Orders of a buyer who is all canary, through every fault, at level debug."""
    violations, tried = _t21(sorted(KINDS - _OF_MANY_PAGES)[:kinds])
    whole = [(redaction.Redactor, "document", _as_it_is), (redaction.Redactor, "leaks", _none)]
    bugs = (
        Planted("a bundle keeps what it finds", whole),
        Planted("a note tells what it reads", [(intake, "read_received", _telling)]),
    )
    planted = {}
    for bug in bugs:
        with bug.in_place():
            planted[f"T21: {bug.name}"] = verdict(_t21(["500"])[0])
    figure = f"a buyer and {len(SECRETS)} credentials through {tried} faults, 0 shown"
    return Checked("T21", tried, figure, violations, planted)


def _as_it_is(_self: Any, document: Any, *_: object) -> Any:
    return document


def _none(*_: object) -> list[str]:
    return []


def _telling(definition: Any, item: Any) -> Any:
    structlog.get_logger().debug("read", text=str(item.body))
    return read_received(definition, item)


def _t21(kinds: Sequence[str]) -> tuple[list[str], int]:
    violations: list[str] = []
    with rigs.opened() as rig:
        order = rig.buy(_BUYER_IS, _GOODS[0])
        _work(rig)
        violations += [f"no fault: {one}" for one in _shown(rig)]
        for number, kind in enumerate(kinds):
            rig.buy(_BUYER_IS, _GOODS[number % len(_GOODS)])
            params = _PARAMS.get(kind, {})
            rig.sandbox.faults.add("*", kind, probability=0.5, params=params)
            _work(rig)
            rig.sandbox.faults.clear()
            violations += [f"{kind}: {one}" for one in _shown(rig)]
        struck = {label.partition(" ")[0] for label in rig.sandbox.faults.struck}
        violations += [f"{kind}: it never struck" for kind in sorted(set(kinds) - struck)]
        violations += _read(rig, order)
    return violations, len(kinds)


def _work(rig: Rig) -> None:
    rig.clock.advance(7200)
    for job, connection in _JOBS:
        rig.once(job, connection)


def _shown(rig: Rig) -> Iterator[str]:
    """What the log and the rows say that operators are shown."""
    yield from _leaks("the log", rig.log.getvalue())
    rig.log.seek(0)
    rig.log.truncate()
    columns = (
        *(t.run.c.error, t.stream.c.last_error, t.connection.c.problem, t.intent.c.message),
        *(t.hold.c.reason, t.order_event.c.summary, t.inbox.c.problems, t.audit_event.c.after),
    )
    with rig.store.read() as conn:
        for column in columns:
            for text in set(map(str, conn.scalars(select(column)))):
                yield from _leaks(f"{column.table.name}.{column.name}", text)


def _read(rig: Rig, order: str) -> Iterator[str]:
    """What commands print, what the settings look like, and what a bundle holds."""
    configuration = rig.hub.configuration
    yield from _leaks("repr of the settings", f"{configuration!r} {configuration.settings!r}")
    bundle = rig.folder / "order.bundle"
    said = _command(rig, "bundle", order, "--out", str(bundle))
    if bundle.exists():
        packed = zstandard.ZstdDecompressor().decompressobj().decompress(bundle.read_bytes())
        yield from _leaks("the bundle", packed.decode())
    else:
        yield f"the bundle: none was written, so nothing is proven: {said[:80]}"
    for words in _READ:
        yield from _leaks(" ".join(words), _command(rig, *words))
        yield from _leaks(f"{' '.join(words)} --json", _command(rig, *words, "--json"))


def _command(rig: Rig, *words: str) -> str:
    given = ["--config", str(rig.folder / "settings.toml"), *words]
    done = CliRunner().invoke(cli, given, prog_name="crossdock")
    if done.exit_code not in (0, 1):
        raise RuntimeError(f"crossdock {' '.join(words)}: {done.output[:200]}")
    return done.output


def _leaks(where: str, text: str) -> Iterator[str]:
    found = _BUYER.search(text)
    if found:
        yield f"{where} shows the buyer: {text[max(0, found.start() - 60) : found.end() + 20]!r}"
    yield from (f"{where} shows {name}" for name, secret in SECRETS.items() if secret in text)
