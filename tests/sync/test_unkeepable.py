"""Records with keys that no database indexes, or dates that never come: each is parked, and the
page goes on."""

from __future__ import annotations

import random
import string
import threading
from typing import Any

import pytest
from sqlalchemy import select

from mappings.storable import KEY_MAX
from state import inbox
from state import tables as t
from sync import imports, intake, parked
from tests.sync.conftest import Bench, woo_order


def endless(length: int = 9_000) -> str:
    """Nothing that could be pressed into less."""
    return "".join(random.Random(7).choices(string.ascii_letters + string.digits, k=length))


def broken(what: str) -> dict[str, Any]:
    order = woo_order(2, {"A": 1})
    match what:
        case "the id":
            order["id"] = endless()
        case "the number":
            order["number"] = endless()
        case "the address":
            order["billing"] = {**order["billing"], "email": f"{endless()}@shop.example"}
        case "a refund":
            order["refunds"] = [{"id": endless(), "reason": "", "total": "-1.00"}]
        case "a date far ahead":
            order["date_modified_gmt"] = "9999-12-31T23:59:59"
        case "a date that never was":
            order["date_modified_gmt"] = "0001-01-01T00:00:00"
    return order


@pytest.mark.parametrize(
    "what",
    [
        "the id",
        "the number",
        "the address",
        "a refund",
        "a date far ahead",
        "a date that never was",
    ],
)
def test_one_record_is_parked_and_the_others_are_taken(bench: Bench, what: str) -> None:
    page = [woo_order(1, {"A": 1}), broken(what), woo_order(3, {"B": 1})]
    for _ in range(2):
        # The second time nothing is new, and nothing is kept twice.
        bench.shop.pages = [page]
        run = bench.run(intake.pull_orders, "shop")
    assert run.counts == {"read": 3, "unchanged": 3}
    with bench.store.read() as conn:
        taken = set(conn.scalars(select(t.sales_order.c.channel_order_id)))
        (row,) = inbox.parked(conn)
        payload = inbox.payload(conn, row)
        (shown,) = [one for one in parked.listing(conn, bench.hub) if one.what == "record"]
    assert taken == {"1", "3"}
    assert payload["line_items"]
    assert len(shown.order) <= KEY_MAX
    assert shown.detail


def test_a_line_of_an_endless_id_waits_alone(bench: Bench) -> None:
    order = woo_order(1, {"A": 1, "B": 1})
    order["line_items"][1]["id"] = endless()
    bench.shop.pages = [[order]]
    bench.run(intake.pull_orders, "shop")
    with bench.store.read() as conn:
        lines = conn.execute(select(t.order_line).order_by(t.order_line.c.line_no)).all()
    assert [(line.park_reason == "mapping") for line in lines] == [False, True]
    assert "channel_line_id: longer than the 320 characters" in lines[1].park_detail


def test_the_longest_key_that_is_taken_can_be_kept(bench: Bench) -> None:
    # Four bytes each, which no database makes smaller.
    longest = "".join(chr(0x1F300 + random.Random(n).randrange(500)) for n in range(KEY_MAX))
    order = {**woo_order(1, {"A": 1}), "id": longest, "number": longest}
    bench.shop.pages = [[order]]
    bench.run(intake.pull_orders, "shop")
    with bench.store.read() as conn:
        assert list(conn.scalars(select(t.sales_order.c.channel_order_name))) == [longest]


def test_two_imports_of_the_same_skus_do_not_end_one_another(bench: Bench) -> None:
    rows = [imports.SkuRow(f"SKU-{n:03}", f"Thing {n}", "", 0) for n in range(60)]
    given = [rows, rows[::-1]]
    failed: list[BaseException] = []

    def bring_in(mine: list[imports.SkuRow]) -> None:
        try:
            for _ in range(5):
                with bench.store.write() as conn:
                    imports.import_skus(conn, mine)
        except BaseException as error:  # noqa: BLE001  told by the test
            failed.append(error)

    threads = [threading.Thread(target=bring_in, args=(mine,)) for mine in given]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
