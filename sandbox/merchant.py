"""What the merchant's own people and apps do to quantities, under ``/_sandbox/woo`` and ``amazon``.

Every way in which a channel's number stops being the one that was written to it.
"""

from __future__ import annotations

from werkzeug.wrappers import Response

from sandbox.wire import Call, Route, reply


def change_product(call: Call) -> Response:
    """``stock``: somebody types a number. ``deaf_to``: so many writes are confirmed and forgotten
    (-1: all, as where an app computes the number). ``managed``: stock management on or off.
    ``poison``: a batch that names it is refused as a whole."""
    try:
        product = call.world.shop.listed(call.path_args["sku"])
    except KeyError:
        return reply({"error": "the shop does not list it"}, 404)
    body = call.json()
    product.stock = int(body.get("stock", product.stock))
    product.deaf_to = int(body.get("deaf_to", product.deaf_to))
    product.managed = bool(body.get("managed", product.managed))
    product.poison = bool(body.get("poison", product.poison))
    return reply({"stock": product.stock, "managed": product.managed, "deaf_to": product.deaf_to})


def change_listing(call: Call) -> Response:
    """``stock`` and ``deaf_to``, as in the shop."""
    listing = call.world.seller.listings.get(call.path_args["sku"])
    if listing is None:
        return reply({"error": "the seller does not list it"}, 404)
    body = call.json()
    listing.quantity = int(body.get("stock", listing.quantity))
    listing.deaf_to = int(body.get("deaf_to", listing.deaf_to))
    return reply({"stock": listing.quantity, "deaf_to": listing.deaf_to})


ROUTES = (
    Route("wooProduct", "POST", "/woo/products/<path:sku>", change_product),
    Route("amazonListing", "POST", "/amazon/listings/<path:sku>", change_listing),
)
