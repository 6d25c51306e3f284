"""``crossdock bundle``, as people type it."""

from __future__ import annotations

import stat
from pathlib import Path

import msgspec
import pytest
import zstandard

from connectors.base import RawRecord
from jobs.commands.options import opened
from proof import bundle_replay
from state import history
from state.personal import erasing
from sync import intake
from sync.support.redaction import Redactor
from tests.jobs.commands import Commands
from tests.sync.test_support_bundle import CANARIES, order

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


def test_an_order_whose_payloads_were_erased_has_no_bundle(crossdock: Commands) -> None:
    email = CANARIES["email"]
    crossdock.well("privacy", "erase", email, "--reason", "7", "--except-open", "--yes")
    with opened(crossdock.settings) as installation, installation.hub.store.write() as conn:
        erasing.erase_payloads(conn, [(1, "orders", "1")], installation.clock.now())
    told = crossdock.well("bundle", "1", code=1)
    assert "was erased" in told
    assert "crossdock explain" in told


def test_the_bundle_of_what_somebody_released_does_not_say_who(crossdock: Commands) -> None:
    with opened(crossdock.settings) as installation, installation.hub.store.write() as conn:
        history.place_hold(conn, 1, "manual", "look", "release it", installation.clock.now())
    crossdock.well("--actor", "Ada Lovelace", "release", "1", "--reason", "looked at it")
    file = crossdock.folder / "one.bundle.json.zst"
    crossdock.json("bundle", "1", "--out", str(file))
    text = str(bundle_replay.load(file))
    assert "hold_released" in text
    assert [one for one in ("Ada", "Lovelace") if one in text] == []


def test_what_is_left_of_a_person_is_told_by_its_place(
    crossdock: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Redactor, "document", lambda _self, document, *_: document)
    file = crossdock.folder / "one.bundle.json.zst"
    told = crossdock.well("bundle", "1", "--out", str(file), code=1)
    assert "payloads[0].body.billing." in told
    assert "Zebediah" not in told
    assert not file.exists()


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


def test_a_replay_that_goes_another_way_says_what_to_do_with_the_file(
    crossdock: Commands,
) -> None:
    file = crossdock.folder / "one.bundle.json.zst"
    crossdock.json("bundle", "1", "--out", str(file))
    document = bundle_replay.load(file) | {"problems": ["hold/of_long_ago"]}
    packed = zstandard.ZstdCompressor()
    file.write_bytes(packed.compress(msgspec.json.encode(document)))
    told = crossdock.well("simulate", "--bundle", str(file), code=1)
    assert "went another way" in told
    assert "Send the file all the same" in told
    older = document | {"written_by": "0.0.1"}
    file.write_bytes(packed.compress(msgspec.json.encode(older)))
    assert "written again" in crossdock.well("simulate", "--bundle", str(file), code=1)
