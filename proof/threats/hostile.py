"""T26: a shop and a 3PL in the wrong hands: nothing is oversold, nothing stops, the good go on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import httpx
from sqlalchemy import select

from connectors.errors import Retryable
from proof.planting import Planted
from proof.threats import rig as rigs
from proof.threats.check import Checked, verdict
from proof.threats.rig import BOB, SHOP, Rig
from sandbox.people import PEOPLE
from state import tables as t
from sync import counts, intake, invariants
from sync.reading import read_received

_SKU, _COUNTED = "MUG-BLUE", "TIN-250"
_HUGE = "9" * 400

Change = Callable[[dict[str, Any]], Any]


def _line(name: str, value: Any) -> Change:
    return lambda order: order["line_items"][0].update({name: value})


def _order(name: str, value: Any) -> Change:
    return lambda order: order.update({name: value})


def _buyer(name: str, value: Any) -> Change:
    return lambda order: order["shipping"].update({name: value})


def _many_lines(order: dict[str, Any]) -> None:
    line = order["line_items"][0]
    order["line_items"] = [{**line, "id": 10_000_000 + n} for n in range(3_000)]


ORDERS: Mapping[str, Change] = {
    **{f"a quantity of {n}": _line("quantity", n) for n in (10**12, 10**30, 0.5, 0, -1, "many")},
    "a price of 0": _line("price", 0),
    "a price below 0": _line("total", "-1000000.00"),
    "a total of 0": _order("total", "0.00"),
    "a total that is no number": _order("total", "NaN"),
    "a total without end": _order("total", _HUGE),
    "a total with an exponent": _order("total", "1e400"),
    "a currency that is none": _order("currency", "EVIL"),
    "another currency": _order("currency", "JPY"),
    "no currency": _order("currency", None),
    "the year 1": _order("date_created_gmt", "0001-01-01T00:00:00"),
    "the year 9999": _order("date_created_gmt", "9999-12-31T23:59:59"),
    "changed in 9999": _order("date_modified_gmt", "9999-12-31T23:59:59"),
    "changed in the year 1": _order("date_modified_gmt", "0001-01-01T00:00:00"),
    "no date": _order("date_created_gmt", "yesterday"),
    "a page for a name": _buyer("first_name", "<script>alert(1)</script>" * 50),
    "a name of a megabyte": _buyer("first_name", "A" * 1_000_000),
    "a name with a NUL": _buyer("first_name", "A\x00B\ud7ff\x1b[2J"),
    "a country that is none": _buyer("country", "<b>"),
    "an address that is a list": _order("shipping", [1, 2, 3]),
    "no lines": _order("line_items", []),
    "lines that are none": _order("line_items", {"a": "b"}),
    "3 000 lines": _many_lines,
    "a status that is none": _order("status", "owned"),
    "another's id": _order("id", "../../etc/passwd"),
    "refunds beyond reason": _order("refunds", [{"id": 1, "total": "-99999999.00"}]),
    "taxes beyond reason": _order("total_tax", "999999999999999999999.00"),
}
WAITS = {"another's id", "refunds beyond reason"}
"""What a whole page cannot be believed for: nothing of it is taken, the run says so, and all of it
is read again. The good orders beside it go on when the shop stops telling it."""

COUNTS = (-1_000_000_000, -5, 10**9, 10**12, 10**30, 0.5)


def t26() -> Checked:
    """Each script beside a good order, which must be taken in and have its goods."""
    violations, tried = _t26()
    bugs = (
        (Planted("one bad record ends its page", [(intake, "read_received", _or_die)]), (12, 0)),
        (Planted("counts are taken a hundredfold", [(counts, "take", _hundredfold)]), (0, 2)),
    )
    planted = {}
    for bug, size in bugs:
        with bug.in_place():
            planted[f"T26: {bug.name}"] = verdict(_t26(*size)[0])
    figure = (
        f"{len(ORDERS) - len(WAITS)} orders that hold up no other one, {len(WAITS)} that hold up"
        f" the good one beside them for as long as they last, {len(COUNTS)} counts; 0 oversold"
    )
    return Checked("T26", tried, figure, violations, planted)


_take = counts.take


def _or_die(definition: Any, item: Any) -> Any:
    reading = read_received(definition, item)
    if reading.record is None:
        raise Retryable("unreadable")
    return reading


def _hundredfold(conn: Any, place: Any, given: Sequence[Any], now: datetime) -> int:
    return _take(conn, place, [replace(one, on_hand=one.on_hand * 100) for one in given], now)


def _t26(orders: int | None = None, odd_counts: int | None = None) -> tuple[list[str], int]:
    violations: list[str] = []
    tried = 0
    with rigs.opened() as rig:
        for name, change in list(ORDERS.items())[:orders]:
            tried += 1
            violations += [f"{name}: {one}" for one in _sold(rig, change, waits=name in WAITS)]
        rig.network.rewrite = None
        for odd in COUNTS[:odd_counts]:
            tried += 1
            violations += [f"a count of {odd}: {one}" for one in _counted(rig, odd)]
    return violations, tried


def _sold(rig: Rig, change: Change, *, waits: bool) -> Iterator[str]:
    rig.clock.advance(1800)
    evil, good = rig.buy(PEOPLE[0], _SKU), rig.buy(PEOPLE[1], _SKU)
    struck = False

    def rewrite(_: httpx.Request, answer: Any) -> Any:
        nonlocal struck
        for one in answer if isinstance(answer, list) else ():
            if isinstance(one, dict) and str(one.get("id")) == evil and "line_items" in one:
                change(one)
                struck = True
        return answer

    rig.network.rewrite = rewrite
    rig.clock.advance(1800)
    if waits:
        ended = rig.once("pull-orders", SHOP)
        if ended.verdict is None or ended.verdict.kind != "retry":
            yield "the page was believed"
        rig.network.rewrite = None
        rig.clock.advance(1800)
    runs = [rig.once("pull-orders", SHOP), rig.once("allocate")]
    if not struck:
        yield "the script did not reach the hub, so nothing is proven"
    for one in runs:
        if one.verdict is not None:
            yield f"a run ended with {one.verdict.kind}: {one.verdict.message[:80]}"
    yield from _standing(rig)
    with rig.store.read() as conn:
        work = t.fulfilment_order.join(t.sales_order)
        query = select(t.fulfilment_order.c.id).select_from(work)
        if conn.execute(query.where(t.sales_order.c.channel_order_id == good)).first() is None:
            yield "the good order beside it got nothing"


def _counted(rig: Rig, odd: float) -> Iterator[str]:
    rig.clock.advance(3600)
    rig.world.quirks.change(odd_levels={_COUNTED: odd})
    ended = rig.once("pull-stock", BOB)
    if ended.verdict is not None and ended.verdict.kind == "bug":
        yield f"a run ended with a bug: {ended.verdict.message[:80]}"
    yield from _standing(rig)


def _standing(rig: Rig) -> Iterator[str]:
    """The store is sound, and nothing is on offer beyond what stands in the buildings."""
    with rig.store.read() as conn:
        yield from (f"{one.invariant}: {one.subject}" for one in invariants.check(conn))
        level = t.inventory_level.c
        query = select(t.sku.c.code, level.on_hand).join(t.sku, t.sku.c.id == level.sku_id)
        places = query.join(t.location, t.location.c.id == level.location_id)
        for row in conn.execute(places.where(t.location.c.code == BOB)):
            there = sum(
                one.on_hand for (sku, _), one in rig.world.shipbob.levels.items() if sku == row.code
            )
            if row.on_hand > there:
                yield f"oversold: {row.on_hand} of {row.code} at the 3PL, and {there} stand there"
