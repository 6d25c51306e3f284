"""What happens after an error: the one place that catches everything."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from connectors.errors import Ambiguous, ConfigProblem, Rejected, Retryable, VendorDown
from state.errors import LostLease, Overtaken
from state.store import why_no_answer


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the engine does with a run that failed.

    ``retry``: the same stream again, after ``retry_after`` seconds or with backoff.
    ``park_connection``: tell the operator, try again slowly. ``lost``: another run has taken over.
    ``bug``: ours; kept moving with backoff, and shouted about. ``asked``: false where the run
    ended because the vendor is known to be down, which is no failure of the stream.
    """

    kind: Literal["retry", "park_connection", "lost", "bug"]
    message: str
    retry_after: float | None = None
    error: BaseException | None = None
    asked: bool = True


def attempt(work: Callable[[], None]) -> Verdict | None:
    """Run ``work``; null when all is well."""
    try:
        work()
    except Exception as error:  # noqa: BLE001  the one place; see the module's first line
        return classify(error)
    return None


def classify(error: Exception) -> Verdict:
    """Sort an error by what happens next."""
    if isinstance(error, LostLease):
        return Verdict("lost", str(error), error=error)
    if isinstance(error, ConfigProblem):
        return Verdict("park_connection", str(error), error=error)
    if isinstance(error, VendorDown):
        return Verdict("retry", str(error), error.retry_after, error, asked=False)
    if isinstance(error, Retryable):
        return Verdict("retry", str(error), retry_after=error.retry_after, error=error)
    if (reason := why_no_answer(error)) is not None:
        return Verdict("retry", f"the store could not answer: {reason}", error=error)
    if isinstance(error, Ambiguous | Rejected | Overtaken):
        return Verdict("retry", str(error), error=error)
    return Verdict("bug", f"{type(error).__name__}: {error}", error=error)
