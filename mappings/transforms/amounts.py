"""Money in minor units.

The argument ``currency`` is an ISO 4217 code; amounts are decimals in its major unit.
"""

from __future__ import annotations

from mappings.numbers import exponent, in_proportion, minor_units, rounded_minor_units
from mappings.problems import Unfit, UnfitArgument
from mappings.transforms.registry import transform
from mappings.transforms.texts import text


@transform
def currency(value: object) -> str:
    """A currency of ISO 4217.

    >>> currency("eur")
    'EUR'
    """
    code = text(value).strip().upper()
    try:
        exponent(code)
    except UnfitArgument as error:
        raise Unfit(str(error)) from None
    return code


@transform
def money(value: object, *, currency: str) -> int:
    """An amount in minor units. More digits than the currency has are a problem, unless zeros.

    >>> money("29.35", currency="EUR"), money("1200.00", currency="JPY")
    (2935, 1200)
    """
    return minor_units(value, currency)


@transform
def money_rounded(value: object, *, currency: str) -> int:
    """An amount in minor units, halves away from zero. For unit prices and tax shares only.

    >>> money_rounded(10.799999999999999, currency="USD")
    1080
    """
    return rounded_minor_units(value, currency)


@transform
def money_negated(value: object, *, currency: str) -> int:
    """An amount with the other sign, for vendors that write a reduction as a positive amount.

    >>> money_negated("5.00", currency="EUR")
    -500
    """
    return -minor_units(value, currency)


@transform
def money_absolute(value: object, *, currency: str) -> int:
    """An amount without its sign, for vendors that write money given back as negative.

    >>> money_absolute("-10.00", currency="EUR")
    1000
    """
    return abs(minor_units(value, currency))


@transform
def money_sum(value: object, *, currency: str) -> int:
    """The sum of a list of amounts; what is null or empty counts as nothing.

    >>> money_sum(["1.35", "0.40", None], currency="EUR")
    175
    """
    return in_proportion(sum(_amounts(value, currency)))


@transform
def money_difference(value: object, *, currency: str) -> int:
    """The first amount of a list less all others.

    >>> money_difference(["50.00", "30.00"], currency="EUR")
    2000
    """
    amounts = _amounts(value, currency)
    return in_proportion(2 * amounts[0] - sum(amounts)) if amounts else 0


@transform
def adds_up(value: object, *, currency: str) -> bool:
    """Whether the first amount of a list is the sum of all others.

    >>> adds_up(["12.00", "10.00", "2.00"], currency="EUR"), adds_up(["12.00"], currency="EUR")
    (True, False)
    """
    amounts = _amounts(value, currency)
    return 2 * amounts[0] == sum(amounts) if amounts else False


def _amounts(value: object, currency: str) -> list[int]:
    if not isinstance(value, list):
        raise Unfit("not a list of amounts")
    return [0 if part in (None, "") else minor_units(part, currency) for part in value]
