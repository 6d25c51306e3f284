"""State of one Amazon seller account: listings, orders, packages, feeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sandbox.quirks import Quirks
from sandbox.wire import Json

SELLER_ID = "A2SANDBOXSELLER"

# marketplaceId -> (name, country, currency, tax permille, tax shown apart from the item price)
MARKETPLACES: dict[str, tuple[str, str, str, int, bool]] = {
    "A1PA6795UKMFR9": ("Amazon.de", "DE", "EUR", 190, False),
    "A1F83G8C2ARO7P": ("Amazon.co.uk", "GB", "GBP", 200, True),
    "A1VC38T7YXB528": ("Amazon.co.jp", "JP", "JPY", 100, False),
}


@dataclass
class Listing:
    """``quantity`` is the merchant-fulfilled stock; every order of the merchant lowers it.

    ``deaf_to``: so many writes it confirms and forgets, -1 for all.
    """

    sku: str
    asin: str
    title: str
    product_type: str
    price: int
    quantity: int
    created: datetime
    modified: datetime
    deaf_to: int = 0


@dataclass
class Item:
    """One line of an order. Amounts in minor units of the order's currency.

    ``breakdown`` adds up to what the line costs; ``tax_parts`` says what its TAX row is made of.
    """

    item_id: str
    sku: str
    asin: str
    title: str
    quantity: int
    unit: int
    breakdown: dict[str, int]
    tax_parts: dict[str, int] = field(default_factory=dict)
    shipped: int = 0
    cancel_request: str | None = None


@dataclass
class Package:
    """A confirmed shipment: ``quantities`` by order item id."""

    reference: str
    carrier: str
    service: str
    tracking: str
    ship_time: datetime
    created: datetime
    quantities: dict[str, int]


@dataclass
class AmazonOrder:
    """``released`` False means PENDING: no address and no prices are shown yet."""

    order_id: str
    marketplace: str
    created: datetime
    modified: datetime
    status: str
    fulfilled_by: str
    items: list[Item]
    recipient: Json | None
    buyer: Json
    packages: dict[str, Package] = field(default_factory=dict)

    @property
    def currency(self) -> str:
        return MARKETPLACES[self.marketplace][2]


@dataclass(frozen=True)
class QuantityWrite:
    """One absolute quantity set through PATCH or a feed."""

    at: datetime
    listing: str
    quantity: int
    through: str


@dataclass
class Feed:
    """A submitted feed: its report is made when processing ends, on the sandbox clock."""

    feed_id: str
    feed_type: str
    marketplaces: Sequence[str]
    document_id: str
    created: datetime
    started: datetime | None = None
    ended: datetime | None = None
    status: str = "IN_QUEUE"
    report_id: str | None = None


class AmazonSeller:
    """Everything Amazon knows of the seller."""

    def __init__(self, quirks: Quirks | None = None) -> None:
        self.quirks = quirks or Quirks()
        self.listings: dict[str, Listing] = {}
        self.orders: dict[str, AmazonOrder] = {}
        self.writes: list[QuantityWrite] = []
        self.confirmations: list[tuple[datetime, str, str]] = []
        self.turned_away: list[str] = []
        self.page_tokens: dict[str, Json] = {}
        self.documents: dict[str, bytes | None] = {}
        self.feeds: dict[str, Feed] = {}
        self._serial = 0

    def serial(self) -> int:
        """A number that was not used before in this account."""
        self._serial += 1
        return self._serial

    def place(self, order: AmazonOrder) -> bool:
        """A buyer orders. False when a merchant-fulfilled listing has too little to sell."""
        if order.fulfilled_by == "MERCHANT":
            if any(self.listings[item.sku].quantity < item.quantity for item in order.items):
                self.turned_away.extend(item.sku for item in order.items)
                return False
            for item in order.items:
                self.listings[item.sku].quantity -= item.quantity
        self.orders[order.order_id] = order
        return True

    def write_quantity(self, sku: str, quantity: int, at: datetime, through: str) -> None:
        """Set a listing's quantity absolutely."""
        listing = self.listings[sku]
        if listing.deaf_to:
            listing.deaf_to -= listing.deaf_to > 0
            return
        listing.quantity, listing.modified = quantity, at
        self.writes.append(QuantityWrite(at, sku, quantity, through))

    def confirm(self, order: AmazonOrder, package: Package, at: datetime) -> str | None:
        """Book a package; the same reference replaces the earlier one. The refusal, or None.

        Quantities of the replaced package become free before the new ones are checked.
        """
        if order.status not in {"UNSHIPPED", "PARTIALLY_SHIPPED", "SHIPPED"}:
            return f"The order is {order.status} and cannot be confirmed."
        others = [p for ref, p in order.packages.items() if ref != package.reference]
        for item in order.items:
            taken = sum(other.quantities.get(item.item_id, 0) for other in others)
            if taken + package.quantities.get(item.item_id, 0) > item.quantity:
                return f"The quantity for order item {item.item_id} is more than is left to ship."
        unknown = set(package.quantities) - {item.item_id for item in order.items}
        if unknown:
            return f"The order has no item {min(unknown)}."
        order.packages[package.reference] = package
        for item in order.items:
            packed = order.packages.values()
            item.shipped = sum(one.quantities.get(item.item_id, 0) for one in packed)
        whole = all(item.shipped >= item.quantity for item in order.items)
        order.status = "SHIPPED" if whole else "PARTIALLY_SHIPPED"
        order.modified = at
        self.confirmations.append((at, order.order_id, package.reference))
        return None

    def cancel(self, order: AmazonOrder, at: datetime) -> bool:
        """Amazon cancels an order nothing of which was shipped; merchant stock comes back."""
        if order.status not in {"PENDING", "UNSHIPPED"}:
            return False
        if order.fulfilled_by == "MERCHANT":
            for item in order.items:
                self.listings[item.sku].quantity += item.quantity
        order.status, order.modified = "CANCELLED", at
        return True

    def ask_to_cancel(self, order: AmazonOrder, reason: str, at: datetime) -> bool:
        """The buyer asks; the seller decides. False when everything was shipped."""
        if order.status not in {"UNSHIPPED", "PARTIALLY_SHIPPED"}:
            return False
        for item in order.items:
            item.cancel_request = reason
        order.modified = at
        return True
