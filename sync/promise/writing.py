"""Stock writes on their way: planned by version, sent, and settled by what the channel answers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, Row

from connectors.base import Outcome, PushesStock
from mappings import canonical as c
from state import intents, promises
from sync.context import Hub, Link


class Write(NamedTuple):
    """``was``: what the channel offers by all we know; null when nobody has said."""

    link: Link
    listing: Row[Any]
    quantity: int
    was: int | None


def plan_writes(conn: Connection, writes: Sequence[Write], now: datetime) -> None:
    """Plan one write per listing in favour of those still waiting.

    The key is made of the observation version, which rises with every write, and never of the
    quantity: a sale and a restock give the same quantity twice, and both have to arrive.
    """
    promises.upsert(
        conn,
        [
            {
                "listing_id": write.listing.id,
                "computed_qty": write.quantity,
                "observation_version": _next_version(write.listing),
                "computed_at": now,
                "replaced_qty": write.was,
                "astray_since": None,
                "block_reason": "",
            }
            for write in writes
        ],
    )
    intents.supersede_all(conn, "stock", [write.listing.id for write in writes], now)
    intents.plan_many(conn, list(map(_intent, writes)), now)


def _next_version(listing: Row[Any]) -> int:
    return (listing.observation_version or 0) + 1


def _intent(write: Write) -> dict[str, Any]:
    listing = write.listing
    update = c.StockUpdate(
        external_product_id=listing.external_product_id,
        external_variant_id=listing.external_variant_id,
        external_sku=listing.external_sku,
        product_type=listing.product_type,
        quantity=write.quantity,
    )
    return {
        "connection_id": write.link.id,
        "kind": "stock",
        "subject_type": "listing",
        "subject_id": listing.id,
        "idempotency_key": f"stock:{listing.id}:{_next_version(listing)}",
        "body": msgspec.to_builtins(update),
    }


def send(connector: PushesStock, bodies: dict[str, Any]) -> list[Outcome]:
    return list(
        connector.push_stock({key: msgspec.convert(b, c.StockUpdate) for key, b in bodies.items()})
    )


def settle(conn: Connection, hub: Hub, intent: Row[Any], outcome: Outcome) -> set[str]:
    """The channel has taken the quantity, or a batch that holds it, or refuses it.

    Only ``applied`` confirms: what was accepted for later may still fail.
    """
    now = hub.clock.now()
    quantity = intent.body["quantity"]
    values: dict[str, Any] = {"submitted_qty": quantity, "submitted_at": intent.sent_at}
    if outcome.status == "applied":
        values |= {"confirmed_qty": quantity, "confirmed_at": now, "block_reason": ""}
        values |= {"read_back_qty": None, "read_back_at": None}
        values["drift_class"] = promises.drift_class_unless("refused")
    elif outcome.status == "rejected":
        values |= {
            "block_reason": outcome.message or outcome.code or "refused without a reason",
            "drift_class": "refused",
            "drift_at": now,
        }
    promises.set_promise(conn, intent.subject_id, **values)
    return set()


def note_restock_missing(
    conn: Connection, link: Link, sku_ids: Iterable[int], now: datetime
) -> list[int]:
    """Goods of a channel's cancelled or refunded order are free again; returns SKUs to weigh anew.

    A channel lowers its own number on a sale. One that does not raise it again on a cancellation
    is left with too little although the promise is as before: it has to be told once more.
    """
    if not isinstance(link.connector, PushesStock) or link.connector.info.restores_stock:
        return []
    return promises.mark_astray(conn, link.id, sku_ids, now)
