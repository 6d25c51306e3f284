"""Where the vendors' own contracts describe what the shipped definitions read.

The documents are not part of Crossdock. Paths are below the folder that holds them; after ``#``
stands a JSON pointer.

Left out, since nobody but us writes them: the payloads of ``csvdrop`` (its connector builds them of
columns). Outbound definitions read our own records, which are checked at every start.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from mappings.source_shapes import ANYTHING, Shape, listed, of_schema, resolved, union

Described = str | None | Mapping[str, Any] | list[Any] | tuple[Any, ...]
"""A pointer; None for anything; an object by its keys, over the pointer at the key ``""`` where
there is one; ``[x]`` a list of x; a tuple for alternatives."""

_WOO: Final = "woocommerce/derived/v3-property-tables.schema.json#"
_AMAZON: Final = "amazon-sp-api/models"
_SHIPBOB: Final = "shipbob/openapi/openapi-2026-01.json#/components/schemas"
_SHIPENGINE: Final = "shipengine/openapi.yaml#/components/schemas"

_WOO_LINE_TAXES: Final = [f"{_WOO}/order-refunds/Order refund line item - Taxes properties"]
"""What the line taxes of orders are like too; the table of that name lists other keys."""

_WOO_ORDER: Final[Described] = {
    "": f"{_WOO}/orders/Order properties",
    "billing": f"{_WOO}/orders/Order - Billing properties",
    "shipping": f"{_WOO}/orders/Order - Shipping properties",
    "line_items": [{"": f"{_WOO}/orders/Order - Line items properties", "taxes": _WOO_LINE_TAXES}],
    "shipping_lines": [
        {"": f"{_WOO}/orders/Order - Shipping lines properties", "taxes": _WOO_LINE_TAXES}
    ],
    "fee_lines": [{"": f"{_WOO}/orders/Order - Fee lines properties", "taxes": _WOO_LINE_TAXES}],
    "tax_lines": [f"{_WOO}/orders/Order - Tax lines properties"],
    "coupon_lines": [f"{_WOO}/orders/Order - Coupon lines properties"],
    "meta_data": [f"{_WOO}/orders/Order - Meta data properties"],
    # The connector puts full refunds in the place of short ones.
    "refunds": [
        (
            f"{_WOO}/orders/Order - Refunds properties",
            {
                "": f"{_WOO}/order-refunds/Order refund properties",
                "line_items": [
                    {
                        "": f"{_WOO}/order-refunds/Order refund - Line items properties",
                        "meta_data": [f"{_WOO}/order-refunds/Order refund - Meta data properties"],
                    }
                ],
            },
        )
    ],
}


@dataclass(frozen=True, slots=True)
class Contract:
    """What a source sends. ``known``: paths that come although the contract does not list them,
    and how that is known."""

    described: Described
    known: Mapping[str, str]


CONTRACTS: Final[Mapping[str, Contract]] = {
    "amazon.orders": Contract(f"{_AMAZON}/orders_2026-01-01.json#/definitions/Order", {}),
    "amazon.listings": Contract(f"{_AMAZON}/listingsItems_2021-08-01.json#/definitions/Item", {}),
    "woocommerce.orders": Contract(
        _WOO_ORDER,
        {
            "gift_cards": "the extension Gift Cards adds it; recorded",
            "shipping.phone": "WooCommerce sends it since addresses have one; recorded",
            "tax_lines[].rate_percent": "WooCommerce sends it; recorded",
        },
    ),
    # A variation comes with some fields of its product.
    "woocommerce.listings": Contract(
        (
            f"{_WOO}/products/Product properties",
            {
                "": f"{_WOO}/product-variations/Product variation properties",
                "parent": f"{_WOO}/products/Product properties",
            },
        ),
        {"global_unique_id": "WooCommerce's own field for GTINs is younger than these tables"},
    ),
    # The connector puts shipment and order, level and location side by side.
    "shipbob.shipments": Contract(
        {
            "order": f"{_SHIPBOB}/Orders.OrderViewModel",
            "shipment": f"{_SHIPBOB}/Orders.ShipmentViewModel",
        },
        {},
    ),
    "shipbob.stock": Contract(
        {
            "level": (
                f"{_SHIPBOB}/Inventory.InventoryQuantityResponse",
                f"{_SHIPBOB}/Inventory.InventoryQuantityFcResponse",
            ),
            "location": f"{_SHIPBOB}/Inventory.FulfillmentCenterResponse",
            "location_code": None,
        },
        {},
    ),
    "shipengine.label": Contract(f"{_SHIPENGINE}/label", {}),
    "shipengine.rate": Contract(f"{_SHIPENGINE}/rate", {}),
    "shipengine.tracking": Contract(f"{_SHIPENGINE}/track_event", {}),
}
"""By the name of the shipped definition; what stands in for one or extends it has the same."""


def contract_of(role: str, chain: Collection[str]) -> Contract | None:
    """The contract of a definition by its role, or of one that it extends."""
    return next((CONTRACTS[name] for name in (role, *chain) if name in CONTRACTS), None)


def shape_of(described: Described, document: Callable[[str], Any]) -> Shape:
    """The shape that a description means; ``document`` gives the parsed file of a path.

    Raises ``LookupError`` where a pointer leads nowhere.
    """
    if described is None:
        return ANYTHING
    if isinstance(described, str):
        file, _, pointer = described.partition("#")
        whole = document(file)
        found = resolved(whole, f"#{pointer}")
        if found is None:
            raise LookupError(f"{file} has no #{pointer}")
        return of_schema(found, whole)
    if isinstance(described, list):
        return listed(union(shape_of(one, document) for one in described))
    if isinstance(described, tuple):
        return union(shape_of(one, document) for one in described)
    base = shape_of(described[""], document) if "" in described else Shape()
    fields = {key: shape_of(one, document) for key, one in described.items() if key}
    return base.with_fields(fields)
