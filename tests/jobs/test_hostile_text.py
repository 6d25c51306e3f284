"""What came from outside and ends up in a log, in the settings or in an export."""

from __future__ import annotations

import json
import logging
import stat
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
import structlog

from connectors.redaction import redact
from connectors.registry import CONNECTORS
from jobs import logs, settings_loader
from jobs.clock import ManualClock
from jobs.settings import LogSettings
from jobs.settings_loader import SettingsProblem
from state import migrate
from state.store import Store
from sync.reconciliation import files, period

NOW = datetime(2026, 11, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    "text", ["x\u061cy", "x\ufeffy", "x\u2028y", "x\u200by", "x\xady", "x\x1b[2Jy"]
)
def test_threat_t31_a_message_shows_nothing_that_is_not_seen(text: str) -> None:
    assert redact(text).isprintable()


@pytest.mark.parametrize("shape", ["human", "json"])
def test_threat_t31_a_name_forges_no_line_of_a_log(
    shape: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:

    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", list(root.handlers))
    settings = LogSettings.model_validate({"format": shape})
    logs.configure(settings, ManualClock(NOW), ["secret-one"])
    try:
        named = "Ada\n2026-11-02 [error] all is lost"
        structlog.get_logger().warning("named", name=named, among=["secret-one", "x\ny"])
    finally:
        structlog.reset_defaults()
    told = capsys.readouterr().err
    assert len(told.splitlines()) == 1
    assert "secret-one" not in told
    if shape == "json":
        assert json.loads(told)["name"] == "Ada 2026-11-02 [error] all is lost"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('[connections.x]\nconnector = "rest"\nlocations = 5\n', "connections.x.locations"),
        ("x = " + "[" * 5_000, "nested too deep"),
        ("x = " + "9" * 10_000, "not TOML"),
        ("a" + ".a" * 5_000 + " = 1", "more than 200 dots"),
        ("# " + "x" * 1_100_000, "more than 1,000,000 bytes"),
    ],
)
def test_threat_t13_settings_that_hung_or_broke_their_reader(
    tmp_path: Path, text: str, told: str
) -> None:
    path = tmp_path / "settings.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SettingsProblem, match=told):
        settings_loader.load(path, CONNECTORS)


@pytest.mark.parametrize("host", ["http://x", "X.lan", "x:80", "", "*.lan", "a b"])
def test_a_host_that_is_none_is_refused(tmp_path: Path, host: str) -> None:
    path = tmp_path / "settings.toml"
    path.write_text(f'[network]\nprivate_hosts = ["{host}"]\n', encoding="utf-8")
    with pytest.raises(SettingsProblem, match="without scheme and port"):
        settings_loader.load(path, CONNECTORS)


def test_threat_t29_exports_are_not_for_everybody(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path}/crossdock.db")
    try:
        migrate.upgrade(store)
        day = date(2026, 11, 1)
        with period.reconcile(store, day, day) as found:
            files.write(found, tmp_path / "exports", NOW)
    finally:
        store.close()
    modes = {
        path.name: stat.S_IMODE(path.stat().st_mode)
        for path in [tmp_path / "exports", *(tmp_path / "exports").iterdir()]
    }
    assert len(modes) > 5
    assert not {name: mode for name, mode in modes.items() if mode & 0o007}
