"""``crossdock strays``: the list that ops work off, and the label that costs nothing in the end."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from sqlalchemy import insert

from connectors.base import Outcome
from connectors.errors import Unreachable
from connectors.shipengine import ShipEngine
from jobs import app
from state import tables as t
from tests.jobs.commands import Commands

SETTINGS = """
[store]
url = "sqlite:///crossdock.db"
[connections.labels]
connector = "shipengine"
api_key = "env:LABELS_KEY"
carrier_ids = ["se-1"]
"""
NOW = datetime(2026, 11, 2, 8, tzinfo=UTC)


class Desk(Commands):
    def __call__(self, *arguments: str) -> Result:
        return super().__call__("strays", *arguments)


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """An installation with a carrier at which a label was bought twice."""
    monkeypatch.setenv("LABELS_KEY", "secret")
    (tmp_path / "settings.toml").write_text(SETTINGS, "utf-8")
    configuration = app.load(tmp_path / "settings.toml")
    store = app.open_store(configuration.settings)
    with app.open_app(configuration, store, clock=app.clock_of(configuration.settings)) as hub:
        number = hub.hub.links["labels"].id
    with store.write() as conn:
        conn.execute(
            insert(t.stray_effect).values(
                connection_id=number,
                kind="label",
                reference="1-abc-1",
                external_id="se-9",
                problem="double",
                cost=499,
                currency="EUR",
                remedy="void label se-9",
                placed_at=NOW,
                found_at=NOW,
            )
        )
    store.close()
    return Desk(tmp_path)


def answering(monkeypatch: pytest.MonkeyPatch, answer: Any) -> None:
    def void(_: ShipEngine, external_id: str) -> Outcome:
        if isinstance(answer, Exception):
            raise answer
        return Outcome(external_id, **answer)

    monkeypatch.setattr(ShipEngine, "void_label", void)


def test_the_list_tells_price_and_remedy_and_ends_with_1(desk: Desk) -> None:
    shown = desk("list")
    assert shown.exit_code == 1
    assert "4.99 EUR" in shown.output
    assert "void label se-9" in shown.output
    rows = json.loads(desk("list", "--json").stdout)
    assert [(row["code"], row["cost"], row["number"]) for row in rows] == [("double", 499, 1)]


def test_voiding_clears_the_list_and_is_written_down(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    answering(monkeypatch, {"status": "applied"})
    assert desk("void", "1").exit_code == 0
    assert desk("list").exit_code == 0
    assert desk("list", "--all").exit_code == 0
    assert desk("void", "1").exit_code == 2
    ((before,),) = desk.rows("SELECT before FROM audit_event WHERE action = 'stray_voided'")
    assert json.loads(before)["cost"] == 499


@pytest.mark.parametrize(
    "answer", [{"status": "rejected", "message": "too old"}, Unreachable("no answer")]
)
def test_fault_row_68_a_void_that_fails_stays_with_its_cost(
    desk: Desk, answer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    answering(monkeypatch, answer)
    refused = desk("void", "1")
    assert refused.exit_code == 1
    assert "4.99 EUR" in refused.output
    assert desk("list").exit_code == 1


def test_what_is_no_open_label_cannot_be_voided(desk: Desk) -> None:
    assert desk("void", "2").exit_code == 2


def test_a_label_of_a_connection_that_is_gone_from_the_settings_is_voided_by_hand(
    desk: Desk,
) -> None:
    settings = SETTINGS.partition("[connections.labels]")[0]
    (desk.folder / "settings.toml").write_text(settings, "utf-8")
    refused = desk("void", "1")
    assert refused.exit_code == 2
    assert "The connection labels is not in the settings any more." in refused.output
    assert "by hand, at the vendor: void label se-9." in refused.output
    assert len(json.loads(desk("list", "--json").stdout)) == 1
