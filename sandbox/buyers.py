"""What a buyer can do from outside, under ``/_sandbox/woo`` and ``/_sandbox/amazon``."""

from __future__ import annotations

from collections.abc import Callable

from werkzeug.wrappers import Response

from sandbox import trade_amazon, trade_woo
from sandbox.people import PEOPLE
from sandbox.vendors.woo_shop import WooOrder
from sandbox.wire import Call, Malformed, Route, reply


def _order_wanted(call: Call) -> tuple[int, list[tuple[str, int]]]:
    """``{"person": index into the buyers, "lines": {sku: quantity}}``."""
    body = call.json()
    wants = [(str(sku), int(quantity)) for sku, quantity in (body.get("lines") or {}).items()]
    person = int(body.get("person") or 0)
    if not wants or not 0 <= person < len(PEOPLE):
        raise Malformed("lines must not be empty and person must be a known buyer")
    return person, wants


def place_woo(call: Call) -> Response:
    """A buyer checks out in the shop."""
    person, wants = _order_wanted(call)
    try:
        basket = trade_woo.basket_of(
            call.world, PEOPLE[person], wants, call.json().get("status") or "processing"
        )
    except KeyError as error:
        raise Malformed(f"the shop does not list {error.args[0]}") from error
    order = trade_woo.checkout(call.world, call.now.replace(microsecond=0), basket)
    if order is None:
        return reply({"error": "out of stock"}, 409)
    return reply({"id": order.id}, 201)


def act_on_woo(call: Call) -> Response:
    """``cancel``, ``pay``, ``edit`` (first line's quantity) or ``refund`` (quantity, 0 all)."""
    shop, at = call.world.shop, call.now.replace(microsecond=0)
    order = shop.orders.get(int(call.path_args["order_id"]))
    body = call.json() if call.request.content_length else {}
    quantity = int(body.get("quantity") or 0)
    actions: dict[str, Callable[[WooOrder], object]] = {
        "cancel": lambda order: shop.cancel(order, at),
        "pay": lambda order: shop.pay(order, at),
        "edit": lambda order: shop.change_quantity(order, max(1, quantity), at),
        "refund": lambda order: shop.refund(order, quantity, body.get("reason") or "", at),
    }
    action = actions.get(call.path_args["action"])
    if order is None or action is None:
        return reply({"error": "no such order or action"}, 404)
    return reply({"done": action(order) is not False, "status": order.status})


def place_amazon(call: Call) -> Response:
    """A buyer orders on the marketplace of the person's country."""
    person, wants = _order_wanted(call)
    seller, at = call.world.seller, call.now.replace(microsecond=0)
    order_id = f"305-{seller.serial():07d}-{call.world.seed % 10**7:07d}"
    try:
        order = trade_amazon.order_of(call.world, PEOPLE[person], wants, order_id, at)
    except KeyError as error:
        raise Malformed(f"the seller does not list {error.args[0]}") from error
    if not trade_amazon.place(call.world, at, order):
        return reply({"error": "out of stock"}, 409)
    return reply({"id": order.order_id}, 201)


def act_on_amazon(call: Call) -> Response:
    """``cancel`` (Amazon cancels) or ``request-cancel`` (the buyer asks)."""
    seller, at = call.world.seller, call.now.replace(microsecond=0)
    order = seller.orders.get(call.path_args["order_id"])
    action = call.path_args["action"]
    if order is None or action not in {"cancel", "request-cancel"}:
        return reply({"error": "no such order or action"}, 404)
    if action == "cancel":
        done = seller.cancel(order, at)
    else:
        done = seller.ask_to_cancel(order, "CHANGED_MIND", at)
    return reply({"done": done, "status": order.status})


ROUTES = (
    Route("wooOrder", "POST", "/woo/orders", place_woo),
    Route("wooAction", "POST", "/woo/orders/<int:order_id>/<action>", act_on_woo),
    Route("amazonOrder", "POST", "/amazon/orders", place_amazon),
    Route("amazonAction", "POST", "/amazon/orders/<order_id>/<action>", act_on_amazon),
)
