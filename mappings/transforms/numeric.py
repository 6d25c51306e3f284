"""Numbers and quantities, exactly."""

from __future__ import annotations

from decimal import Decimal

from mappings.numbers import countable, exact, in_proportion
from mappings.problems import Unfit
from mappings.transforms.registry import transform


@transform
def integer(value: object) -> int:
    """A whole number, also written as text or with zeros after the point.

    >>> integer("12"), integer(3.0)
    (12, 3)
    """
    number = exact(value)
    if number != number.to_integral_value():
        raise Unfit("not a whole number")
    return in_proportion(int(number))


@transform
def decimal(value: object) -> Decimal:
    """An exact number.

    >>> decimal("4.5"), decimal(4.5)
    (Decimal('4.5'), Decimal('4.5'))
    """
    return exact(value)


@transform
def quantity(value: object) -> Decimal:
    """How many, exactly; of any sign, for zero and less park the line later, with the figure kept.

    >>> quantity(2), quantity("1.5"), quantity(-1)
    (Decimal('2'), Decimal('1.5'), Decimal('-1'))
    """
    return countable(value)


@transform
def quantity_absolute(value: object) -> Decimal:
    """How many, for vendors that write returned goods as negative quantities.

    >>> quantity_absolute("-2")
    Decimal('2')
    """
    return abs(countable(value))


@transform
def quantity_difference(value: object) -> Decimal:
    """The first quantity of a list less all others; what is null counts as nothing.

    >>> quantity_difference([5, 3, None])
    Decimal('2')
    """
    if not isinstance(value, list):
        raise Unfit("not a list of quantities")
    first, *others = [Decimal(0) if part is None else exact(part) for part in value or [0]]
    return countable(first - sum(others))


@transform
def absolute(value: int) -> int:
    """A whole number without its sign.

    >>> absolute(-500)
    500
    """
    return abs(integer(value))


@transform
def boolean(value: object) -> bool:
    """True or false, also as 1, 0, yes, no.

    >>> boolean(True), boolean("no"), boolean("1")
    (True, False, True)
    """
    word = str(value).lower() if isinstance(value, bool | int | str) else ""
    if word in ("true", "yes", "1"):
        return True
    if word in ("false", "no", "0"):
        return False
    raise Unfit("neither true nor false")
