"""``crossdock bundle``, as people type it."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from connectors.base import RawRecord
from jobs.commands.options import opened
from proof import bundle_replay
from sync import intake
from tests.jobs.commands import Commands
from tests.sync.test_support_bundle import order

SETTINGS = """
[connections.shop-eu]
connector = "woocommerce"
url = "https://shop.canary-domain.example"
consumer_key = "env:SHOP_KEY"
consumer_secret = "env:SHOP_SECRET"
timezone = "Europe/Berlin"
since = 2026-11-01
[locations.berlin]
kind = "warehouse"
"""
SECRET = "cs_canary_c0ffee"


@pytest.fixture
def crossdock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Commands:
    monkeypatch.setenv("SHOP_KEY", "ck_canary_c0ffee")
    monkeypatch.setenv("SHOP_SECRET", SECRET)
    (tmp_path / "settings.toml").write_text(SETTINGS)
    with opened(tmp_path / "settings.toml") as installation:
        hub, link = installation.hub, installation.hub.links["shop-eu"]
        payloads = [order({"NOPE": 1}), order({"A": 1}) | {"id": 2, "line_items": "none"}]
        arrivals = intake.read_page(
            hub, link, [RawRecord.of(str(one["id"]), one) for one in payloads]
        )
        with hub.store.write() as conn:
            intake.take_in(conn, link, arrivals, installation.clock.now())
    return Commands(tmp_path)


def test_a_bundle_is_written_once_for_one_reader_and_shows_the_problem(
    crossdock: Commands,
) -> None:
    file = crossdock.folder / "one.bundle.json.zst"
    told = crossdock.json("bundle", "1", "--out", str(file))
    assert told["problems"] == ["line/unmapped"]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert bundle_replay.replay(file).same
    assert "already" in crossdock.well("bundle", "1", "--out", str(file), code=2)
    assert "no order" in crossdock.well("bundle", "99", code=2)


def test_a_record_that_could_not_be_read_has_a_bundle_too(crossdock: Commands) -> None:
    file = crossdock.folder / "two.bundle.json.zst"
    told = crossdock.json("bundle", "2", "--out", str(file))
    assert told["problems"]
    assert all(one.startswith("record/") for one in told["problems"])
    assert bundle_replay.replay(file).same


def test_threat_t21_a_bundle_holds_no_secret_and_no_address_of_a_server(
    crossdock: Commands,
) -> None:
    file = crossdock.folder / "one.bundle.json.zst"
    crossdock.json("bundle", "1", "--out", str(file))
    text = str(bundle_replay.load(file))
    assert [one for one in (SECRET, "ck_canary", "canary-domain") if one in text] == []


def test_the_replay_ends_with_what_it_found(
    crossdock: Commands, capsys: pytest.CaptureFixture[str]
) -> None:
    file = crossdock.folder / "one.bundle.json.zst"
    crossdock.json("bundle", "1", "--out", str(file))
    assert bundle_replay.main([str(file)]) == 0
    assert "seen: line/unmapped" in capsys.readouterr().out
    assert crossdock.json("simulate", "--bundle", str(file))["same"]
    assert "seen: line/unmapped" in crossdock.well("simulate", "--bundle", str(file))
    other = str(crossdock.folder / "settings.toml")
    assert "crossdock bundle" in crossdock.well("simulate", "--bundle", other, code=2)
    assert bundle_replay.main([str(crossdock.folder / "settings.toml")]) == 2
    assert bundle_replay.main([]) == 2
