"""Exact numbers out of JSON: decimals, and money in minor units.

Vendors send amounts as text (``"29.35"``), as integers and as JSON floats. A float is taken by its
shortest text, which is what the vendor wrote; arithmetic is never done in binary.
"""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from functools import cache

from iso4217 import Currency

from mappings.problems import Unfit, UnfitArgument

_ZERO = Decimal(0)

_LARGEST_POWER_OF_TEN = 18
"""Bounds what one amount may cost: ``1e999999`` would be a megabyte of digits."""


@cache
def exponent(currency: str) -> int:
    """Digits after the point: EUR 2, JPY 0, KWD 3.

    Raises ``UnfitArgument`` for a code that ISO 4217 does not list or that is no money (gold).
    """
    try:
        digits: int | None = Currency(currency.strip().upper()).exponent
    except ValueError:
        digits = None
    if digits is None:
        raise UnfitArgument(f"unknown currency {currency[:8]!r}")
    return digits


def exact(value: object) -> Decimal:
    """The finite decimal a payload holds. Raises ``Unfit``.

    >>> exact("10.50"), exact(3), exact(0.1)
    (Decimal('10.50'), Decimal('3'), Decimal('0.1'))
    """
    if type(value) is int and -1_000_000 < value < 1_000_000:
        return Decimal(value)
    if isinstance(value, Decimal):
        number = value
    elif isinstance(value, (str, int, float)) and not isinstance(value, bool):
        number = _parse(value)
    else:
        raise Unfit("not a number")
    if not number.is_finite():
        raise Unfit("not a finite number")
    if not number:
        return _ZERO
    if abs(number.adjusted()) > _LARGEST_POWER_OF_TEN:
        raise Unfit("a number out of all proportion")
    return number


def _parse(value: str | float) -> Decimal:
    if isinstance(value, int):
        return Decimal(value)
    text = value.strip() if isinstance(value, str) else repr(value)
    # Decimal would take "1_0" for 10, and digits of any script.
    if "_" in text or not text.isascii():
        raise Unfit("not a number")
    # Past the 28 digits of the default context, Decimal arithmetic would round in silence.
    if len(text) > 28:
        raise Unfit("a number out of all proportion")
    try:
        return Decimal(text)
    except InvalidOperation:
        raise Unfit("not a number") from None


def minor_units(value: object, currency: str) -> int:
    """An amount in minor units; ``Unfit`` where it has more digits than the currency.

    >>> minor_units("29.35", "EUR"), minor_units("1200.00", "JPY"), minor_units("1.005", "KWD")
    (2935, 1200, 1005)
    """
    digits = exponent(currency)
    plain = _plain_minor_units(value, digits)
    if plain is not None:
        return plain
    scaled = exact(value).scaleb(digits)
    whole = int(scaled)
    if whole != scaled:
        raise Unfit(f"more digits than {currency} has")
    return whole


def rounded_minor_units(value: object, currency: str) -> int:
    """An amount in minor units, halves away from zero. For unit prices and shares, not totals.

    >>> rounded_minor_units(10.799999999999999, "USD"), rounded_minor_units("-0.005", "USD")
    (1080, -1)
    """
    digits = exponent(currency)
    plain = _plain_minor_units(value, digits)
    if plain is not None:
        return plain
    return int(exact(value).scaleb(digits).to_integral_value(ROUND_HALF_UP))


def _plain_minor_units(value: object, digits: int) -> int | None:
    """The short way for what nearly every amount looks like: ``10.50``, without a Decimal."""
    if not isinstance(value, str) or len(value) > _LARGEST_POWER_OF_TEN:
        return None
    whole, _, fraction = value.partition(".")
    if len(fraction) > digits:
        fraction = fraction.rstrip("0")
    figures = whole + fraction
    missing = digits - len(fraction)
    if missing < 0 or not (figures.isascii() and figures.isdigit()):
        return None
    return int(figures) * 10**missing if missing else int(figures)


def major_units(amount: int, currency: str) -> Decimal:
    """Back from minor units: the decimal with exactly the currency's digits.

    >>> major_units(2900, "EUR"), major_units(1200, "JPY")
    (Decimal('29.00'), Decimal('1200'))
    """
    return Decimal(amount).scaleb(-exponent(currency))
