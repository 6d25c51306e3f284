"""Amazon Selling Partner API: orders and listings in; stock and shipments out.

Quirks this connector lives with (models listingsItems_2021-08-01 and ordersV0; those of reading are
told in ``amazon_orders`` and ``amazon_listings``):

* ``searchOrders`` gives one call per 179 s once its burst of 20 is gone;
* a PATCH and a feed have no stated order between them, so one push uses one way for all its SKUs;
* orders 2026-01-01 has no writing operation: shipments are confirmed by v0, where a package is
  known by its number, and the same number again edits it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from pydantic import Field, SecretStr

from connectors.amazon_feeds import FEED_MESSAGES, ListingsFeed
from connectors.amazon_listings import ListingSearch
from connectors.amazon_orders import OrderSearch
from connectors.base import (
    Config,
    Cursor,
    Finding,
    Info,
    Outcome,
    Page,
    Push,
    Rate,
    RawRecord,
    Retention,
)
from connectors.errors import Rejected
from connectors.http import Door, segment
from connectors.oauth import Grant, RefreshedToken
from connectors.outcomes import in_chunks, settle
from connectors.skew import skew_finding
from mappings import Definition
from mappings import canonical as c


class AmazonConfig(Config):
    """One seller account in one region. ``endpoint`` is the region's (na, eu, fe)."""

    seller_id: str
    marketplace_ids: tuple[str, ...] = Field(min_length=1, max_length=25)
    client_id: str
    client_secret: SecretStr
    refresh_token: SecretStr
    endpoint: str = "https://sellingpartnerapi-eu.amazon.com"
    token_url: str = "https://api.amazon.com/auth/o2/token"  # noqa: S105
    feed_threshold: int = Field(default=50, ge=1)
    """From so many SKUs on stock goes as one feed, which costs four calls and some minutes."""


class Amazon:
    config_model: type[Config] = AmazonConfig
    info = Info(
        name="amazon",
        title="Amazon seller account",
        kind="channel",
        looks_back=True,
        limits={
            "searchOrders": Rate(0.0056, 20),
            "searchListingsItems": Rate(5, 5),
            "patchListingsItem": Rate(5, 5),
            "confirmShipment": Rate(2, 10),
            "createFeedDocument": Rate(0.5, 15),
            # The operation allows a burst of 15, listings feeds five in five minutes.
            "createFeed": Rate(0.0083, 5),
            "getFeed": Rate(2, 15),
            "getFeedDocument": Rate(0.0222, 10),
        },
        pushes={
            "push_stock": Push(batch_max=FEED_MESSAGES, idempotency="absolute"),
            "push_tracking": Push(batch_max=100, idempotency="natural"),
        },
        definitions={
            "orders": "amazon.orders",
            "listings": "amazon.listings",
            "push_stock": "amazon.stock",
            "push_tracking": "amazon.tracking",
        },
        # Amazon's data protection policy: 30 days after delivery. Of what is delivered by others
        # nobody tells the day; twice as long covers the parcel's way.
        personal_data=Retention(after_delivery_days=30, after_change_days=60, encrypted=True),
    )

    def __init__(
        self, config: AmazonConfig, door: Door, definitions: Mapping[str, Definition]
    ) -> None:
        grant = Grant(
            config.token_url, config.client_id, config.client_secret, config.refresh_token
        )
        markets = config.marketplace_ids
        self._markets = ",".join(markets)
        self._items = f"/listings/2021-08-01/items/{segment(config.seller_id)}"
        self._stock = definitions["amazon.stock"]
        self._tracking = definitions["amazon.tracking"]
        self._feed_threshold = config.feed_threshold
        self._token = RefreshedToken(door, grant, header="x-amz-access-token", prefix="")
        self._api = door.client(
            config.endpoint,
            auth=self._token,
            limits=self.info.limits,
            document_hosts=("amazonaws.com",),
        )
        self._orders = OrderSearch(self._api, door.clock, markets)
        self._listings = ListingSearch(self._api, config.seller_id, markets)
        self._feed = ListingsFeed(self._api, config.seller_id, markets)

    def close(self) -> None:
        self._api.close()
        self._token.close()

    def check(self) -> Sequence[Finding]:
        """Prove token, seller id and marketplaces by asking for one listing."""
        self._listings.prove()
        return [
            Finding("credentials", True, "Amazon lists the account's items"),
            skew_finding(self._api.last_skew_s),
        ]

    def pull_orders(self, cursor: Cursor | None, since: datetime) -> Iterator[Page]:
        """Orders updated since the watermark, oldest update first, up to Amazon's horizon."""
        return self._orders.pages(cursor, since)

    def pull_listings(self) -> Iterator[Page]:
        """Every listing of the account, one record per SKU."""
        return self._listings.pages()

    def read_listings(self, wanted: Sequence[c.Listing]) -> Sequence[RawRecord]:
        """Listings by their SKUs."""
        return self._listings.named([one.external_sku for one in wanted])

    def push_stock(self, updates: Mapping[str, c.StockUpdate]) -> Sequence[Outcome]:
        """Absolute quantities: SKU by SKU, or all in one feed from the threshold on."""
        if len(updates) < self._feed_threshold:
            return settle(in_chunks(updates, 1), self._patch)
        bodies, outcomes = self._rendered(updates)
        return [*outcomes, *self._feed.submit(bodies)] if bodies else outcomes

    def poll_submission(self, handle: str, keys: Sequence[str]) -> Sequence[Outcome] | None:
        """The processing report of a feed; see ``PollsSubmissions``."""
        return self._feed.result(handle, keys)

    def push_tracking(self, notices: Mapping[str, c.TrackingNotice]) -> Sequence[Outcome]:
        """Confirm packages one by one; ``package_reference`` must be a positive number."""
        return settle(in_chunks(notices, 1), self._confirm)

    def _rendered(
        self, updates: Mapping[str, c.StockUpdate]
    ) -> tuple[dict[str, dict[str, Any]], list[Outcome]]:
        """Feed messages by key, and the outcomes of those that do not even render."""
        bodies: dict[str, dict[str, Any]] = {}

        def render(one: Mapping[str, c.StockUpdate]) -> list[Outcome]:
            for key, update in one.items():
                bodies[key] = {"sku": update.external_sku, **self._stock.render(update)}
            return [Outcome(key, "accepted") for key in one]

        outcomes = settle(in_chunks(updates, 1), render)
        return bodies, [outcome for outcome in outcomes if outcome.status == "rejected"]

    def _patch(self, one: Mapping[str, c.StockUpdate]) -> list[Outcome]:
        ((key, update),) = one.items()
        reply = self._api.patch(
            f"{self._items}/{segment(update.external_sku)}",
            op="patchListingsItem",
            params={"marketplaceIds": self._markets},
            json=self._stock.render(update),
            idempotent=True,
        )
        result = reply.object("status", "submissionId")
        if result["status"] == "ACCEPTED":
            return [Outcome(key, "applied", remote_id=str(result["submissionId"]))]
        with reply.reading():
            issue: Mapping[str, Any] = next(iter(result.get("issues") or []), {})
            code, message = str(issue.get("code", "")), str(issue.get("message", result["status"]))
        return [Outcome(key, "rejected", code=code, message=message)]

    def _confirm(self, one: Mapping[str, c.TrackingNotice]) -> list[Outcome]:
        ((key, notice),) = one.items()
        if not notice.lines:
            raise Rejected(f"package {notice.package_reference} names no lines it contains")
        reply = self._api.post(
            f"/orders/v0/orders/{segment(notice.channel_order_id)}/shipmentConfirmation",
            op="confirmShipment",
            json=self._tracking.render(notice),
            idempotent=True,
        )
        if reply.json() is not None:
            # Done is 204, without a word. A proxy's 200 may be made of a refusal.
            raise reply.unclear("answered a confirmation with a body")
        return [Outcome(key, "applied", remote_id=notice.package_reference)]
