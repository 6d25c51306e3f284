"""The seeded day: the same every time, adding up, and holding every kind of trouble."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox import truth
from sandbox.app import Sandbox
from sandbox.catalogue import BY_CODE, SCARCE, SKUS, gtin13
from sandbox.clock import ManualClock
from sandbox.money import EXPONENT, decimal_text, minor_units, shelf_price, tax_within
from sandbox.people import PEOPLE
from sandbox.vendors.woo_basket import Basket, BasketLine, checkout_body
from sandbox.vendors.woo_shop import Product, WooOrder, WooShop
from sandbox.world import World

START = datetime(2026, 11, 2, 6, 0, tzinfo=UTC)
REPOSITORY = Path(__file__).parents[2]


def finished_day(seed: int) -> World:
    clock = ManualClock(START)
    world = World(seed, clock)
    world.advance_to(clock.advance(24 * 3600))
    return world


def woo_total_differs(order: WooOrder) -> int:
    body, currency = order.body, order.currency

    def summed(part: str, *names: str) -> int:
        return sum(minor_units(row[name], currency) for row in body[part] for name in names)

    parts = ("line_items", "shipping_lines", "fee_lines")
    total = sum(summed(part, "total", "total_tax") for part in parts)
    assert minor_units(body["discount_total"], currency) == summed(
        "line_items", "subtotal"
    ) - summed("line_items", "total")
    taxes = summed("tax_lines", "tax_total", "shipping_tax_total")
    assert taxes == minor_units(body["total_tax"], currency)
    assert summed("coupon_lines", "discount") == minor_units(body["discount_total"], currency)
    return total - minor_units(body["total"], currency)


@pytest.mark.parametrize("seed", [1, 7, 42])
def test_every_order_of_a_day_adds_up_in_its_vendors_own_way(seed: int) -> None:
    world = finished_day(seed)
    assert [woo_total_differs(order) for order in world.shop.orders.values()] == [0] * 60
    for order in world.seller.orders.values():
        for item in order.items:
            assert item.breakdown["ITEM"] == item.unit * item.quantity
            assert sum(item.tax_parts.values()) == item.breakdown.get("TAX", 0)


@given(
    currency=st.sampled_from(sorted(EXPONENT)),
    rows=st.lists(st.tuples(st.integers(1, 50), st.integers(1, 10**7)), min_size=1, max_size=6),
    include=st.booleans(),
    permille=st.sampled_from([0, 70, 190, 255]),
    coupon=st.sampled_from([0, 10, 33, 100]),
    shipping=st.integers(0, 5000),
    fee=st.integers(0, 900),
    edited=st.integers(1, 60),
)
@settings(max_examples=80, deadline=None)
def test_any_basket_adds_up_before_and_after_an_edit(
    currency: str,
    rows: list[tuple[int, int]],
    include: bool,
    permille: int,
    coupon: int,
    shipping: int,
    fee: int,
    edited: int,
) -> None:
    shop = WooShop("Europe/Berlin")
    product = Product(1, "simple", "Mug", "MUG", "", 100, 1, 10**6, START)
    shop.products[1] = product
    basket = Basket(
        person=PEOPLE[0],
        currency=currency,
        lines=[BasketLine(product, quantity, unit) for quantity, unit in rows],
        prices_include_tax=include,
        tax_permille=permille,
        shipping=shipping,
        coupon_percent=coupon,
        fee=fee,
    )
    order = WooOrder(1, "processing", checkout_body(basket, shop.new_id), START, START)
    assert woo_total_differs(order) == 0
    assert shop.change_quantity(order, edited, START)
    assert woo_total_differs(order) == 0


@given(minor=st.integers(-(10**12), 10**12), currency=st.sampled_from(sorted(EXPONENT)))
def test_amounts_survive_printing(minor: int, currency: str) -> None:
    assert minor_units(decimal_text(minor, currency), currency) == minor


def test_amounts_print_with_the_digits_of_their_currency() -> None:
    assert decimal_text(-1250, "EUR") == "-12.50"
    assert decimal_text(1250, "JPY") == "1250"
    assert decimal_text(5, "KWD") == "0.005"
    assert shelf_price(1000, "JPY") == 1600
    assert tax_within(1190, 190) == 190
    with pytest.raises(ValueError, match="more digits"):
        minor_units("1.5", "JPY")


def test_the_same_seed_gives_the_same_world_and_another_seed_another() -> None:
    digests = [truth.digest(finished_day(seed)) for seed in (7, 7, 8)]
    assert digests[0] == digests[1] != digests[2]


def test_the_world_does_not_depend_on_the_hash_seed_of_the_process() -> None:
    program = (
        "from datetime import datetime, UTC, timedelta\n"
        "from sandbox import truth\n"
        "from sandbox.clock import ManualClock\n"
        "from sandbox.world import World\n"
        "clock = ManualClock(datetime(2026, 11, 2, 6, tzinfo=UTC))\n"
        "world = World(7, clock)\n"
        "world.advance_to(clock.advance(24 * 3600))\n"
        "print(truth.digest(world))\n"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", program],
            cwd=REPOSITORY,
            env=os.environ | {"PYTHONHASHSEED": hash_seed},
            capture_output=True,
            check=True,
        ).stdout
        for hash_seed in ("1", "2")
    }
    assert digests == {(truth.digest(finished_day(7)) + "\n").encode()}


def test_a_day_in_steps_equals_a_day_at_once() -> None:
    clock = ManualClock(START)
    world = World(7, clock)
    for _ in range(24 * 6):
        world.advance_to(clock.advance(600))
    assert truth.digest(world) == truth.digest(finished_day(7))


@pytest.mark.parametrize("seed", [3, 7, 2026])
def test_a_day_holds_every_kind_of_trouble(seed: int) -> None:
    world = finished_day(seed)
    woo, amazon = truth.woo_orders(world), truth.amazon_orders(world)
    assert len(woo) == len(amazon) == 60
    statuses = {order["status"] for order in woo}
    assert statuses == {"processing", "cancelled", "refunded", "failed", "pending", "completed"}
    assert {order["currency"] for order in woo} == set(EXPONENT)
    assert {order["currency"] for order in amazon} == {"EUR", "GBP", "JPY"}
    assert {order["fulfilled_by"] for order in amazon} == {"MERCHANT", "AMAZON"}
    for orders in (woo, amazon):
        assert any(order["unmapped"] and len(order["lines"]) > 1 for order in orders)
        assert any(len(order["unmapped"]) == len(order["lines"]) for order in orders)
        assert any(order["to_ship"] and not order["addressed"] for order in orders)
        assert sum(bool(SCARCE & set(order["lines"])) for order in orders) >= 3
    assert [order["lines"] for order in woo[:2]] == [{"KETTLE-GOOSE": 2}, {"GRINDER-HAND": 3}]
    bodies = [order.body for order in world.shop.orders.values()]
    assert {body["prices_include_tax"] for body in bodies} == {True, False}
    assert any(body["coupon_lines"] for body in bodies)
    assert any(body["fee_lines"] for body in bodies)
    assert any(0 < order["refunded"] < order["total"] for order in woo)
    names = "".join(f"{b['billing']['first_name']}{b['billing']['last_name']}" for b in bodies)
    for low, high in (("\u0590", "\u05ff"), ("\u0600", "\u06ff"), ("\u3040", "\u9fff")):
        assert any(low <= letter <= high for letter in names), f"no name between {low} and {high}"


def test_the_catalogue_has_forty_skus_with_valid_gtins() -> None:
    rows = World(7, ManualClock(START), orders_per_channel=0).catalogue()
    assert len(rows) == len({row["code"] for row in rows}) == len(SKUS) == 40
    assert len({sku.asin for sku in SKUS}) == 40
    for row in rows:
        digits = [int(digit) for digit in str(row["gtin"])]
        weighted = sum(digit * (3 if place % 2 else 1) for place, digit in enumerate(digits))
        assert weighted % 10 == 0
    assert gtin13(1) == BY_CODE["TEE-OLIVE-S"].gtin


def test_scarce_goods_are_asked_for_and_no_stock_falls_below_zero(
    sandbox: Sandbox, clock: ManualClock, admin: Callable[[Sandbox], httpx.Client]
) -> None:
    clock.advance(24 * 3600)
    assert admin(sandbox).get("/clock").json()["next_event"] is None
    quantities = truth.stock(sandbox.world)["woocommerce"]["quantity"]
    assert all(quantities[code] < 12 for code in SCARCE)
    assert all(quantity >= 0 for quantity in quantities.values())
