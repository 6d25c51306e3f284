"""Giving account of a SKU's promises: terms, rules, the last push, and why it is not live."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, Row

from state import grounds, holds, intents, promises
from sync.context import Hub
from sync.promise import drift
from sync.promise.formula import Place, Promise
from sync.promise.rules import Choice, Effective
from sync.promise.weighing import Weighed, Weighing, written_links

Account = dict[str, Any]


def account(conn: Connection, hub: Hub, sku_id: int, channel: str | None = None) -> list[Account]:
    """One account per listing of the SKU, ready for JSON; of one channel, or of all."""
    weighed = {one.listing.id: one for one in Weighing(conn, hub, [sku_id]).listings()}
    return [
        _account(conn, hub, row, weighed.get(row.id))
        for row in promises.all_listings_of(conn, sku_id)
        if channel in (None, row.connection)
    ]


def _account(conn: Connection, hub: Hub, row: Row[Any], weighed: Weighed | None) -> Account:
    promise = weighed.promise if weighed else None
    last = intents.latest_of(conn, "stock", row.id)
    reasons = list(_not_live(conn, hub, row, promise, last))
    return {
        "channel": row.connection,
        "listing": row.external_sku or row.external_variant_id,
        "external_variant_id": row.external_variant_id,
        "title": row.title,
        "status": row.status,
        "quantity": promise.quantity if promise else None,
        "terms": _terms(promise, weighed.effective) if promise and weighed else None,
        "push": {
            "computed": _moment(row.computed_qty, row.computed_at),
            "submitted": _moment(row.submitted_qty, row.submitted_at),
            "confirmed": _moment(row.confirmed_qty, row.confirmed_at),
            "read_back": _moment(row.offered_qty, row.last_seen_at),
            "last": _pushed(last),
        },
        "drift": {
            "class": row.drift_class or None,
            "since": row.drift_at if row.drift_class else None,
            "written_over": row.drift_count or 0,
            "remedy": drift.REMEDIES.get(row.drift_class or ""),
        },
        "live": not reasons,
        "not_live_because": reasons,
    }


def _moment(quantity: int | None, at: Any) -> Account | None:
    return None if quantity is None else {"quantity": quantity, "at": at}


def _pushed(last: Row[Any] | None) -> Account | None:
    if last is None:
        return None
    names = ("state", "attempts", "created_at", "sent_at", "settled_at", "code", "message")
    told = {name: getattr(last, name) for name in names}
    return {"quantity": last.body["quantity"], "key": last.idempotency_key, **told}


def _terms(promise: Promise, effective: Effective) -> Account:
    """The formula as it was worked out; ``rules`` names where each value comes from."""
    return {
        "locations": [_located(place) for place in promise.terms.places],
        "steps": [
            {"term": step.term, "change": step.change, "after": step.after}
            for step in promise.steps
        ],
        "rules": _chosen(effective.listing),
        "group_rules": {name: _chosen(own) for name, own in effective.of_groups.items()},
        "on_offer_before": promise.terms.on_offer,
        "in_flight": promise.terms.in_flight,
    }


def _located(place: Place) -> Account:
    buckets = ("on_hand", "reserved", "damaged", "quality_hold", "safety", "available")
    own = ("share_percent", "keep_units", "keep_percent")
    limit = place.limited_by
    return {
        **{name: getattr(place, name) for name in ("code", *buckets, *own)},
        # Of a bundle: the component of which there is too little for one more.
        "limited_by": asdict(limit) if limit else None,
    }


def _chosen(choices: Mapping[str, Choice]) -> Account:
    return {
        name: {"value": choice.value, "rule": choice.rule or None}
        for name, choice in choices.items()
    }


def _not_live(
    conn: Connection, hub: Hub, row: Row[Any], promise: Promise | None, last: Row[Any] | None
) -> Iterator[str]:
    """Why the channel does not offer the number computed now; nothing when it does."""
    blocked = list(_not_ours(hub, row))
    yield from blocked
    if blocked:
        return
    if promise is None:
        yield "never counted at a location that serves this channel: it keeps its own number"
        return
    if row.block_reason:
        yield f"the channel refused the last write: {row.block_reason}"
    if promise.quantity != row.computed_qty:
        yield _not_computed(conn, row.sku_id)
    elif row.astray_since is not None:
        yield _NEXT_RUN
    elif row.confirmed_qty != row.computed_qty:
        yield _under_way(last)
    elif row.drift_class:
        offered, promised = row.read_back_qty, row.computed_qty
        yield f"the channel offers {offered} instead of {promised}: {row.drift_class}"
    if row.connection_status in ("auth_failed", "paused"):
        yield f"the connection is {row.connection_status}: {row.problem or 'start it again'}"


def _not_ours(hub: Hub, row: Row[Any]) -> Iterator[str]:
    if row.connection_id not in written_links(hub):
        yield "no stock can be written to this connection, or the settings name it no more"
    if row.status not in promises.WRITTEN:
        yield f"the listing is {row.status} in the channel"
    if row.qty_managed_by != "hub":
        yield "the channel does not manage stock for it: switch stock management on there"
    if row.fulfilment_flag != "merchant":
        yield "the marketplace ships it from its own stock"


def _not_computed(conn: Connection, sku_id: int) -> str:
    held = holds.open_of(conn, "promise")
    if held is not None and held.state == "held":
        return f"the promise run is held by the guard: see `crossdock guard show {held.id}`"
    if grounds.is_dirty(conn, sku_id):
        return "it waits for the next promise run"
    return "it differs by what time alone has changed, and is written with its SKU's next change"


def _under_way(last: Row[Any] | None) -> str:
    if last is None:
        return _NEXT_RUN
    told = f": {last.message}" if last.message else ""
    if last.state == "planned" and last.attempts:
        return f"the write is tried again, attempt {last.attempts + 1}{told}"
    if last.state == "unknown":
        return f"nobody knows yet whether the write arrived{told}"
    return _STAGES.get(last.state, _NEXT_RUN)


_NEXT_RUN = "it is written anew by the next promise run"
_STAGES = {
    "planned": "the write waits to be sent",
    "sending": "the write is being sent",
    "accepted": "the channel has accepted the write and is still working on it",
    "done": "the channel took the write and gives no receipt",
}
