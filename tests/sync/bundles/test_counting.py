"""Pieces and bundles: nothing is lost and nothing told twice, however parcels are packed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from mappings import canonical as c
from sync import bundles
from sync.loads import Load

NONE = Decimal(0)


@dataclass(frozen=True)
class Line:
    """A row of ``fulfilment.lines_of``."""

    id: int
    ffo_id: int
    order_line_id: int
    channel_line_id: str
    sku: str
    qty: Decimal
    per_bundle: Decimal | None
    bundle: str = "SET"
    unit_price: int = 1000
    qty_cancelled: Decimal = NONE
    qty_shipped: Decimal = NONE


def of_set(sets: int, alone: int, **inside: int) -> list[Any]:
    """Work for ``sets`` of a bundle (order line 1), and for some of A alone (order line 2)."""
    lines = [
        Line(n, 7, 1, "L1", sku, Decimal(sets * each), Decimal(each))
        for n, (sku, each) in enumerate(inside.items(), start=1)
    ]
    return [*lines, Line(9, 7, 2, "L2", "A", Decimal(alone), None)] if alone else list(lines)


def take(lines: list[Any], told: list[c.ShippedLine]) -> tuple[list[Any], list[Any]]:
    """Book a parcel of nothing too much; returns the lines after it, and its contents."""
    gone = {line.id: line.qty_shipped for line in lines}
    left = {line.id: line.qty - line.qty_cancelled - line.qty_shipped for line in lines}
    load = Load(lines, gone, left, late=False)
    load.take(c.Package(tracking_number="1Z", carrier="ups", lines=tuple(told)))
    assert (dict(load.over), load.strangers) == (dict.fromkeys(load.over, NONE), [])
    sent = load.sent
    after = [replace(ln, qty_shipped=ln.qty_shipped + sent.get(ln.id, NONE)) for ln in lines]
    rows = [
        SimpleNamespace(
            ffo_line_id=ln.id, channel_line_id=ln.channel_line_id, qty=sent[ln.id], qty_over=NONE
        )
        for ln in lines
        if sent.get(ln.id)
    ]
    return after, rows


@st.composite
def packings(draw: st.DrawFn) -> tuple[list[Any], list[dict[str, int]]]:
    """Work, and all its pieces in parcels at random; a location names SKUs, never lines."""
    inside = draw(st.dictionaries(st.sampled_from(["A", "B", "C"]), st.integers(1, 3), min_size=1))
    lines = of_set(draw(st.integers(1, 3)), draw(st.integers(0, 3)), **inside)
    pieces = [line.sku for line in lines for _ in range(int(line.qty))]
    parcels: list[dict[str, int]] = [{} for _ in range(draw(st.integers(1, 5)))]
    for sku in draw(st.permutations(pieces)):
        parcel = parcels[draw(st.integers(0, len(parcels) - 1))]
        parcel[sku] = parcel.get(sku, 0) + 1
    # Of a parcel without contents it is taken that it holds all.
    return lines, [parcel for parcel in parcels if parcel]


@given(packings())
def test_however_it_is_packed_all_is_counted_and_told_once(
    packed: tuple[list[Any], list[dict[str, int]]],
) -> None:
    before, parcels = packed
    lines, contents = before, []
    for number, goods in enumerate(parcels):
        told = [c.ShippedLine(sku=sku, quantity=Decimal(n)) for sku, n in goods.items()]
        lines, rows = take(lines, told)
        assert sum(row.qty for row in rows) == sum(goods.values()), "no piece is lost"
        contents.append((number, rows))
        heard: dict[str, Decimal] = {}
        for one in (one for part in bundles.by_parcel(contents, lines).values() for one in part):
            heard[one.channel_line_id] = heard.get(one.channel_line_id, NONE) + one.quantity
        counted = bundles.counts(lines)
        assert heard.get("L1", NONE) == counted[1].shipped
        assert counted[1].left + counted[1].shipped == bundles.counts(before)[1].left
        if 2 in counted:
            assert heard.get("L2", NONE) == counted[2].shipped
    assert all(one.left == 0 for one in bundles.counts(lines).values())
    assert bundles.loose(lines) == []


@given(packings())
def test_a_parcel_with_whole_bundles_is_read_as_such(
    packed: tuple[list[Any], list[dict[str, int]]],
) -> None:
    """What completes a bundle is never spread over other lines, so that the channel hears of it."""
    lines, (first, *_) = packed
    told = [c.ShippedLine(sku=sku, quantity=Decimal(n)) for sku, n in first.items()]
    inside = {line.sku: int(line.per_bundle) for line in lines if line.per_bundle is not None}
    whole = min(first.get(sku, 0) // each for sku, each in inside.items())
    after, _ = take(lines, told)
    assert bundles.counts(after)[1].shipped >= min(Decimal(whole), bundles.counts(lines)[1].left)


def test_two_lines_for_the_same_bundle_are_completed_one_after_the_other() -> None:
    twice = [
        Line(n, 7, line, f"L{line}", sku, Decimal(each), Decimal(each))
        for n, (line, sku, each) in enumerate(
            [(1, "A", 2), (1, "B", 1), (2, "A", 2), (2, "B", 1)], start=1
        )
    ]
    told = [c.ShippedLine(sku="SET", quantity=Decimal(2))]
    after, _ = take(list(twice), told)
    assert {one: count.shipped for one, count in bundles.counts(after).items()} == {1: 1, 2: 1}


def test_a_bundles_price_is_spread_over_its_pieces_and_never_adds_up_to_more() -> None:
    lines = of_set(2, 1, A=2, B=1)
    assert [bundles.piece_price(line, lines) for line in lines] == [333, 333, 1000]
    part = of_set(1, 0, A=1)
    assert bundles.piece_price(part[0], part) == 1000


def test_loose_is_what_left_without_its_bundle() -> None:
    lines, _ = take(of_set(2, 0, A=2, B=1), [c.ShippedLine(sku="A", quantity=Decimal(3))])
    assert [(line.sku, qty) for line, qty in bundles.loose(lines)] == [("A", Decimal(3))]
    assert bundles.counts(lines) == {1: bundles.Counts(Decimal(2), NONE)}
