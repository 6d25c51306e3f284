"""What the settings say becomes rows; what dead processes left is freed."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, insert, select

from connectors.base import Connector
from connectors.csvdrop import CsvDrop, CsvDropConfig
from connectors.http import Door
from connectors.rest import Rest
from connectors.rest.settings import RestConfig
from jobs import leases, roster
from jobs.clock import ManualClock
from jobs.housekeeping import KEEP_RUNS, prune
from jobs.problems import UsageProblem
from jobs.settings import ConnectionSettings, LocationSettings, Settings
from mappings import Definitions
from state import streams
from state import tables as t
from state.rate_buckets import RateBuckets
from state.store import Store
from tests.connectors.rest_words import example


def settings(connector: str = "csvdrop", authority: str = "external") -> Settings:
    place = LocationSettings.model_validate({"kind": "warehouse", "authority": authority})
    shop = ConnectionSettings(connector=connector)
    return Settings(connections={"shop": shop}, locations={"berlin": place})


@pytest.fixture
def door(store: Store, clock: ManualClock) -> Door:
    return Door("shop", clock, RateBuckets(store, clock))


@pytest.fixture
def connectors(tmp_path: Path, door: Door) -> dict[str, Connector]:
    """The connection of ``settings``, as it is before anything is asked of it."""
    return {"shop": CsvDrop(CsvDropConfig(folder=tmp_path), door, Definitions.load())}


def test_registering_twice_keeps_ids_and_what_ops_paused(
    store: Store, connectors: dict[str, Connector]
) -> None:
    with store.write() as conn:
        first = roster.register(conn, settings(), connectors)
        conn.execute(t.connection.update().values(status="paused"))
        assert roster.register(conn, settings(), connectors) == first
        assert conn.scalar(select(t.connection.c.status)) == "paused"


def test_a_described_connection_is_what_its_settings_say_and_not_what_its_class_may_be(
    store: Store, connectors: dict[str, Connector], door: Door
) -> None:
    with store.write() as conn:
        roster.register(conn, settings(), connectors)
        assert conn.scalar(select(func.count()).select_from(t.channel_location)) == 1
        conn.execute(t.connection.update().values(connector="rest"))
    config = RestConfig.model_validate(example("shipbob", secret="a token"))
    described = Rest(config, door, Definitions.load())
    with store.write() as conn:
        roster.register(conn, settings("rest"), {"shop": described})
        assert conn.scalar(select(t.connection.c.kind)) == "fulfilment"
        served = conn.scalar(select(func.count()).select_from(t.channel_location))
    described.close()
    assert served == 0, "it ships, and sells nothing that a location could serve"


def test_a_name_cannot_change_its_connector(store: Store, connectors: dict[str, Connector]) -> None:
    with store.write() as conn:
        roster.register(conn, settings(), connectors)
        conn.execute(t.connection.update().values(connector="amazon"))
    with pytest.raises(UsageProblem, match="was a amazon connection"), store.write() as conn:
        roster.register(conn, settings(), connectors)


@pytest.mark.parametrize(("on_hand", "allowed"), [(3, True), (-3, False)])
def test_a_location_becomes_ours_only_with_a_possible_stock(
    store: Store, connectors: dict[str, Connector], on_hand: int, allowed: bool
) -> None:
    with store.write() as conn:
        roster.register(conn, settings(), connectors)
        sku = conn.execute(
            insert(t.sku).values(code="MUG", active=True).returning(t.sku.c.id)
        ).scalar_one()
        location = conn.scalar(select(t.location.c.id))
        row = {"sku_id": sku, "location_id": location, "authority": "external"}
        conn.execute(insert(t.inventory_level).values(on_hand=Decimal(on_hand), **row))
    ours = settings(authority="hub")
    if allowed:
        with store.write() as conn:
            roster.register(conn, ours, connectors)
            assert conn.scalar(select(t.inventory_level.c.authority)) == "hub"
    else:
        with pytest.raises(UsageProblem, match="below zero"), store.write() as conn:
            roster.register(conn, ours, connectors)


def test_leases_of_the_dead_end_and_of_the_living_stay(bench: Any) -> None:
    host = socket.gethostname()
    died = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"],
        capture_output=True,
        text=True,
        check=True,
    )
    owners = {
        "dead once": f"once/{host}/{died.stdout.strip()}/a",
        "living once": f"once/{host}/{os.getppid()}/b",
        "former life": f"once/{host}/{os.getpid()}/c",
        "elsewhere": "run/another-machine/1/d",
    }
    for name, owner in owners.items():
        key = bench.stream(lambda _hub, _run: None, name)
        with bench.store.write() as conn:
            assert streams.claim(conn, key, owner, bench.clock.now(), 60) is not None
    leases.end_dead(bench.store)
    free = {name for name in owners if bench.row(name).lease_until is None}
    # On SQLite the caller holds the lock that every daemon needs, wherever it ran.
    elsewhere = {"elsewhere"} if bench.store.is_sqlite else set()
    assert free == {"dead once", "former life"} | elsewhere


def test_old_runs_are_pruned_but_the_newest_of_a_stream_stays(bench: Any) -> None:
    quiet = bench.stream(lambda _hub, _run: None, "quiet")
    key = bench.stream(prune, "prune")
    runner = bench.runner()
    runner.run_due(quiet)
    runner.run_due(key)
    bench.clock.advance(KEEP_RUNS.total_seconds() + 1)
    runner.run_due(key)
    assert [run.job for run in bench.runs()] == ["quiet", "prune"]
    assert bench.runs()[-1].counts == {"runs": 1}
