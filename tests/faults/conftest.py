"""A quiet world, a real hub in front of it, and buyers that the test sends."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import event
from structlog.testing import capture_logs

from mappings import Definitions
from state.store import Store
from tests.acceptance import trading
from tests.acceptance.trading import Trade
from tests.conftest import _no_waiting_for_the_disk
from tests.faults import scene


@pytest.fixture(scope="session")
def definitions() -> Definitions:
    return Definitions.load()


@pytest.fixture
def trade(
    tmp_path: Path,
    sqlite_template: Path,
    definitions: Definitions,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Trade]:
    """Everything put together and the 3PL counted; nobody buys anything by himself."""
    # Read once: they are the same for every test here.
    monkeypatch.setattr("jobs.app.definitions_of", lambda _: definitions)
    path = tmp_path / "crossdock.db"
    shutil.copyfile(sqlite_template, path)
    store = Store(f"sqlite:///{path}")
    event.listen(store.engine, "connect", _no_waiting_for_the_disk)
    with capture_logs():
        made = trading.set_up(tmp_path, store, 0)
        # So that a test needs fewer looks.
        made.world.shipbob.ship_after = timedelta(hours=1)
        # MUG-BLUE is sent from the own warehouse only, what that has too few of by the 3PL.
        for (code, _), level in made.world.shipbob.levels.items():
            level.on_hand *= code != "MUG-BLUE"
        made.once("pull-stock", scene.BOB)
        yield made
    made.hub.close()
    store.close()


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> int:
    """Pages of so many records, so that a handful of orders fills several."""
    monkeypatch.setattr("connectors.woocommerce.PER_PAGE", 5)
    monkeypatch.setattr("connectors.amazon_orders.PAGE_SIZE", 5)
    monkeypatch.setattr("connectors.shipbob_feeds.PER_PAGE", 5)
    return 5
