"""What requests need: our values as vendors want to read them."""

from __future__ import annotations

import unicodedata
from datetime import datetime

from mappings.numbers import exact, major_units
from mappings.problems import UnfitArgument
from mappings.transforms.numeric import integer
from mappings.transforms.registry import transform
from mappings.transforms.texts import text
from mappings.transforms.times import aware


@transform
def iso_utc(value: datetime) -> str:
    """A time as vendors want it: ISO 8601 in UTC, to the second.

    >>> iso_utc(utc("2026-11-21T10:00:00.25Z"))
    '2026-11-21T10:00:00Z'
    """
    return f"{aware(value).replace(tzinfo=None).isoformat(timespec='seconds')}Z"


@transform
def money_text(value: int, *, currency: str) -> str:
    """Minor units as a decimal text with the currency's digits.

    >>> money_text(2900, currency="EUR"), money_text(1200, currency="JPY")
    ('29.00', '1200')
    """
    return str(major_units(integer(value), currency))


@transform
def money_number(value: int, *, currency: str) -> float:
    """Minor units as a JSON number, for vendors that refuse text. Never calculate with it.

    >>> money_number(2935, currency="EUR")
    29.35
    """
    return float(major_units(integer(value), currency))


@transform
def decimal_text(value: object) -> str:
    """A number as plain text, without exponent and without trailing zeros.

    >>> decimal_text(Decimal("1.50")), decimal_text(Decimal("1E+2"))
    ('1.5', '100')
    """
    plain = f"{exact(value):f}"
    return plain.rstrip("0").rstrip(".") if "." in plain else plain


@transform
def shortened(value: object, *, longest: int) -> str:
    """A text that a vendor takes only so long of: the rest is left off, and no accent or part of
    an emoji stands alone at the end.

    >>> shortened("Maximilian", longest=3), shortened("Jose\u0301", longest=4)
    ('Max', 'Jos')
    """
    if longest < 1:
        raise UnfitArgument("longest must be a whole number from 1")
    found = text(value)
    if len(found) <= longest:
        return found
    end = longest
    while end > 0 and (_continues(found[end]) or found[end - 1] == _JOINER):
        end -= 1
    # A text of marks alone has no better place.
    return found[: end or longest]


_JOINER = "\u200d"


def _continues(character: str) -> bool:
    """Whether it only changes what stands before it."""
    return character == _JOINER or unicodedata.category(character) in ("Mn", "Me", "Mc", "Sk")


@transform
def whole_number(value: object) -> int:
    """A quantity for a vendor that knows whole pieces only; a fraction is a problem.

    >>> whole_number(Decimal("3.00"))
    3
    """
    return integer(value)


@transform
def not_below_zero(value: object) -> int:
    """A stock figure for a channel, which knows no negative stock.

    >>> not_below_zero(-2), not_below_zero(7)
    (0, 7)
    """
    return max(integer(value), 0)


@transform
def unix_seconds(value: datetime) -> int:
    """A time as seconds since 1970.

    >>> unix_seconds(utc("2019-08-20T00:00:00Z"))
    1566259200
    """
    return int(aware(value).timestamp())
