"""``crossdock backup``, ``restore``, ``intents`` and ``audit --repair``, as people type them."""

from __future__ import annotations

import fcntl
import os
import stat
from pathlib import Path

import pytest

from jobs.clock import SystemClock
from state import intents
from state.store import Store
from tests.jobs.commands import Commands

SETTINGS = """
[connections.files]
connector = "csvdrop"
timezone = "Europe/Berlin"
folder = "drop"
[locations.berlin]
kind = "warehouse"
[locations.partner]
kind = "three_pl"
connection = "files"
"""


@pytest.fixture
def crossdock(tmp_path: Path) -> Commands:
    (tmp_path / "drop").mkdir()
    (tmp_path / "settings.toml").write_text(SETTINGS)
    commands = Commands(tmp_path)
    (tmp_path / "skus.csv").write_text("code,title\nA,Mug\nB,Tea\n")
    (tmp_path / "counts.csv").write_text("sku,on_hand\nA,5\n")
    commands.well("sku", "import", str(tmp_path / "skus.csv"))
    commands.well("stock", "count", "berlin", str(tmp_path / "counts.csv"))
    commands.well("check", "files", code=commands("check", "files").exit_code)
    return commands


def backed_up(crossdock: Commands, *more: str) -> Path:
    folder = crossdock.folder / "backups"
    folder.mkdir(exist_ok=True)
    return Path(crossdock.json("backup", str(folder), *more)["file"])


def test_a_backup_brings_the_store_back(crossdock: Commands) -> None:
    file = backed_up(crossdock)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "whole" in crossdock.well("restore", str(file), "--check")
    (crossdock.folder / "counts.csv").write_text("sku,on_hand\nA,99\n")
    crossdock.well("stock", "count", "berlin", str(crossdock.folder / "counts.csv"))
    refused = crossdock.well("restore", str(file), code=1)
    assert "--replace" in refused
    told = crossdock.json("restore", str(file), "--replace")
    assert Path(told["kept"]).exists()
    assert crossdock.rows("SELECT on_hand FROM inventory_level") == [(5_000_000,)]
    assert stat.S_IMODE((crossdock.folder / "crossdock.db").stat().st_mode) == 0o600
    assert crossdock.json("audit")["violations"] == []
    assert crossdock.rows("SELECT action FROM audit_event ORDER BY id DESC LIMIT 1") == [
        ("restore",)
    ]


def test_fault_row_86_a_corrupt_store_is_replaced_from_a_backup_and_kept(
    crossdock: Commands,
) -> None:
    file = backed_up(crossdock)
    place = crossdock.folder / "crossdock.db"
    place.write_bytes(b"not a database" * 1000)
    for beside in ("-wal", "-shm"):
        place.with_name(place.name + beside).unlink(missing_ok=True)
    assert "is damaged" in crossdock.well("status", code=1)
    assert "cannot be read" in crossdock.well("restore", str(file), code=1)
    kept = crossdock.json("restore", str(file), "--replace")["kept"]
    assert Path(kept).read_bytes().startswith(b"not a database")
    assert crossdock.rows("SELECT on_hand FROM inventory_level") == [(5_000_000,)]


def test_a_store_in_use_is_not_replaced(crossdock: Commands) -> None:
    file = backed_up(crossdock)
    was = (crossdock.folder / "crossdock.db").read_bytes()
    lock = os.open(crossdock.folder / "crossdock.db.lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        assert "already runs" in crossdock.well("restore", str(file), "--replace", code=1)
    finally:
        os.close(lock)
    assert (crossdock.folder / "crossdock.db").read_bytes() == was


def test_a_damaged_file_changes_nothing(crossdock: Commands) -> None:
    file = backed_up(crossdock)
    file.write_bytes(file.read_bytes()[:-20])
    for more in (["--check"], ["--replace"]):
        answer = crossdock.well("restore", str(file), *more, code=1)
        assert "Nothing was changed" in answer
    assert "no file" in crossdock.well("restore", "nowhere.crossdock", code=2)
    assert crossdock.rows("SELECT on_hand FROM inventory_level") == [(5_000_000,)]


def test_only_the_newest_backups_are_kept(crossdock: Commands) -> None:
    folder = crossdock.folder / "backups"
    folder.mkdir()
    for day in (1, 2, 3):
        (folder / f"crossdock-2020010{day}T000000Z.crossdock").touch()
    (folder / "notes.txt").touch()
    newest = backed_up(crossdock, "--keep", "2")
    kept = sorted(one.name for one in folder.iterdir())
    assert kept == ["crossdock-20200103T000000Z.crossdock", newest.name, "notes.txt"]
    assert "already" in crossdock.well("backup", str(newest), code=2)


def test_rotation_leaves_what_people_named_and_what_it_has_just_made(crossdock: Commands) -> None:
    folder = crossdock.folder / "backups"
    folder.mkdir()
    by_hand = [
        "crossdock-before-update.crossdock",
        "crossdock-20200101.crossdock",
        "crossdock-20200101T000000Z.crossdock.crossdock",
    ]
    # A clock that was put back: by its name this one is younger than the new one.
    ahead = "crossdock-99990101T000000Z.crossdock"
    for name in [*by_hand, ahead, "crossdock-20200101T000000Z.crossdock"]:
        (folder / name).touch()
    newest = backed_up(crossdock, "--keep", "2")
    assert {one.name for one in folder.iterdir()} == {*by_hand, ahead, newest.name}


def test_an_old_backup_that_cannot_be_deleted_is_told_and_the_new_one_is_there(
    crossdock: Commands,
) -> None:
    folder = crossdock.folder / "backups"
    # No file, so nobody can unlink it; and those behind it are deleted all the same.
    (folder / "crossdock-20200101T000000Z.crossdock").mkdir(parents=True)
    (folder / "crossdock-20200102T000000Z.crossdock").touch()
    said = crossdock.well("backup", str(folder), "--keep", "1", code=1)
    assert "The backup is made" in said
    assert "crossdock-20200101T000000Z.crossdock: " in said
    assert "Mend the permissions" in said
    assert "Deleted crossdock-20200102T000000Z.crossdock." in said
    (made,) = [one for one in folder.iterdir() if one.is_file()]
    crossdock.well("restore", str(made), "--check")


def test_a_folder_that_is_meant_is_made(crossdock: Commands) -> None:
    night, week = crossdock.folder / "night", crossdock.folder / "week"
    for more in ((f"{night}/",), (str(week), "--keep", "2")):
        assert Path(crossdock.json("backup", *more)["file"]).is_file()
    assert stat.S_IMODE(night.stat().st_mode) == 0o700
    [file] = week.iterdir()
    told = crossdock.well("backup", str(file), "--keep", "2", code=2)
    assert "is a file.\nGive TARGET as a folder of backups." in told
    for target in (f"{crossdock.folder}/no/where/", f"{crossdock.folder}/no/where"):
        assert "No backup was made" in crossdock.well("backup", target, code=1)


def test_a_backup_fills_another_store(crossdock: Commands) -> None:
    file = backed_up(crossdock)
    place = crossdock.folder / "moved.db"
    assert "not supported" in crossdock.well("restore", str(file), "--into", "mysql://x/y", code=2)
    nowhere = f"sqlite:///{crossdock.folder}/none/moved.db"
    assert "cannot be written" in crossdock.well("restore", str(file), "--into", nowhere, code=1)
    answer = crossdock.well("restore", str(file), "--into", f"sqlite:///{place}")
    assert "[store] url" in answer
    (crossdock.folder / "settings.toml").write_text(
        f'[store]\nurl = "sqlite:///{place}"\n{SETTINGS}'
    )
    assert crossdock.json("audit")["checked"]["ledger_rows"] == 1


def in_review(crossdock: Commands, kind: str = "tracking") -> str:
    """An intent nobody knows the end of."""
    store = Store(f"sqlite:///{crossdock.folder / 'crossdock.db'}")
    with store.write() as conn:
        row = conn.exec_driver_sql("SELECT id FROM connection WHERE name = 'files'").one()
        intents.plan(
            conn,
            connection_id=row.id,
            kind=kind,
            subject=("sales_order", 1),
            key=f"{kind}:X-1",
            body={"reference": "X-1", "tracking_number": "T1", "currency": "EUR"},
            now=SystemClock().now(),
        )
        conn.exec_driver_sql("UPDATE intent SET state = 'review', message = 'lost'")
    store.close()
    return f"{kind}:X-1"


def test_what_is_in_review_is_listed_and_shown(crossdock: Commands) -> None:
    crossdock.well("parked")
    assert "No intent waits" in crossdock.well("intents")
    key = in_review(crossdock)
    assert [row["key"] for row in crossdock.json("intents", "list")] == [key]
    assert crossdock.json("intents") == crossdock.json("intents", "list")
    misplaced = crossdock.well("intents", "--json", "list", code=2)
    assert "Write them after it: crossdock intents list" in misplaced
    assert crossdock.json("intents", "show", key)["body"]["reference"] == "X-1"
    assert f"crossdock intents resolve {key}" in crossdock.json("parked")[0]["remedy"]
    assert "no intent" in crossdock.well("intents", "show", "label:none", code=2)


def test_a_person_says_that_it_did_not_happen(crossdock: Commands) -> None:
    crossdock.well("parked")
    key = in_review(crossdock)
    resolve = ("intents", "resolve", key)
    assert "Say either" in crossdock.well(*resolve, "--reason", "x", code=2)
    assert "reason" in crossdock.well(*resolve, "--not-done", code=2)
    crossdock.well(*resolve, "--not-done", "--reason", "not in their list")
    assert crossdock.rows("SELECT state FROM intent") == [("planned",)]
    assert crossdock.rows("SELECT action, reason FROM audit_event ORDER BY id DESC LIMIT 1") == [
        ("resolve_intent", "not in their list")
    ]
    again = crossdock.well(*resolve, "--not-done", "--reason", "again", code=2)
    assert "it is planned" in again


def test_damage_is_shown_then_mended_when_asked(crossdock: Commands) -> None:
    store = Store(f"sqlite:///{crossdock.folder / 'crossdock.db'}")
    with store.write() as conn:
        conn.exec_driver_sql("UPDATE inventory_level SET on_hand = on_hand + 1000000")
    store.close()
    assert "--repair --dry-run" in crossdock.well("audit", code=1)
    shown = crossdock.well("audit", "--repair", "--dry-run", code=1)
    assert "Why that is safe" in shown
    planned = crossdock.json("audit", "--repair", "--dry-run", code=1)
    assert [one["after"] for one in planned["changes"]] == ["5"]
    assert planned["left"] == []
    assert crossdock.rows("SELECT on_hand FROM inventory_level") == [(6_000_000,)]
    assert "Nobody" in crossdock.well("audit", "--repair", "--json", code=2).replace(
        "nobody", "Nobody"
    )
    told = crossdock.json("audit", "--repair", "--yes", "--reason", "a test")
    assert [one["after"] for one in told["changes"]] == ["5"]
    assert told["left"] == []
    assert crossdock.rows("SELECT on_hand FROM inventory_level") == [(5_000_000,)]
    assert "go with --repair" in crossdock.well("audit", "--yes", code=2)


def spoil(crossdock: Commands, table: str) -> None:
    """Break a table's first page, as a bad disk does: the rest of the file is well."""
    file = crossdock.folder / "crossdock.db"
    [[page]] = crossdock.rows(f"SELECT rootpage FROM sqlite_master WHERE name = '{table}'")
    content = bytearray(file.read_bytes())
    size = int.from_bytes(content[16:18], "big")
    content[(page - 1) * size : page * size] = b"\x5a" * size
    file.write_bytes(content)


def test_a_broken_page_is_told_with_its_remedy_wherever_it_is_met(crossdock: Commands) -> None:
    file = backed_up(crossdock)
    spoil(crossdock, "stream")
    for command in (["status"], ["once", "allocate"]):
        told = crossdock.well(*command, code=1)
        assert "The database file of [store] url is damaged" in told
        assert "Stop the daemon and restore the last backup: `crossdock restore FILE" in told
    crossdock.well("restore", str(file), "--replace")
    assert "is damaged" not in crossdock("status").output


def test_a_broken_page_that_nobody_has_met_is_found_by_check(crossdock: Commands) -> None:
    assert all(one["ok"] for one in crossdock.json("check") if one["subject"] == "store")
    spoil(crossdock, "shipment")
    [found] = [one for one in crossdock.json("check", code=1) if one["subject"] == "store"]
    assert (found["well"], found["ok"]) == ("MEND", False)
    assert "is damaged" in found["detail"]
    assert "crossdock restore FILE --replace" in found["remedy"]
