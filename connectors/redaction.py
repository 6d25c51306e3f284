"""Keeps secrets out of every sentence we write down."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import quote, quote_plus

MASK = "***"

PUBLIC_HEADERS = frozenset(
    {"accept", "accept-encoding", "accept-language", "connection", "content-length"}
    | {"content-type", "host", "user-agent", "transfer-encoding"}
)
"""Headers whose value may be shown. An allow-list: an unknown header may hold a credential."""

_SHORTEST = 4
"""Shorter values would blank ordinary words, and no vendor issues such short secrets."""

_LONGEST_INPUT = 10_000
"""Characters looked at: an error body may be megabytes, and patterns cost time."""

_SCHEMES = re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/|=-]{12,}")
_LABELLED = re.compile(
    r"(?i)(token|secret|password|passwd|api[_-]?key|consumer_key|signature|credential)"
    r"([\"']?\s{0,3}[=:]\s{0,3}[\"']?)[^\s\"'&,;}]{4,}"
)


def redact(text: str, secrets: Iterable[str] = (), limit: int = 300) -> str:
    """``text`` on one line, at most ``limit`` long, without secrets and control characters.

    Masks the ``secrets`` in the spellings a vendor may echo (plain, base64, URL-encoded), and
    whatever is labelled as a credential although nobody told us of it.
    """
    text = text[:_LONGEST_INPUT]
    # Longest first, or a secret that contains another one would stay half visible.
    for spelling in sorted(set(_spellings(secrets)), key=len, reverse=True):
        text = text.replace(spelling, MASK)
    text = _SCHEMES.sub(rf"\1 {MASK}", text)
    text = _LABELLED.sub(rf"\1\2{MASK}", text)
    # Whatever moves the cursor, ends the line, turns the direction or shows nothing.
    text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return text if len(text) <= limit else text[: limit - 1] + "…"


def header_secrets(headers: Mapping[str, str]) -> Iterator[str]:
    """Every header value that is not known to be public, ``Basic`` credentials taken apart."""
    for name, value in headers.items():
        if name.lower() in PUBLIC_HEADERS:
            continue
        scheme, _, credential = value.rpartition(" ")
        yield credential
        if scheme.lower() == "basic":
            yield from _basic_parts(credential)


def _spellings(secrets: Iterable[str]) -> Iterator[str]:
    for secret in secrets:
        if len(secret) >= _SHORTEST:
            encoded = base64.b64encode(secret.encode()).decode()
            yield from (secret, encoded, quote(secret, safe=""), quote_plus(secret))


def _basic_parts(credential: str) -> list[str]:
    try:
        return base64.b64decode(credential, validate=True).decode().split(":", 1)
    except ValueError:
        return []
