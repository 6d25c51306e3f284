"""``crossdock privacy`` as people type it, over a store with a buyer in it."""

from __future__ import annotations

import json
import stat
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, update

from jobs.clock import SystemClock
from state import tables as t
from state.store import Store
from sync.privacy import expiry
from tests.jobs.commands import Commands
from tests.jobs.dropped_orders import HEAD, row

ERASURES = "SELECT actor, reason, after FROM audit_event WHERE action = 'erase_personal_data'"


@pytest.fixture
def crossdock(tmp_path: Path) -> Commands:
    """A drop folder whose orders 1 (Ada, cancelled) and 2 (Bob, open) were taken in."""
    (tmp_path / "settings.toml").write_text("""
[connections.files]
connector = "csvdrop"
folder = "drop"
settle_s = 0
since = 2026-01-01
personal_data = { keep_days_after_change = 60 }
""")
    (tmp_path / "drop").mkdir()
    commands = Commands(tmp_path)
    commands.well("check")
    text = HEAD + row(1, "Ada", "cancelled") + row(2, "Bob", "ready")
    (tmp_path / "drop" / "in" / "orders" / "day.csv").write_text(text, encoding="utf-8")
    commands.well("once", "pull-orders", "files")
    commands.well("once", "pull-orders", "files")
    return commands


def test_export_says_where_what_is_and_writes_it_for_its_reader_alone(crossdock: Commands) -> None:
    table = crossdock.well("privacy", "export", "ADA@canary.example")
    assert "address" in table
    assert "inbox" in table
    out = crossdock.folder / "ada.json"
    crossdock.well("privacy", "export", "ada@canary.example", "--out", str(out))
    document = json.loads(out.read_text(encoding="utf-8"))
    assert document["orders"][0]["order"] == "1"
    assert "Canarystreet 1" in out.read_text(encoding="utf-8")
    assert "Bob" not in out.read_text(encoding="utf-8")
    assert stat.S_IMODE(out.stat().st_mode) == 0o600


def test_export_of_nobody_ends_with_1_and_of_no_address_with_2(crossdock: Commands) -> None:
    out = crossdock.folder / "eve.json"
    told = crossdock.well("privacy", "export", "eve@example.org", "--out", str(out), code=1)
    assert told == "Error: Nothing is held on eve@example.org.\n"
    assert not out.exists()
    assert crossdock.json("privacy", "export", "eve@example.org", code=1)["orders"] == []
    assert "e-mail" in crossdock.well("privacy", "export", "Eve", code=2)


def test_erase_takes_the_person_out_of_store_files_and_archive(crossdock: Commands) -> None:
    ask = ("privacy", "erase", "ada@canary.example", "--reason", "ticket 7")
    dry = crossdock.json(*ask, "--dry-run")
    assert dry["dry_run"]
    assert crossdock.rows(ERASURES) == []
    done = crossdock.json(*ask, "--yes")
    assert (done["orders"], done["files"], done["traces_wiped"]) == (["1"], 1, True)
    assert dry["rows"] == done["rows"]
    for path in crossdock.folder.rglob("*"):
        if path.is_file():
            assert b"Ada" not in path.read_bytes(), path
    [archived] = (crossdock.folder / "drop" / "archive" / "orders").iterdir()
    text = archived.read_text(encoding="utf-8")
    assert "Bob Canary" in text, "the others stay"
    assert text.startswith(HEAD)
    [(actor, reason, after)] = crossdock.rows(ERASURES)
    assert actor
    assert reason == "ticket 7"
    assert json.loads(after)["orders"] == [1]
    assert "Nothing was held" in crossdock.well(*ask, "--yes")


def test_the_same_file_dropped_again_brings_nobody_back(crossdock: Commands) -> None:
    crossdock.well("privacy", "erase", "ada@canary.example", "--reason", "7", "--yes")
    text = HEAD + row(1, "Ada", "cancelled") + row(2, "Bob", "ready")
    (crossdock.folder / "drop" / "in" / "orders" / "day.csv").write_text(text, encoding="utf-8")
    crossdock.well("once", "pull-orders", "files")
    assert crossdock.rows("SELECT name FROM address WHERE name LIKE '%Ada%'") == []


def test_erase_refuses_while_the_address_is_needed(crossdock: Commands) -> None:
    ask = ("privacy", "erase", "bob@canary.example", "--reason", "7", "--yes")
    refused = crossdock.well(*ask, code=1)
    assert "still needed for 2" in refused
    assert "--except-open" in refused
    done = crossdock.json(*ask, "--except-open")
    assert (done["orders"], [one["order"] for one in done["open"]]) == ([], ["2"])
    assert crossdock.rows("SELECT name FROM address WHERE id = 2") == [("Bob Canary",)]


def test_a_dry_run_leaves_out_what_is_still_needed_and_ends_as_the_real_one(
    crossdock: Commands,
) -> None:
    ask = ("privacy", "erase", "bob@canary.example", "--reason", "7", "--dry-run")
    assert "still needed for 2" in crossdock.well(*ask, code=1)
    plan = crossdock.json(*ask, "--except-open")
    assert (plan["orders"], plan["rows"], len(plan["open"])) == ([], {}, 1)


def test_export_overwrites_nothing_and_makes_no_folder(crossdock: Commands) -> None:
    out = crossdock.folder / "ada.json"
    out.write_text("mine")
    ask = ("privacy", "export", "ada@canary.example", "--out")
    assert "is there already" in crossdock.well(*ask, str(out), code=2)
    assert out.read_text() == "mine"
    away = crossdock.folder / "nowhere" / "ada.json"
    assert "cannot be written" in crossdock.well(*ask, str(away), code=1)
    assert not away.parent.exists()


@pytest.mark.parametrize(
    "command",
    [
        ("backup", "backups/", "--keep", "1"),
        ("audit",),
        ("audit", "--repair", "--dry-run"),
        ("privacy", "export", "ada@canary.example"),
        ("privacy", "erase", "ada@canary.example", "--reason", "7", "--yes"),
        ("privacy", "status"),
        ("bundle", "1"),
        ("stock", "rebuild", "--check"),
    ],
)
def test_a_store_that_is_gone_is_not_taken_for_an_empty_one(
    crossdock: Commands, command: tuple[str, ...]
) -> None:
    place = crossdock.folder / "crossdock.db"
    for file in crossdock.folder.glob("crossdock.db*"):
        file.unlink()
    told = crossdock.well(*command, code=1)
    assert "There is no store at sqlite:///" in told
    assert "crossdock restore" in told
    assert not place.exists()


def test_erase_asks_first(crossdock: Commands) -> None:
    done = crossdock("privacy", "erase", "ada@canary.example", "--reason", "7")
    assert done.exit_code == 1
    assert crossdock.rows("SELECT name FROM address WHERE id = 1") == [("Ada Canary",)]


def test_erase_does_not_ask_about_somebody_of_whom_nothing_is_held(crossdock: Commands) -> None:
    told = crossdock.well("privacy", "erase", "eve@example.org", "--reason", "7")
    assert told == "Nothing was held that could be erased.\n"


def test_status_and_audit_tell_what_is_overdue(crossdock: Commands) -> None:
    [row_] = crossdock.json("privacy", "status")
    assert (row_["held"], row_["overdue"], row_["keep_days_after_delivery"]) == (2, 0, 60)
    old = SystemClock().now() - timedelta(days=62)
    store = Store(f"sqlite:///{crossdock.folder / 'crossdock.db'}")
    with store.write() as conn:
        times = dict.fromkeys(("channel_updated_at", "recorded_at", "closed_at"), old)
        conn.execute(update(t.sales_order).values(times))
    store.close()
    [row_] = _late(crossdock)
    assert (row_["overdue"], row_["still_open"]) == (2, 1)
    audit = crossdock("audit", "--json")
    assert audit.exit_code == 1
    found = [one["invariant"] for one in json.loads(audit.stdout)["violations"]]
    assert found == ["personal_data_expires"] * 2
    crossdock.well("once", "expire-personal")
    assert [one["overdue"] for one in _late(crossdock)] == [1], "Bob's order is still open"
    assert timedelta(days=1) == expiry.GRACE


def test_a_connection_that_left_the_settings_keeps_its_vendors_bound(crossdock: Commands) -> None:
    store = Store(f"sqlite:///{crossdock.folder / 'crossdock.db'}")
    with store.write() as conn:
        values = {"name": "old", "connector": "amazon", "kind": "channel", "status": "retired"}
        conn.execute(insert(t.connection).values(values))
    store.close()
    [_, old] = crossdock.json("privacy", "status")
    assert (old["connection"], old["keep_days_after_delivery"]) == ("old", 30)


def _late(crossdock: Commands) -> list[dict[str, Any]]:
    done = crossdock("privacy", "status", "--json")
    assert done.exit_code == 1, done.output
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found
