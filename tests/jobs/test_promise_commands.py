"""``promise``, ``guard`` and ``once --approve``, on an installation with a real store."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from jobs.commands.options import opened
from mappings import canonical as c
from state import catalogue, stock
from tests.jobs.commands import Commands

SETTINGS = """
[connections.shop]
connector = "woocommerce"
url = "https://shop.test"
consumer_key = "env:SHOP_KEY"
consumer_secret = "env:SHOP_KEY"

[locations.berlin]
kind = "warehouse"
group = "halls"

[[promise.rules]]
name = "half of it"
channel = "shop"
share_percent = 50

[[promise.rules]]
sku = "NO-SUCH"
cap = 1

[[promise.rules]]
tag = "no-such"
cap = 1
"""


@pytest.fixture
def crossdock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Commands]:
    """Twelve SKUs of 8 in Berlin, each listed in the shop, whose half is promised."""
    monkeypatch.setenv("SHOP_KEY", "key")
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    (tmp_path / "settings.toml").write_text(SETTINGS)
    commands = Commands(tmp_path)
    codes = [f"MUG-{n}" for n in range(12)]
    (tmp_path / "skus.csv").write_text(
        "code,title,tags\n" + "".join(f"{code},A mug,mugs fragile\n" for code in codes)
    )
    assert commands("sku", "import", str(tmp_path / "skus.csv")).exit_code == 0
    count(commands, tmp_path, 8)
    with opened(commands.settings) as installation, installation.hub.store.write() as conn:
        link = installation.hub.links["shop"]
        listings = [
            c.Listing(external_product_id=code, external_variant_id=code, external_sku=code)
            for code in codes
        ]
        skus = catalogue.resolve(conn, link.id, codes)
        now = installation.clock.now()
        stock.mark_dirty(conn, catalogue.upsert_listings(conn, link.id, listings, skus, now))
    yield commands
    root.handlers = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def count(commands: Commands, folder: Path, on_hand: int) -> None:
    rows = "".join(f"MUG-{n},{on_hand}\n" for n in range(12))
    (folder / "counts.csv").write_text("sku,on_hand\n" + rows)
    assert commands("stock", "count", "berlin", str(folder / "counts.csv")).exit_code == 0


def test_a_promise_is_shown_with_every_term(crossdock: Commands) -> None:
    assert crossdock.json("once", "promise")[0]["counts"]["writes"] == 12
    shown = crossdock("promise", "MUG-3").output
    assert shown.startswith("shop, listing MUG-3: 4\n")
    assert "  berlin: 8 = 8 on hand, share 50 %\n" in shown
    assert "  share        -       4 = 4\n" in shown
    assert "  share_percent = 50, by half of it\n" in shown
    assert "  not live: the write waits to be sent\n" in shown
    [told] = crossdock.json("promise", "MUG-3", "--channel", "shop")["listings"]
    assert told["quantity"] == 4
    assert told["push"]["last"]["state"] == "planned"
    assert told["live"] is False


def test_questions_about_nothing_are_answered_with_what_to_do(crossdock: Commands) -> None:
    wrong = crossdock("promise", "MAG")
    assert (wrong.exit_code, "There is no SKU 'MAG'." in wrong.output) == (2, True)
    assert crossdock("promise", "MUG-3", "--channel", "shap").exit_code == 2
    assert crossdock("guard", "list").output == "The guard holds nothing.\n"
    assert crossdock("guard", "show", "7").exit_code == 2
    assert crossdock("once", "promise", "--approve", "7").exit_code == 2
    assert crossdock("once", "promise", "--approve", "7", "--dry-run").exit_code == 2


def test_check_names_the_rules_that_mean_nothing(crossdock: Commands) -> None:
    done = crossdock("check", "--json")
    found = {row["subject"]: row for row in json.loads(done.stdout)}
    assert found["promise rules"]["detail"] == "3 rules in force or dated"
    assert found["rule 2: sku NO-SUCH"]["detail"] == "there is no SKU 'NO-SUCH'"
    assert found["rule 3: tag no-such"]["detail"] == "no SKU has the tag 'no-such'"
    assert "sku import" in found["rule 3: tag no-such"]["remedy"]


def test_a_held_run_is_shown_and_goes_on_when_it_is_approved(
    crossdock: Commands, tmp_path: Path
) -> None:
    crossdock.json("once", "promise")
    count(crossdock, tmp_path, 0)
    [rehearsed] = crossdock.json("once", "promise", "--dry-run", code=1)
    assert rehearsed["result"] == "held"
    assert "12 of 12 listings on offer would go to zero" in rehearsed["error"]
    assert "guard show" not in rehearsed["error"], "a number that nobody can approve"
    assert crossdock.json("guard", "list", "--all") == []
    [ended] = crossdock.json("once", "promise", code=1)
    assert (ended["result"], ended["counts"]) == ("held", {"held": 1})
    assert "shop: 12 of 12 listings on offer would go to zero" in ended["error"]
    [hold] = crossdock.json("guard", "list")
    assert (hold["run"], hold["state"], hold["changes"]) == (1, "held", 12)
    assert hold["pass"] == "crossdock once promise --approve 1"
    shown = crossdock.json("guard", "show", "1", "--top", "3")
    assert [row["before"] for row in shown["changes"]] == [4, 4, 4]
    assert (
        "To let just this pass: crossdock once promise --approve 1"
        in crossdock("guard", "show", "1").output
    )
    assert [row["what"] for row in crossdock.json("parked")] == ["run"]
    status = {row["stream"]: row for row in crossdock.json("status")}
    assert status["promise"]["state"] == "failing"
    assert "held by the guard" in status["promise"]["last_error"]
    assert crossdock("once", "allocate", "--approve", "1").exit_code == 2, "of another stream"
    [ended] = crossdock.json("once", "promise", "--approve", "1")
    assert ended["counts"] == {"skus": 12, "writes": 12}
    assert crossdock.json("guard", "list") == []
    assert crossdock.json("guard", "list", "--all")[0]["state"] == "done"
    again = crossdock("once", "promise", "--approve", "1")
    assert (again.exit_code, "it is done" in again.output) == (2, True)


def test_tags_of_an_import_without_the_column_are_kept(crossdock: Commands, tmp_path: Path) -> None:
    settings = crossdock.settings
    settings.write_text(settings.read_text().replace('tag = "no-such"', 'tag = "fragile"'))
    crossdock.json("once", "promise")
    (tmp_path / "skus.csv").write_text("code,title\nMUG-1,A mug\n")
    assert crossdock("sku", "import", str(tmp_path / "skus.csv")).exit_code == 0
    (tmp_path / "more.csv").write_text("code,title,tags\nMUG-2,A mug,mugs\n")
    assert crossdock("sku", "import", str(tmp_path / "more.csv")).exit_code == 0
    quantities = {
        sku: crossdock.json("promise", sku)["listings"][0]["quantity"] for sku in ("MUG-1", "MUG-2")
    }
    assert quantities == {"MUG-1": 1, "MUG-2": 4}


def test_the_group_of_a_location_counts_as_soon_as_it_is_set(crossdock: Commands) -> None:
    crossdock.json("once", "promise")
    rule = '[[promise.rules]]\ngroup = "halls"\nshare_percent = 25\n'
    crossdock.settings.write_text(crossdock.settings.read_text() + rule)
    [ended] = crossdock.json("once", "promise")
    assert ended["counts"] == {"rules_changed": 1, "skus": 12, "writes": 12}
    assert (
        "share_percent = 25 in group halls, by rule 4: group halls"
        in crossdock("promise", "MUG-5").output
    )
    text = crossdock.settings.read_text().replace('group = "halls"\n\n', "\n")
    crossdock.settings.write_text(text.replace('group = "halls"\nshare', 'tag = "x"\nshare'))
    [ended] = crossdock.json("once", "promise")
    assert ended["counts"]["writes"] == 12
