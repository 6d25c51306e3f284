"""Planted bugs of pushing, each of which must turn cells of the matrix red."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import Any
from unittest.mock import patch
from uuid import UUID, uuid5

from connectors import judgement
from connectors.replies import Consequence, Verdict, consequence
from connectors.rest import sink
from proof.ambiguity.cells import Cell
from proof.ambiguity.targets import BY_NAME
from state import intents
from sync import drain, settling, sweep

_LABELS, _BOB = BY_NAME["shipengine labels"], BY_NAME["shipbob orders"]
_KEYS, _BLIND = BY_NAME["rest orders by key"], BY_NAME["rest stock, blind"]


@dataclass(frozen=True, slots=True)
class Mutant:
    """``cells``: where it shows."""

    name: str
    planted: Callable[[], Any]
    cells: Sequence[Cell]


def _5xx_is_not_done() -> Any:
    def believed(status: int) -> Consequence:
        return Consequence(Verdict.SLOW_DOWN, "busy") if status >= 500 else consequence(status)

    return patch.object(judgement, "consequence", believed)


def _no_look_up() -> Any:
    return patch.object(settling, "REPEATABLE", (*settling.REPEATABLE, "lookup"))


def _blindly_again() -> Any:
    return patch.object(settling, "REPEATABLE", (*settling.REPEATABLE, "none"))


def _no_waiting() -> Any:
    declared = settling.declared
    return patch.object(
        settling, "declared", lambda *given: replace(declared(*given), lookup_lag_s=0.0)
    )


@contextmanager
def _lease_only() -> Iterator[None]:
    """No deadline before the send, and whoever lost its lease is taken for dead."""
    with ExitStack() as stack:
        stack.enter_context(patch.object(drain, "send_before", lambda *_: nullcontext()))
        stack.enter_context(patch.object(drain, "_is_abandoned", lambda *_: True))
        yield


@contextmanager
def _no_owner() -> Iterator[None]:
    """Whoever lost its lease is taken for dead, and its deadline is not waited for."""
    filed = settling.unknown
    with ExitStack() as stack:
        stack.enter_context(patch.object(drain, "_is_abandoned", lambda *_: True))
        stack.enter_context(patch.object(drain, "unknown", lambda *given: filed(*given[:5])))
        yield


def _rebuilt_body() -> Any:
    claim = intents.claim

    def rebuilt(*given: Any, **more: Any) -> Any:
        rows = claim(*given, **more)
        return [row if row.attempts < 2 else _Edited(row) for row in rows]

    return patch.object(intents, "claim", rebuilt)


class _Edited:
    """An intent with the body that the order has by now."""

    def __init__(self, row: Any) -> None:
        self._row = row
        self.body = {**row.body, "order_name": f"{row.body.get('order_name')} (edited)"}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._row, name)


def _key_of_the_moment() -> Any:
    calls = iter(range(1_000_000))
    return patch.object(sink, "key_of", lambda intent: str(uuid5(UUID(int=next(calls)), intent)))


def _trips_once() -> Any:
    """A bug that is gone at the next try: all ends well, and only the run that died tells."""
    recover, mistakes = drain._recover, [KeyError("owner")]

    def tripping(*given: Any) -> None:
        if mistakes:
            raise mistakes.pop()
        recover(*given)

    return patch.object(drain, "_recover", tripping)


def _refusals_are_believed() -> Any:
    return patch.object(settling, "_proves_nothing", lambda *_: False)


def _sweeps_nothing() -> Any:
    return patch.object(sweep, "unexpected", lambda *_: iter(()))


def _no_reply_is_good_news() -> Any:
    def believed(conn: Any, hub: Any, _link: Any, row: Any, *_: Any) -> None:
        intents.move(conn, row.id, "done", settled_at=hub.clock.now())

    return patch.object(settling, "unknown", believed)


MUTANTS = (
    Mutant("5xx treated as not done", _5xx_is_not_done, [Cell(_LABELS, "5xx-after")]),
    Mutant("retry without a look-up", _no_look_up, [Cell(_LABELS, "timeout-after")]),
    Mutant("wait shorter than the lag", _no_waiting, [Cell(_LABELS, "timeout-after", lag=1.0)]),
    Mutant("lease only: no deadline, no owner", _lease_only, [Cell(_LABELS, "ok", "stall")]),
    Mutant(
        "owner not asked, deadline not waited for",
        _no_owner,
        [Cell(_LABELS, "ok", "short-stall", lag=1.0)],
    ),
    Mutant("body rebuilt at resend", _rebuilt_body, [Cell(_BOB, "timeout-before")]),
    Mutant("key of the moment", _key_of_the_moment, [Cell(_KEYS, "timeout-after")]),
    Mutant("blind class sent again", _blindly_again, [Cell(_BLIND, "timeout-before")]),
    Mutant("the sweep finds nothing", _sweeps_nothing, [Cell(_LABELS, "delayed", lag=2.0)]),
    Mutant("no reply is good news", _no_reply_is_good_news, [Cell(_BOB, "timeout-before")]),
    Mutant("a push trips over itself once", _trips_once, [Cell(_BOB, "ok")]),
    Mutant(
        "a refusal after a lost reply is believed",
        _refusals_are_believed,
        [Cell(_BOB, "timeout-after", lag=1.0)],
    ),
)
