"""``crossdock keys`` as people type it, and what happens when a key is not there."""

from __future__ import annotations

import re
import stat
from pathlib import Path
from typing import Any

import pytest

from state.vault.keyring import MasterKey
from tests.jobs.commands import Commands
from tests.jobs.dropped_orders import HEAD, row

KEYS = '\n[encryption]\nkeys = "file:secrets/crossdock.keys"\n'


@pytest.fixture
def crossdock(tmp_path: Path) -> Commands:
    """A drop folder whose order 1 was taken in in clear."""
    (tmp_path / "settings.toml").write_text("""
[connections.files]
connector = "csvdrop"
folder = "drop"
settle_s = 0
since = 2026-01-01
""")
    (tmp_path / "drop").mkdir()
    commands = Commands(tmp_path)
    commands.well("check")
    drop(commands, 1, "Ada")
    return commands


def drop(crossdock: Commands, number: int, name: str) -> None:
    folder = crossdock.folder / "drop"
    (folder / "in" / "orders" / f"{number}.csv").write_text(HEAD + row(number, name, "cancelled"))
    crossdock.well("once", "pull-orders", "files")
    crossdock.well("once", "pull-orders", "files")
    for file in (folder / "archive").rglob("*.csv"):
        file.unlink()


def switch_on(crossdock: Commands) -> str:
    """The first key, and the settings that want it used; returns its name."""
    made = crossdock.json("keys", "new")
    text = crossdock.settings.read_text()
    extra = "personal_data = { encrypt = true }\n"
    crossdock.settings.write_text(text + extra + KEYS)
    return str(made["key"])


def in_clear(crossdock: Commands) -> bool:
    found = [path for path in crossdock.folder.glob("crossdock.db*") if path.is_file()]
    return any(re.search(rb"(?i)canary", path.read_bytes()) for path in found)


def test_from_a_plain_store_to_an_encrypted_one_and_a_new_key(crossdock: Commands) -> None:
    assert in_clear(crossdock)
    first = switch_on(crossdock)
    file = crossdock.folder / "secrets" / "crossdock.keys"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    told = crossdock.json("keys", "status", code=1)
    assert told["plain"]["files"] > 0
    assert "`crossdock keys encrypt`" in crossdock.well("keys", "status", code=1)
    assert crossdock.json("keys", "encrypt") == {"changed": 2, "traces_wiped": True}
    drop(crossdock, 2, "Bob")
    assert not in_clear(crossdock)
    assert crossdock.json("keys", "encrypt")["changed"] == 0
    second = crossdock.json("keys", "new")
    assert second["settings"] is None
    assert "needed until" in crossdock.well("keys", "status")
    done = crossdock.json("keys", "rotate")
    assert done == {"key": second["key"], "changed": 3, "not_needed": [first]}
    lines = [line for line in file.read_text().splitlines() if not line.startswith(first)]
    file.write_text("\n".join(lines))
    assert [one["key"] for one in crossdock.json("keys", "status")["keys"]] == [second["key"]]
    document = crossdock.json("privacy", "export", "ada@canary.example")
    assert "Canarystreet 1" in str(document["orders"])
    actions = {one[0] for one in crossdock.rows("SELECT action FROM audit_event")}
    assert {"encrypt_personal_data", "rotate_keys"} <= actions
    crossdock.well("audit")


def test_threat_t22_without_the_key_it_refuses_to_start_and_says_which(
    crossdock: Commands,
) -> None:
    name = switch_on(crossdock)
    crossdock.well("keys", "encrypt")
    file = crossdock.folder / "secrets" / "crossdock.keys"
    kept = file.read_text()
    file.write_text(MasterKey.new().line())
    for command in (["run"], ["once", "pull-orders", "files"], ["check"]):
        assert name in crossdock.well(*command, code=2)
    assert name in crossdock.well("keys", "status", code=1)
    file.unlink()
    assert "cannot be read" in crossdock.well("check", code=2)
    settings = crossdock.settings.read_text()
    crossdock.settings.write_text(settings.replace(KEYS, "").replace("encrypt = true", ""))
    assert name in crossdock.well("check", code=2)
    crossdock.settings.write_text(settings)
    file.write_text(kept)
    file.chmod(0o600)
    crossdock.well("check")


def test_threat_t22_encryption_without_any_key_is_refused(crossdock: Commands) -> None:
    with crossdock.settings.open("a") as settings:
        settings.write("personal_data = { encrypt = true }\n")
    told = crossdock.well("check", code=2)
    assert "crossdock keys new" in told
    assert "files" in told
    for command in ("encrypt", "rotate"):
        crossdock.well("keys", command, code=2)


@pytest.mark.slow
def test_keys_may_be_in_a_variable(crossdock: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    with crossdock.settings.open("a") as settings:
        settings.write('personal_data = { encrypt = true }\n[encryption]\nkeys = "env:THE_KEYS"\n')
    assert "THE_KEYS" in crossdock.well("check", code=2)
    line = crossdock.json("keys", "new")["line"]
    monkeypatch.setenv("THE_KEYS", line)
    crossdock.well("keys", "encrypt")
    monkeypatch.setenv("THE_KEYS", f"{line} {MasterKey.new().line()}")
    assert crossdock.json("keys", "rotate")["changed"] == 2
    assert "file:PATH" not in crossdock.well("check")
    monkeypatch.setenv("THE_KEYS", line[:-5])
    told = crossdock.well("check", code=2)
    assert line.split(":")[1][:-5] not in told


AMAZON = """
[connections.amazon-eu]
connector = "amazon"
endpoint = "http://127.0.0.1:9"
token_url = "http://127.0.0.1:9/token"
seller_id = "S1"
marketplace_ids = ["A1PA6795UKMFR9"]
client_id = "c"
client_secret = "env:THE_SECRET"
refresh_token = "env:THE_SECRET"
"""


def test_threat_t22_amazon_without_a_key_is_told_loudly(
    crossdock: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THE_SECRET", "x")
    plain = crossdock.settings.read_text()
    crossdock.settings.write_text(plain + AMAZON)
    assert "crossdock keys new" in finding(crossdock)["remedy"]
    crossdock.settings.write_text(plain + AMAZON + "personal_data = { encrypt = false }\n")
    assert finding(crossdock) is None
    crossdock.well("keys", "new")
    crossdock.settings.write_text(plain + AMAZON + KEYS)
    assert finding(crossdock)["well"] == "ok"
    assert "amazon-eu" in finding(crossdock)["detail"]


def finding(crossdock: Commands) -> Any:
    told = crossdock.json("check", "files", code=None)
    return next((one for one in told if one["subject"] == "encryption"), None)


def test_threat_t23_a_restore_erases_again_who_was_erased_since(crossdock: Commands) -> None:
    drop(crossdock, 2, "Bob")
    crossdock.well("backup", str(crossdock.folder / "all.crossdock"))
    crossdock.well("privacy", "erase", "ada@canary.example", "--reason", "asked", "--yes")
    told = crossdock.json("restore", str(crossdock.folder / "all.crossdock"), "--replace")
    assert told["erased_again"] == [1]
    assert told["erased_and_held"] == []
    store = crossdock.folder / "crossdock.db"
    assert b"ada@canary" not in store.read_bytes()
    assert b"bob@canary" in store.read_bytes()
    other = f"sqlite:///{told['kept']}"
    crossdock.well("audit")
    assert crossdock.json("privacy", "reapply", "--from", other)["orders"] == []
    crossdock.well("privacy", "reapply", "--from", "sqlite:////nowhere.db", code=2)


@pytest.mark.slow
def test_threat_t23_a_store_that_cannot_be_read_is_said_not_to_tell(crossdock: Commands) -> None:
    crossdock.well("backup", str(crossdock.folder / "all.crossdock"))
    for file in crossdock.folder.glob("crossdock.db-*"):
        file.unlink()
    (crossdock.folder / "crossdock.db").write_bytes(b"nothing that SQLite knows" * 500)
    told = crossdock.well("restore", str(crossdock.folder / "all.crossdock"), "--replace")
    assert "nobody knows here who was erased" in told
