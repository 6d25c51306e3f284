"""``woocommerce.orders`` as a spec of the package ``glom``.

It gives the whole canonical order with the transforms of the definitions, so that what differs is
how values are found and put together. It says nothing of what is wrong with a payload: the first
value that does not fit raises.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from glom import Coalesce, Invoke, Iter, M, Or, S, Spec, Switch, T, Val

from benchmarks.woo_by_hand import METHOD, STATE, STATUS
from mappings import canonical as c
from mappings.transforms import TRANSFORMS as DO

Json = dict[str, Any]


def mapper() -> Callable[[Json], c.Order]:
    """What makes an order as ``GET /orders`` lists it a canonical one."""
    around = S(
        code=Spec(("currency", DO["currency"])),
        buyer=Spec(("billing.email", DO["email"])),
        rates=T["tax_lines"],
    )
    spec = Spec((around, _record(c.Order, _ORDER | _LISTS)))
    map_one: Callable[[Json], c.Order] = spec.glom
    return map_one


def _record(kind: type[c.Record], fields: Json) -> Any:
    return (fields, lambda found: kind(**found))


def _each(path: str, spec: Any) -> Any:
    return (Coalesce(path, default=()), [spec], tuple)


def _either(*paths: str) -> Any:
    return Coalesce(*paths, skip=lambda found: not found)


def _money(path: Any, how: str = "money") -> Any:
    return Invoke(DO[how]).specs(path, currency=S.code)


def _rate(give: str, how: str) -> Any:
    looked_up = Invoke(DO["look_up"]).constants(key="rate_id", give=give)
    return (looked_up.specs("id", table=S.rates), DO[how])


def _list(*specs: Any) -> Any:
    return Invoke(lambda *found: list(found)).specs(*specs)


_ADDRESS = _record(
    c.Address,
    {
        "name": (_list("first_name", "last_name"), DO["join_words"]),
        "company": ("company", DO["squash_spaces"]),
        "street": ("address_1", DO["squash_spaces"]),
        "street2": ("address_2", DO["squash_spaces"]),
        "city": ("city", DO["squash_spaces"]),
        "region": ("state", DO["strip"]),
        "postcode": ("postcode", DO["strip"]),
        "country": ("country", DO["country_alpha2"]),
        "phone": ("phone", DO["strip"]),
        "email": S.buyer,
    },
)
_TAX = _record(
    c.TaxLine,
    {
        "title": _rate("label", "text"),
        "rate": _rate("rate_percent", "decimal"),
        "amount": _money("total", "money_rounded"),
    },
)
_TAXES = ("taxes", Iter().filter(T["total"]).map(_TAX).all(), tuple)
_LINE = _record(
    c.OrderLine,
    {
        "channel_line_id": ("id", DO["text"]),
        "channel_sku": ("sku", DO["strip"]),
        "channel_product_id": (_list("variation_id", "product_id"), DO["first_id"]),
        "title": ("name", DO["strip_html"]),
        "quantity": ("quantity", DO["quantity"]),
        "unit_price": _money("price", "money_rounded"),
        "line_discount_total": _money(
            _list(_either("subtotal", "total"), "total"), "money_difference"
        ),
        "line_total": _money("total"),
        "taxes": _TAXES,
    },
)
_SHIPPING = _record(
    c.Adjustment,
    {
        "kind": Val("shipping"),
        "code": "method_id",
        "title": ("method_title", DO["strip_html"]),
        "external_id": ("id", DO["text"]),
        "amount": _money("total"),
        "taxes": _TAXES,
    },
)
_FEE = _record(
    c.Adjustment,
    {
        "kind": Val("fee"),
        "title": ("name", DO["strip_html"]),
        "external_id": ("id", DO["text"]),
        "amount": _money("total"),
        "taxes": _TAXES,
    },
)
_CARD = _record(
    c.Adjustment,
    {
        "kind": Val("other"),
        "title": Val("Gift card"),
        "external_id": ("id", DO["text"]),
        "amount": _money("amount", "money_negated"),
    },
)
_WHOLE_TAX = _record(
    c.TaxLine,
    {
        "title": _either("label", "rate_code"),
        "rate": ("rate_percent", DO["decimal"]),
        "amount": _money(_list("tax_total", "shipping_tax_total"), "money_sum"),
    },
)
_IF_PAID = M(T["date_paid_gmt"])
_PAYMENT = _record(
    c.Payment,
    {
        "external_id": "transaction_id",
        "gateway": "payment_method",
        "method": ("payment_method", lambda method: METHOD.get(method, "other")),
        "state": Switch(
            [(_IF_PAID, ("status", lambda status: STATE.get(status, "captured")))],
            default="pending",
        ),
        "amount_captured": Switch([(_IF_PAID, _money("total"))], default=0),
        "paid_at": Switch([(_IF_PAID, ("date_paid_gmt", DO["utc"]))], default=None),
    },
)
_REFUND_LINE = _record(
    c.RefundLine,
    {
        "channel_line_id": (
            "meta_data",
            Iter().filter(lambda entry: entry["key"] == "_refunded_item_id").first(),
            "value",
            DO["text"],
        ),
        "quantity": ("quantity", DO["quantity_absolute"]),
        "amount": _money("total", "money_absolute"),
        "tax_amount": _money("total_tax", "money_absolute"),
    },
)
_REFUND = _record(
    c.Refund,
    {
        "external_id": ("id", DO["text"]),
        "amount": _money(Coalesce("amount", "total"), "money_absolute"),
        "reason": ("reason", DO["squash_spaces"]),
        "refunded_at": Coalesce(("date_created_gmt", DO["utc"]), default=None),
        "lines": _each("line_items", _REFUND_LINE),
    },
)
_CHANGED = (_either("date_modified_gmt", "date_created_gmt"), DO["utc"])
_HAS_ADDRESS = Or(*(M(T["shipping"][key]) for key in ("address_1", "city", "postcode")))
_ORDER: Json = {
    "channel_order_id": ("id", DO["text"]),
    "channel_order_name": "number",
    "sub_channel": "created_via",
    "status": ("status", STATUS.__getitem__),
    "source_version": (_CHANGED, DO["sortable_utc"]),
    "placed_at": ("date_created_gmt", DO["utc"]),
    "channel_updated_at": _CHANGED,
    "currency": S.code,
    "prices_include_tax": "prices_include_tax",
    "discount_total": _money("discount_total"),
    "shipping_total": _money("shipping_total"),
    "tax_total": _money("total_tax"),
    "grand_total": _money("total"),
    "service_name": (Coalesce("shipping_lines.0.method_title", default=""), DO["strip_html"]),
    "note": ("customer_note", DO["strip_html"]),
    "bill_to": ("billing", _ADDRESS),
    "ship_to": Switch([(_HAS_ADDRESS, ("shipping", _ADDRESS)), (T, ("billing", _ADDRESS))]),
}
_LISTS: Json = {
    "lines": _each("line_items", _LINE),
    "adjustments": (
        _list(
            _each("shipping_lines", _SHIPPING),
            _each("fee_lines", _FEE),
            _each("gift_cards", _CARD),
        ),
        lambda found: tuple(one for kind in found for one in kind),
    ),
    "taxes": _each("tax_lines", _WHOLE_TAX),
    "payments": (_PAYMENT, lambda payment: (payment,)),
    "refunds": _each("refunds", _REFUND),
}
