"""The promise of one listing as a pure function: terms in, the number and every step to it out.

per location   available = on_hand - reserved - damaged - quality_hold - safety, never below 0
               offered   = (available - demand - kept back) x share
the listing    sum of the locations, in whole pieces
               - buffer - in flight, at most cap
               0 at or below end_when; from 0 back only at min_publish
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

_ZERO = Decimal(0)
_HUNDRED = Decimal(100)


@dataclass(frozen=True, slots=True)
class Scarcest:
    """The component that limits a bundle at a location, and how many one bundle takes of it."""

    sku: str
    available: Decimal
    each: Decimal


@dataclass(frozen=True, slots=True)
class Place:
    """One location's part. ``share_percent`` of its goods are for this listing.

    Of a bundle ``on_hand`` is what its components make, all else taken off, and ``limited_by`` says
    which of them makes the fewest. ``keep_units`` and ``keep_percent`` (of what is available there)
    stay back for other uses; the larger of the two counts.
    """

    code: str
    on_hand: Decimal
    reserved: Decimal = _ZERO
    damaged: Decimal = _ZERO
    quality_hold: Decimal = _ZERO
    safety: Decimal = _ZERO
    share_percent: Decimal = _HUNDRED
    keep_units: int = 0
    keep_percent: Decimal = _ZERO
    limited_by: Scarcest | None = None

    @property
    def available(self) -> Decimal:
        """Below zero where an outside count fell short; that eats no other location's goods."""
        return self.on_hand - self.reserved - self.damaged - self.quality_hold - self.safety


@dataclass(frozen=True, slots=True)
class Terms:
    """Everything that decides one promise. Quantities are pieces.

    ``unallocated``: what accepted orders wait for, promised already but reserved nowhere yet.
    ``buffer_units`` and ``buffer_percent`` (of the goods): the larger counts. ``in_flight``:
    what may be sold elsewhere before a write arrives. ``on_offer``: whether more than 0 was
    promised last.
    """

    places: Sequence[Place]
    unallocated: Decimal = _ZERO
    buffer_units: int = 0
    buffer_percent: Decimal = _ZERO
    in_flight: int = 0
    cap: int | None = None
    end_when: int | None = None
    min_publish: int | None = None
    on_offer: bool = True


@dataclass(frozen=True, slots=True)
class Step:
    """One term at work: what it changed, and the quantity after it."""

    term: str
    change: Decimal
    after: Decimal


@dataclass(frozen=True, slots=True)
class Promise:
    """``quantity``: whole pieces, never below 0. ``steps`` lead to it, in order."""

    quantity: int
    terms: Terms
    steps: Sequence[Step]


def promised(terms: Terms) -> Promise:
    """Compute the promise. The same terms always give the same promise."""
    steps = list(_steps(terms))
    quantity = int(steps[-1].after)
    return Promise(quantity, terms, tuple(steps))


def _steps(terms: Terms) -> Iterator[Step]:
    available = sum((max(_ZERO, place.available) for place in terms.places), _ZERO)
    yield Step("available", available, available)
    goods, before = _offered(terms), available
    if terms.unallocated:
        after = max(_ZERO, before - terms.unallocated)
        yield Step("unallocated", after - before, after)
        before = after
    shared = goods.to_integral_value(ROUND_FLOOR)
    if shared != before:
        yield Step("share", shared - before, shared)
    amount = shared
    for term, change in _deductions(terms, shared):
        after = max(_ZERO, amount - change)
        if after != amount:
            yield Step(term, after - amount, after)
        amount = after
    if terms.cap is not None and amount > terms.cap:
        yield Step("cap", terms.cap - amount, Decimal(terms.cap))
        amount = Decimal(terms.cap)
    if terms.end_when is not None and 0 < amount <= terms.end_when:
        yield Step("end_when", -amount, _ZERO)
    elif _too_few_to_start(terms, amount):
        yield Step("min_publish", -amount, _ZERO)


def _offered(terms: Terms) -> Decimal:
    """What the locations give together, after the demand that is not allocated yet.

    Nobody knows where that demand will be allocated. It is taken where it costs the listing most,
    so that allocating it can raise the promise and never lower it.
    """
    demand = terms.unallocated
    total = _ZERO
    for place in sorted(terms.places, key=lambda place: (-place.share_percent, place.code)):
        free = max(_ZERO, place.available)
        free = max(_ZERO, free - _larger(place.keep_units, place.keep_percent, free))
        taken = min(free, demand)
        demand -= taken
        total += (free - taken) * place.share_percent / _HUNDRED
    return total


def _deductions(terms: Terms, goods: Decimal) -> Iterator[tuple[str, int]]:
    yield "buffer", _larger(terms.buffer_units, terms.buffer_percent, goods)
    yield "in_flight", terms.in_flight


def _larger(units: int, percent: Decimal, of: Decimal) -> int:
    part = (of * percent / _HUNDRED).to_integral_value(ROUND_CEILING)
    return max(units, int(part))


def _too_few_to_start(terms: Terms, amount: Decimal) -> bool:
    """A listing that has ended starts again only with ``min_publish``, or it would flicker."""
    return terms.min_publish is not None and not terms.on_offer and 0 < amount < terms.min_publish
