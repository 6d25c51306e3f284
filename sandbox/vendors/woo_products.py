"""WooCommerce REST API v3: products, variations, stock batches, status pages."""

from __future__ import annotations

from datetime import UTC, datetime

from werkzeug.wrappers import Response

from sandbox.money import decimal_text
from sandbox.vendors.woo_pages import page_of, woo_problem
from sandbox.vendors.woo_shop import Product, WooShop
from sandbox.wire import Call, Json, Route, entries, number_in, reply, rows

_BATCH_MAX = 100
_OPTION_ATTRIBUTE = 6


def too_many() -> Response:
    """More than 100 objects in one batch."""
    return woo_problem(
        413,
        "woocommerce_rest_request_entity_too_large",
        f"Unable to accept more than {_BATCH_MAX} items for this request.",
    )


def product_json(shop: WooShop, product: Product, origin: str) -> Json:
    """A product or a variation as the API prints it."""
    price = decimal_text(product.price, "EUR")
    body: Json = {
        "id": product.id,
        **_dates(shop, product.modified),
        "permalink": f"{origin}/woo/product/{product.id}/",
        "description": "",
        "sku": product.sku,
        "global_unique_id": product.gtin,
        "price": price,
        "regular_price": price,
        "sale_price": "",
        "date_on_sale_from": None,
        "date_on_sale_from_gmt": None,
        "date_on_sale_to": None,
        "date_on_sale_to_gmt": None,
        "on_sale": False,
        "status": "publish",
        "purchasable": True,
        "virtual": False,
        "downloadable": False,
        "downloads": [],
        "download_limit": -1,
        "download_expiry": -1,
        "tax_status": "taxable",
        "tax_class": "",
        **_stock_fields(product),
        "weight": f"{product.weight_g // 1000}.{product.weight_g % 1000:03d}",
        "dimensions": {"length": "", "width": "", "height": ""},
        "shipping_class": "",
        "menu_order": 0,
        "meta_data": [],
    }
    return body | (_variation_part(product) if product.parent_id else _product_part(product))


def _dates(shop: WooShop, moment: datetime) -> Json:
    local = moment.astimezone(shop.zone).strftime("%Y-%m-%dT%H:%M:%S")
    gmt = moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")
    names = ("date_created", "date_modified")
    return dict.fromkeys(names, local) | {f"{name}_gmt": gmt for name in names}


def _stock_fields(product: Product) -> Json:
    managed = product.kind != "variable" and product.managed
    return {
        "manage_stock": managed,
        "stock_quantity": product.stock if managed else None,
        "stock_status": "instock" if product.stock > 0 or not managed else "outofstock",
        "backorders": "no",
        "backorders_allowed": False,
        "backordered": False,
    }


def _variation_part(product: Product) -> Json:
    attribute = {"id": _OPTION_ATTRIBUTE, "name": "Option", "option": product.option}
    return {
        "name": product.option,
        "parent_id": product.parent_id,
        "shipping_class_id": 0,
        "image": {},
        "attributes": [attribute],
    }


def _product_part(product: Product) -> Json:
    slug = product.name.lower().replace(" ", "-")
    return {
        "name": product.name,
        "slug": slug,
        "type": product.kind,
        "featured": False,
        "catalog_visibility": "visible",
        "short_description": "",
        "price_html": "",
        "total_sales": 0,
        "external_url": "",
        "button_text": "",
        "sold_individually": False,
        "shipping_required": True,
        "shipping_taxable": True,
        "shipping_class_id": 0,
        "reviews_allowed": True,
        "average_rating": "0.00",
        "rating_count": 0,
        "related_ids": [],
        "upsell_ids": [],
        "cross_sell_ids": [],
        "parent_id": 0,
        "purchase_note": "",
        "categories": [],
        "tags": [],
        "images": [],
        "attributes": [],
        "default_attributes": [],
        "variations": product.variations,
        "grouped_products": [],
    }


def list_products(call: Call) -> Response:
    shop = call.world.shop
    wanted = call.query("sku")
    products = [
        product
        for product in shop.products.values()
        if product.kind != "variation"
        and wanted in (None, product.sku)
        and _included(call, product)
    ]
    products.sort(key=lambda product: product.id, reverse=(call.query("order") or "desc") == "desc")
    return page_of(call, products, lambda product: product_json(shop, product, call.origin))


def list_variations(call: Call) -> Response:
    shop = call.world.shop
    parent = shop.products.get(int(call.path_args["product_id"]))
    if parent is None or parent.kind == "variation":
        return _no_product()
    variations = [shop.products[number] for number in parent.variations]
    variations = [row for row in variations if _included(call, row)]
    return page_of(call, variations, lambda row: product_json(shop, row, call.origin))


def _included(call: Call, product: Product) -> bool:
    """``include`` limits a listing to these ids."""
    wanted = call.listed("include")
    return not wanted or str(product.id) in wanted


def batch_products(call: Call) -> Response:
    """Update simple products (variations are refused here, item by item)."""
    return _batch(call, parent_id=0)


def batch_variations(call: Call) -> Response:
    """Update variations of one parent; another parent's variation is refused, item by item."""
    parent_id = int(call.path_args["product_id"])
    if parent_id not in call.world.shop.products:
        return _no_product()
    return _batch(call, parent_id)


def _batch(call: Call, parent_id: int) -> Response:
    body = call.json()
    if sum(len(entries(body, name)) for name in ("create", "update", "delete")) > _BATCH_MAX:
        return too_many()
    changes = rows(body, "update")
    named = [call.world.shop.products.get(number_in(change, "id")) for change in changes]
    if any(product is not None and product.poison for product in named):
        return woo_problem(400, "rest_invalid_param", "Invalid parameter(s): update")
    return reply({"update": [_update(call, parent_id, change) for change in changes]})


def _update(call: Call, parent_id: int, change: Json) -> Json:
    shop = call.world.shop
    product = shop.products.get(number_in(change, "id"))
    if product is None or product.parent_id != parent_id:
        return {"id": change.get("id"), "error": _no_product().get_json()}
    if shop.quirks.refuses(product.sku):
        return {"id": product.id, "error": _no_product().get_json()}
    quantity = change.get("stock_quantity")
    if quantity is not None and (isinstance(quantity, bool) or not isinstance(quantity, int)):
        why = woo_problem(
            400,
            "rest_invalid_param",
            "Invalid parameter(s): stock_quantity",
            params={"stock_quantity": "stock_quantity is not of type integer."},
        )
        return {"id": product.id, "error": why.get_json()}
    # A variable parent keeps no stock of its own here: Woo takes the number and sells by variation.
    if quantity is None or product.kind == "variable" or not product.managed:
        return product_json(shop, product, call.origin)
    shop.write_stock(product, quantity, call.now.replace(microsecond=0))
    # Told as taken, also where it was forgotten at once.
    return product_json(shop, product, call.origin) | {"stock_quantity": quantity}


def _no_product() -> Response:
    return woo_problem(404, "woocommerce_rest_product_invalid_id", "Invalid ID.")


def index(call: Call) -> Response:
    """The namespace index: what a connection check asks first."""
    return reply({"namespace": "wc/v3", "routes": {}, "_links": {"up": [{"href": call.origin}]}})


def system_status(call: Call) -> Response:
    shop = call.world.shop
    return reply(
        {
            "environment": {
                "home_url": f"{call.origin}/woo",
                "site_url": f"{call.origin}/woo",
                "version": "10.2.1",
                "wp_version": "6.8.3",
                "default_timezone": str(shop.zone),
            },
            "database": {"wc_database_version": "10.2.1", "database_prefix": "wp_"},
            "active_plugins": [],
            "theme": {"name": "Storefront", "version": "4.6.1"},
            "settings": {
                "api_enabled": True,
                "force_ssl": False,
                "currency": "EUR",
                "currency_symbol": "€",
                "number_of_decimals": 2,
            },
            "security": {"secure_connection": False, "hide_errors": True},
            "pages": [],
        }
    )


ROUTES = (
    Route("listProducts", "GET", "/products", list_products),
    Route("listVariations", "GET", "/products/<int:product_id>/variations", list_variations),
    Route("batchProducts", "POST", "/products/batch", batch_products),
    Route(
        "batchVariations",
        "POST",
        "/products/<int:product_id>/variations/batch",
        batch_variations,
    ),
)
