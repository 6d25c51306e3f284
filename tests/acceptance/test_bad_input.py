"""Bad input, as a user meets it: one clear message with the remedy, and nothing lost."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from sandbox import installation
from sandbox.app import Sandbox
from sandbox.clock import ScaledClock
from sandbox.server import serve
from sandbox.vendors.woo_shop import WooOrder
from sandbox.world import World
from state import tables as t
from tests.acceptance.installed import Installed
from tests.acceptance.trading import DAY

EVENING = DAY + timedelta(hours=12)
ORDERS = 6
NOT_YET = ("", False, False)
SPEED = 20.0
"""Sandbox seconds per second: waiting before a repeated call is waiting all the same."""


@dataclass
class Shop:
    """An installation whose channels have had their day; nothing has been pulled yet."""

    sandbox: Sandbox
    installed: Installed
    base_url: str
    rehearsal: installation.Rehearsal

    @property
    def channels(self) -> Path:
        return self.installed.folder / "connections.d" / "channels.toml"

    @property
    def orders(self) -> list[WooOrder]:
        return list(self.sandbox.world.shop.orders.values())

    def write_settings(self) -> None:
        """Settings, connections and secrets as they should be."""
        folder, world = self.installed.folder, self.sandbox.world
        installation.write(folder, self.base_url, world, self.rehearsal)

    def replace(self, path: Path, old: str, new: str) -> None:
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new), encoding="utf-8")

    def spoil(self, order: WooOrder, **body: Any) -> None:
        """Have the shop report the order like this from now on."""
        order.body |= body
        order.modified = self.sandbox.world.now.replace(microsecond=0)

    def pull(self, *, code: int = 0) -> Any:
        """One pull of the shop's orders, whatever was read before."""
        [row] = self.installed.asked(
            "once", "pull-orders", "shop-eu", "--since", "2026-11-01", code=code
        )
        return row

    def stream(self, key: str) -> Any:
        return next(row for row in self.installed.asked("status") if row["stream"] == key)

    def at_work(self, key: str) -> tuple[str, bool, bool]:
        """(the connection's status, has it worked, does it fail), read beside the daemon."""
        store = self.installed.store()
        c = t.connection.c
        query = (
            select(c.status, t.stream.c.last_success_at, t.stream.c.failures)
            .join(t.stream, t.stream.c.connection_id == c.id)
            .where(t.stream.c.key == key)
        )
        try:
            with store.read() as conn:
                row = conn.execute(query).first()
        finally:
            store.close()
        return (row.status, bool(row.last_success_at), bool(row.failures)) if row else NOT_YET

    def parked(self, *connection: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.installed.asked("parked", *connection)
        assert all(item["detail"] and item["remedy"] for item in found)
        return found


@contextmanager
def opened(folder: Path) -> Iterator[Shop]:
    clock = ScaledClock(EVENING, SPEED)
    rehearsal = installation.Rehearsal(EVENING, SPEED, datetime.now(UTC))
    world = World(7, clock, orders_per_channel=ORDERS, day_start=DAY, day_hours=8)
    sandbox = Sandbox(world)
    with serve(sandbox, 0) as base_url:
        made = Shop(sandbox, Installed(folder), base_url, rehearsal)
        made.write_settings()
        world.advance_to(clock.now())
        yield made
        made.installed.stop()


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    with opened(tmp_path) as made:
        yield made


@pytest.fixture(scope="module")
def same_shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """For tests that change nothing."""
    with opened(tmp_path_factory.mktemp("shop")) as made:
        yield made


def complaint(installed: Installed, *arguments: str, code: int = 2) -> str:
    """What a command that must fail says on stderr: one error, its text and its remedy."""
    told = installed.crossdock(*arguments, code=code).stderr
    assert told.count("Error: ") == 1
    return told.partition("Error: ")[2]


@pytest.mark.parametrize(
    ("file", "old", "new", "told"),
    [
        (
            "settings.toml",
            "tick_s",
            "tik_s",
            "settings.toml: jobs.tik_s: unknown key: did you mean tick_s?",
        ),
        (
            "connections.d/channels.toml",
            "timezone =",
            "timezon =",
            "connections.d/channels.toml: connections.shop-eu.timezon: unknown key: "
            "did you mean timezone?",
        ),
        (
            "settings.toml",
            'connection = "labels"',
            'connection = "lables"',
            "settings.toml: locations.berlin.connection: there is no [connections.lables]: "
            "did you mean labels?",
        ),
        (
            "connections.d/channels.toml",
            '"woocommerce"',
            '"wocommerce"',
            "connections.shop-eu.connector: there is no connector 'wocommerce': "
            "did you mean woocommerce?",
        ),
    ],
)
def test_a_typo_names_the_file_the_key_and_the_nearest_one(
    shop: Shop, file: str, old: str, new: str, told: str
) -> None:
    shop.replace(shop.installed.folder / file, old, new)
    assert told in complaint(shop.installed, "run")


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("cs_plain_0123456789", "a secret does not belong in the settings: write env:NAME"),
        ("env:NO_SUCH_SECRET", "the environment variable NO_SUCH_SECRET is not set"),
        ("file:secrets/none", "secrets/none cannot be read: No such file or directory"),
    ],
)
def test_a_secret_that_is_not_kept_as_it_should_be(shop: Shop, written: str, told: str) -> None:
    shop.replace(shop.channels, "file:secrets/woo_secret", written)
    said = complaint(shop.installed, "check")
    assert f"connections.d/channels.toml: connections.shop-eu.consumer_secret: {told}" in (
        said.replace(f"the file {shop.installed.folder}/", "")
    )
    assert "cs_plain" not in said


def test_a_wrong_secret_parks_the_connection_until_it_is_mended(shop: Shop) -> None:
    secret = shop.installed.folder / "secrets" / "woo_secret"
    secret.write_text("cs_wrong\n", encoding="utf-8")
    findings = shop.installed.asked("check", code=1)
    [wrong] = [finding for finding in findings if not finding["ok"]]
    assert wrong["where"] == "shop-eu"
    assert "Check the credentials" in wrong["detail"]
    assert wrong["remedy"]
    # Commands make the tables; the daemon would too, under the eyes of `at_work`.
    assert shop.parked() == []
    daemon = shop.installed.start()
    wait_for(lambda: shop.at_work("pull-orders:shop-eu") == ("auth_failed", False, True))
    # The others go on.
    wait_for(lambda: shop.at_work("pull-orders:amazon-eu") == ("active", True, False))
    assert shop.stream("pull-orders:shop-eu")["state"] == "needs mending"
    [item] = [item for item in shop.parked() if item["what"] == "connection"]
    assert (item["connection"], item["reason"]) == ("shop-eu", "refused")
    assert "crossdock check shop-eu" in item["remedy"]
    assert daemon.poll() is None
    shop.installed.stop()
    shop.write_settings()
    shop.installed.start()
    wait_for(lambda: shop.at_work("pull-orders:shop-eu") == ("active", True, False))
    assert shop.stream("pull-orders:shop-eu")["problem"] == ""
    assert "connection" not in {item["what"] for item in shop.parked()}
    assert shop.installed.asked("audit")["checked"]["orders"] == 2 * ORDERS


def wait_for(condition: Any, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_html_with_200_is_told_and_loses_nothing(shop: Shop) -> None:
    shop.sandbox.faults.add("woocommerce:listOrders", "html")
    row = shop.pull(code=1)
    assert row["result"] == "failed"
    assert "HTML instead of JSON" in row["error"]
    assert "open the address in a browser" in row["error"]
    stream = shop.stream("pull-orders:shop-eu")
    assert (stream["state"], stream["cursor"]) == ("failing", None)
    assert "HTML instead of JSON" in stream["last_error"]
    shop.sandbox.faults.clear()
    assert shop.pull()["counts"]["read"] == ORDERS
    assert shop.stream("pull-orders:shop-eu")["state"] == "well"


def test_orders_that_make_no_sense_are_set_aside_and_the_rest_goes_on(shop: Shop) -> None:
    money, minus, empty = [order for order in shop.orders if order.status == "processing"][:3]
    right = {"currency": money.body["currency"], "lines": empty.body["line_items"]}
    shop.spoil(money, currency="XXZ")
    shop.spoil(minus, line_items=[{**minus.body["line_items"][0], "quantity": -2}])
    shop.spoil(empty, line_items=[])
    row = shop.pull()
    assert row["counts"]["read"] == ORDERS
    told = {(p["what"], p["order"], p["reason"]): p for p in shop.parked("shop-eu")}
    unknown = told["record", str(money.id), "mapping"]
    assert unknown["detail"].startswith("currency: unknown currency 'XXZ', found 'XXZ'")
    assert "crossdock retry" in unknown["remedy"]
    negative = told["line", str(minus.id), "bad_qty"]
    assert negative["remedy"] == "quantity -2 cannot be shipped; correct it in the channel"
    bare = told["order", str(empty.id), "no_lines"]
    assert bare["detail"] == "the order has no lines"
    about = [order for _, order, _ in told if order in {str(money.id), str(empty.id)}]
    assert len(about) == 2, "one message each"
    shop.spoil(money, currency=right["currency"])
    shop.spoil(empty, line_items=right["lines"])
    shop.sandbox.world.advance_to(shop.sandbox.world.clock.now())
    shop.pull()
    left = {(item["order"], item["reason"]) for item in shop.parked()}
    assert not {(str(money.id), "mapping"), (str(empty.id), "no_lines")} & left
    assert shop.installed.asked("audit")["checked"]["orders"] == ORDERS


DROPPED = (
    (
        "orders",
        "order_number,placed_at,currency,grand_total,sku,quantity,line_total,ship_to_name\n"
        "1001,2026-11-02 10:00,EUR,20.00,MUG-RED,2,20.00,Jürgen\n",
        "cp1252",
        "Line 2 is not utf-8-sig: byte 0xfc at offset 130. Export the file as UTF-8",
    ),
    ("shipments", "reference;sku;quantity\nA;B;1\n", "utf-8", "separated by ';': set `delimiter`"),
    ("stock", "sku,on_hand\nMÜG,5\n", "utf-16", "set `encoding` of this connection"),
)


def test_a_dropped_file_that_cannot_be_read_is_set_aside_with_the_reason(shop: Shop) -> None:
    folder = shop.installed.folder
    depot = folder / "depot"
    depot.mkdir()
    (folder / "connections.d" / "depot.toml").write_text(
        '[connections.depot]\nconnector = "csvdrop"\nfolder = "depot"\nsettle_s = 0\n',
        encoding="utf-8",
    )
    shop.installed.crossdock("check", "depot")
    for stream, text, encoding, told in DROPPED:
        (depot / "in" / stream / "from the depot.csv").write_bytes(text.encode(encoding))
        done = shop.installed.crossdock("once", f"pull-{stream}", "depot")
        assert done.stderr.count(told) == 1
        kept = depot / "rejected" / stream / "from_the_depot.csv"
        assert kept.read_bytes() == text.encode(encoding)
    items = shop.parked("depot")
    assert [(item["what"], item["reason"]) for item in items] == [("input", "unreadable")] * 3
    for item, (stream, _, _, told) in zip(items, DROPPED, strict=True):
        assert item["order"] == f"{stream}/from_the_depot.csv"
        assert told in item["detail"]
        assert "drop it again" in item["remedy"]
    [finding] = [f for f in shop.installed.asked("check", "depot", code=1) if not f["ok"]]
    assert finding["detail"] == "3 files set aside"


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("sku", "import"), "code,title\nMUG-X,Tasse für Jürgen\n"),
        (("stock", "count", "berlin"), "sku,on_hand\nMÜG,5\n"),
    ],
)
def test_an_import_in_the_wrong_encoding_changes_nothing(
    shop: Shop, arguments: tuple[str, ...], text: str
) -> None:
    (shop.installed.folder / "wrong.csv").write_bytes(text.encode("cp1252"))
    said = complaint(shop.installed, *arguments, "wrong.csv", code=1)
    assert said.startswith("wrong.csv: nothing was imported:")
    assert "is not UTF-8: save the file as 'CSV UTF-8'" in said
    assert shop.installed.asked("stock", "list") == []


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("frobnicate",), "No such command 'frobnicate'"),
        (("run", "--fast"), "No such option '--fast'"),
        (("once", "pull-ordrs"), "'pull-ordrs' is not one of 'pull-orders'"),
        (("once", "pull-orders", "shop-uk"), "no connection 'shop-uk' in settings.toml: did you"),
        (("once", "pull-orders", "--since", "yesterday"), "'yesterday' is no time.\nWrite 2026-"),
        (("once", "pull-orders", "bob"), "bob cannot pull-orders"),
        (("check", "shop-uk"), "did you mean shop-eu?"),
        (("explain", "99999"), "There is no order '99999'.\nGive the channel's id or name"),
        (("connections", "wocommerce"), "did you mean woocommerce?"),
        (("export", "reconciliation", "--from", "x", "--to", "y"), "'x' is no date.\nWrite 2026-"),
        (("--config", "nowhere.toml", "status"), "no settings file nowhere.toml.\nWrite one with"),
    ],
)
def test_arguments_that_mean_nothing(
    same_shop: Shop, arguments: tuple[str, ...], told: str
) -> None:
    assert told in complaint(same_shop.installed, *arguments)
