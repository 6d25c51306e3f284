"""Rule files and what a location can do, from the settings to the store and to ``check``."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from jobs.cli import cli
from sync.routing.hours import Hours, hours_of
from sync.routing.rulefile import SHIPPED

SETTINGS = """
[routing]
rules = "routing.toml"
[connections.files]
connector = "csvdrop"
folder = "drop"
[locations.berlin]
kind = "warehouse"
connection = "files"
country = "DE"
picks_up = true
hazmat = true
daily_orders = 200
ack_within = "4h"
ship_within = "2d"
timezone = "Europe/Berlin"
workdays = ["mon", "tue", "sat"]
cutoff = { mon = 14:00:00, sat = "11:30" }
holidays = "DE-BE"
closed = [2026-12-24]
[locations.vendor]
kind = "vendor"
country = "PL"
ships = true
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "drop").mkdir()
    (tmp_path / "settings.toml").write_text(SETTINGS)
    (tmp_path / "routing.toml").write_text(SHIPPED.read_text())
    return tmp_path


def crossdock(folder: Path, *arguments: str) -> Result:
    return CliRunner().invoke(cli, ["--config", str(folder / "settings.toml"), *arguments])


def test_check_names_the_rules_in_force(folder: Path) -> None:
    findings = json.loads(crossdock(folder, "check", "--json").stdout)
    [routing] = [one for one in findings if one["subject"] == "routing"]
    assert routing["ok"]
    assert routing["detail"].startswith("routing.toml (")
    assert routing["detail"].endswith("): 0 rules, 1 rates")


def test_check_lists_every_fault_of_the_rules_with_its_line(folder: Path) -> None:
    (folder / "routing.toml").write_text(
        'currency = "EUR"\n[[rules]]\nname = "a"\nwhen = { chanel = "shop" }\n'
        'set = { avoid = ["berlim"], split = 1 }\n[[rules]]\nset = { pickup = "berlim" }\n'
    )
    done = crossdock(folder, "check")
    assert done.exit_code == 2
    for said in (
        "3 problem(s) in the routing rules:",
        "routing.toml:4: rules[1].when.chanel: unknown key, did you mean 'channel'?",
        "routing.toml:5: rules[1].set.split: Expected bool | null, got int",
        "routing.toml:6: rules[2]: name is missing",
        "Mend them, then `crossdock check`.",
    ):
        assert said in done.output


def test_check_knows_the_locations_there_are(folder: Path) -> None:
    (folder / "routing.toml").write_text(
        'currency = "EUR"\n[[rules]]\nname = "a"\nset = { avoid = ["berlim"] }\n'
    )
    done = crossdock(folder, "check")
    assert done.exit_code == 2
    assert "routing.toml:4: rules[1].set.avoid: there is no [locations.berlim]" in done.output
    assert "did you mean 'berlin'?" in done.output


def test_what_a_location_can_do_is_kept_for_routing(folder: Path) -> None:
    assert crossdock(folder, "check").exit_code == 0
    with sqlite3.connect(folder / "crossdock.db") as store:
        columns = "ships, picks_up, hazmat, daily_orders, ack_within_s, ship_within_s, calendar"
        rows = store.execute(f"SELECT {columns} FROM location ORDER BY code").fetchall()
    store.close()
    berlin, vendor = rows
    assert berlin[:-1] == (1, 1, 1, 200, 4 * 3600, 2 * 86_400)
    assert vendor[:-1] == (1, 0, 0, None, None, None)
    hours = hours_of(json.loads(berlin[-1]))
    assert isinstance(hours, Hours)
    assert (hours.workdays, hours.holidays) == ((0, 1, 5), "DE-BE")
    assert {day: str(at) for day, at in hours.cutoff.items()} == {0: "14:00:00", 5: "11:30:00"}
    assert [str(day) for day in hours.closed] == ["2026-12-24"]
    assert vendor[-1] is None


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('cutoff = "14:00"', "cutoff needs a timezone: add one like Europe/Berlin"),
        ("handling_days = 1", "handling_days needs a timezone"),
        ('holidays = "Germany"', "holidays: write a country or a part of one: DE, DE-BE"),
        ("daily_orders = 0", "daily_orders: Input should be greater than or equal to 1"),
        ('timezone = "UTC"\nholidays = "DE-XX"', "unknown holidays 'DE-XX'"),
        ('timezone = "UTC"\nworkdays = []', "a calendar needs a working day"),
        ('workdays = ["monday"]', "workdays.0: Input should be 'mon', 'tue'"),
    ],
)
def test_a_location_that_cannot_be_is_refused(folder: Path, line: str, said: str) -> None:
    (folder / "settings.toml").write_text(f"{SETTINGS}{line}\n")
    done = crossdock(folder, "check")
    assert done.exit_code == 2
    assert said in done.output


def test_hazardous_goods_are_said_in_the_import(folder: Path) -> None:
    def hazardous() -> dict[str, int]:
        with sqlite3.connect(folder / "crossdock.db") as store:
            found = dict(store.execute("SELECT code, hazmat FROM sku").fetchall())
        store.close()
        return found

    skus = folder / "skus.csv"
    skus.write_text("code,title,hazmat\nA,Acid,yes\nB,Ball,no\nC,Cup,\n")
    assert crossdock(folder, "sku", "import", str(skus)).exit_code == 0
    assert hazardous() == {"A": 1, "B": 0, "C": 0}
    skus.write_text("code,title\nA,Acid again\n")
    assert crossdock(folder, "sku", "import", str(skus)).exit_code == 0
    assert hazardous()["A"] == 1, "a file that does not say leaves it as it is"
    skus.write_text("code,title,hazmat\nA,Acid,perhaps\n")
    done = crossdock(folder, "sku", "import", str(skus))
    assert done.exit_code == 1
    assert "line 2: hazmat 'perhaps' is neither yes nor no" in done.output
