"""Card numbers that buyers type where they do not belong: taken out before anything is stored.

Whoever stores one is bound by the card schemes' rules from then on. What only looks like one must
survive: product codes, order ids and tracking numbers have as many digits, and one in ten passes
the check digit by chance. So a number is taken for a card's only in text that people write, and
only with a beginning that an issuer has.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

REMOVED = "[card number removed]"

_SHAPE = bytes(ord("0") if ord("0") <= code <= ord("9") else ord("x") for code in range(256))
_RUN = b"0" * 13

_NUMBER = re.compile(r"(?<![\w-])\d(?:[ -]?\d){12,18}(?![\w-])", re.ASCII)
_ISSUED = re.compile(
    r"4\d{12}(?:\d{3}){0,2}"
    r"|(?:5[1-5]\d\d|222[1-9]|22[3-9]\d|2[3-6]\d\d|27[01]\d|2720)\d{12}"
    r"|3[47]\d{13}"
    r"|3(?:0[0-5]|[689]\d)\d{11,16}"
    r"|35(?:2[89]|[3-8]\d)\d{12,15}"
    r"|6(?:011|5\d\d|4[4-9]\d)\d{12,15}"
    r"|62\d{14,17}"
    r"|(?:5018|5020|5038|5893|6304|6759|676[1-3])\d{8,15}"
)
_WRITTEN = re.compile(
    r"note|comment|messag|instruct|remark|memo|gift|text|card"
    r"|address|street|company|first_?name|last_?name",
    re.IGNORECASE,
)
"""Keys of what buyers type: there a text is theirs even when it is nothing but a number."""


def without_card_numbers(body: bytes) -> bytes:
    """A payload's JSON with each card number in free text replaced; nearly always ``body`` itself.

    Costs two passes over the bytes where there is no run of 13 digits.
    """
    if not _may_hold_one(body):
        return body
    try:
        found = set(_typed(msgspec.json.decode(body), ""))
    except (UnicodeDecodeError, msgspec.DecodeError, RecursionError):
        return body  # not JSON: the mapping says so, and nothing else can be said of it
    for number in sorted(found, key=len, reverse=True):
        body = body.replace(number.encode(), REMOVED.encode())
    return body


def _may_hold_one(body: bytes) -> bool:
    """Whether a closer look is worth it, blanks and dashes left out: every order passes here."""
    shape = body.translate(_SHAPE, b" -")
    at = shape.find(_RUN)
    if at < 0:
        return False
    bare = body.translate(None, b" -")
    while at >= 0:
        end = shape.find(b"x", at)
        digits = bare[at : end if end >= 0 else None]
        # Written in one piece it is a card's number as it stands, or none. Otherwise any part of
        # it may be one.
        if digits not in body or _is_card(digits.decode()):
            return True
        at = shape.find(_RUN, at + len(digits))
    return False


def _typed(value: Any, key: str) -> Iterator[str]:
    """Card numbers in the texts below ``value``, which stands under ``key``."""
    if isinstance(value, Mapping):
        for name, item in value.items():
            yield from _typed(item, name)
    elif isinstance(value, list):
        for item in value:
            yield from _typed(item, key)
    elif isinstance(value, str) and not value.startswith(("http://", "https://")):
        for number in _cards(value):
            others = value.replace(number, "")
            # Words with blanks between them are somebody's; anything else may be an id.
            if _WRITTEN.search(key) or (others and re.search(r"\s", others)):
                yield number


def _cards(text: str) -> Iterator[str]:
    """Each number of a card as it is written, blanks and dashes included."""
    for found in _NUMBER.finditer(text):
        if _is_card(re.sub(r"\D", "", found[0])):
            yield found[0]


def _is_card(digits: str) -> bool:
    return _ISSUED.fullmatch(digits) is not None and _adds_up(digits)


def _adds_up(digits: str) -> bool:
    """ISO/IEC 7812: the check digit (Luhn)."""
    total = 0
    for place, digit in enumerate(map(int, reversed(digits))):
        doubled = digit * (1 + place % 2)
        total += doubled - 9 if doubled > 9 else doubled
    return total % 10 == 0
