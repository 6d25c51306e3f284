"""Stock: the ledger is the truth, levels and reservations are its projections.

Every function writes ledger row and projection in the caller's transaction. Callers touch several
SKUs in ascending (sku, location) order, so that two transactions can never wait for each other;
where they do all the same, ``Store.transact`` tries again.

A movement has an idempotency key, and the ledger's unique constraint decides: a key that is known
changes nothing, and the function says so.
"""

from __future__ import annotations

from state.dirty_marks import mark_dirty
from state.stock.asof import levels_as_of
from state.stock.bundles import (
    Made,
    Shortage,
    components,
    contents,
    explode,
    holders,
    made_of,
    makeable,
    set_components,
    shortages,
    taken_apart,
)
from state.stock.consignments import (
    advise,
    arrive,
    consigned_under,
    in_transit,
    is_reference,
    send,
    write_off,
)
from state.stock.counting import Count, Place, foreseen, set_count, set_counts
from state.stock.days import zone_of
from state.stock.demand import availability, unallocated_demand
from state.stock.ledger import Cause, Leg, post, posted, write_rows
from state.stock.levels import AVAILABLE, BUCKETS, levels, overview
from state.stock.lots import ensure_lot, lots_of, recall, track_lots, unsellable, withhold
from state.stock.movements import CONDITIONS, receive, reclassify, scrap
from state.stock.rebuild import Difference, differences, rebuild
from state.stock.reservations import confirm, expire, release, reserve, ship
from state.stock.serials import place_of, track_serials

__all__ = [
    "AVAILABLE",
    "BUCKETS",
    "CONDITIONS",
    "Cause",
    "Count",
    "Difference",
    "Leg",
    "Made",
    "Place",
    "Shortage",
    "advise",
    "arrive",
    "availability",
    "components",
    "confirm",
    "consigned_under",
    "contents",
    "differences",
    "ensure_lot",
    "expire",
    "explode",
    "foreseen",
    "holders",
    "in_transit",
    "is_reference",
    "levels",
    "levels_as_of",
    "lots_of",
    "made_of",
    "makeable",
    "mark_dirty",
    "overview",
    "place_of",
    "post",
    "posted",
    "rebuild",
    "recall",
    "receive",
    "reclassify",
    "release",
    "reserve",
    "scrap",
    "send",
    "set_components",
    "set_count",
    "set_counts",
    "ship",
    "shortages",
    "taken_apart",
    "track_lots",
    "track_serials",
    "unallocated_demand",
    "unsellable",
    "withhold",
    "write_off",
    "write_rows",
    "zone_of",
]
