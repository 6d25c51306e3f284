"""The WooCommerce sandbox prints what the documentation's property tables and payloads show."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import pytest
from jsonschema import Draft7Validator as Validator

from sandbox.app import Sandbox
from sandbox.clock import ManualClock

Client = Callable[[Sandbox], httpx.Client]
Json = dict[str, Any]

# Where the tables are known to be wrong: they say string, every payload holds a number.
_NUMBERS = {("Order - Line items properties", "price"), ("Order - Tax lines properties", "rate_id")}
# The tables give no null; the payloads have it for what has not happened or is not managed.
_NULLABLE = {
    "date_paid",
    "date_paid_gmt",
    "date_completed",
    "date_completed_gmt",
    "date_on_sale_from",
    "date_on_sale_from_gmt",
    "date_on_sale_to",
    "date_on_sale_to_gmt",
    "stock_quantity",
}


@pytest.fixture
def table(specs: Path) -> Callable[[str, str], Json]:
    tables = json.loads(
        (specs / "woocommerce" / "derived" / "v3-property-tables.schema.json").read_text()
    )

    def schema(page: str, title: str) -> Json:
        properties = {}
        for name, rule in tables[page][title]["properties"].items():
            kept: Json = {key: rule[key] for key in ("type", "enum") if key in rule}
            if (title, name) in _NUMBERS:
                kept = {"type": "number"}
            if name in _NULLABLE:
                kept = {"anyOf": [kept, {"type": "null"}]}
            properties[name] = kept
        return {"type": "object", "properties": properties}

    return schema


def documented(specs: Path, page: str) -> Iterator[Json]:
    """Objects with an id among the documentation's response payloads."""
    for entry in json.loads((specs / "woocommerce" / "payloads" / f"{page}.json").read_text()):
        bodies = entry["json"] if isinstance(entry["json"], list) else [entry["json"]]
        yield from (body for body in bodies if "_links" in body)


def test_every_order_of_a_day_fits_the_property_tables(
    sandbox: Sandbox, clock: ManualClock, woo: Client, table: Callable[[str, str], Json]
) -> None:
    clock.advance(20 * 3600)
    orders = woo(sandbox).get("/orders", params={"per_page": "100"}).json()
    assert len(orders) == 60
    parts = {
        "Order - Line items properties": "line_items",
        "Order - Tax lines properties": "tax_lines",
        "Order - Shipping lines properties": "shipping_lines",
        "Order - Fee lines properties": "fee_lines",
        "Order - Coupon lines properties": "coupon_lines",
        "Order - Refunds properties": "refunds",
        "Order - Meta data properties": "meta_data",
    }
    whole, billing, shipping = (
        Validator(table("orders", f"Order{part} properties"))
        for part in ("", " - Billing", " - Shipping")
    )
    rows = {part: Validator(table("orders", title)) for title, part in parts.items()}
    seen = dict.fromkeys(rows, 0)
    for order in orders:
        whole.validate(order)
        billing.validate(order["billing"])
        shipping.validate(order["shipping"])
        for part, validator in rows.items():
            for row in order[part]:
                validator.validate(row)
                seen[part] += 1
    assert min(seen.values()) > 0, f"a day without {seen}"


def test_an_order_has_every_key_of_the_documented_ones(
    sandbox: Sandbox, clock: ManualClock, woo: Client, specs: Path
) -> None:
    clock.advance(20 * 3600)
    order = woo(sandbox).get("/orders").json()[0]
    wanted = {key for body in documented(specs, "orders") for key in body}
    assert wanted <= set(order)
    line_keys = {
        key for body in documented(specs, "orders") for row in body["line_items"] for key in row
    }
    assert line_keys <= set(order["line_items"][0])


@pytest.mark.parametrize("kind", ["simple", "variable", "variation"])
def test_products_fit_the_tables_and_the_documented_keys(
    quiet: Sandbox, woo: Client, specs: Path, table: Callable[[str, str], Json], kind: str
) -> None:
    client = woo(quiet)
    products = client.get("/products", params={"per_page": "100"}).json()
    product = next(row for row in products if row["type"] == kind or row["variations"])
    page, title = "products", "Product properties"
    if kind == "variation":
        page, title = "product-variations", "Product variation properties"
        product = client.get(f"/products/{product['id']}/variations").json()[0]
    schema = table(page, title)
    # The variations table says string for a number, against its own payloads.
    schema["properties"]["shipping_class_id"] = {"type": "integer"}
    jsonschema.validate(product, schema)
    wanted = {key for body in documented(specs, page) for key in body}
    assert wanted - {"_links"} <= set(product)


def test_refunds_fit_the_tables(
    sandbox: Sandbox,
    clock: ManualClock,
    woo: Client,
    specs: Path,
    table: Callable[[str, str], Json],
) -> None:
    clock.advance(20 * 3600)
    client = woo(sandbox)
    refunded = [
        order
        for order in client.get("/orders", params={"per_page": "100"}).json()
        if order["refunds"]
    ]
    assert {order["status"] for order in refunded} == {"processing", "refunded"}
    wanted = {key for body in documented(specs, "order-refunds") for key in body}
    for order in refunded:
        for refund in client.get(f"/orders/{order['id']}/refunds").json():
            jsonschema.validate(refund, table("order-refunds", "Order refund properties"))
            assert wanted <= set(refund)
            assert refund["amount"] == order["refunds"][0]["total"].removeprefix("-")


def test_status_pages_answer(quiet: Sandbox, woo: Client) -> None:
    client = woo(quiet)
    assert client.get("/").json()["namespace"] == "wc/v3"
    assert client.get("/system_status").json()["settings"]["currency"] == "EUR"


def test_errors_carry_code_message_and_status(quiet: Sandbox, woo: Client) -> None:
    client = woo(quiet)
    for reply, status, code in (
        (client.get("/orders/1"), 404, "woocommerce_rest_shop_order_invalid_id"),
        (client.get("/nothing"), 404, "rest_no_route"),
        (client.get("/orders", params={"orderby": "modified"}), 400, "rest_invalid_param"),
        (client.get("/orders", params={"per_page": "101"}), 400, "rest_invalid_param"),
        (client.get("/orders", params={"status": "shipped"}), 400, "rest_invalid_param"),
        (
            client.get("/orders", auth=("ck_sandbox", "no")),
            401,
            "woocommerce_rest_authentication_error",
        ),
        (client.get("/orders", auth=None), 401, "woocommerce_rest_cannot_view"),
    ):
        body = reply.json()
        assert (reply.status_code, body["code"], body["data"]["status"]) == (status, code, status)
        assert body["message"]
