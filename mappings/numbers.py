"""Exact numbers out of JSON: decimals, and money in minor units.

Vendors send amounts as text (``"29.35"``), as integers and as JSON floats. A float is taken by its
shortest text, which is what the vendor wrote; arithmetic is never done in binary.
"""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from functools import cache, lru_cache

from iso4217 import Currency

from mappings.problems import Unfit, UnfitArgument

_ZERO = Decimal(0)

_NEAR = 10.0**12
"""Minor units under which a float is sure to the thousandth."""

_MOST_PIECES = 10**12
_DECIMALS_OF_PIECES = 6

_LARGEST_POWER_OF_TEN = 18
"""Bounds what one amount may cost: ``1e999999`` would be a megabyte of digits."""

_LARGEST_WHOLE = 10**18
"""Less than what the 64 bits of a database's integer hold."""

_PLAIN = 14
"""Characters of an amount that is kept: with the 4 digits that some currencies have still far
less than ``_LARGEST_WHOLE``."""


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


def countable(value: object) -> Decimal:
    """A quantity as the store keeps it, in millionths and 64 bits. Raises ``Unfit``.

    >>> countable("1.5"), countable(3)
    (Decimal('1.5'), Decimal('3'))
    """
    if type(value) is int and -1_000_000 < value < 1_000_000:
        return Decimal(value)
    number = exact(value)
    if not -_MOST_PIECES < number < _MOST_PIECES:
        raise Unfit("a number out of all proportion")
    if number != round(number, _DECIMALS_OF_PIECES):
        raise Unfit(f"more than {_DECIMALS_OF_PIECES} decimals")
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
    if type(value) is str and len(value) <= _PLAIN:
        return _text_in_minor_units(value, currency)
    digits = exponent(currency)
    if type(value) is float:
        near = _near(value, digits)
        # Under 10**15 a float is the quotient just where its shortest text says so.
        if near is not None and near / 10**digits == value:
            return near
    return _whole(exact(value).scaleb(digits), currency)


def rounded_minor_units(value: object, currency: str) -> int:
    """An amount in minor units, halves away from zero. For unit prices and shares, not totals.

    >>> rounded_minor_units(10.799999999999999, "USD"), rounded_minor_units("-0.005", "USD")
    (1080, -1)
    """
    if type(value) is str and len(value) <= _PLAIN:
        return _text_in_rounded_minor_units(value, currency)
    digits = exponent(currency)
    near = _near(value, digits) if type(value) is float else None
    return _rounded(exact(value).scaleb(digits)) if near is None else near


# Kept: an order says most of its amounts twice, and a shop has its price points.
@lru_cache(maxsize=4096)
def _text_in_minor_units(value: str, currency: str) -> int:
    digits = exponent(currency)
    plain = _plain_minor_units(value, digits, rounded=False)
    return _whole(exact(value).scaleb(digits), currency) if plain is None else plain


@lru_cache(maxsize=4096)
def _text_in_rounded_minor_units(value: str, currency: str) -> int:
    digits = exponent(currency)
    plain = _plain_minor_units(value, digits, rounded=True)
    return _rounded(exact(value).scaleb(digits)) if plain is None else plain


def _whole(scaled: Decimal, currency: str) -> int:
    whole = int(scaled)
    if whole != scaled:
        raise Unfit(f"more digits than {currency} has")
    return in_proportion(whole)


def _rounded(scaled: Decimal) -> int:
    return in_proportion(int(scaled.to_integral_value(ROUND_HALF_UP)))


def in_proportion(whole: int) -> int:
    """A whole number that the store can hold. Raises ``Unfit``."""
    if -_LARGEST_WHOLE < whole < _LARGEST_WHOLE:
        return whole
    raise Unfit("a number out of all proportion")


def _plain_minor_units(value: str, digits: int, *, rounded: bool) -> int | None:
    """The short way for text that looks like nearly every amount: ``10.50``, without a Decimal."""
    whole, _, fraction = value.partition(".")
    figures = whole + fraction
    if not figures.isdigit() or not value.isascii():
        return None
    missing = digits - len(fraction)
    if not missing:
        return int(figures)
    if missing > 0:
        return int(figures) * int(10**missing)
    kept, rest = figures[:missing] or "0", figures[missing:]
    if rounded:
        return int(kept) + (rest >= "5")
    return None if rest.strip("0") else int(kept)


def _near(value: float, digits: int) -> int | None:
    """The minor units next to a float, where none of its digits can make it another's.

    The product is off by far less than the tenth left between 0.4 and the half that would round
    the other way. What is almost nothing may be out of all proportion.
    """
    scaled = value * 10.0**digits
    if -_NEAR < scaled < _NEAR:
        near = round(scaled)
        if -0.4 < scaled - near < 0.4 and (near or not value):
            return near
    return None


def major_units(amount: int, currency: str) -> Decimal:
    """Back from minor units: the decimal with exactly the currency's digits.

    >>> major_units(2900, "EUR"), major_units(1200, "JPY")
    (Decimal('29.00'), Decimal('1200'))
    """
    return Decimal(amount).scaleb(-exponent(currency))
