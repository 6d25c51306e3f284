"""Picks the rows of every table out of WooCommerce orders, by hand.

It knows the one shape that ``benchmarks.woo_orders`` gives and trusts it; the benchmark compares
the tables with those that Crossdock has filled from the same orders.
"""

from __future__ import annotations

import html
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from itertools import count
from typing import Any
from zoneinfo import ZoneInfo

Json = dict[str, Any]
Row = tuple[Any, ...]

# In the order in which rows may be written: what is referred to comes first.
COLUMNS = {
    "inbox": (
        "id, connection_id, topic, external_id, sha256, body, received_at, state, problems, "
        "mapping_version"
    ),
    "address": (
        "id, name, company, street, street2, street3, city, region, postcode, country, phone, email"
    ),
    "sales_order": (
        "id, connection_id, channel_order_id, channel_order_name, sub_channel, channel_status, "
        "intake_state, placed_at, business_date, channel_updated_at, cancelled_at, recorded_at, "
        "currency, prices_include_tax, discount_total, shipping_total, tax_total, grand_total, "
        "calc_grand_total, total_variance, bill_to_id, ship_to_id, service_name, note, "
        "deliver_by_at, raw_id, mapping_version, source_version"
    ),
    "order_line": (
        "id, order_id, line_no, channel_line_id, sku_id, channel_sku, channel_product_id, "
        "title, variant_title, gtin, asin, unit_price, line_discount_total, line_tax_total, "
        "line_total, requires_shipping, qty_ordered, qty_cancelled, park_reason, park_detail"
    ),
    "order_adjustment": "id, order_id, kind, code, title, amount, external_id",
    "tax_line": (
        "order_id, order_line_id, adjustment_id, title, tax_type, rate, amount, included, "
        "collected_by"
    ),
    "payment": "order_id, external_id, gateway, method, state, amount_captured, paid_at",
    "refund": "id, order_id, external_id, amount, reason, refunded_at",
    "refund_line": "refund_id, order_line_id, qty, amount, tax_amount",
    "order_event": "order_id, at, kind, summary, raw_id",
    "dirty_sku": "sku_id",
}

_MICRO = 1_000_000
_DIGITS = {"EUR": 2, "USD": 2, "JPY": 0, "KWD": 3}
_ZONE = ZoneInfo("Europe/Berlin")
_NOW = "2026-12-24T08:00:00"
_VERSION = "woocommerce.orders/1"
_STATUS = {
    "processing": ("ready", "accepted"),
    "on-hold": ("pending", "accepted"),
    "pending": ("pending", "accepted"),
    "completed": ("fulfilled", "closed"),
    "cancelled": ("cancelled", "cancelled"),
}
_METHOD = {"stripe": "card", "ppcp-gateway": "wallet", "bacs": "bank", "klarna_payments": "bnpl"}


class Pick:
    """Rows by table, gathered until they are taken. ``texts``: times are written as text."""

    def __init__(self, skus: dict[str, int], *, texts: bool) -> None:
        self.orders = 0
        self._skus = skus
        self._texts = texts
        self._now = self._at(_NOW)
        self._rows: dict[str, list[Row]] = {table: [] for table in COLUMNS}
        self._addresses, self._lines = count(1), count(1)
        self._adjustments, self._refunds = count(1), count(1)

    def taken(self) -> dict[str, list[Row]]:
        """The rows so far, to be written; the next ones start from nothing."""
        rows, self._rows = self._rows, {table: [] for table in COLUMNS}
        return rows

    def add(self, order: Json, sha256: bytes, body: bytes) -> None:
        """``body``: the JSON text, compressed."""
        self.orders += 1
        key, rows = self.orders, self._rows
        digits = _DIGITS[order["currency"]]
        status, intake = _STATUS[order["status"]]
        number = str(order["id"])
        rows["inbox"].append(
            (key, 1, "orders", number, sha256, body, self._now, "mapped", "null", _VERSION)
        )
        line_ids, goods = self._line_rows(key, order, status, intake, digits)
        calculated = goods + self._adjustment_rows(key, order, digits)
        for tax in order["tax_lines"]:
            amount = _minor(tax["tax_total"], digits) + _minor(tax["shipping_tax_total"], digits)
            rows["tax_line"].append((key, None, None, *_tax(tax, amount)))
            calculated += amount
        self._order(key, order, status, intake, digits, calculated)
        paid = order["date_paid_gmt"]
        captured = _minor(order["total"], digits) if paid else 0
        state = "captured" if paid else "pending"
        method = order["payment_method"]
        rows["payment"].append(
            (key, order["transaction_id"], method, _METHOD[method], state, captured, self._at(paid))
        )
        for refund in order["refunds"]:
            self._refund_rows(key, refund, line_ids, digits)
        rows["order_event"].append(
            (key, self._now, "received", f"received from shop as {intake}", key)
        )

    def _order(
        self, key: int, order: Json, status: str, intake: str, digits: int, calculated: int
    ) -> None:
        bill, ship = order["billing"], order["shipping"]
        email = bill["email"].strip().lower()
        bill_id, ship_id = next(self._addresses), next(self._addresses)
        self._rows["address"] += (_address(bill_id, bill, email), _address(ship_id, ship, email))
        placed = order["date_created_gmt"]
        day = datetime.fromisoformat(f"{placed}+00:00").astimezone(_ZONE).date()
        total = _minor(order["total"], digits)
        self._rows["sales_order"].append(
            (
                key,
                1,
                str(order["id"]),
                order["number"],
                order["created_via"],
                status,
                intake,
                self._at(placed),
                day.isoformat() if self._texts else day,
                self._at(order["date_modified_gmt"]),
                None,
                self._now,
                order["currency"],
                order["prices_include_tax"],
                _minor(order["discount_total"], digits),
                _minor(order["shipping_total"], digits),
                _minor(order["total_tax"], digits),
                total,
                calculated,
                calculated - total,
                bill_id,
                ship_id,
                _plain(order["shipping_lines"][0]["method_title"]),
                _plain(order["customer_note"]),
                None,
                key,
                _VERSION,
                f"{order['date_modified_gmt']}.000000Z",
            )
        )

    def _line_rows(
        self, key: int, order: Json, status: str, intake: str, digits: int
    ) -> tuple[dict[str, int], int]:
        """The ids by the shop's own, and what the lines come to."""
        rates = {tax["rate_id"]: tax for tax in order["tax_lines"]}
        cancelled: dict[str, int] = {}
        for refund in order["refunds"]:
            for item in refund["line_items"]:
                cancelled[_refunded(item)] = -item["quantity"] * _MICRO
        ids: dict[str, int] = {}
        goods = 0
        for n, line in enumerate(order["line_items"], start=1):
            line_id, number = next(self._lines), str(line["id"])
            ids[number] = line_id
            sku_id = self._skus[line["sku"]]
            taxes = [
                (rates[tax["id"]], _rounded(tax["total"], digits))
                for tax in line["taxes"]
                if tax["total"]
            ]
            total = _minor(line["total"], digits)
            goods += total
            self._rows["order_line"].append(
                (
                    line_id,
                    key,
                    n,
                    number,
                    sku_id,
                    line["sku"].strip(),
                    str(line["variation_id"] or line["product_id"]),
                    _plain(line["name"]),
                    "",
                    "",
                    "",
                    _rounded(repr(line["price"]), digits),
                    _minor(line["subtotal"], digits) - total,
                    sum(amount for _, amount in taxes),
                    total,
                    True,
                    line["quantity"] * _MICRO,
                    _cancelled(status, line["quantity"] * _MICRO, cancelled.get(number, 0)),
                    None,
                    "",
                )
            )
            self._rows["tax_line"] += [
                (key, line_id, None, *_tax(rate, amount)) for rate, amount in taxes
            ]
            if intake == "accepted":
                self._rows["dirty_sku"].append((sku_id,))
        return ids, goods

    def _adjustment_rows(self, key: int, order: Json, digits: int) -> int:
        """What they come to."""
        rates = {tax["rate_id"]: tax for tax in order["tax_lines"]}
        sum_of_all = 0
        for name, kind, title in (
            ("shipping_lines", "shipping", "method_title"),
            ("fee_lines", "fee", "name"),
        ):
            for part in order[name]:
                part_id = next(self._adjustments)
                amount = _minor(part["total"], digits)
                sum_of_all += amount
                self._rows["order_adjustment"].append(
                    (
                        part_id,
                        key,
                        kind,
                        part.get("method_id", ""),
                        _plain(part[title]),
                        amount,
                        str(part["id"]),
                    )
                )
                self._rows["tax_line"] += [
                    (key, None, part_id, *_tax(rates[t["id"]], _rounded(t["total"], digits)))
                    for t in part["taxes"]
                    if t["total"]
                ]
        return sum_of_all

    def _refund_rows(self, key: int, refund: Json, line_ids: dict[str, int], digits: int) -> None:
        refund_id = next(self._refunds)
        amount = _minor(refund["amount"], digits)
        at = self._at(refund["date_created_gmt"])
        self._rows["refund"].append(
            (refund_id, key, str(refund["id"]), amount, refund["reason"], at)
        )
        for item in refund["line_items"]:
            self._rows["refund_line"].append(
                (
                    refund_id,
                    line_ids[_refunded(item)],
                    -item["quantity"] * _MICRO,
                    -_minor(item["total"], digits),
                    -_minor(item["total_tax"], digits),
                )
            )

    def _at(self, text: str | None) -> Any:
        if text is None:
            return None
        return f"{text}.000000Z" if self._texts else datetime.fromisoformat(f"{text}+00:00")


def _minor(text: str, digits: int) -> int:
    return int(Decimal(text).scaleb(digits))


def _rounded(text: str, digits: int) -> int:
    return int(Decimal(text).scaleb(digits).to_integral_value(ROUND_HALF_UP))


def _plain(text: str) -> str:
    return " ".join(html.unescape(text).split())


def _tax(rate: Json, amount: int) -> Row:
    return (rate["label"], "other", str(rate["rate_percent"]), amount, False, "merchant")


def _cancelled(status: str, ordered: int, refunded: int) -> int:
    return {"fulfilled": 0, "cancelled": ordered}.get(status, refunded)


def _refunded(item: Json) -> str:
    line_id: str = item["meta_data"][0]["value"]
    return line_id


def _address(key: int, given: Json, email: str) -> Row:
    return (
        key,
        f"{given['first_name']} {given['last_name']}",
        given["company"].strip(),
        given["address_1"].strip(),
        given["address_2"].strip(),
        "",
        given["city"].strip(),
        given["state"].strip(),
        given["postcode"].strip(),
        given["country"],
        given["phone"].strip(),
        email,
    )
