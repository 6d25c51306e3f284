"""Bundles in work: locations handle pieces of components, order lines count bundles.

A fulfilment line is about one SKU on a shelf. What was ordered as a bundle is one fulfilment line
per component, all at one location, each with ``per_bundle``: how many of it are in one bundle, as
it was when the work was planned; null where the line is no bundle. Here is the only place where one
count is turned into the other. "Lines" are rows of ``fulfilment.lines_of``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import ROUND_FLOOR, Decimal
from typing import Any, NamedTuple

from msgspec.structs import replace
from sqlalchemy import Connection, Row

from mappings import canonical as c
from state import orders

_NONE = Decimal(0)


class Counts(NamedTuple):
    """Of one order line in one location's work, in what was ordered: bundles, or pieces.

    ``shipped``: all of whose parts have left. ``left``: what the location still has to complete.
    """

    left: Decimal
    shipped: Decimal


def counts(lines: Iterable[Row[Any]]) -> dict[int, Counts]:
    """By order line, of the lines of one fulfilment order: the scarcest component decides."""
    found = {}
    for order_line_id, parts in _by_order_line(lines).items():
        wanted = min(_whole(part, part.qty - part.qty_cancelled) for part in parts)
        shipped = min(_whole(part, part.qty_shipped) for part in parts)
        found[order_line_id] = Counts(wanted - shipped, shipped)
    return found


def book(
    conn: Connection, before: Mapping[int, Counts], after: Mapping[int, Counts], counter: str
) -> None:
    """Move order lines as their work has moved; ``counter``: what holds what is left of it."""
    for order_line_id, was in before.items():
        now = after[order_line_id]
        deltas = {counter: now.left - was.left, "qty_shipped": now.shipped - was.shipped}
        changed = {name: delta for name, delta in deltas.items() if delta}
        if changed:
            orders.move_line(conn, order_line_id, **changed)


def completed(parts: Sequence[Row[Any]], over: Mapping[int, Decimal]) -> Decimal:
    """How many more of what one order line is about are whole with what is ``over`` of each part.

    ``parts``: the lines of one location's work for it; ``over``: pieces by line.
    """
    whole = min(_whole(part, part.qty_shipped + over.get(part.id, _NONE)) for part in parts)
    return whole - min(_whole(part, part.qty_shipped) for part in parts)


def lacking(parts: Sequence[Row[Any]], more: Decimal) -> dict[int, Decimal]:
    """Pieces that are to leave yet, by line, so that ``more`` of what was ordered are whole."""
    whole = min(_whole(part, part.qty_shipped) for part in parts) + more
    return {part.id: max(_NONE, pieces(part, whole) - part.qty_shipped) for part in parts}


def pieces(line: Row[Any], ordered: Decimal) -> Decimal:
    """How many pieces of a line's SKU are in so many of what was ordered."""
    return ordered if line.per_bundle is None else ordered * line.per_bundle


def loose(lines: Iterable[Row[Any]]) -> list[tuple[Row[Any], Decimal]]:
    """Pieces that have left without the rest of their bundle."""
    found = []
    for parts in _by_order_line(lines).values():
        shipped = min(_whole(part, part.qty_shipped) for part in parts)
        extra = [(part, part.qty_shipped - pieces(part, shipped)) for part in parts]
        found += [(part, qty) for part, qty in extra if qty > 0]
    return found


def piece_price(line: Row[Any], lines: Iterable[Row[Any]]) -> int:
    """What one piece was sold for, minor units: a bundle's price spread evenly over its pieces.

    Rounded down, so that the pieces never cost more than the bundle.
    """
    if line.per_bundle is None:
        return int(line.unit_price)
    inside = sum(
        (part.per_bundle for part in lines if part.order_line_id == line.order_line_id), _NONE
    )
    return int(line.unit_price / max(inside, Decimal(1)))


def sorted_out(
    told: Iterable[c.ShippedLine],
    lines: Sequence[Row[Any]],
    gone: Mapping[int, Decimal],
    left: Mapping[int, Decimal],
) -> Iterator[tuple[c.ShippedLine, list[Row[Any]]]]:
    """What a parcel holds, each with the lines that it may be for, the likeliest first.

    By line, ``gone``: what has left; ``left``: what the location may still have. The caller keeps
    both up to date with what it is given. A component that the buyer also ordered by itself is
    first taken for as many bundles as the parcel completes, then for the line of its own, and what
    is too much once more for whole bundles. A location may also name the bundle: it is taken for
    all that it holds.
    """
    reported = [part for one in told for part in _opened(one, lines)]
    mine = [[line for line in _alone_first(lines) if _is_for(one, line)] for one in reported]
    rests = [one.quantity for one in reported]
    yield from _whole_ones(lines, reported, rests, gone, left)
    for place, meant in enumerate(mine):
        wanted = sum((max(_NONE, left[line.id]) for line in meant), _NONE)
        if (qty := min(rests[place], wanted)) > 0:
            rests[place] -= qty
            yield replace(reported[place], quantity=qty), meant
    yield from _whole_ones(lines, reported, rests, gone, None)
    for one, meant, rest in zip(reported, mine, rests, strict=True):
        if rest > 0:
            yield replace(one, quantity=rest), meant


def by_parcel(
    parcels: Iterable[tuple[int, Sequence[Row[Any]]]], lines: Iterable[Row[Any]]
) -> dict[int, list[c.ShippedLine]]:
    """What every parcel tells the channel, whose lines are what was ordered.

    ``parcels``: (id, rows of ``fulfilment.package_lines``), oldest first, all of an order;
    ``lines``: of all its work. A bundle counts in the parcel that completes it, and so once.
    """
    groups: dict[tuple[int, int], list[Row[Any]]] = {}
    for line in lines:
        groups.setdefault((line.ffo_id, line.order_line_id), []).append(line)
    group_of = {line.id: group for group in groups.values() for line in group}
    gone: dict[int, Decimal] = {}
    told: dict[int, list[c.ShippedLine]] = {}
    for parcel_id, inside in parcels:
        # Two of our lines may serve one line of the channel.
        total: dict[tuple[str, str], Decimal] = {}
        for row in inside:
            group = group_of[row.ffo_line_id]
            before = _complete(group, gone)
            # What the order has no room for is not told: a channel could only refuse it.
            within = row.qty - row.qty_over
            gone[row.ffo_line_id] = gone.get(row.ffo_line_id, _NONE) + within
            mark = (_sold_as(group[0]), row.channel_line_id)
            total[mark] = total.get(mark, _NONE) + _complete(group, gone) - before
        told[parcel_id] = [
            c.ShippedLine(sku=sku, channel_line_id=line_id, quantity=qty)
            for (sku, line_id), qty in total.items()
            if qty > 0
        ]
    return told


def _alone_first(lines: Sequence[Row[Any]]) -> list[Row[Any]]:
    return sorted(lines, key=lambda line: line.per_bundle is not None)


def _whole_ones(
    lines: Sequence[Row[Any]],
    reported: Sequence[c.ShippedLine],
    rests: list[Decimal],
    gone: Mapping[int, Decimal],
    left: Mapping[int, Decimal] | None,
) -> Iterator[tuple[c.ShippedLine, list[Row[Any]]]]:
    """Parts of the bundles that ``rests`` complete, which go down; ``left``: null for no limit."""
    for group in _by_order_line(line for line in lines if line.per_bundle is not None).values():
        whole = min(
            _whole(line, gone[line.id] + _reported(line, reported, rests)) for line in group
        )
        if left is not None:
            whole = min(whole, *(_whole(line, gone[line.id] + left[line.id]) for line in group))
        for place, line, qty in list(_completing(group, reported, rests, gone, whole)):
            rests[place] -= qty
            yield replace(reported[place], quantity=qty), [line]


def _by_order_line(lines: Iterable[Row[Any]]) -> dict[int, list[Row[Any]]]:
    found: dict[int, list[Row[Any]]] = {}
    for line in lines:
        found.setdefault(line.order_line_id, []).append(line)
    return found


def _whole(line: Row[Any], qty: Decimal) -> Decimal:
    """How many of what was ordered so many pieces make."""
    if line.per_bundle is None:
        return Decimal(qty)
    each: Decimal = line.per_bundle
    return (qty / each).to_integral_value(ROUND_FLOOR)


def _complete(group: Sequence[Row[Any]], gone: Mapping[int, Decimal]) -> Decimal:
    return min(_whole(line, gone.get(line.id, _NONE)) for line in group)


def _sold_as(line: Row[Any]) -> str:
    return str(line.sku if line.per_bundle is None else line.bundle)


def _is_for(told: c.ShippedLine, line: Row[Any]) -> bool:
    return told.sku == line.sku and told.channel_line_id in ("", line.channel_line_id)


def _opened(told: c.ShippedLine, lines: Sequence[Row[Any]]) -> list[c.ShippedLine]:
    """A bundle that is named by its own SKU as all that it holds; anything else as it is."""
    if any(_is_for(told, line) for line in lines):
        return [told]
    inside = [
        line
        for line in lines
        if line.per_bundle is not None
        and told.sku == line.bundle
        and told.channel_line_id in ("", line.channel_line_id)
    ]
    if not inside:
        return [told]
    first = [line for line in inside if line.order_line_id == inside[0].order_line_id]
    return [
        c.ShippedLine(
            sku=line.sku,
            channel_line_id=told.channel_line_id,
            quantity=told.quantity * line.per_bundle,
        )
        for line in first
    ]


def _completing(
    group: Sequence[Row[Any]],
    reported: Sequence[c.ShippedLine],
    left: Sequence[Decimal],
    gone: Mapping[int, Decimal],
    whole: Decimal,
) -> Iterator[tuple[int, Row[Any], Decimal]]:
    """(place in ``reported``, line, pieces) of what is ``left`` until ``whole`` bundles are."""
    for line in group:
        lacking = pieces(line, whole) - gone[line.id]
        for place, one in enumerate(reported):
            qty = min(lacking, left[place]) if _is_for(one, line) else _NONE
            if qty > 0:
                lacking -= qty
                yield place, line, qty


def _reported(
    line: Row[Any], reported: Sequence[c.ShippedLine], left: Sequence[Decimal]
) -> Decimal:
    pairs = zip(reported, left, strict=True)
    return sum((qty for one, qty in pairs if _is_for(one, line)), _NONE)
