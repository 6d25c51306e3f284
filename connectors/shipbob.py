"""ShipBob API 2026-01: orders out to the 3PL; shipments and stock counts in.

Quirks this connector lives with (ShipBob Developer API, OpenAPI 2026-01):

* ``reference_id`` is unique for ever: a second order is refused with 422 and no code of its own,
  so every refusal is looked up before it is believed;
* cancelling answers 200 also when only some of the shipments could be stopped.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import Field, SecretStr

from connectors import shipbob_hooks
from connectors.base import (
    TAKEN,
    Config,
    Cursor,
    Delivery,
    Effect,
    Finding,
    Hook,
    Info,
    Outcome,
    Page,
    Push,
    Rate,
    Shelves,
)
from connectors.errors import Ambiguous, Rejected, Unreadable
from connectors.hooks import HookConfig
from connectors.http import Door, segment
from connectors.outcomes import in_chunks, looking_up, settle
from connectors.replies import is_number
from connectors.shipbob_feeds import changed_shipments, placed_orders, stock_levels
from connectors.skew import skew_finding
from mappings import Definition
from mappings import canonical as c

_SUBSCRIPTIONS_MAX = 250

LOOKUP_LAG_S = 400.0
"""Not documented. Indexes elsewhere were seen to lag by five minutes; an order that waits a little
longer costs less than one that is shipped twice."""


class ShipBobConfig(HookConfig):
    """``url`` is the address without the version. ``location_id`` is ShipBob's fulfilment center.

    Without a ``location_id`` ShipBob chooses the center and stock is counted over all of them.
    """

    url: str = "https://api.shipbob.com"
    token: SecretStr
    channel_id: int
    location_code: str = ""
    """Our code of this location, for its stock counts."""
    location_id: int | None = None
    shipping_method: str = Field(default="Standard", min_length=1)
    """Used for services that ``shipping_methods`` does not name; both as in the ship option map."""
    shipping_methods: Mapping[str, str] = {}

    def shelves(self) -> Shelves:
        return Shelves(("shipbob", self.url.rstrip("/"), self.token), self.location_id)

    @classmethod
    def hook_key(cls, secret: str) -> bytes:
        return shipbob_hooks.key_of(secret)


class ShipBob:
    """One merchant account, seen through one of its channels."""

    config_model: type[Config] = ShipBobConfig
    info = Info(
        name="shipbob",
        title="ShipBob fulfilment",
        kind="fulfilment",
        # 150 in any 60 s for the whole account: 60 s of refill and the burst must fit into that.
        looks_back=True,
        limits={"*": Rate(per_second=2.4, burst=6)},
        pushes={
            "push_fulfilment_orders": Push(1, "reference", lookup_lag_s=LOOKUP_LAG_S),
            "cancel_fulfilment_orders": Push(batch_max=1, idempotency="natural"),
        },
        definitions={
            "shipments": "shipbob.shipments",
            "stock": "shipbob.stock",
            "push_fulfilment_orders": "shipbob.fulfilment_orders",
        },
        hooks=shipbob_hooks.HOOKS,
    )

    def __init__(
        self, config: ShipBobConfig, door: Door, definitions: Mapping[str, Definition]
    ) -> None:
        token = config.token.get_secret_value()
        self._config = config
        self._clock = door.clock
        self._order = definitions["shipbob.fulfilment_orders"]
        self._api = door.client(
            f"{config.url.rstrip('/')}/2026-01",
            limits=self.info.limits,
            headers={
                "Authorization": f"Bearer {token}",
                "shipbob_channel_id": str(config.channel_id),
            },
            secrets=(token,),
        )

    def close(self) -> None:
        self._api.close()

    def check(self) -> Sequence[Finding]:
        """Find the channel, and the fulfilment center if one is configured."""
        channels = self._api.get("/channel", op="listChannels").rows("items", having="id")
        findings = [
            _listed("channel_id", self._config.channel_id, channels),
            skew_finding(self._api.last_skew_s),
        ]
        if self._config.location_id is not None:
            centers = self._api.get("/location", op="listLocations").rows(having="id")
            findings.append(_listed("location_id", self._config.location_id, centers))
        return findings

    def takes_hooks(self) -> bool:
        return bool(self._config.hook_keys())

    def read_hook(self, delivery: Delivery, now: datetime) -> Hook | None:
        return shipbob_hooks.read(self._config.hook_keys(), delivery, now)

    def subscriptions(self, url: str) -> Sequence[Finding]:
        params = {"RecordsPerPage": _SUBSCRIPTIONS_MAX}
        reply = self._api.get("/webhook", op="listWebhooks", params=params)
        return shipbob_hooks.findings(reply.object().get("items") or (), url)

    def push_fulfilment_orders(
        self, requests: Mapping[str, c.FulfilmentRequest]
    ) -> Sequence[Outcome]:
        """Create orders; one that exists under our reference with the same goods is adopted."""
        return settle(in_chunks(requests, 1), self._create)

    def find_fulfilment_order(self, reference: str) -> str | None:
        """ShipBob's id of the order with our reference, cancelled ones included."""
        order = self._find(reference)
        return order.number if order else None

    def cancel_fulfilment_orders(self, remote_ids: Mapping[str, str]) -> Sequence[Outcome]:
        """``rejected`` when at least one shipment can no longer be stopped."""
        return settle(in_chunks(remote_ids, 1), self._cancel)

    def pull_shipments(self, cursor: Cursor | None, since: datetime) -> Iterator[Page]:
        """One record per shipment of every order changed since, oldest order first."""
        known = datetime.fromisoformat(cursor["watermark"]) if cursor else since
        return changed_shipments(self._api, known, self._clock.now())

    def list_effects(self, since: datetime, until: datetime) -> Iterator[Sequence[Effect]]:
        """Every order made in the time."""
        return placed_orders(self._api, since, until)

    def pull_stock(self, cursor: Cursor | None = None) -> Iterator[Page]:
        """The level of every item, in the configured center or over all of them."""
        return stock_levels(self._api, self._config.location_id, self._config.location_code)

    def _create(self, requests: Mapping[str, c.FulfilmentRequest]) -> list[Outcome]:
        ((key, request),) = requests.items()
        method = self._config.shipping_methods.get(request.service_name)
        context = {
            "shipping_method": method or self._config.shipping_method,
            "location_id": self._config.location_id,
        }
        body = self._order.render(request, context)
        try:
            order = self._made(body)
        except Rejected as refusal:
            with looking_up(refusal):
                found = self._find(request.reference)
            if found is None:
                raise
            if found.goods != _goods(body):
                sentence = f"ShipBob order {found.number} has this reference and other goods."
                raise Rejected(sentence, TAKEN, 422) from None
            return [Outcome(key, "applied", remote_id=found.number)]
        return [Outcome(key, "applied", remote_id=str(order["id"]))]

    def _made(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """The order that was made; nothing is known of it where the reply is another call's."""
        reply = self._api.post("/order", op="createOrder", json=body)
        order = reply.object("id")
        if order.get("reference_id") != body["reference_id"] or not is_number(order["id"]):
            raise reply.unclear(
                f"answered with order {order['id']}, which is not the one asked for"
            )
        return order

    def _find(self, reference: str) -> _Found | None:
        reply = self._api.get("/order", op="findOrder", params={"ReferenceIds": reference})
        rows = reply.rows(having="id")
        found = [row for row in rows if row.get("reference_id") == reference]
        if rows and not found:
            # A filter that was ignored, or an answer to another question: no proof of absence.
            raise Unreadable(f"ShipBob told of other orders than that of {reference}.")
        if not all(is_number(order["id"]) for order in found):
            raise reply.unclear("answered with an order whose id is none")
        if len(found) > 1:
            ids = ", ".join(str(order["id"]) for order in found)
            raise Ambiguous(
                f"ShipBob orders {ids} all have the reference {reference}: cancel all but one."
            )
        with reply.reading():
            there = [_Found(str(order["id"]), _goods(order)) for order in found]
        return there[0] if there else None

    def _cancel(self, remote_ids: Mapping[str, str]) -> list[Outcome]:
        ((key, remote_id),) = remote_ids.items()
        path = f"/order/{segment(remote_id)}"
        try:
            reply = self._api.post(f"{path}:cancel", op="cancelOrder", idempotent=True)
        except Rejected:
            # A repeat is refused as well, once there is nothing left to cancel.
            if self._status(remote_id) != "Cancelled":
                raise
            return [Outcome(key, "applied", remote_id=remote_id)]
        body = reply.object("status")
        if body["status"] == "Success":
            return [Outcome(key, "applied", remote_id=remote_id)]
        with reply.reading():
            going = [
                f"{result.get('shipment_id')}: {result.get('reason') or 'not cancelled'}"
                for result in body.get("canceled_shipment_results") or []
                if not result.get("is_success")
            ]
        message = f"Some shipments go out all the same ({'; '.join(going)})."
        return [Outcome(key, "rejected", remote_id, code=str(body["status"]), message=message)]

    def _status(self, remote_id: str) -> str | None:
        reply = self._api.get(f"/order/{segment(remote_id)}", op="getOrder")
        order = reply.object("id")
        if str(order["id"]) != remote_id:
            raise reply.unclear(f"answered with order {order['id']} instead of {remote_id}")
        return order.get("status")


@dataclass(frozen=True, slots=True)
class _Found:
    """An order that is there: its id, and how many of what are in it."""

    number: str
    goods: Mapping[str | None, int]


def _goods(order: Mapping[str, Any]) -> dict[str | None, int]:
    """By SKU; null: of what is not ours."""
    goods: dict[str | None, int] = {}
    for product in order["products"] or []:
        sku = product["reference_id"]
        if sku is not None and not isinstance(sku, str):
            raise TypeError(f"the SKU {sku!r}")
        goods[sku] = goods.get(sku, 0) + product["quantity"]
    return goods


def _listed(setting: str, wanted: int, rows: Sequence[Mapping[str, Any]]) -> Finding:
    for row in rows:
        if row["id"] == wanted:
            return Finding(setting, True, f"{wanted} is {row.get('name')!r}")
    known = ", ".join(f"{row['id']} ({row.get('name')})" for row in rows) or "none"
    return Finding(setting, False, f"{wanted} is not in this account", f"It has: {known}.")
