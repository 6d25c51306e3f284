"""The ingestion benchmark: its corpus is sound, its shop is strict, and a short run tells all."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from benchmarks import woo_orders
from benchmarks.woo_shop import Shop
from mappings import Definitions
from mappings.totals import calculated_total

REPOSITORY = Path(__file__).parent.parent.parent


def test_generated_orders_map_without_a_problem_and_add_up() -> None:
    definition = Definitions.load()["woocommerce.orders"]
    bodies = [woo_orders.order(number, seed=7) for number in range(1, 301)]
    for body in bodies:
        mapped = definition.apply({**body, "refunds": woo_orders.refunds(body)})
        assert mapped.item_problems == ()
        assert calculated_total(mapped.record) == mapped.record.grand_total
    assert {body["currency"] for body in bodies} == {"EUR", "USD", "JPY", "KWD"}
    assert any(body["refunds"] for body in bodies)


def test_generated_orders_are_about_4_kb_and_the_same_each_time() -> None:
    sizes = [
        len(json.dumps(woo_orders.order(number, seed=7), ensure_ascii=False).encode())
        for number in range(1, 301)
    ]
    assert 3_500 < sum(sizes) / len(sizes) < 4_500
    assert woo_orders.order(1, seed=7) == woo_orders.order(1, seed=7)
    assert woo_orders.order(1, seed=7) != woo_orders.order(1, seed=8)


def test_the_shop_serves_pages_of_a_part_of_its_orders() -> None:
    shop = Shop(250, seed=7)
    asked = "/first-150/wp-json/wc/v3/orders?orderby=id&order=asc&per_page=100&page=2"
    head, _, body = shop.reply(asked).partition(b"\r\n\r\n")
    assert b"X-WP-Total: 150\r\n" in head
    assert [order["id"] for order in json.loads(body)] == list(range(101, 151))


def test_the_shop_lists_one_order_in_a_hundred_as_changed() -> None:
    shop = Shop(250, seed=7)
    asked = "/changed-150/wp-json/wc/v3/orders?orderby=id&order=asc&per_page=100&page=1"
    head, _, body = shop.reply(asked).partition(b"\r\n\r\n")
    assert b"X-WP-Total: 2\r\n" in head
    assert [(order["id"], order["customer_note"]) for order in json.loads(body)] == [
        (number, "Please leave it with the neighbours") for number in (1, 101)
    ]


def test_the_shop_refuses_an_order_of_pages_it_does_not_have() -> None:
    asked = "/first-10/wp-json/wc/v3/orders?orderby=date&order=asc&per_page=100&page=1"
    assert Shop(10, seed=7).reply(asked).startswith(b"HTTP/1.1 400")


def test_a_short_run_ends_with_one_line_of_json() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.ingest", "--orders", "120", "--rounds", "1"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "120 orders: floor and Crossdock store the same rows" in done.stdout
    result = json.loads(done.stdout.splitlines()[-1])
    (size,) = result["sizes"]
    variants = size["variants"]
    assert {name: variants[name]["unchanged"] for name in variants} == {
        "floor": 0,
        "crossdock": 0,
        "again": 120,
        "changed": 0,
    }
    assert variants["changed"]["orders"] == 2
    assert variants["floor"]["requests"] == variants["crossdock"]["requests"] >= 2
    assert 0 < size["of_floor"]["crossdock"]["cpu_s"]["median"] < 5
    assert result["peak_rss_growth"]["crossdock"] == 1.0
