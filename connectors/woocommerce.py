"""WooCommerce REST v3: orders and listings in; stock and tracking out.

Quirks this connector lives with (woocommerce-rest-api-docs, wp-api-v3):

* orders cannot be sorted by modification, so a closed window is walked by ascending id;
* ``modified_after`` and ``modified_before`` are exclusive, in whole seconds, and in the site's
  time zone unless ``dates_are_gmt`` is set;
* an order lists its refunds in short form only; the lines are behind a call per order;
* a batch answers 200 with an ``error`` inside the item that failed;
* there is no tracking in core: it is a meta entry that the usual plugins read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any

import httpx
import msgspec
from pydantic import SecretStr

from connectors import woo_hooks
from connectors.base import (
    Config,
    Cursor,
    Delivery,
    Finding,
    Hook,
    Info,
    Outcome,
    Page,
    Push,
    Rate,
    RawRecord,
)
from connectors.errors import ConfigProblem, Retryable
from connectors.hooks import HookConfig
from connectors.http import Door, Reply, segment
from connectors.outcomes import in_chunks, settle
from connectors.paging import NumberedPages
from connectors.replies import UNREADABLE
from connectors.skew import skew_finding
from connectors.woo_window import Window
from mappings import Definition
from mappings import canonical as c

PER_PAGE = 100
"""The most a page or a batch may hold."""


class WooConfig(HookConfig):
    """``url`` is the shop's address, without ``/wp-json``. Keys need read and write permission."""

    url: str
    consumer_key: SecretStr
    consumer_secret: SecretStr
    currency: str | None = None
    """The currency the shop is expected to run in; compared by ``crossdock check``."""
    timezone: str | None = None
    """The time zone the shop is expected to run in; compared by ``crossdock check``."""
    tracking_meta: str = "_wc_shipment_tracking_items"
    """Meta key of the tracking plugin (Shipment Tracking and Advanced Shipment Tracking)."""


class _Named(msgspec.Struct):
    id: int | Annotated[str, msgspec.Meta(pattern="^[0-9]{1,20}$")]
    """A number, also where it is written as text: by any other name an order would be a new one."""


_DIGITS = 12
"""Of a number of rows; a longer one is no number that a shop has counted."""


class _Order(_Named):
    """What the connector itself looks at in an order."""

    refunds: list[_Named] | None = None
    date_modified_gmt: str | None = None


_read_order = msgspec.json.Decoder(_Order).decode


class WooCommerce:
    config_model: type[Config] = WooConfig
    info = Info(
        name="woocommerce",
        title="WooCommerce shop",
        kind="channel",
        # Core has no limit; the shop's host has one nobody publishes. This is courtesy.
        limits={"*": Rate(per_second=5, burst=10)},
        pushes={
            # A batch holds simple products, or variations of one parent. Sorted from a single
            # page's worth, batches would be half empty and parents torn apart.
            "push_stock": Push(PER_PAGE, idempotency="absolute", at_once=10 * PER_PAGE),
            "push_tracking": Push(batch_max=PER_PAGE, idempotency="absolute"),
        },
        definitions={
            "orders": "woocommerce.orders",
            "listings": "woocommerce.listings",
            "push_stock": "woocommerce.stock",
            "push_tracking": "woocommerce.tracking",
        },
        restores_stock=True,
        hooks=woo_hooks.HOOKS,
        looks_back=True,
    )

    def __init__(
        self, config: WooConfig, door: Door, definitions: Mapping[str, Definition]
    ) -> None:
        key, secret = config.consumer_key.get_secret_value(), config.consumer_secret
        self._config = config
        self._clock = door.clock
        self._stock = definitions["woocommerce.stock"]
        self._tracking = definitions["woocommerce.tracking"]
        self._api = door.client(
            f"{config.url.rstrip('/')}/wp-json/wc/v3",
            auth=httpx.BasicAuth(key, secret.get_secret_value()),
            limits=self.info.limits,
            secrets=(key, secret.get_secret_value()),
        )

    def close(self) -> None:
        self._api.close()

    def check(self) -> Sequence[Finding]:
        """Read one order and, where expectations are configured, the shop's settings."""
        self._api.get("/orders", op="listOrders", params={"per_page": 1}).rows()
        findings = [
            Finding("credentials", True, "the shop lists its orders"),
            skew_finding(self._api.last_skew_s),
        ]
        if self._config.currency or self._config.timezone:
            status = self._api.get("/system_status", op="systemStatus")
            shop = status.object("settings", "environment")
            with status.reading():
                currency = shop["settings"].get("currency")
                timezone = shop["environment"].get("default_timezone")
            findings += [
                _expected("currency", self._config.currency, currency),
                _expected("timezone", self._config.timezone, timezone),
            ]
        return findings

    def takes_hooks(self) -> bool:
        return bool(self._config.hook_keys())

    def read_hook(self, delivery: Delivery, now: datetime) -> Hook | None:
        """Nothing in it says when it was signed."""
        return woo_hooks.read(self._config.hook_keys(), delivery)

    def subscriptions(self, url: str) -> Sequence[Finding]:
        reply = self._api.get("/webhooks", op="listWebhooks", params={"per_page": PER_PAGE})
        return woo_hooks.findings(reply.rows(having="topic"), url)

    def pull_orders(self, cursor: Cursor | None, since: datetime) -> Iterator[Page]:
        """Orders changed in the window, by id; each with its refunds as full objects."""
        window = Window.opened(cursor, since, self._clock.now())
        walk = NumberedPages("orders", size=PER_PAGE, page=window.page, total=window.total)
        while not walk.done:
            reply = self._list(
                "/orders", "listOrders", walk.page, window.params(), list[msgspec.Raw]
            )
            orders, total = _orders(reply), _total(reply)
            window.require_all(order.date_modified_gmt for order, _ in orders)
            if walk.take([str(order.id) for order, _ in orders], total):
                records = [self._record(order, text) for order, text in orders]
                yield Page(records, window.cursor(walk), total)

    def pull_listings(self) -> Iterator[Page]:
        """Simple products and variations; a variation carries its product as ``parent``."""
        for products in self._pages("/products", "listProducts"):
            records: list[RawRecord] = []
            for product in products:
                if product.get("type") == "variable":
                    records += self._variations(product)
                else:
                    records.append(RawRecord.of(str(product["id"]), product))
            yield Page(records, {})

    def read_listings(self, wanted: Sequence[c.Listing]) -> Sequence[RawRecord]:
        """Simple products together, variations parent by parent; at most a page of each."""
        simple = [one.external_variant_id for one in wanted if not _is_variation(one)]
        records = [
            RawRecord.of(str(row["id"]), row)
            for row in self._named("/products", simple)
            if row.get("type") != "variable"
        ]
        parents = {one.external_product_id for one in wanted if _is_variation(one)}
        for product in self._named("/products", sorted(parents)):
            mine = [
                one.external_variant_id
                for one in wanted
                if _is_variation(one) and one.external_product_id == str(product["id"])
            ]
            records += self._variations(product, mine)
        return records

    def push_stock(self, updates: Mapping[str, c.StockUpdate]) -> Sequence[Outcome]:
        """Absolute quantities; variations go parent by parent, since a batch cannot mix them."""
        by_path: dict[str, dict[str, c.StockUpdate]] = {}
        for key, update in updates.items():
            by_path.setdefault(_batch_path(update), {})[key] = update
        chunks = [chunk for group in by_path.values() for chunk in in_chunks(group, PER_PAGE)]
        return settle(chunks, self._set_stock)

    def push_tracking(self, notices: Mapping[str, c.TrackingNotice]) -> Sequence[Outcome]:
        """Every package so far on the order, and ``completed`` once nothing is left to ship."""
        keys: dict[str, list[str]] = {}
        for key, notice in notices.items():
            keys.setdefault(notice.channel_order_id, []).append(key)
        orders = {
            order_id: _merged([notices[key] for key in group]) for order_id, group in keys.items()
        }
        outcomes = settle(in_chunks(orders, PER_PAGE), self._set_tracking)
        return [replace(outcome, key=key) for outcome in outcomes for key in keys[outcome.key]]

    def _list(
        self, path: str, op: str, page: int, more: Mapping[str, str], shape: Any = Any
    ) -> Reply:
        paging: dict[str, str | int] = {"orderby": "id", "order": "asc", "per_page": PER_PAGE}
        return self._api.get(path, op=op, params={**more, **paging, "page": page}, shape=shape)

    def _pages(self, path: str, op: str) -> Iterator[list[dict[str, Any]]]:
        walk = NumberedPages(path, size=PER_PAGE)
        while not walk.done:
            reply = self._list(path, op, walk.page, {})
            rows = reply.rows(having="id")
            if walk.take([str(row["id"]) for row in rows], _total(reply)):
                yield rows

    def _record(self, order: _Order, text: bytes) -> RawRecord:
        if not order.refunds:
            return RawRecord(str(order.id), text)
        path = f"/orders/{segment(str(order.id))}/refunds"
        reply = self._api.get(path, op="listRefunds", params={"per_page": PER_PAGE})
        refunds = reply.rows()
        there = [entry.get("id") for entry in refunds]
        missing = [entry.id for entry in order.refunds if entry.id not in there]
        if missing:
            raise Retryable(f"order {order.id}: its refunds {missing} could not be read")
        try:
            body = msgspec.json.decode(text)
        except UNREADABLE as error:
            raise reply.unclear(f"order {order.id} cannot be read ({error})") from None
        return RawRecord.of(str(order.id), {**body, "refunds": refunds})

    def _named(self, path: str, ids: Sequence[str]) -> list[dict[str, Any]]:
        """The rows of a listing that have these ids, at most a page."""
        if not ids:
            return []
        op = "listVariations" if path.endswith("/variations") else "listProducts"
        return self._list(path, op, 1, {"include": ",".join(ids)}).rows(having="id")

    def _variations(
        self, product: Mapping[str, Any], ids: Sequence[str] | None = None
    ) -> Iterator[RawRecord]:
        """A product's variations: those with these ids, or (null) all."""
        parent = {name: product.get(name) for name in ("id", "name", "sku", "status")}
        path = f"/products/{segment(str(product['id']))}/variations"
        every = self._pages(path, "listVariations") if ids is None else [self._named(path, ids)]
        for rows in every:
            for row in rows:
                yield RawRecord.of(str(row["id"]), {**row, "parent": parent})

    def _set_stock(self, updates: Mapping[str, c.StockUpdate]) -> list[Outcome]:
        path = _batch_path(next(iter(updates.values())))
        rows = {key: self._stock.render(update) for key, update in updates.items()}
        results = self._batch(path, "batchStock", rows.values())
        return [_outcome(key, row, results) for key, row in rows.items() if row["id"] in results]

    def _set_tracking(self, notices: Mapping[str, c.TrackingNotice]) -> list[Outcome]:
        context = {"meta_key": self._config.tracking_meta}
        rows = {key: self._tracking.render(one, context) for key, one in notices.items()}
        results = self._batch("/orders/batch", "batchOrders", rows.values())
        return [_outcome(key, row, results) for key, row in rows.items() if row["id"] in results]

    def _batch(self, path: str, op: str, rows: Any) -> dict[int, dict[str, Any]]:
        reply = self._api.post(path, op=op, json={"update": list(rows)}, idempotent=True)
        with reply.reading():
            return {row["id"]: row for row in reply.rows("update", having="id")}


def _orders(reply: Reply) -> list[tuple[_Order, bytes]]:
    """The orders of a page, each with its own text."""
    texts = [bytes(raw) for raw in reply.json()]
    try:
        return [(_read_order(text), text) for text in texts]
    except UNREADABLE as error:
        raise reply.unclear(f"listed an order that is none ({error})") from None


def _total(reply: Reply) -> int:
    """How many rows the listing claims to have."""
    total = reply.headers.get("x-wp-total", "")
    if not total.isdecimal() or len(total) > _DIGITS:
        raise ConfigProblem(
            "The shop's reply lacks the header X-WP-Total: without it lost records go unnoticed. "
            "Let the cache or proxy in front of the shop pass the headers of /wp-json on."
        )
    return int(total)


def _is_variation(one: c.Listing | c.StockUpdate) -> bool:
    return one.external_variant_id != one.external_product_id


def _batch_path(update: c.StockUpdate) -> str:
    if not _is_variation(update):
        return "/products/batch"
    return f"/products/{segment(update.external_product_id)}/variations/batch"


def _merged(notices: Sequence[c.TrackingNotice]) -> c.TrackingNotice:
    """One notice for the order: tracking is one meta entry there, written as a whole."""
    packages: dict[str, c.Package] = {}
    for notice in notices:
        own = c.Package(
            tracking_number=notice.tracking_number,
            carrier=notice.carrier,
            tracking_url=notice.tracking_url,
        )
        for package in (*notice.shipped_so_far, own):
            packages.setdefault(package.tracking_number, package)
    return msgspec.structs.replace(
        notices[-1],
        complete=any(notice.complete for notice in notices),
        shipped_so_far=tuple(packages.values()),
    )


def _outcome(
    key: str, sent: Mapping[str, Any], results: Mapping[int, Mapping[str, Any]]
) -> Outcome:
    result = results[sent["id"]]
    error = result.get("error")
    if error:
        told = error if isinstance(error, Mapping) else {"message": error}
        code, message = str(told.get("code", "")), str(told.get("message", ""))
        return Outcome(key, "rejected", code=code[:200], message=message[:500])
    if "stock_quantity" in sent and result.get("manage_stock") is not True:
        remedy = "Woo keeps no stock for it. Switch on stock management for this product."
        return Outcome(key, "rejected", code="stock_not_managed", message=remedy)
    return Outcome(key, "applied", remote_id=str(sent["id"]))


def _expected(subject: str, wanted: str | None, found: Any) -> Finding:
    ok = wanted in (None, found)
    remedy = "" if ok else f"Correct {subject} in this connection, or in the shop's settings."
    return Finding(subject, ok, f"the shop runs in {found}", remedy)
