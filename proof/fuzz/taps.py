"""What a Singer tap writes: lines on a pipe, and its catalog."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

from connectors.errors import CrossdockError
from connectors.singer.catalog import message_names, parsed, selecting
from connectors.singer.messages import Collected
from connectors.singer.settings import TapStream
from proof.fuzz.evil import spoiled
from proof.fuzz.judge import Case, Unsound

_WANTED = TapStream(stream="orders", definition="woocommerce.orders", id="id")
_LINES = (
    b'{"type": "SCHEMA", "stream": "orders", "key_properties": ["id"], "schema": {"a": 1}}',
    b'{"type": "RECORD", "stream": "orders", "record": {"id": 1, "total": 1.50}}',
    b'{"type": "RECORD", "stream": "orders", "record": {"id": 2, "total": 2.50}}',
    b'{"type": "STATE", "value": {"bookmarks": {"orders": {"since": "2026-11-01"}}}}',
    b'{"type": "ACTIVATE_VERSION", "stream": "orders", "version": 1}',
)
_CATALOG = (
    b'{"streams": [{"tap_stream_id": "orders", "stream": "orders", "key_properties": ["id"], '
    b'"schema": {"properties": {"id": {"type": "integer"}, "a": {"type": ["null", "string"]}}}, '
    b'"metadata": [{"breadcrumb": [], "metadata": {"selected": false}}]}]}'
)


class TapMessages:
    """The surface."""

    name = "singer messages"
    refusals = (CrossdockError,)

    def evil(self) -> Sequence[tuple[str, Case]]:
        deep = b'{"type": "RECORD", "stream": "orders", "record": ' + b"[" * 100_000
        huge = b'{"type": "RECORD", "stream": "orders", "record": {"id": ' + b"9" * 10**6 + b"}}"
        state = b'{"type": "STATE", "value": ' + b'{"a":' * 2_000 + b"1" + b"}" * 2_000 + b"}"
        latin = b'{"type": "STATE", "value": "\xff"}'
        lines = {
            "nested without end": deep,
            "a huge id": huge,
            "a deep state": state,
            "bytes": latin,
        }
        found = [(what, _taken([*_LINES[:2], line])) for what, line in lines.items()]
        return [*found, ("records before a bad line", _kept)]

    def random(self, rng: Random) -> Case:
        if rng.random() < 0.2:
            return _selected(spoiled(rng, _CATALOG))
        lines = [rng.choice(_LINES) for _ in range(rng.randrange(1, 6))]
        place = rng.randrange(len(lines))
        lines[place] = spoiled(rng, lines[place])
        return _taken(lines)


def _collected() -> Collected:
    shown: Callable[[bytes], str] = lambda line: repr(line[:80])  # noqa: E731 - as a connector has it
    return Collected(_WANTED, {"orders"}, None, "2026-11-01", shown)


def _taken(lines: Sequence[bytes]) -> Case:
    def case() -> str:
        collected = _collected()
        for line in lines:
            collected.take(line)
        page = collected.page()
        return "taken" if page.records else "passed over"

    return case


def _kept() -> str:
    """What came before a line that cannot be read is there to be stored."""
    for line in (b"{", b"null", b"\xff", b"[" * 10_000):
        collected = _collected()
        for good in _LINES[:3]:
            collected.take(good)
        try:
            collected.take(line)
        except CrossdockError:
            pass
        else:
            raise Unsound(f"{line[:10]!r} was taken for a message")
        if len(collected.page().records) != 2:
            raise Unsound("the records before it are gone")
    return "kept"


def _selected(text: bytes) -> Case:
    def case() -> str:
        catalog = parsed(text, "catalog")
        message_names(catalog, _WANTED)
        selecting(catalog, _WANTED, all_fields=True)
        return "chosen"

    return case
