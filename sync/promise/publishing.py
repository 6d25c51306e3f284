"""The promise job: every dirty SKU's promises computed, and the writes planned that differ.

All of a run is weighed before the first write is planned, so that the guard can hold all of it.
Time and memory grow with what changed, not with the catalogue.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from sqlalchemy import Connection

from state import grounds, promises
from sync.context import Hub, Run
from sync.guard.limits import Change, Excess, too_much_stock
from sync.guard.watch import Watch, holding
from sync.promise.renewal import renew
from sync.promise.weighing import Weighed, Weighing
from sync.promise.writing import Write, plan_writes

BATCH = 500
"""SKUs per transaction: short enough to leave the database to others."""


def publish(hub: Hub, run: Run) -> None:
    """Job: compute the promise of every dirty SKU and plan the writes that differ."""
    renew(hub, run)
    with holding(hub, run):
        with hub.store.read() as conn:
            watch = _watch(conn, hub, run)
            watch.look(change for weighed in _survey(conn, hub) for change in _changes(weighed))
        _plan_all(hub, run, watch)


def _watch(conn: Connection, hub: Hub, run: Run) -> Watch:
    ids = {link.name: link.id for link in hub.links.values()}
    # Counted once, before the run lowers it.
    offered: dict[str, int] = {}

    def listings_on_offer(channel: str) -> int:
        if channel not in offered:
            with hub.store.read() as reading:
                offered[channel] = promises.offered_listings(reading, ids[channel])
        return offered[channel]

    def measure(changes: Sequence[Change]) -> Excess | None:
        return too_much_stock(changes, hub.policy.guard, "listings on offer", listings_on_offer)

    return Watch(conn, run, measure)


def _survey(conn: Connection, hub: Hub) -> Iterator[list[Weighed]]:
    """What the run will write, batch by batch; nothing where one batch is all there is.

    A single transaction is looked at before it is committed: it needs no look ahead.
    """
    sku_ids = grounds.dirty(conn, 0, BATCH)
    if len(sku_ids) < BATCH:
        return
    while sku_ids:
        yield differing(Weighing(conn, hub, sku_ids).listings())
        sku_ids = grounds.dirty(conn, sku_ids[-1], BATCH)


def _plan_all(hub: Hub, run: Run, watch: Watch) -> None:
    while not run.stopping:
        with run.commit() as conn:
            sku_ids = grounds.dirty(conn, 0, BATCH)
            last = len(sku_ids) < BATCH or run.dry_run
            if sku_ids:
                promises.lock(conn, sku_ids)
                grounds.clean(conn, sku_ids)
                _plan(conn, hub, run, watch, sku_ids)
            if last:
                watch.passed(conn, hub.clock.now())
        if last:
            return


def _plan(conn: Connection, hub: Hub, run: Run, watch: Watch, sku_ids: Sequence[int]) -> None:
    weighed = differing(Weighing(conn, hub, sku_ids).listings())
    # Once more, in the transaction: stock may have moved since the survey.
    watch.look(_changes(weighed))
    writes = [
        Write(one.link, one.listing, one.promise.quantity, one.was_offered)
        for one in weighed
        if one.promise is not None
    ]
    plan_writes(conn, writes, hub.clock.now())
    run.count("skus", len(sku_ids))
    run.count("writes", len(writes))
    for name in sorted({write.link.name for write in writes}):
        run.request(conn, f"push:{name}")


def differing(weighed: Iterable[Weighed]) -> list[Weighed]:
    """Those whose promise is not what was promised last, or whose channel is known to be astray."""
    return [
        one
        for one in weighed
        if one.promise is not None
        and (
            one.promise.quantity != one.listing.computed_qty or one.listing.astray_since is not None
        )
    ]


def _changes(weighed: Iterable[Weighed]) -> Iterator[Change]:
    for one in weighed:
        before = one.was_offered
        if one.promise is not None and before is not None and before != one.promise.quantity:
            yield Change(
                f"listing:{one.listing.id}",
                f"{one.listing.external_sku or one.listing.external_variant_id} on {one.link.name}",
                before,
                one.promise.quantity,
                one.link.name,
            )
