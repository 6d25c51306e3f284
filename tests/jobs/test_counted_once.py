"""Row 76: goods that two connections count are there once."""

from __future__ import annotations

from pathlib import Path

import pytest

from connectors.registry import CONNECTORS
from jobs.settings_loader import SettingsProblem, load

BOB = """
[connections.{name}]
connector = "shipbob"
token = "env:{token}"
channel_id = 1
{more}
[locations.{name}-warehouse]
kind = "three_pl"
connection = "{name}"
{place}
"""
FILES = """
[connections.{name}]
connector = "csvdrop"
folder = "share"
{more}
[locations.{name}-warehouse]
kind = "three_pl"
connection = "{name}"
"""
REST = """
[connections.{name}]
connector = "rest"
url = "https://{host}/api"
kind = "fulfilment"
streams.stock.path = "/stock"
streams.stock.definition = "rest.stock"
[locations.{name}-warehouse]
kind = "vendor"
connection = "{name}"
"""


@pytest.fixture(autouse=True)
def _tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONE", "token-of-one-account")
    monkeypatch.setenv("TWO", "token-of-another-account")


def problems(folder: Path, *texts: str) -> list[str]:
    path = folder / "settings.toml"
    path.write_text("\n".join(texts), encoding="utf-8")
    try:
        load(path, CONNECTORS)
    except SettingsProblem as found:
        return found.problems
    return []


def bob(name: str, token: str = "ONE", more: str = "", place: str = "") -> str:
    return BOB.format(name=name, token=token, more=more, place=place)


@pytest.mark.parametrize(
    "texts",
    [
        (bob("bob"), bob("bob-too")),
        (bob("bob", more="location_id = 7"), bob("bob-too", more="location_id = 7")),
        # Counted over all buildings, that one too.
        (bob("bob"), bob("bob-too", more="location_id = 7")),
        (FILES.format(name="a", more=""), FILES.format(name="b", more='location_code = "x"')),
        (REST.format(name="a", host="wms.test"), REST.format(name="b", host="wms.test")),
    ],
)
def test_fault_row_76_two_that_count_the_same_goods_are_refused(
    tmp_path: Path, texts: tuple[str, ...]
) -> None:
    (problem,) = problems(tmp_path, *texts)
    assert "would be sold twice" in problem
    assert "token-of" not in problem


@pytest.mark.parametrize(
    "texts",
    [
        (bob("bob"), bob("bob-too", "TWO")),
        (bob("bob", more="location_id = 7"), bob("bob-too", more="location_id = 8")),
        # The hub keeps these books itself, and takes no count of the vendor's.
        (bob("bob"), bob("bob-too", place='authority = "hub"')),
        (REST.format(name="a", host="wms.test"), REST.format(name="b", host="else.test")),
    ],
)
def test_two_accounts_and_two_buildings_are_two(tmp_path: Path, texts: tuple[str, ...]) -> None:
    assert problems(tmp_path, *texts) == []
