"""The canonical records: Crossdock's own vocabulary, what every mapping definition yields.

Shapes and units, for all of them:

* money is an ``int`` in minor units (ISO 4217 exponent) of the record's ``currency``;
* time is an aware ``datetime`` in UTC; ``dict``-like payloads never leak in here;
* ids are the other side's, as text; ours are given by the store;
* a field with a default may be absent from the payload, every other one must be there.

Names follow MODEL: GS1 keys, UBL documents, Shopify and Amazon words where they are the norm.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal

import msgspec

from mappings.storable import KEY_MAX

Minor = int
"""An amount in minor units; which currency, the record's ``currency`` field says."""

Key = Annotated[str, msgspec.Meta(extra={"longest": KEY_MAX})]
"""A text by which the store finds a record again; what is longer does not map."""

OrderStatus = Literal["pending", "ready", "cancelled", "fulfilled", "ignored"]
"""What the channel says may be done with an order.

``pending``: do not ship yet (unpaid, on hold, address withheld); ``ready``: ours to ship;
``fulfilled``: already shipped elsewhere; ``ignored``: not ours (FBA, test, draft).
"""

PaymentState = Literal["none", "pending", "authorised", "captured", "refunded", "failed"]
AdjustmentKind = Literal[
    "discount", "shipping", "shipping_discount", "fee", "tip", "gift_wrap", "rounding", "other"
]
TaxType = Literal["vat", "gst", "sales", "duty", "other"]
TrackingCode = Literal[
    "pending",
    "label_created",
    "picked_up",
    "in_transit",
    "out_for_delivery",
    "ready_for_pickup",
    "delivered",
    "attempt_failed",
    "exception",
    "returning",
    "returned",
    "lost",
    "cancelled",
]


class Record(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Base of every canonical record: immutable, keyword-only. Subclasses repeat both, since
    msgspec does not inherit ``kw_only`` nor type checkers ``frozen``. ``gc``: what is immutable
    from its making on can refer to nothing younger, so there are no circles to look for."""


class Address(Record, frozen=True, kw_only=True):
    """A postal address with its contact. ``country`` is ISO 3166-1 alpha-2."""

    name: str = ""
    company: str = ""
    street: str = ""
    street2: str = ""
    street3: str = ""
    city: str = ""
    region: str = ""
    postcode: str = ""
    country: str = ""
    phone: str = ""
    email: Key = ""


class TaxLine(Record, frozen=True, kw_only=True):
    """Tax on the order, a line or an adjustment. ``rate`` is a percentage (19 = 19 %)."""

    title: str = ""
    tax_type: TaxType = "other"
    rate: Decimal | None = None
    amount: Minor
    included: bool = False
    collected_by: Literal["merchant", "marketplace"] = "merchant"


class Adjustment(Record, frozen=True, kw_only=True):
    """Anything beside the goods that changes the total. ``amount`` is signed, before tax."""

    kind: AdjustmentKind
    code: str = ""
    title: str = ""
    amount: Minor
    external_id: str = ""
    taxes: tuple[TaxLine, ...] = ()


class OrderLine(Record, frozen=True, kw_only=True):
    """One line as sold.

    ``line_total`` is after the line's discounts and before the taxes that are not ``included``.
    ``quantity`` of zero or less parks the line; the payload's own figure is kept.
    """

    channel_line_id: Key
    channel_sku: str = ""
    channel_product_id: str = ""
    title: str = ""
    variant_title: str = ""
    gtin: str = ""
    asin: str = ""
    quantity: Decimal
    quantity_cancelled: Decimal = Decimal(0)
    cancel_requested: bool = False
    """The buyer asked to cancel what is open, and nobody has answered yet."""
    unit_price: Minor = 0
    line_discount_total: Minor = 0
    line_total: Minor
    requires_shipping: bool = True
    taxes: tuple[TaxLine, ...] = ()


class Payment(Record, frozen=True, kw_only=True):
    """How the buyer paid. Amounts in the order's currency."""

    external_id: str = ""
    gateway: str = ""
    method: str = "other"
    state: PaymentState
    amount_captured: Minor = 0
    paid_at: datetime | None = None


class RefundLine(Record, frozen=True, kw_only=True):
    channel_line_id: Key
    quantity: Decimal = Decimal(0)
    amount: Minor
    tax_amount: Minor = 0


class Refund(Record, frozen=True, kw_only=True):
    """Money given back. ``amount`` is positive and contains tax."""

    external_id: Key
    amount: Minor
    reason: str = ""
    refunded_at: datetime | None = None
    lines: tuple[RefundLine, ...] = ()


class Order(Record, frozen=True, kw_only=True):
    """One sales order of a channel, as the channel reports it; totals are never recomputed."""

    channel_order_id: Key
    channel_order_name: Key = ""
    sub_channel: str = ""
    status: OrderStatus
    source_version: str
    """Orders versions of one order: compared as text, so ISO UTC timestamps or padded numbers."""
    placed_at: datetime
    channel_updated_at: datetime
    cancelled_at: datetime | None = None
    currency: str
    prices_include_tax: bool = False
    discount_total: Minor = 0
    shipping_total: Minor = 0
    tax_total: Minor = 0
    grand_total: Minor
    service_name: str = ""
    note: str = ""
    deliver_by_at: datetime | None = None
    bill_to: Address | None = None
    ship_to: Address | None = None
    lines: tuple[OrderLine, ...] = ()
    adjustments: tuple[Adjustment, ...] = ()
    taxes: tuple[TaxLine, ...] = ()
    payments: tuple[Payment, ...] = ()
    refunds: tuple[Refund, ...] = ()


class Listing(Record, frozen=True, kw_only=True):
    """One sellable variant on a channel; ``external_variant_id`` names it within the channel."""

    external_product_id: str
    external_variant_id: Key
    external_sku: str = ""
    title: str = ""
    gtin: str = ""
    asin: str = ""
    status: Literal["live", "draft", "ended", "blocked"] = "live"
    fulfilment_flag: Literal["merchant", "marketplace"] = "merchant"
    quantity: int | None = None
    """What the channel offers now; null where it does not manage stock."""
    quantity_managed: bool = True
    product_type: str = ""


class StockCount(Record, frozen=True, kw_only=True):
    """An absolute count reported by an outside location (3PL, WMS, file)."""

    sku: Key
    on_hand: Decimal
    location_code: str = ""
    observed_at: datetime | None = None
    """When it was counted, by the location's own clock; null where it does not tell."""


class ShippedLine(Record, frozen=True, kw_only=True):
    sku: Key = ""
    channel_line_id: Key = ""
    quantity: Decimal


class Package(Record, frozen=True, kw_only=True):
    tracking_number: Key
    carrier: str = ""
    tracking_url: str = ""
    lines: tuple[ShippedLine, ...] = ()


class Shipment(Record, frozen=True, kw_only=True):
    """What a location shipped against a fulfilment order; ``reference`` is our own key."""

    reference: Key
    external_id: Key
    state: Literal["processing", "shipped", "cancelled", "exception"]
    carrier: str = ""
    service_name: str = ""
    shipped_at: datetime | None = None
    packages: tuple[Package, ...] = ()


class TrackingEvent(Record, frozen=True, kw_only=True):
    code: TrackingCode
    carrier_code: str = ""
    occurred_at: datetime
    place: str = ""


# ---- outbound: what we ask of the other side -------------------------------------------------


class StockUpdate(Record, frozen=True, kw_only=True):
    """The promise for one listing. Absolute, never a delta."""

    external_product_id: str
    external_variant_id: str
    external_sku: str
    product_type: str = ""
    quantity: int


class FulfilmentLine(Record, frozen=True, kw_only=True):
    line_reference: str
    sku: str
    title: str = ""
    quantity: Decimal
    unit_weight_g: int = 0
    unit_price: Minor = 0


class FulfilmentRequest(Record, frozen=True, kw_only=True):
    """One location's work. ``reference`` is unique, immutable and at most 40 characters."""

    reference: str
    order_name: str
    placed_at: datetime
    currency: str
    service_name: str = ""
    ship_to: Address
    lines: tuple[FulfilmentLine, ...]


class LabelRequest(Record, frozen=True, kw_only=True):
    """A parcel to buy a label for. ``reference`` becomes the carrier's external shipment id."""

    reference: str
    ship_from: Address
    ship_to: Address
    weight_g: int
    currency: str
    customs_value: Minor = 0


class Label(Record, frozen=True, kw_only=True):
    """A bought label. ``cost`` is in minor units of ``currency``."""

    external_id: Key
    tracking_number: Key
    carrier: str
    service_code: str
    cost: Minor
    currency: str
    label_url: str = ""
    tracking_url: str = ""
    voided: bool = False


class RateRequest(Record, frozen=True, kw_only=True):
    """A parcel to hear prices for. Of the addresses only the place counts, not who lives there.

    ``ship_at``: when it would leave, which some services' days in transit depend on.
    """

    ship_from: Address
    ship_to: Address
    weight_g: int
    ship_at: datetime


class RateQuote(Record, frozen=True, kw_only=True):
    """What one service would charge; ``amount`` in minor units of ``currency``."""

    carrier_id: str
    carrier: str
    service_code: str
    amount: Minor
    currency: str
    delivery_days: int | None = None


class TrackingNotice(Record, frozen=True, kw_only=True):
    """Tells a channel that one package has shipped.

    ``package_reference`` is unique within the order and stable across repeats.
    ``complete`` is true when, with this package, nothing of the order is left to ship;
    ``shipped_so_far`` then holds every package, for channels that keep tracking on the order.
    """

    channel_order_id: str
    sub_channel: str = ""
    package_reference: str
    carrier: str
    service_name: str = ""
    tracking_number: str
    tracking_url: str = ""
    shipped_at: datetime
    lines: tuple[ShippedLine, ...]
    complete: bool
    shipped_so_far: tuple[Package, ...] = ()
