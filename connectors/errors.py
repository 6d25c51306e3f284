"""Errors, sorted by what happens next and not by where they came from.

CrossdockError     every error below carries one sentence for the operator
├─ ConfigProblem   park the connection, tell the operator, do not retry (401, 403, bad setting)
├─ Retryable       retry with backoff; carries ``retry_after`` in seconds
│  ├─ RateLimited  (429)
│  ├─ VendorDown   (nothing was asked: the vendor is known to be down)
│  └─ Unreachable  (refused, timeout on a read, 502, 503, 504, HTML instead of JSON)
├─ Rejected        the other side refused this record: park the record (400, 404, 409, 422)
├─ HookRefused     a webhook that nobody proves: answered 401, kept nowhere
└─ Ambiguous       a write may or may not have happened: look up before any repeat

Anything else is a bug of ours.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal


class CrossdockError(Exception):
    """Something went wrong, and the message says what to do about it."""


class ConfigProblem(CrossdockError):
    """The connection cannot work until its configuration or credentials are mended."""


class Retryable(CrossdockError):
    """The other side cannot answer now; the same call may succeed later."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class RateLimited(Retryable):
    """The other side asks us to slow down."""


class VendorDown(Retryable):
    """Nothing was asked: the vendor is known to be down and is asked again in ``retry_after``
    seconds. Says nothing about the record that the call was for."""

    def __init__(self, connection: str, since: datetime, retry_after: float) -> None:
        super().__init__(
            f"{connection}: not asked: the vendor has been down since "
            f"{since:%Y-%m-%d %H:%M} UTC, the next try is in {retry_after:.0f} s.",
            retry_after,
        )


class Unreachable(Retryable):
    """No usable answer came back, and nothing was changed by asking."""


class Unreadable(Unreachable):
    """An answer came of which nobody can tell what it says; it may be the same for ever."""


class Rejected(CrossdockError):
    """The other side understood and refused. ``code`` is its word, ``status`` the HTTP status."""

    def __init__(self, message: str, code: str = "", status: int = 0) -> None:
        super().__init__(message)
        self.code = code
        self.status = status


class Ambiguous(CrossdockError):
    """The reply to a write was lost or unreadable: it may have taken effect."""


class HookRefused(CrossdockError):
    """A webhook is not proven to come from the account's vendor. ``reason``: one word for it."""

    def __init__(self, reason: Literal["unsigned", "signature", "stale", "unreadable"]) -> None:
        super().__init__(f"the webhook is refused: {reason}")
        self.reason = reason
