"""``woocommerce.orders`` as an expression of JSONata, run by the package ``jsonata-python``.

It gives the whole canonical order with the transforms of the definitions as functions, so that what
differs is how values are found and put together; of the objects it makes, ``msgspec`` makes the
records, at a hundredth of the cost. It says nothing of what is wrong with a payload.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from typing import Any

import msgspec

from benchmarks.woo_by_hand import METHOD, STATE, STATUS
from mappings.canonical import Order
from mappings.transforms import TRANSFORMS as DO

Json = dict[str, Any]

EXPRESSION = """
(
  $order := $;
  $code := $currency(currency);
  $buyer := $email(billing.email);
  $rates := tax_lines;
  $changed := $utc(date_modified_gmt ? date_modified_gmt : date_created_gmt);
  $address := function($a) {
    {
      "name": $join_words([$a.first_name, $a.last_name]),
      "company": $squash_spaces($a.company),
      "street": $squash_spaces($a.address_1),
      "street2": $squash_spaces($a.address_2),
      "city": $squash_spaces($a.city),
      "region": $strip($a.state),
      "postcode": $strip($a.postcode),
      "country": $country_alpha2($a.country),
      "phone": $strip($a.phone),
      "email": $buyer
    }
  };
  $taxes := function($part) {
    [$part.taxes[total != ""].{
      "title": $text($look_up(id, $rates, "label")),
      "rate": $decimal($look_up(id, $rates, "rate_percent")),
      "amount": $money_rounded(total, $code)
    }]
  };
  {
    "channel_order_id": $text(id),
    "channel_order_name": number,
    "sub_channel": created_via,
    "status": $word("status", status),
    "source_version": $sortable_utc($changed),
    "placed_at": $utc(date_created_gmt),
    "channel_updated_at": $changed,
    "currency": $code,
    "prices_include_tax": prices_include_tax,
    "discount_total": $money(discount_total, $code),
    "shipping_total": $money(shipping_total, $code),
    "tax_total": $money(total_tax, $code),
    "grand_total": $money(total, $code),
    "service_name": $strip_html(shipping_lines[0].method_title),
    "note": $strip_html(customer_note),
    "bill_to": $address(billing),
    "ship_to": $address(
      shipping.address_1 or shipping.city or shipping.postcode ? shipping : billing
    ),
    "lines": [line_items.{
      "channel_line_id": $text(id),
      "channel_sku": $strip(sku),
      "channel_product_id": $first_id([variation_id, product_id]),
      "title": $strip_html(name),
      "quantity": $quantity(quantity),
      "unit_price": $money_rounded(price, $code),
      "line_discount_total": $money_difference([subtotal ? subtotal : total, total], $code),
      "line_total": $money(total, $code),
      "taxes": $taxes($)
    }],
    "adjustments": [
      shipping_lines.{
        "kind": "shipping",
        "code": method_id,
        "title": $strip_html(method_title),
        "external_id": $text(id),
        "amount": $money(total, $code),
        "taxes": $taxes($)
      },
      fee_lines.{
        "kind": "fee",
        "title": $strip_html(name),
        "external_id": $text(id),
        "amount": $money(total, $code),
        "taxes": $taxes($)
      },
      gift_cards.{
        "kind": "other",
        "title": "Gift card",
        "external_id": $text(id),
        "amount": $money_negated(amount, $code)
      }
    ],
    "taxes": [tax_lines.{
      "title": label ? label : rate_code,
      "rate": $decimal(rate_percent),
      "amount": $money_sum([tax_total, shipping_tax_total], $code)
    }],
    "payments": [{
      "external_id": transaction_id,
      "gateway": payment_method,
      "method": $word("method", payment_method),
      "state": date_paid_gmt ? $word("state", status) : "pending",
      "amount_captured": date_paid_gmt ? $money(total, $code) : 0,
      "paid_at": date_paid_gmt ? $utc(date_paid_gmt) : null
    }],
    "refunds": [refunds.{
      "external_id": $text(id),
      "amount": $money_absolute(amount ? amount : total, $code),
      "reason": $squash_spaces(reason),
      "refunded_at": date_created_gmt ? $utc(date_created_gmt) : null,
      "lines": [line_items.{
        "channel_line_id": $text(meta_data[key = "_refunded_item_id"].value),
        "quantity": $quantity_absolute(quantity),
        "amount": $money_absolute(total, $code),
        "tax_amount": $money_absolute(total_tax, $code)
      }]
    }]
  }
)
"""


def mapper() -> Callable[[Json], Order]:
    """What makes an order as ``GET /orders`` lists it a canonical one."""
    parsed = _engine()(EXPRESSION)
    for name, function in _functions().items():
        parsed.register_lambda(name, function)
    return lambda order: msgspec.convert(parsed.evaluate(order), Order)


def _engine() -> Any:
    """The package's class. Its import lets the whole process recurse ten times deeper."""
    limit = sys.getrecursionlimit()
    try:
        return importlib.import_module("jsonata").Jsonata
    finally:
        sys.setrecursionlimit(limit)


def _functions() -> dict[str, Callable[..., Any]]:
    """The transforms under their own names, arguments by place, which is all JSONata knows."""
    words = {"status": STATUS, "method": METHOD, "state": STATE}
    otherwise = {"method": "other", "state": "captured"}
    found = {name: _by_place(function) for name, function in DO.items()}
    found["look_up"] = lambda value, table, give: DO["look_up"](
        value, table=table, key="rate_id", give=give
    )
    found["word"] = lambda table, value: words[table].get(value, otherwise.get(table))
    return found


def _by_place(function: Callable[..., Any]) -> Callable[..., Any]:
    def called(value: Any, currency: Any = None) -> Any:
        return function(value) if currency is None else function(value, currency=currency)

    return called
