"""One outcome per item, whatever happened to the call that carried it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import TypeVar

from connectors.base import Outcome, Status
from connectors.errors import Ambiguous, ConfigProblem, CrossdockError, Rejected, Retryable
from mappings import MappingError

Item = TypeVar("Item")


def settle(
    chunks: Iterable[Mapping[str, Item]],
    call: Callable[[Mapping[str, Item]], Sequence[Outcome]],
) -> list[Outcome]:
    """Run ``call`` for each chunk of items, and give every item its outcome.

    A refused chunk is halved until the item at fault stands alone. After trouble that would meet
    the rest as well (limits, an unreachable vendor, credentials) the rest is ``retry``, unasked;
    when that strikes before anything happened it is raised, since it concerns the whole push.
    An item the vendor's reply does not mention is ``unknown``.
    """
    outcomes: list[Outcome] = []
    waiting = list(chunks)
    while waiting:
        chunk = waiting.pop(0)
        try:
            given = {outcome.key: outcome for outcome in call(chunk)}
            outcomes += [given.get(key) or _unmentioned(key) for key in chunk]
        except (Rejected, MappingError) as refusal:
            if len(chunk) > 1:
                waiting[:0] = in_chunks(chunk, (len(chunk) + 1) // 2)
            else:
                outcomes += _fate(chunk, "rejected", refusal)
        except Ambiguous as trouble:
            outcomes += _fate(chunk, "unknown", trouble)
        except (Retryable, ConfigProblem) as trouble:
            if not outcomes:
                raise
            for rest in (chunk, *waiting):
                outcomes += _fate(rest, "retry", trouble)
            break
    return outcomes


@contextmanager
def looking_up(refusal: Rejected) -> Iterator[None]:
    """Around the question whether what was refused is there already.

    Where the question gets no answer, refused or not, the refusal proves nothing of the thing
    itself: raises ``Ambiguous``.
    """
    try:
        yield
    except Ambiguous:
        raise
    except CrossdockError as trouble:
        raise Ambiguous(f"{refusal} Whether it is there is not known: {trouble}") from trouble


def in_chunks(items: Mapping[str, Item], size: int) -> list[dict[str, Item]]:
    """``items`` in their order, ``size`` at a time."""
    entries = iter(items.items())
    return [dict(islice(entries, size)) for _ in range(0, len(items), size)]


def _unmentioned(key: str) -> Outcome:
    return Outcome(key, "unknown", message="the vendor's reply does not mention it")


def _fate(items: Iterable[str], status: Status, why: Exception) -> list[Outcome]:
    code = why.code if isinstance(why, Rejected) else ""
    after = why.retry_after if isinstance(why, Retryable) else None
    return [Outcome(key, status, code=code, message=str(why), retry_after=after) for key in items]
