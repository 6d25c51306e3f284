"""Taps under ``crossdock`` as a user has it, one of them a tap that nobody here wrote.

That one reads a shop over a real socket, from the docs' text to orders in the store. It lives in an
environment of its own, made from requirements/tap.lock.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from connectors.registry import CONNECTORS
from jobs import logs
from jobs.settings_loader import SettingsProblem, load
from sandbox.app import Sandbox
from sandbox.clock import ManualClock
from sandbox.server import serve
from sandbox.vendors import woocommerce
from state import tables as t
from tests.acceptance.installed import Installed
from tests.conftest import REPOSITORY
from tests.connectors.singer_words import FAKE, alive, running_taps

EXAMPLE = REPOSITORY / "docs" / "examples" / "singer"
KEYS = {
    "SHOP_CONSUMER_KEY": woocommerce.CONSUMER_KEY,
    "SHOP_CONSUMER_SECRET": woocommerce.CONSUMER_SECRET,
}


@pytest.fixture
def real_tap() -> Path:
    """The program ``tap-rest-api``."""
    default = REPOSITORY / ".venv-tap"
    folder = Path(os.environ.get("CROSSDOCK_TAP_VENV", default))
    program = folder / "bin" / "tap-rest-api"
    if not program.is_file():
        pytest.skip(f"tap-rest-api is not installed in {folder}: see requirements/tap.in")
    return program


@pytest.fixture
def shop(sandbox: Sandbox, clock: ManualClock) -> Iterator[str]:
    """The address of a shop with a day's orders."""
    clock.advance(20 * 3600)
    sandbox.world.advance_to(clock.now())
    with serve(sandbox) as url:
        yield f"{url}/woo"


def installed(folder: Path, program: object, shop: str, **env: str) -> Installed:
    """What the documentation says, with this program and this shop in it."""
    shutil.copytree(EXAMPLE, folder, dirs_exist_ok=True)
    (folder / "settings.toml").write_text('[mappings]\noverrides = "mappings"\n')
    text = (folder / "shop-eu.toml").read_text()
    for written, ours in (
        ('"/opt/crossdock/tap/bin/tap-rest-api"', f'"{program}"'),
        ("https://shop.example", shop),
        # The tap takes nothing from after its own now, and the shop's day need not be past.
        ('streams = "orders"', 'streams = "orders"\nend_datetime = "2099-01-01T00:00:00"'),
    ):
        assert text.count(written) == 1
        text = text.replace(written, ours)
    (folder / "shop-eu.toml").unlink()
    (folder / "connections.d").mkdir()
    (folder / "connections.d" / "shop-eu.toml").write_text(text)
    return Installed(folder, {**KEYS, **env})


def orders(hub: Installed) -> dict[str, str]:
    """The orders in the store and where they stand."""
    store = hub.store()
    with store.read() as conn:
        rows = conn.execute(select(t.sales_order.c.channel_order_id, t.sales_order.c.intake_state))
        found = {row.channel_order_id: row.intake_state for row in rows}
    store.close()
    return found


def test_the_example_loads_with_its_secrets_and_paths_beside_the_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = installed(tmp_path, "/opt/tap", "https://shop.example")
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    found = load(tmp_path / "settings.toml", CONNECTORS)
    (config,) = found.configs.values()
    given: dict[str, Any] = config.model_dump()
    assert given["folder"] == tmp_path / "tap"
    assert given["secrets"]["password"].get_secret_value() == woocommerce.CONSUMER_SECRET
    assert woocommerce.CONSUMER_SECRET not in repr(config)
    assert woocommerce.CONSUMER_SECRET in logs.secrets_of(found), "no log may show it"

    file = hub.folder / "connections.d" / "shop-eu.toml"
    file.write_text(file.read_text().replace("env:SHOP_CONSUMER_SECRET", "cs_written_down"))
    with pytest.raises(SettingsProblem) as caught:
        load(tmp_path / "settings.toml", CONNECTORS)
    (told,) = caught.value.problems
    assert "connections.shop-eu.secrets.password: a secret does not belong" in told
    assert "cs_written_down" not in told


def test_a_daemon_that_is_told_to_stop_does_not_wait_for_a_silent_tap(tmp_path: Path) -> None:
    config = {"steps": [["deaf"], ["show", "options"], ["wait"]]}
    (tmp_path / "tap.json").write_text(json.dumps(config))
    (tmp_path / "settings.toml").write_text(
        f"""
        [connections.shop]
        connector = "singer"
        command = {json.dumps(FAKE)}
        config_file = "tap.json"
        discover = false
        grace_s = 0.2
        [connections.shop.streams.orders]
        stream = "orders"
        definition = "woocommerce.orders"
        """
    )
    hub = Installed(tmp_path)
    daemon = hub.start()
    try:
        taps = _until(lambda: running_taps(daemon.pid))
        daemon.send_signal(signal.SIGTERM)
        assert daemon.wait(timeout=30) == 0
    finally:
        hub.stop()
    assert [pid for pid in taps if alive(pid)] == []


def _until(look: Callable[[], list[int]]) -> list[int]:
    """What it finds within half a minute."""
    for _ in range(300):
        found = look()
        if found:
            return found
        threading.Event().wait(0.1)
    return []


def test_a_real_tap_brings_a_day_s_orders_into_the_store_and_then_what_changed(
    tmp_path: Path, real_tap: Path, shop: str, sandbox: Sandbox, clock: ManualClock
) -> None:
    hub = installed(tmp_path, real_tap, shop)
    found = hub.asked("check", "shop-eu")
    assert [(row["subject"], row["well"]) for row in found if row["where"] == "shop-eu"] == [
        ("tap", "ok"),
        ("orders", "ok"),
    ]

    (first,) = hub.asked("once", "pull-orders", "shop-eu")
    theirs = sandbox.world.shop.orders
    assert first["counts"]["read"] == len(theirs) == 60
    stored = orders(hub)
    assert set(stored) == {str(number) for number in theirs}
    assert "accepted" in stored.values()

    changed = theirs[min(theirs)]
    clock.advance(3600)
    sandbox.world.shop.set_status(changed, "cancelled", clock.now())
    (second,) = hub.asked("once", "pull-orders", "shop-eu")
    assert second["counts"].get("changed") == 1
    assert second["counts"]["read"] - second["counts"]["unchanged"] == 1
    assert len(orders(hub)) == 60


def test_a_real_tap_brings_what_a_shop_sells_and_it_is_matched_to_our_skus(
    tmp_path: Path, real_tap: Path, shop: str, sandbox: Sandbox
) -> None:
    hub = installed(tmp_path, real_tap, shop)
    schemas = tmp_path / "tap" / "schemas"
    shutil.copy(schemas / "orders.json", schemas / "products.json")
    file = tmp_path / "connections.d" / "shop-eu.toml"
    text = file.read_text().replace('streams = "orders"', 'streams = "orders,products"')
    file.write_text(
        f"""{text}
        [connections.shop-eu.streams.listings]
        stream = "products"
        definition = "woocommerce.listings"
        id = "id"
        """
    )
    products = [one for one in sandbox.world.shop.products.values() if not one.parent_id]
    known = products[0].sku
    (tmp_path / "skus.csv").write_text(f"code,title\n{known},A thing of ours\n")
    hub.crossdock("sku", "import", "skus.csv")

    (run,) = hub.asked("once", "pull-listings", "shop-eu")
    assert run["counts"]["read"] == len(products) > 1
    store = hub.store()
    with store.read() as conn:
        query = select(t.channel_listing.c.external_sku, t.sku.c.code).outerjoin(
            t.sku, t.sku.c.id == t.channel_listing.c.sku_id
        )
        found = {row[0]: row[1] for row in conn.execute(query)}
    store.close()
    assert found == {one.sku: one.sku if one.sku == known else None for one in products}


def test_a_shop_that_refuses_the_key_is_told_by_the_tap_s_last_words(
    tmp_path: Path, real_tap: Path, shop: str
) -> None:
    hub = installed(tmp_path, real_tap, shop, SHOP_CONSUMER_SECRET="cs_wrong_secret")
    (row,) = hub.asked("once", "pull-orders", "shop-eu", code=1)
    assert row["result"] == "failed"
    assert "the tap ended with exit code 1" in row["error"]
    assert "401" in row["error"]
    assert "cs_wrong_secret" not in row["error"]
