"""What a vendor's reply means: status codes, waiting times and complaints, as data."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parsedate_to_datetime
from enum import Enum
from functools import cache, lru_cache
from typing import Any

import httpx
import msgspec

from connectors.errors import CrossdockError

UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What msgspec raises for bytes that are no JSON, no text, or nested without end."""

LONGEST_BLOCK_S = 3600.0
"""A vendor's ``Retry-After`` counts up to here; more is a mistake, or an attack."""


class Verdict(Enum):
    """What a status code says about the call."""

    DONE = "done"
    SLOW_DOWN = "certainly not done, ask later"
    MISCONFIGURED = "certainly not done, and never will be with these settings"
    REFUSED = "certainly not done, this record is refused"
    MOVED = "the address is another one; a write may have been taken or not"
    UNCLEAR = "nobody can say whether it was done"


@dataclass(frozen=True, slots=True)
class Consequence:
    verdict: Verdict
    meaning: str
    remedy: str = ""


_CREDENTIALS = "Check the credentials of this connection and the permissions they carry."
_BY_STATUS: Mapping[int, Consequence] = {
    301: Consequence(Verdict.MOVED, "moved", "Set the address it names as the connection's url."),
    308: Consequence(Verdict.MOVED, "moved", "Set the address it names as the connection's url."),
    401: Consequence(Verdict.MISCONFIGURED, "credentials refused", _CREDENTIALS),
    403: Consequence(Verdict.MISCONFIGURED, "not permitted", _CREDENTIALS),
    404: Consequence(Verdict.REFUSED, "not found"),
    408: Consequence(Verdict.UNCLEAR, "request timed out there"),
    409: Consequence(Verdict.REFUSED, "conflict"),
    429: Consequence(Verdict.SLOW_DOWN, "too many requests"),
    # A proxy's word for "the caller hung up": it may have passed the call on before.
    499: Consequence(Verdict.UNCLEAR, "given up on its way"),
}
_BY_CLASS: Mapping[int, Consequence] = {
    2: Consequence(Verdict.DONE, "done"),
    3: Consequence(Verdict.UNCLEAR, "redirected, and redirects are not followed"),
    4: Consequence(Verdict.REFUSED, "refused"),
    5: Consequence(Verdict.UNCLEAR, "trouble on their side"),
}
_NONSENSE = Consequence(Verdict.UNCLEAR, "an unknown status")


def consequence(status: int) -> Consequence:
    """Look the status up: the exact code first, then its class."""
    return _BY_STATUS.get(status) or _BY_CLASS.get(status // 100, _NONSENSE)


class Unreadable(ValueError):
    """A body that is not the JSON it should be; the message says what it is instead."""


def read_json(content: bytes, content_type: str, shape: Any = Any) -> Any:
    """Decode a JSON body as ``shape``; raises ``Unreadable``. An empty body is unreadable too.

    A byte order mark in front is taken off: PHP shops emit it when a plugin file is saved so.
    """
    body = content.removeprefix(b"\xef\xbb\xbf").strip()
    if not body:
        raise Unreadable("answered with an empty body")
    if body[:1] == b"<" or "html" in content_type:
        raise Unreadable(
            "answered HTML instead of JSON: often a maintenance page or a security plugin, "
            "open the address in a browser to see it"
        )
    try:
        return _decoder(shape).decode(body)
    except msgspec.ValidationError as error:
        raise Unreadable(f"answered JSON, but not what is expected here ({error})") from None
    except UNREADABLE:
        raise Unreadable("answered with broken or cut off JSON") from None


@cache
def _decoder(shape: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(shape)


@dataclass(frozen=True, slots=True)
class Reply:
    """A successful reply. ``content`` is the decoded body, bounded by the client's cap."""

    status: int
    headers: httpx.Headers
    content: bytes = field(repr=False)
    value: Any = field(repr=False)
    unclear: Callable[[str], CrossdockError] = field(repr=False)
    """Turns "this reply makes no sense" into the error that fits the call: a read may simply be
    repeated, a write may have happened."""

    def json(self) -> Any:
        """The decoded body; null when there is none (204)."""
        return self.value

    def object(self, *required: str) -> dict[str, Any]:
        """The body as a JSON object that has the ``required`` keys, and says something of each."""
        said = self.value if self._is_object() else {}
        # Null is no id: turned into text it would be one, and everybody's.
        missing = ", ".join(name for name in required if said.get(name) is None)
        if missing or not self._is_object():
            raise self.unclear(f"answered JSON without {missing or 'the object expected here'}")
        return dict(self.value)

    def array(self) -> list[Any]:
        """The body as a JSON array."""
        if not isinstance(self.value, list):
            raise self.unclear("answered JSON, but not the list expected here")
        return self.value

    def rows(self, key: str = "", *, having: str = "") -> list[dict[str, Any]]:
        """A JSON array of objects: the body, or what it holds under ``key``.

        ``having``: a field that every one of them must have, and say something of.
        """
        found = self.object(key)[key] if key else self.value
        if not isinstance(found, list) or not all(
            isinstance(row, dict) and (not having or row.get(having) is not None) for row in found
        ):
            where = f" in {key}" if key else ""
            what = f"objects with {having}" if having else "objects"
            raise self.unclear(f"answered JSON, but not a list of {what}{where}")
        return found

    @contextmanager
    def reading(self) -> Iterator[None]:
        """What the block looks for in the body may be missing, or be something else: the vendor's
        fault, so it ends as ``unclear`` does."""
        try:
            yield
        except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
            told = f"{type(error).__name__}: {error}"[:200]
            raise self.unclear(f"answered JSON, but not what is expected here ({told})") from error

    def _is_object(self) -> bool:
        return isinstance(self.value, dict)


def is_number(told: object) -> bool:
    """Is what a vendor gives as an id a whole number, as it says that its ids are?

    Some write them as text. Anything else is no id that it could be asked for again.
    """
    digits = str(told)
    return not isinstance(told, bool) and digits.isascii() and digits.isdecimal()


def retry_after_s(headers: httpx.Headers, now: datetime) -> float | None:
    """Seconds the vendor asks to wait (``Retry-After``, ``x-retry-after``), 0 to 3600, or null.

    A date is taken against the reply's own ``Date``, so a skewed clock on either side is harmless.
    """
    for name in ("retry-after", "x-retry-after"):
        given = headers.get(name, "").strip()
        try:
            seconds = float(given)
        except ValueError:
            until = http_date(given)
            if until is None:
                continue
            sent = http_date(headers.get("date", "")) or now
            seconds = (until - sent).total_seconds()
        if seconds == seconds:  # a literal "nan" parses as a float
            return min(max(seconds, 0.0), LONGEST_BLOCK_S)
    return None


@lru_cache(maxsize=8)  # a vendor's clock has the same second for many replies
def http_date(text: str) -> datetime | None:
    """An HTTP date as an aware datetime, or null when it is none."""
    try:
        moment = parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
    return moment if moment.tzinfo else None


def complaint(content: bytes) -> tuple[str, str]:
    """The vendor's own code and message in an error body, ("", "") when none is recognised.

    Knows ``{code, message}`` (WooCommerce), ``{errors: [{code | error_code, message}]}``
    (Amazon, ShipEngine), ``{error, error_description}`` (OAuth) and problem details with
    ``{title, detail, errors: {field: [text]}}`` (ShipBob).
    """
    try:
        body = msgspec.json.decode(content)
    except UNREADABLE:
        return "", ""
    if isinstance(body, str):
        return "", body
    if isinstance(body, Sequence):
        body = {"errors": body}
    return _complaint(body) if isinstance(body, dict) else ("", "")


def _complaint(body: dict[str, Any]) -> tuple[str, str]:
    errors = body.get("errors")
    if isinstance(errors, list) and errors and isinstance(errors[0], dict):
        first = errors[0]
        texts = [_text(entry, "message", "detail") for entry in errors if isinstance(entry, dict)]
        return _text(first, "code", "error_code"), "; ".join(text for text in texts if text)
    if isinstance(errors, dict):
        fields = [f"{name}: {_joined(said)}" for name, said in errors.items()]
        return _text(body, "code", "title"), "; ".join(fields)
    code = _text(body, "code", "error", "title", "type")
    return code, _text(body, "message", "error_description", "detail") or _joined(errors)


def _text(entry: dict[str, Any], *names: str) -> str:
    for name in names:
        value = entry.get(name)
        if isinstance(value, (str, int)) and value != "":
            return str(value)
    return ""


def _joined(said: Any) -> str:
    if isinstance(said, list):
        return ", ".join(str(part) for part in said if isinstance(part, (str, int)))
    return said if isinstance(said, str) else ""
