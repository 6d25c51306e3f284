"""The commands about mappings: what they print, how they end, and what they leave alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mappings import Definitions
from mappings.library import SHIPPED
from mappings.transforms import TRANSFORMS
from sync.suggestion import suggest
from tests.jobs.mapping_commands import Commands, installed
from tests.sync.conftest import woo_order

CHANGED = ('title = { from = "name"', 'title = { from = "sku"')


@pytest.fixture
def crossdock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Commands]:
    yield from installed(tmp_path, monkeypatch)


def test_every_function_is_listed_with_an_example(crossdock: Commands) -> None:
    found = {row["name"]: row for row in crossdock.json("mappings", "functions")}
    assert set(found) == set(TRANSFORMS)
    assert all(row["examples"] and row["does"] for row in found.values())
    assert found["money"]["arguments"] == ["currency"]
    assert found["strip"]["examples"] == ["""strip("  A-1 ") gives 'A-1'"""]
    assert "country_alpha2" in crossdock("mappings", "functions").stdout


def test_check_takes_the_folder_of_the_settings_or_a_given_one(crossdock: Commands) -> None:
    assert "all well" in crossdock("mappings", "check").stdout
    crossdock.draft((CHANGED[0], 'titel = { from = "name"'), folder="overrides")
    done = crossdock("mappings", "check")
    assert done.exit_code == 2
    assert "did you mean 'title'" in done.stderr
    assert len(crossdock.json("mappings", "check", str(SHIPPED))) == len(Definitions.load())


def test_try_prints_the_record_or_every_problem(crossdock: Commands) -> None:
    good = crossdock.payload(woo_order(1, {"A": 1}))
    done = crossdock("mappings", "try", "woocommerce.orders", good)
    assert done.exit_code == 0
    assert json.loads(done.stdout)["grand_total"] == 1500
    draft = crossdock.draft(CHANGED)
    tried = crossdock("mappings", "try", str(draft), good)
    assert json.loads(tried.stdout)["lines"][0]["title"] == "A"
    bad = crossdock.payload(woo_order(1, {"A": 1}, currency="XQX", status="odd"))
    done = crossdock("mappings", "try", "woocommerce.orders", bad)
    assert done.exit_code == 1
    assert "currency: " in done.stderr
    assert "status: " in done.stderr


def test_try_refuses_what_the_intake_would_park(crossdock: Commands) -> None:
    # It was read decoded once, and what no database keeps went through.
    order = crossdock.payload(woo_order(1, {"A": 1}, customer_note="a\x00b"))
    done = crossdock("mappings", "try", "woocommerce.orders", order)
    assert done.exit_code == 1
    assert "note: holds U+0000" in done.stderr


def test_try_tells_of_spared_items_beside_the_record(crossdock: Commands) -> None:
    order = woo_order(1, {"A": 1, "B": 1})
    order["line_items"][1]["quantity"] = "many"
    done = crossdock("mappings", "try", "woocommerce.orders", crossdock.payload(order))
    assert done.exit_code == 1
    assert len(json.loads(done.stdout)["lines"]) == 1
    assert "lines[1].quantity" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("try", "woocommerce.order"), "did you mean woocommerce.orders"),
        (("try", "woocommerce.stock"), "makes requests of StockUpdate"),
        (("try", "missing.orders.toml"), "There is no file"),
    ],
)
def test_try_says_what_is_wrong_with_the_call(
    crossdock: Commands, arguments: tuple[str, ...], said: str
) -> None:
    done = crossdock("mappings", *arguments, crossdock.payload(woo_order(1, {"A": 1})))
    assert done.exit_code == 2
    assert said in done.stderr


@pytest.mark.parametrize(("text", "said"), [("{", "is not JSON"), ("[1]", "no JSON object")])
def test_a_payload_must_be_a_json_object(crossdock: Commands, text: str, said: str) -> None:
    file = crossdock.folder / "payload.json"
    file.write_text(text)
    done = crossdock("mappings", "suggest", str(file))
    assert done.exit_code == 2
    assert said in done.stderr


def test_diff_shows_what_would_change_and_replay_applies_it(crossdock: Commands) -> None:
    crossdock.take(woo_order(1, {"A": 1}), woo_order(2, {"A": 1}, status="to-pack"))
    status = ('["processing"]', '["processing", "to-pack"]')
    draft = crossdock.draft(CHANGED, status)
    found = crossdock.json("mappings", "diff", str(draft), "--since", "30d")
    assert (found["records"], found["changed"], found["unparked"]) == (2, 1, 1)
    assert found["fields"]["lines[].title"]["examples"] == [
        {"record": "1", "before": "'Thing A'", "after": "'A'"}
    ]
    shown = crossdock("mappings", "diff", str(draft), "--connection", "shop-eu").stdout
    assert "1 would map at last" in shown
    assert "'Thing A' -> 'A'" in shown
    crossdock.draft(CHANGED, status, folder="overrides")
    rehearsed = crossdock.json("replay", "--connection", "shop-eu", "--dry-run")
    assert rehearsed["totals"] == {"unparked": 1, "changed": 1}
    done = crossdock("replay", "--connection", "shop-eu", "--since", "2020-01-01")
    assert "1 changed, 1 flows on." in done.stdout
    assert "differs in lines[101].title" in done.stdout
    again = crossdock("replay", "--connection", "shop-eu")
    assert "Every order reads as it did" in again.stdout


def test_long_comparisons_give_signs_of_life(
    crossdock: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobs.commands.mappings.PROGRESS_EVERY", 2)
    monkeypatch.setattr("sync.comparison.PAGE", 1)
    crossdock.take(*(woo_order(n, {"A": 1}) for n in range(1, 6)))
    done = crossdock("mappings", "diff", str(crossdock.draft()))
    assert done.stderr.splitlines() == ["shop-eu orders: 2 read", "shop-eu orders: 4 read"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("replay", "--connection", "shop-us"), "did you mean shop-eu"),
        (("replay", "--connection", "shop-eu", "--since", "soon"), "Write 30d, 12h, 2026-11-01"),
    ],
)
def test_replay_says_what_is_wrong_with_the_call(
    crossdock: Commands, arguments: tuple[str, ...], said: str
) -> None:
    done = crossdock(*arguments)
    assert done.exit_code == 2
    assert said in done.stderr


def test_a_link_frees_the_lines_that_wait_for_it(crossdock: Commands) -> None:
    crossdock.take(woo_order(1, {"a": 1}), woo_order(2, {"a": 2, "ODD": 1}))
    (first, second) = crossdock.json("sku", "candidates")
    assert (first["name"], first["candidates"]) == ("ODD", [])
    assert (second["name"], second["lines"], second["candidates"][0]["code"]) == ("a", 2, "A")
    assert "our code but for case" in crossdock("sku", "candidates", "a").stdout
    linked = crossdock.json("sku", "link", "a", "A")
    assert linked["lines_unparked"] == 2
    assert [one["name"] for one in crossdock.json("sku", "candidates")] == ["ODD"]
    done = crossdock("sku", "link", "ODD", "A", "--connection", "shop-eu")
    assert done.stdout == "ODD means A from now on. Lines freed: 1.\n"
    assert crossdock("sku", "candidates").stdout == "No line waits for a SKU.\n"
    refused = crossdock("sku", "link", "ODD", "NO-SUCH")
    assert refused.exit_code == 2


# ---- suggestions -------------------------------------------------------------------------------

UNKNOWN = {
    "order": {"uuid": "f1-22", "orderNumber": "S-1001", "state": "paid"},
    "createdAt": "2026-11-02T07:00:00Z",
    "lastModified": "2026-11-02T08:00:00Z",
    "totals": {"grandTotal": "25.00", "shippingTotal": "5.00", "currencyCode": "EUR"},
    "delivery-address": {
        "firstName": "Ada",
        "lastName": "Lovelace",
        "street1": "Unter den Linden 1",
        "city": "Berlin",
        "zip": "10117",
        "countryCode": "DE",
    },
    "positions": [
        {"lineNo": 1, "itemCode": "MUG", "name": "Mug", "qty": 2, "unitPrice": 10, "lineTotal": 20}
    ],
}


def made(tmp_path: Path, payload: dict[str, Any]) -> Any:
    """The record that the suggested definition makes of the payload it was suggested for."""
    file = tmp_path / "new.orders.toml"
    file.write_text(suggest(payload, "new.orders"), encoding="utf-8")
    return Definitions.of([file])["new.orders"].apply(payload).record


def test_a_suggestion_reads_the_payload_it_was_made_of(tmp_path: Path) -> None:
    order = made(tmp_path, UNKNOWN)
    assert (order.channel_order_id, order.channel_order_name) == ("f1-22", "S-1001")
    assert (order.grand_total, order.shipping_total, order.currency) == (2500, 500, "EUR")
    assert order.channel_updated_at > order.placed_at
    assert (order.ship_to.name, order.ship_to.postcode) == ("Ada Lovelace", "10117")
    (line,) = order.lines
    assert (line.channel_sku, line.quantity, line.line_total) == ("MUG", 2, 2000)
    assert order.status == "ready"


def test_a_suggestion_for_a_shop_we_know_comes_near_its_definition(tmp_path: Path) -> None:
    # The shop's own clock comes first in what it sends, and is not UTC.
    local = {"date_created": "2020-01-01T01:00:00", "date_modified": "2020-01-01T01:30:00"}
    payload = {**local, **woo_order(1, {"A": 2, "B": 1})}
    guessed = made(tmp_path, payload)
    right = Definitions.load()["woocommerce.orders"].apply(payload).record
    for name in ("channel_order_id", "currency", "grand_total", "shipping_total", "tax_total"):
        assert getattr(guessed, name) == getattr(right, name), name
    assert guessed.placed_at == right.placed_at
    assert guessed.channel_updated_at == right.channel_updated_at
    assert [line.line_total for line in guessed.lines] == [line.line_total for line in right.lines]
    assert guessed.ship_to.street == right.ship_to.street


def test_what_was_not_found_is_said(crossdock: Commands) -> None:
    done = crossdock("mappings", "suggest", crossdock.payload({"id": 1}), "--name", "x.orders")
    assert done.exit_code == 0
    assert 'channel_order_id = { from = "id", as = "text" }' in done.stdout
    assert "# grand_total = ... is needed and was not found" in done.stdout
    assert "no list of objects with a quantity" in done.stdout
