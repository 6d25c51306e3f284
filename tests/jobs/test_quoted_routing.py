"""Carriers' own prices in routing, over real sockets and as ops type it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sandbox import installation, truth
from sandbox.app import Sandbox
from sandbox.clock import ManualClock
from sandbox.server import serve
from sandbox.world import World
from tests.jobs.commands import Commands

DAY = datetime(2026, 11, 2, 6, tzinfo=UTC)
RULES = """currency = "EUR"
[[rates]]
parcel = 9_900
days = 1
[[quotes]]
connection = "labels"
services = ["dpd_*"]
percent = 10
"""


@pytest.fixture
def sandbox() -> Sandbox:
    clock = ManualClock(DAY)
    sandbox = Sandbox(World(7, clock, orders_per_channel=6))
    clock.advance(20 * 3600)
    return sandbox


@pytest.fixture
def crossdock(sandbox: Sandbox, tmp_path: Path) -> Iterator[Commands]:
    """An installation with goods in Berlin and the shop's orders taken in."""
    with serve(sandbox) as base_url:
        # The hub's clock stands where the sandbox's does, whatever the machine's says.
        standing = installation.Rehearsal(sandbox.world.clock.now(), 1e-9, DAY)
        installation.write(tmp_path, base_url, sandbox.world, standing)
        (tmp_path / "routing.toml").write_text(RULES)
        with (tmp_path / "settings.toml").open("a") as settings:
            settings.write('\n[routing]\nrules = "routing.toml"\n')
        commands = Commands(tmp_path)
        commands.well("sku", "import", str(tmp_path / "skus.csv"))
        commands.well("stock", "count", "berlin", str(tmp_path / "counts.csv"))
        commands.well("once", "pull-orders", "shop-eu")
        yield commands


def test_carriers_are_asked_before_orders_are_planned_and_explain_tells_it(
    crossdock: Commands, sandbox: Sandbox
) -> None:
    assert crossdock.well("route", "quotes") == "No quote is good now.\n"
    assert crossdock.json("route", "quotes") == []
    [asked] = crossdock.json("once", "pull-rates")
    assert (asked["stream"], asked["result"]) == ("pull-rates:labels", "ok")
    assert asked["counts"]["quoted"] == asked["calls"]["estimateRates"] > 0
    assert truth.labels(sandbox.world) == {}, "asking buys nothing"
    quotes = crossdock.json("route", "quotes")
    assert len(quotes) == asked["counts"]["quoted"]
    assert {quote["location"] for quote in quotes} == {"berlin"}
    first = quotes[0]
    assert all(offer["currency"] == "EUR" for offer in first["offers"])
    rows = crossdock.well("route", "quotes").splitlines()[1:]
    assert [row.split()[:3] for row in rows] == [
        [str(quote["quote"]), "labels", "berlin"] for quote in quotes
    ]
    assert rows[0].rstrip().endswith(first["told"])

    crossdock.well("once", "allocate")
    quoted = {quote["quote"]: quote for quote in quotes}
    used = 0
    with sqlite3.connect(crossdock.folder / "crossdock.db") as store:
        orders = store.execute("SELECT channel_order_name FROM sales_order").fetchall()
    store.close()
    for (name,) in orders:
        for decision in crossdock.json("explain", name)["decisions"]:
            for one in decision["candidates"]:
                if not one["quoted"]:
                    continue
                quote = quoted[one["quoted"]["quote_id"]]
                [offer] = [o for o in quote["offers"] if o["service"] == one["quoted"]["service"]]
                assert offer["service"].startswith("dpd_")
                cents = round(float(offer["amount"]) * 100)
                assert one["terms"]["parcel"] == (cents * 110 + 50) // 100
                used += 1
                told = f"parcel ({offer['service']}, quote {quote['quote']} of labels, "
                assert told in crossdock.well("explain", name)
    assert used > 0


def test_a_carrier_that_is_down_leaves_orders_to_the_table(
    crossdock: Commands,
) -> None:
    (crossdock.folder / "secrets" / "shipengine_key").write_text("revoked")
    done = crossdock("once", "pull-rates", "--json")
    assert done.exit_code == 1
    [row] = json.loads(done.stdout)
    assert row["result"] == "failed"
    [planned] = crossdock.json("once", "allocate")
    assert planned["counts"]["planned"] > 0
    assert crossdock.json("route", "quotes") == []


def test_check_says_when_a_carrier_quotes_in_another_currency(crossdock: Commands) -> None:
    crossdock.well("once", "pull-rates")
    path = crossdock.folder / "routing.toml"
    assert not [one for one in crossdock.json("check") if one["subject"] == "quotes"]
    path.write_text(RULES.replace("EUR", "CHF"))
    done = crossdock("check", "--json")
    assert done.exit_code == 1
    [found] = [one for one in json.loads(done.stdout) if one["subject"] == "quotes"]
    assert (found["well"], found["detail"]) == ("MEND", "labels quotes in EUR, not CHF")
    assert "routing.toml" in found["remedy"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("labels", "files"), "files cannot be asked for prices: labels can"),
        (("labels", "lables"), "there is no [connections.lables], did you mean 'labels'?"),
        (("9_900", "-1"), "rates[1].parcel: Expected int >= 0"),
    ],
)
def test_rules_that_ask_nobody_who_can_answer_are_refused(
    tmp_path: Path, change: tuple[str, str], said: str
) -> None:
    (tmp_path / "key").write_text("secret")
    (tmp_path / "settings.toml").write_text(
        '[routing]\nrules = "routing.toml"\n'
        '[connections.files]\nconnector = "csvdrop"\nfolder = "drop"\n'
        '[connections.labels]\nconnector = "shipengine"\napi_key = "file:key"\n'
        'carrier_ids = ["se-1"]\n'
    )
    path = tmp_path / "routing.toml"
    path.write_text(RULES.replace(*change))
    for command in (("check",), ("route", "simulate", "--rules", str(path))):
        done = Commands(tmp_path)(*command)
        assert done.exit_code == 2
        assert said in done.output
