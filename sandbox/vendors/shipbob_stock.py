"""ShipBob Developer API 2026-01: inventory levels, inventory, products, channels, locations.

Lists page by a cursor inside the ``next`` address; an address answers null at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from urllib.parse import urlencode

from werkzeug.wrappers import Response

from sandbox.catalogue import SKUS, Sku
from sandbox.vendors.shipbob_account import CENTERS, ShipBobAccount, StockLevel
from sandbox.vendors.shipbob_body import CHANNELS, USER_ID
from sandbox.wire import Call, Json, Route, reply, stamp

_PAGE_DEFAULT = 50
_PAGE_MAX = 250
_BY_INVENTORY_ID = {sku.inventory_id: sku for sku in SKUS}


def _level(account: ShipBobAccount, sku: Sku, center: int) -> StockLevel:
    return account.levels.get((sku.code, center)) or StockLevel(0)


def _on_hand(account: ShipBobAccount, sku: Sku, true: int) -> float:
    """What is told of the goods on hand, which may be an absurd number."""
    if sku.code not in account.quirks.odd_levels:
        return true
    account.quirks.note("odd_levels", sku.code)
    return account.quirks.odd_levels[sku.code]


def _waiting(account: ShipBobAccount, sku: Sku) -> int:
    return sum(
        shipment.quantities.get(sku.code, 0)
        for order in account.orders.values()
        for shipment in order.shipments
        if shipment.status == "Exception"
    )


def level_json(account: ShipBobAccount, sku: Sku) -> Json:
    """Totals over all centers. ``fulfillable`` is on hand less committed."""
    levels = [_level(account, sku, center) for center in CENTERS]
    free = sum(level.free for level in levels)
    waiting = _waiting(account, sku)
    return {
        "inventory_id": sku.inventory_id,
        "name": sku.title,
        "sku": sku.code,
        "total_on_hand_quantity": _on_hand(account, sku, sum(level.on_hand for level in levels)),
        "total_committed_quantity": sum(level.committed for level in levels),
        "total_fulfillable_quantity": free,
        "total_sellable_quantity": max(0, free - waiting),
        "total_exception_quantity": waiting,
        "total_backordered_quantity": 0,
        "total_awaiting_quantity": 0,
        "total_internal_transfer_quantity": 0,
    }


def _centers_json(account: ShipBobAccount, sku: Sku) -> Json:
    return {
        "inventory_id": sku.inventory_id,
        "name": sku.title,
        "sku": sku.code,
        "locations": [
            {
                "location_id": center,
                "name": name,
                "on_hand_quantity": _on_hand(account, sku, level.on_hand),
                "committed_quantity": level.committed,
                "fulfillable_quantity": level.free,
                "awaiting_quantity": 0,
                "internal_transfer_quantity": 0,
            }
            for center, name in CENTERS.items()
            if (level := _level(account, sku, center))
        ],
    }


def _inventory_json(sku: Sku) -> Json:
    return {
        "inventory_id": sku.inventory_id,
        "name": sku.title,
        "sku": sku.code,
        "barcode": sku.gtin,
        "user_id": USER_ID,
        "is_case": False,
        "is_lot": False,
        "dimensions": {
            "length": 20.0,
            "width": 15.0,
            "height": 10.0,
            "unit": "cm",
            "is_locked": False,
            "validated": True,
        },
        "weight": {"value": float(sku.weight_g), "unit": "g"},
        "variant": {
            "is_active": True,
            "is_bundle": False,
            "is_digital": False,
            "hazmat": {"is_hazmat": False, "validated": True},
        },
    }


def _product_json(opened: datetime, account: ShipBobAccount, sku: Sku) -> Json:
    on_hand = sum(_level(account, sku, center).on_hand for center in CENTERS)
    variant = {
        "id": sku.inventory_id + 1_000_000,
        "name": sku.title,
        "sku": sku.code,
        "gtin": sku.gtin,
        "status": "Active",
        "is_digital": False,
        "created_on": stamp(opened),
        "updated_on": None,
        "inventory": {"inventory_id": sku.inventory_id, "on_hand_qty": on_hand},
        "weight": {"weight": float(sku.weight_g), "unit": "g"},
        "barcodes": [{"value": sku.gtin, "sticker_url": None}],
    }
    return {
        "id": sku.inventory_id + 2_000_000,
        "name": sku.title,
        "type": "Regular",
        "user_id": USER_ID,
        "created_on": stamp(opened),
        "updated_on": None,
        "variants": [variant],
    }


def _selected(call: Call) -> list[Sku]:
    wanted = set(call.listed("InventoryIds")) | set(call.listed("InventoryId"))
    text = (call.query("SearchBy") or call.query("Search") or call.query("SKU") or "").lower()
    return [
        sku
        for sku in SKUS
        if (not wanted or str(sku.inventory_id) in wanted)
        and (not text or text in sku.code.lower() or text in sku.title.lower())
    ]


def _counted(call: Call) -> list[Sku]:
    """The SKUs of a stock listing, without those that it leaves out."""
    quirks = call.world.quirks
    found = _selected(call)
    for sku in found:
        if sku.code in quirks.missing_skus:
            quirks.note("missing_skus", sku.code)
    return [sku for sku in found if sku.code not in quirks.missing_skus]


def _page(call: Call, rows: Sequence[Sku], render: Callable[[Sku], Json]) -> Response:
    size_text = call.query("PageSize") or str(_PAGE_DEFAULT)
    start_text = (call.query("cursor") or "c0").removeprefix("c")
    if (
        not size_text.isdecimal()
        or not 1 <= int(size_text) <= _PAGE_MAX
        or not start_text.isdecimal()
    ):
        problem = {
            "title": "Bad Request",
            "status": 400,
            "detail": "PageSize or cursor is invalid.",
        }
        return reply(problem, 400)
    size, start = int(size_text), int(start_text)

    def at(position: int) -> str:
        query = {**call.request.args.to_dict(), "cursor": f"c{position}"}
        return f"{call.request.path.removeprefix('/shipbob')}?{urlencode(query)}"

    last = max(0, (len(rows) - 1) // size * size)
    return reply(
        {
            "first": at(0),
            "last": at(last),
            "next": at(start + size) if start + size < len(rows) else None,
            "prev": at(max(0, start - size)) if start else None,
            "items": [render(sku) for sku in rows[start : start + size]],
        }
    )


def list_levels(call: Call) -> Response:
    return _page(call, _counted(call), lambda sku: level_json(call.world.shipbob, sku))


def list_levels_by_center(call: Call) -> Response:
    return _page(call, _counted(call), lambda sku: _centers_json(call.world.shipbob, sku))


def get_level(call: Call) -> Response:
    sku = _BY_INVENTORY_ID.get(int(call.path_args["inventory_id"]))
    if sku is None:
        return reply({"title": "Not Found", "status": 404}, 404)
    return reply(level_json(call.world.shipbob, sku))


def list_inventory(call: Call) -> Response:
    return _page(call, _selected(call), _inventory_json)


def list_products(call: Call) -> Response:
    world = call.world
    return _page(call, _selected(call), lambda sku: _product_json(world.opened, world.shipbob, sku))


def list_channels(_call: Call) -> Response:
    rows = [
        {
            "id": number,
            "name": name,
            "application_name": "SMA",
            "scopes": ["orders_read", "orders_write", "inventory_read", "products_read"],
        }
        for number, name in CHANNELS.items()
    ]
    return reply({"items": rows, "next": None, "prev": None})


def list_locations(_call: Call) -> Response:
    return reply(
        [
            {
                "id": number,
                "name": name,
                "abbreviation": name[:3].upper(),
                "access_granted": True,
                "attributes": [],
                "is_active": True,
                "is_receiving_enabled": True,
                "is_shipping_enabled": True,
                "region": {"id": 3, "name": "Europe"},
                "services": [],
                "timezone": "W. Europe Standard Time",
            }
            for number, name in CENTERS.items()
        ]
    )


def list_shipping_methods(_call: Call) -> Response:
    rows = [
        {
            "id": number,
            "name": name,
            "active": True,
            "default": name == "Standard",
            "service_level": {"id": number, "name": name},
        }
        for number, name in enumerate(("Standard", "Expedited", "2-Day"), start=3)
    ]
    return reply(rows)


ROUTES = (
    Route("listInventoryLevels", "GET", "/inventory-level", list_levels),
    Route(
        "listInventoryLevelsByCenter", "GET", "/inventory-level/locations", list_levels_by_center
    ),
    Route("getInventoryLevel", "GET", "/inventory-level/<int:inventory_id>", get_level),
    Route("listInventory", "GET", "/inventory", list_inventory),
    Route("listProducts", "GET", "/product", list_products),
    Route("listChannels", "GET", "/channel", list_channels),
    Route("listLocations", "GET", "/location", list_locations),
    Route("listShippingMethods", "GET", "/shipping-method", list_shipping_methods),
)
