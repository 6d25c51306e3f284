"""A day of trade whose orders are routed by carriers' own prices, with faults in between."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import select

from state import tables as t
from sync.routing import trace
from tests.acceptance import oracle
from tests.acceptance.trading import Trade

RULES = """currency = "EUR"
[[rates]]
parcel = 9_900
days = 2
[[quotes]]
connection = "labels"
wait_minutes = 45
good_hours = 6
step_g = 500
"""


@pytest.mark.slow
@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_a_day_by_quotes_ends_in_the_same_truth(
    open_trade: Callable[..., Trade], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "routing.toml").write_text(RULES, encoding="utf-8")
    monkeypatch.setenv("CROSSDOCK_ROUTING__RULES", "routing.toml")
    trade = open_trade(6)
    for kind in ("500", "timeout-after", "429", "truncated"):
        trade.sandbox.faults.add("shipengine:estimateRates", kind, probability=0.15)
    trade.day()
    assert oracle.differences(trade.store, trade.world) == []
    assert oracle.violations(trade.store) == []
    with trade.store.read() as conn:
        rows = list(conn.execute(select(t.routing_decision).order_by(t.routing_decision.c.id)))
        decisions = [trace.stored(row) for row in rows]
        for row, decision in zip(rows, decisions, strict=True):
            assert trace.recompute(conn, row).stored() == decision.stored()
    used = [
        verdict.quoted
        for decision in decisions
        for verdict in decision.verdicts
        if verdict.location_id in {share.location_id for share in decision.shares}
    ]
    assert sum(quoted is not None for quoted in used) > len(used) / 2
