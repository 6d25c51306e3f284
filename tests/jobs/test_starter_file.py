"""The settings.toml of this repository is the starter that ``crossdock init`` writes."""

from __future__ import annotations

from pathlib import Path

from jobs import starter

REPOSITORY = Path(__file__).parents[2]


def test_the_committed_settings_are_the_starter() -> None:
    committed = (REPOSITORY / "settings.toml").read_text(encoding="utf-8")
    assert committed == starter.settings_file(), "write it anew: crossdock init, and copy it here"
