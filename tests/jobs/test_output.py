"""What people read: tables that cannot be forged, logs without secrets."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from decimal import Decimal

import pytest
import structlog

from jobs import cli, listing, logs
from jobs.clock import ManualClock
from jobs.settings import LogSettings


def test_a_value_from_outside_cannot_move_the_cursor_or_forge_a_row(
    capsys: pytest.CaptureFixture[str],
) -> None:
    listing.show([{"name": "a\x1b[2J\r\nb[red]"}], {"name": "name"}, as_json=False)
    lines = capsys.readouterr().out.splitlines()
    assert [line.strip() for line in lines] == ["name", "a [2J  b[red]"]


def test_json_is_one_document_with_every_key(capsys: pytest.CaptureFixture[str]) -> None:
    row = {"at": datetime(2026, 11, 2, tzinfo=UTC), "total": Decimal("10.50"), "more": None}
    listing.show([row], {"at": "when"}, as_json=True)
    assert json.loads(capsys.readouterr().out) == [
        {"at": "2026-11-02T00:00:00Z", "total": "10.50", "more": None}
    ]


def test_an_empty_listing_says_so_or_is_an_empty_array(
    capsys: pytest.CaptureFixture[str],
) -> None:
    listing.show([], {"a": "a"}, as_json=False, empty="Nothing is parked.")
    listing.show([], {"a": "a"}, as_json=True)
    assert capsys.readouterr().out == "Nothing is parked.\n[]\n"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (95, "1m 35s"), (3600, "1h"), (90_061, "1d 1h"), (-61.9, "1m 1s"), (None, None)],
)
def test_spans_show_their_two_largest_units(seconds: float | None, text: str | None) -> None:
    assert listing.span(seconds) == text


def test_logs_carry_the_hub_s_time_and_no_secret(
    capsys: pytest.CaptureFixture[str], clock: ManualClock
) -> None:
    logs.configure(LogSettings(format="json"), clock, ["sk_live_0123456789"])
    log = structlog.get_logger()
    try:
        raise RuntimeError("the shop echoed sk_live_0123456789")
    except RuntimeError as error:
        log.error(
            "run failed", error=str(error), exc_info=error, nested={"key": "sk_live_0123456789"}
        )
    logging.getLogger("a.library").warning("also sk_live_0123456789 from a library")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "sk_live" not in captured.err
    first, second = [json.loads(line) for line in captured.err.splitlines()]
    assert first["timestamp"] == "2026-11-02T08:00:00.000+00:00"
    assert "Traceback" in first["exception"]
    assert first["nested"] == {"key": "***"}
    assert second["event"] == "also *** from a library"


def test_logs_for_people_and_quiet_libraries(
    capsys: pytest.CaptureFixture[str], clock: ManualClock
) -> None:
    logs.configure(LogSettings(format="human"), clock, [])
    structlog.get_logger().info("started", streams=3)
    logging.getLogger("httpx").info("GET https://shop.example?token=abc")
    told = capsys.readouterr().err
    assert "started" in told
    assert "{" not in told
    assert "httpx" not in told
    assert "shop.example" not in told


def test_a_bug_is_one_sentence_unless_somebody_debugs(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    error = KeyError("total")
    cli.explain_bug(KeyError, error, None)
    told = capsys.readouterr().err
    assert told.startswith("Error: a bug in Crossdock: KeyError: 'total'\n")
    assert "CROSSDOCK_DEBUG=1" in told
    monkeypatch.setenv("CROSSDOCK_DEBUG", "1")
    cli.explain_bug(KeyError, error, None)
    assert capsys.readouterr().err == "KeyError: 'total'\n"
