"""Sourcing an order of many lines: sites are added, dropped and swapped until nothing gains.

Near the optimum and not proven: for orders too long for ``partition``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from sync.routing.partition import NEVER, Offer, Shared

_SWAPS_MAX = 40
"""Sites tried in a swap: those whose parcel with all it can ship is cheapest per line."""


def deal(
    count: int,
    offers: Sequence[Offer],
    unfilled: Sequence[float],
    *,
    shared: Mapping[int, Shared] | None = None,
    most_parcels: int | None = None,
    first_less: float = 0,
) -> tuple[list[int | None], float]:
    """As ``partition.deal``, for any number of lines; the answer may cost more than the least."""
    limit = count if most_parcels is None else most_parcels
    order = sorted(range(len(offers)), key=lambda n: (_per_line(offers[n]), n))
    search = _Search(count, offers, unfilled, shared or {}, first_less)
    chosen: tuple[int, ...] = ()
    cost = search.cost(chosen)
    while True:
        best, least = chosen, cost
        for tried in _moves(chosen, order, limit):
            if (found := search.cost(tried)) < least:
                best, least = tried, found
        if best == chosen:
            sites, _ = search.assigned(chosen)
            return [None if place is None else offers[place][0] for place in sites], cost
        chosen, cost = best, least


def _per_line(offer: Offer) -> float:
    return (offer[1] + sum(cost for _, cost in offer[2])) / len(offer[2])


def _moves(chosen: tuple[int, ...], order: Sequence[int], limit: int) -> Iterator[tuple[int, ...]]:
    others = [n for n in order if n not in chosen]
    for place in range(len(chosen)):
        rest = chosen[:place] + chosen[place + 1 :]
        yield rest
        for n in others[:_SWAPS_MAX]:
            yield tuple(sorted((*rest, n)))
    if len(chosen) < limit:
        for n in others:
            yield tuple(sorted((*chosen, n)))


class _Search:
    def __init__(
        self,
        count: int,
        offers: Sequence[Offer],
        unfilled: Sequence[float],
        shared: Mapping[int, Shared],
        first_less: float,
    ) -> None:
        self._bits = [1 << line for line in range(count)]
        self._offers = offers
        self._lines = [dict(lines) for _, _, lines in offers]
        self._unfilled = unfilled
        self._shared = shared
        self._first_less = first_less

    def cost(self, chosen: Sequence[int]) -> float:
        return self.assigned(chosen)[1]

    def assigned(self, chosen: Sequence[int]) -> tuple[list[int | None], float]:
        """Every line at the cheapest chosen site that still has it. Idle sites cost nothing."""
        left = {n: self._limits(n) for n in chosen}
        sites: list[int | None] = []
        total: float = 0
        for bit, left_out in zip(self._bits, self._unfilled, strict=True):
            least: float = NEVER
            best = None
            for n in chosen:
                cost = self._lines[n].get(bit)
                if cost is not None and cost < least and _has(left[n], bit):
                    least, best = cost, n
            if best is None or least > left_out:
                sites.append(None)
                total += left_out
            else:
                sites.append(best)
                total += least
                _take(left[best], bit)
        used = {n for n in sites if n is not None}
        total += sum(self._offers[n][1] for n in used)
        return sites, total - (self._first_less if used else 0)

    def _limits(self, n: int) -> list[tuple[Mapping[int, int], list[int]]]:
        return [(bits, [has]) for bits, has in self._shared.get(self._offers[n][0], ())]


def _has(limits: Sequence[tuple[Mapping[int, int], list[int]]], bit: int) -> bool:
    return all(left[0] >= bits.get(bit, 0) for bits, left in limits)


def _take(limits: Sequence[tuple[Mapping[int, int], list[int]]], bit: int) -> None:
    for bits, left in limits:
        left[0] -= bits.get(bit, 0)
