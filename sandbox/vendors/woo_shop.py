"""State of the WooCommerce shop: products with their own stock, orders, refunds.

Money in orders is kept the way the REST API prints it (decimal strings without tax per line);
all arithmetic is done in minor units before printing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

from sandbox.money import decimal_text, minor_units
from sandbox.quirks import Quirks
from sandbox.vendors.woo_basket import Basket, checkout_body, totals
from sandbox.wire import Json

UNSHIPPABLE_STATUSES = frozenset({"completed", "cancelled", "refunded", "failed"})
PAID_STATUSES = frozenset({"processing", "completed", "refunded"})


@dataclass
class Product:
    """A simple product, a variable parent, or one variation. ``price`` is in euro cents, net.

    ``stock`` is what the shop will sell; it falls with every checkout, whoever wrote it before.
    ``managed``: the shop keeps stock for it. ``deaf_to``: so many writes it confirms and forgets,
    -1 for all. ``poison``: a batch that names it is refused as a whole.
    """

    id: int
    kind: str
    name: str
    sku: str
    gtin: str
    price: int
    weight_g: int
    stock: int
    modified: datetime
    parent_id: int = 0
    option: str = ""
    variations: list[int] = field(default_factory=list)
    managed: bool = True
    deaf_to: int = 0
    poison: bool = False


@dataclass
class WooOrder:
    """``body`` is the order as printed, but for id, dates, status and refunds.

    ``history`` holds every status it had, so that audits see a cancelled order being completed.
    """

    id: int
    status: str
    body: Json
    created: datetime
    modified: datetime
    paid: datetime | None = None
    completed: datetime | None = None
    refunds: list[Json] = field(default_factory=list)
    history: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.history.append(self.status)

    @property
    def currency(self) -> str:
        return str(self.body["currency"])


@dataclass(frozen=True)
class StockWrite:
    """One absolute quantity set from outside through the API."""

    at: datetime
    listing: str
    quantity: int


def _nobody_asked(_topic: str, _order: WooOrder, _at: datetime) -> None:
    """There is no webhook."""


class WooShop:
    """One shop. ``zone`` is the site's timezone, in which dates without ``_gmt`` are printed."""

    def __init__(self, zone: str, quirks: Quirks | None = None) -> None:
        self.zone = ZoneInfo(zone)
        self.quirks = quirks or Quirks()
        self.deleted: dict[int, WooOrder] = {}
        self.products: dict[int, Product] = {}
        self.orders: dict[int, WooOrder] = {}
        self.stock_writes: list[StockWrite] = []
        self.turned_away: list[str] = []
        self.tell: Callable[[str, WooOrder, datetime], None] = _nobody_asked
        self._last_id = 1000

    def new_id(self) -> int:
        """Post ids: orders, products, lines and refunds share one sequence, as in WordPress."""
        self._last_id += 1
        return self._last_id

    def listed(self, sku: str) -> Product:
        """The product or variation with this SKU. Raises KeyError."""
        for product in self.products.values():
            if product.sku == sku and product.kind != "variable":
                return product
        raise KeyError(sku)

    def place(self, basket: Basket, at: datetime) -> WooOrder | None:
        """A buyer checks out. None when the shop's own stock does not suffice.

        Stock is taken for paid and on-hold orders; pending and failed ones hold nothing.
        """
        if any(line.product.stock < line.quantity for line in basket.lines):
            self.turned_away.extend(line.product.sku for line in basket.lines)
            return None
        if basket.status in {"processing", "on-hold", "completed"}:
            for line in basket.lines:
                line.product.stock -= line.quantity
        order_id = self.new_id()
        body = checkout_body(basket, self.new_id)
        order = WooOrder(order_id, basket.status, body, created=at, modified=at)
        if basket.status in PAID_STATUSES:
            order.paid = at
            body["transaction_id"] = f"ch_{order_id:014d}"
        if basket.status == "completed":
            order.completed = at
        self.orders[order_id] = order
        self.tell("order.created", order, at)
        return order

    def set_status(self, order: WooOrder, status: str, at: datetime) -> None:
        """Move to a status; the dates of payment and completion follow it once."""
        order.status, order.modified = status, at
        order.history.append(status)
        if status in PAID_STATUSES and order.paid is None:
            order.paid = at
        if status == "completed" and order.completed is None:
            order.completed = at
        self.tell("order.updated", order, at)

    def pay(self, order: WooOrder, at: datetime) -> None:
        """A waiting order is paid; a pending one takes its stock now."""
        if order.status == "pending":
            for line in order.body["line_items"]:
                self.products[line["variation_id"] or line["product_id"]].stock -= line["quantity"]
        if order.status in {"pending", "on-hold"}:
            self.set_status(order, "processing", at)

    def cancel(self, order: WooOrder, at: datetime) -> bool:
        """The buyer or the merchant cancels. False when it was shipped or ended before."""
        if order.status in UNSHIPPABLE_STATUSES:
            return False
        self._restock(order)
        self.set_status(order, "cancelled", at)
        return True

    def change_quantity(self, order: WooOrder, quantity: int, at: datetime) -> bool:
        """The merchant edits the first line's quantity. False when the order had ended."""
        if order.status in UNSHIPPABLE_STATUSES:
            return False
        line = order.body["line_items"][0]
        before = int(line["quantity"])
        self.products[line["variation_id"] or line["product_id"]].stock += before - quantity
        for amount in ("subtotal", "subtotal_tax", "total", "total_tax"):
            whole = minor_units(line[amount], order.currency)
            line[amount] = decimal_text(whole * quantity // before, order.currency)
        for tax in line["taxes"]:
            tax["total"], tax["subtotal"] = line["total_tax"], line["subtotal_tax"]
        line["quantity"] = quantity
        order.body.update(totals(order.body))
        order.modified = at
        self.tell("order.updated", order, at)
        return True

    def refund(self, order: WooOrder, quantity: int, reason: str, at: datetime) -> Json:
        """Refund ``quantity`` units of the first line; 0 refunds the whole rest of the order.

        A refund's lines carry negative quantities and amounts and point at the refunded line by
        the meta key ``_refunded_item_id``, as Woo writes them.
        """
        currency = order.currency
        total = minor_units(order.body["total"], currency)
        left = total - sum(minor_units(refund["amount"], currency) for refund in order.refunds)
        lines = [self._refund_line(order, quantity)] if quantity else []
        amount = left
        if lines:
            taken = sum(minor_units(lines[0][part], currency) for part in ("total", "total_tax"))
            amount = min(left, -taken)
        refund: Json = {
            "id": self.new_id(),
            "created": at,
            "amount": decimal_text(amount, currency),
            "reason": reason,
            "line_items": lines,
        }
        order.refunds.append(refund)
        order.modified = at
        if amount == left:
            self.set_status(order, "refunded", at)
        else:
            self.tell("order.updated", order, at)
        return refund

    def meddle(self, page: Sequence[WooOrder], at: datetime) -> None:
        """What buyers and merchants do to the orders of a page while the next one is asked for."""
        quirks = self.quirks
        untouched = [order for order in page if order.modified < at and order.id in self.orders]
        for order in untouched[: quirks.edits_while_paging]:
            order.body["customer_note"] += "."
            order.modified = at
            quirks.note("edits_while_paging", order.id)
        idle = [order for order in untouched if order.status in {"pending", "failed", "cancelled"}]
        for order in idle[: quirks.deletes_while_paging]:
            self.deleted[order.id] = self.orders.pop(order.id)
            quirks.note("deletes_while_paging", order.id)

    def write_stock(self, product: Product, quantity: int, at: datetime) -> None:
        """Set an absolute quantity, as an API client does."""
        if product.deaf_to:
            product.deaf_to -= product.deaf_to > 0
            return
        product.stock, product.modified = quantity, at
        self.stock_writes.append(StockWrite(at, product.sku, quantity))

    def _refund_line(self, order: WooOrder, quantity: int) -> Json:
        sold = order.body["line_items"][0]
        part: Json = {
            amount: decimal_text(
                -(minor_units(sold[amount], order.currency) * quantity // sold["quantity"]),
                order.currency,
            )
            for amount in ("subtotal", "subtotal_tax", "total", "total_tax")
        }
        reference = {"id": self.new_id(), "key": "_refunded_item_id", "value": str(sold["id"])}
        return {
            **sold,
            **part,
            "id": self.new_id(),
            "quantity": -quantity,
            "taxes": [
                {"id": tax["id"], "total": part["total_tax"], "subtotal": part["subtotal_tax"]}
                for tax in sold["taxes"]
            ],
            "meta_data": [reference],
        }

    def _restock(self, order: WooOrder) -> None:
        if order.status not in {"processing", "on-hold"}:
            return
        for line in order.body["line_items"]:
            product = self.products.get(line["variation_id"] or line["product_id"])
            if product is not None:
                product.stock += line["quantity"]
