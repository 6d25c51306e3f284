"""The job that asks carriers what waiting orders' parcels cost, and orders planned with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, Row, select, update

from connectors.base import EstimatesRates
from connectors.errors import Rejected, Unreachable
from jobs import housekeeping
from mappings import canonical as c
from state import fulfilment, orders, rate_quotes
from state import tables as t
from sync import allocation, intake, planning, quoting
from sync.explain import explain
from sync.routing import survey, trace
from sync.routing.rules import Objective, Quoting, Rate
from sync.simulation import past, report
from tests.sync.bundles.setting import define
from tests.sync.conftest import T0, Bench, CarrierConnector, woo_order
from tests.sync.routing.scenes import rule, rules
from tests.sync.routing.test_planning import take, work
from tests.sync.routing.test_waiting import looked_at

LABELS = Quoting("labels")


class QuotingCarrier(CarrierConnector):
    """Two services; the slow one costs 4.00 and 1.00 for every 500 g."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[c.RateRequest] = []
        self.failing: dict[str, Exception] = {}
        self.currency = "EUR"

    def estimate_rates(self, request: c.RateRequest) -> Sequence[c.RateQuote]:
        self.asked.append(request)
        failure = self.failing.get(request.ship_to.postcode)
        if failure is not None:
            raise failure
        slow = 400 + 100 * -(-request.weight_g // 500)
        return [
            c.RateQuote(
                carrier_id="se-1", carrier="dpd", service_code=service, amount=amount,
                currency=self.currency, delivery_days=days,
            )
            for service, amount, days in (("slow", slow, 3), ("fast", slow * 3, 1))
        ]  # fmt: skip


@pytest.fixture
def carrier(bench: Bench) -> QuotingCarrier:
    """Asked for parcels from berlin and jersey alike, where the table says 50.00."""
    asked = QuotingCarrier()
    assert isinstance(asked, EstimatesRates)
    link = replace(bench.hub.links["labels"], connector=asked)
    bench.hub = replace(bench.hub, links={**bench.hub.links, "labels": link})
    use(bench)
    bench.put("A", "berlin", 50)
    bench.clock.advance(1)
    return asked


def use(bench: Bench, *given: Quoting, **more: Any) -> None:
    more.setdefault("objective", Objective(per_100_km=0))
    table = (Rate(parcel=5000, days=1),)
    asked = rules(*more.pop("rules", ()), quotes=given or (LABELS,), rates=table, **more)
    bench.hub = replace(bench.hub, routing=asked)


def ask(bench: Bench) -> Any:
    return bench.run(quoting.pull_rates, "labels")


def kept(bench: Bench) -> list[Row[Any]]:
    with bench.store.read() as conn:
        return list(conn.execute(select(t.rate_quote).order_by(t.rate_quote.c.id)))


def decisions(bench: Bench, order_id: int = 1) -> list[Row[Any]]:
    with bench.store.read() as conn:
        return fulfilment.decisions(conn, order_id)


def said(bench: Bench, name: str = "1") -> list[str]:
    with bench.store.read() as conn:
        found: list[str] = explain(conn, orders.find(conn, name)[0])["decisions"][-1]["said"]
        return found


def to(postcode: str, number: int, qty: int = 1) -> dict[str, Any]:
    order = woo_order(number, {"A": qty})
    return {**order, "shipping": {**order["shipping"], "postcode": postcode}}


def test_a_lane_is_asked_about_once_and_the_answer_decides(
    bench: Bench, carrier: QuotingCarrier
) -> None:
    take(bench, to("10117", 1), to("10117", 2), to("80331", 3, qty=6))
    run = ask(bench)
    assert run.counts == {"quoted": 2}
    assert run.wanted == ["allocate"]
    assert sorted((one.ship_to.postcode, one.weight_g) for one in carrier.asked) == [
        ("10117", 1000),
        ("80331", 2000),
    ]
    [request] = [one for one in carrier.asked if one.ship_to.postcode == "80331"]
    assert (request.ship_from.postcode, request.ship_from.country) == ("10115", "DE")
    assert (request.ship_to.city, request.ship_to.name, request.ship_to.street) == (
        "Berlin",
        "",
        "",
    )
    assert request.ship_at == bench.clock.now()
    assert ask(bench).counts == {}
    assert len(carrier.asked) == 2
    bench.run(allocation.allocate)
    for number, price in ((1, 600), (2, 600), (3, 800)):
        [row] = decisions(bench, number)
        decision = trace.stored(row)
        assert decision.cost == price
        [chosen] = [one for one in decision.verdicts if one.code == "berlin"]
        assert chosen.quoted is not None
        assert (chosen.quoted.service, chosen.quoted.amount) == ("slow", price)
        with bench.store.read() as conn:
            assert trace.recompute(conn, row).stored() == decision.stored()
    quote = kept(bench)[-1]
    assert said(bench)[0].endswith(
        f"6.00 parcel (slow, quote {quote.id} of labels, {quote.quoted_at:%Y-%m-%d %H:%M})"
    )


def test_a_decision_is_made_again_after_its_quotes_are_gone(
    bench: Bench, carrier: QuotingCarrier
) -> None:
    take(bench, to("10117", 1))
    ask(bench)
    bench.run(allocation.allocate)
    bench.clock.advance(timedelta(days=9).total_seconds())
    assert bench.run(housekeeping.prune).counts["quotes"] == 1
    assert kept(bench) == []
    [row] = decisions(bench)
    with bench.store.read() as conn:
        assert trace.recompute(conn, row).stored() == trace.stored(row).stored()


def test_a_quote_lapses_and_is_asked_for_again(bench: Bench, carrier: QuotingCarrier) -> None:
    use(bench, Quoting("labels", good_hours=2), Quoting("labels", good_hours=1, to=("FR",)))
    take(bench, to("10117", 1))
    ask(bench)
    [first] = kept(bench)
    assert first.valid_until - first.quoted_at == timedelta(hours=2)
    bench.clock.advance(7199)
    assert ask(bench).counts == {}
    bench.clock.advance(1)
    assert ask(bench).counts == {"quoted": 1}
    bench.run(allocation.allocate)
    [chosen] = [one for one in trace.stored(decisions(bench)[0]).verdicts if one.quoted]
    assert chosen.quoted is not None
    assert chosen.quoted.quote_id == kept(bench)[1].id


def test_without_quotes_the_table_decides_at_once(bench: Bench, carrier: QuotingCarrier) -> None:
    take(bench, to("10117", 1))
    bench.run(allocation.allocate)
    assert work(bench) == [("berlin", "open")]
    assert said(bench)[0].endswith("50.00 parcel (by the table: labels has not quoted it)")


def test_a_lane_that_the_carrier_refuses_is_kept_and_stops_no_other(
    bench: Bench, carrier: QuotingCarrier
) -> None:
    carrier.failing["99999"] = Rejected("There is no such postcode.")
    take(bench, to("10117", 1), to("99999", 2), to("80331", 3))
    assert ask(bench).counts == {"quoted": 2, "nothing_offered": 1}
    assert ask(bench).counts == {}, "it is not asked again before it lapses"
    bench.run(allocation.allocate)
    assert said(bench, "2")[0].endswith("50.00 parcel (by the table: There is no such postcode.)")
    assert trace.stored(decisions(bench, 3)[0]).cost == 600


def test_a_carrier_that_does_not_answer_stops_no_order(
    bench: Bench, carrier: QuotingCarrier
) -> None:
    carrier.failing["10117"] = Unreachable("no answer")
    take(bench, to("80331", 1), to("10117", 2), to("80331", 3))
    run = bench.run(lambda hub, run: _failing(hub, run), "labels")
    assert run.wanted == ["allocate"]
    assert run.counts["quoted"] == 1, "what was answered before is kept"
    bench.run(allocation.allocate)
    assert [trace.stored(decisions(bench, n)[0]).cost for n in (1, 2, 3)] == [600, 5000, 600]


def _failing(hub: Any, run: Any) -> None:
    with pytest.raises(Unreachable):
        quoting.pull_rates(hub, run)


def test_an_order_waits_for_its_quotes_and_then_takes_the_table(
    bench: Bench, carrier: QuotingCarrier
) -> None:
    use(bench, Quoting("labels", wait_minutes=30))
    take(bench, to("10117", 1))
    for _ in range(3):
        bench.run(allocation.allocate)
        bench.clock.advance(599)
    assert work(bench) == []
    [row] = decisions(bench)
    told = "nothing is planned: labels is asked what the parcel would cost"
    assert said(bench)[0] == told
    with bench.store.read() as conn:
        assert trace.recompute(conn, row).stored() == trace.stored(row).stored()
        assert not planning.needs_in_vain(conn, bench.hub, 1)
    bench.clock.advance(3)
    bench.run(allocation.allocate)
    assert work(bench) == [("berlin", "open")]
    assert trace.stored(decisions(bench)[-1]).cost == 5000


def test_an_order_that_waits_is_planned_when_its_quotes_are_there(
    bench: Bench, carrier: QuotingCarrier
) -> None:
    use(bench, Quoting("labels", wait_minutes=30))
    take(bench, to("10117", 1))
    bench.run(allocation.allocate)
    assert work(bench) == []
    assert ask(bench).wanted == ["allocate"]
    bench.run(allocation.allocate)
    assert work(bench) == [("berlin", "open")]
    assert trace.stored(decisions(bench)[-1]).cost == 600


def test_planning_wakes_who_asks_while_an_order_waits_for_it(
    bench: Bench, carrier: QuotingCarrier
) -> None:
    """Goods that came in wake the planning alone."""
    use(bench, Quoting("labels", wait_minutes=30))
    take(bench, to("10117", 1), woo_order(2, {"B": 1}))
    assert bench.run(allocation.allocate).wanted == ["pull-rates:labels"]
    ask(bench)
    assert "pull-rates:labels" not in bench.run(allocation.allocate).wanted
    assert work(bench) == [("berlin", "open")]
    use(bench)
    take(bench, to("80331", 3))
    assert "pull-rates:labels" not in bench.run(allocation.allocate).wanted


def test_an_order_that_waits_for_its_payment_is_asked_for_meanwhile(
    bench: Bench, carrier: QuotingCarrier
) -> None:
    use(bench, rules=(rule("paid first", payment="captured"),))
    take(bench, {**to("10117", 1), "date_paid_gmt": None, "transaction_id": ""})
    with bench.store.write() as conn:
        conn.execute(update(t.payment).values(state="authorised", amount_captured=0))
    bench.run(allocation.allocate)
    assert ask(bench).counts == {"quoted": 1}
    with bench.store.write() as conn:
        conn.execute(update(t.payment).values(state="captured"))
    bench.run(allocation.allocate)
    assert trace.stored(decisions(bench)[-1]).cost == 600


def test_orders_that_may_not_ship_yet_are_not_asked_for(
    bench: Bench, carrier: QuotingCarrier
) -> None:
    use(bench, rules=(rule("look", hold="fraud?"),))
    take(bench, to("10117", 1), woo_order(2, {"B": 1}))
    assert ask(bench).counts == {}
    assert carrier.asked == []


def test_a_bundle_with_something_of_no_weight_in_it_is_not_asked_for(
    bench: Bench, carrier: QuotingCarrier
) -> None:
    """What is known of its weight is too little, and so would be the price."""
    define(bench, A=2, B=1)
    bench.put("B", "berlin", 5)
    with bench.store.write() as conn:
        conn.execute(update(t.sku).where(t.sku.c.code == "B").values(weight_g=0))
    take(bench, woo_order(1, {"SET": 1}))
    assert ask(bench).counts == {}
    bench.run(allocation.allocate)
    assert any(line.endswith("(by the table: B has no weight)") for line in said(bench))


def test_a_bundle_is_asked_about_with_all_that_it_holds(
    bench: Bench, carrier: QuotingCarrier
) -> None:
    define(bench, A=2, B=1)
    bench.put("B", "berlin", 5)
    with bench.store.write() as conn:
        conn.execute(update(t.sku).where(t.sku.c.code == "A").values(weight_g=700))
        conn.execute(update(t.sku).where(t.sku.c.code == "B").values(weight_g=650))
    take(bench, woo_order(1, {"SET": 3, "A": 1}))
    assert ask(bench).counts == {"quoted": 1}
    assert [one.weight_g for one in carrier.asked] == [7000]
    bench.run(allocation.allocate)
    assert work(bench) == [("berlin", "open")]
    assert trace.stored(decisions(bench)[0]).cost == 1800


def test_a_price_brings_back_only_the_orders_that_go_where_it_is_for(
    bench: Bench, carrier: QuotingCarrier, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(bench, rules=(rule("whole", ship_complete=True),))
    places = ("20095", "50667", " 50667")
    take(bench, *(to(place, n, qty=99) for n, place in enumerate(places, start=1)))
    bench.run(allocation.allocate)
    assert looked_at(bench, monkeypatch) == []
    for place, found in (("20095", [1]), ("50667", [2, 3])):
        with bench.store.write() as conn:
            _keep_quote(bench, conn, place)
        assert sorted(looked_at(bench, monkeypatch)) == found
        assert looked_at(bench, monkeypatch) == []


def _keep_quote(bench: Bench, conn: Connection, postcode: str) -> None:
    rate_quotes.add(
        conn,
        connection_id=bench.hub.links["labels"].id,
        location_id=bench.places["berlin"],
        to=("DE", postcode),
        weight_g=1000,
        offers=[],
        problem="nobody goes there",
        quoted_at=bench.clock.now(),
        good_for=timedelta(hours=24),
    )


def test_goods_without_a_weight_are_not_asked_for(bench: Bench, carrier: QuotingCarrier) -> None:
    with bench.store.write() as conn:
        conn.execute(update(t.sku).values(weight_g=0))
    take(bench, to("10117", 1))
    assert ask(bench).counts == {}
    bench.run(allocation.allocate)
    assert "(by the table: A has no weight)" in said(bench)[0]


def test_a_location_that_does_not_say_where_it_is_is_not_asked_for_and_told(
    bench: Bench, carrier: QuotingCarrier
) -> None:
    with bench.store.write() as conn:
        conn.execute(update(t.location).values(postcode=""))
    take(bench, to("10117", 1))
    assert ask(bench).counts == {"nothing_offered": 1}
    assert carrier.asked == []
    bench.run(allocation.allocate)
    assert "[locations.berlin] has no country and postcode" in said(bench)[0]


def test_a_run_asks_so_many_lanes_and_wants_another_run_for_the_rest(
    bench: Bench, carrier: QuotingCarrier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quoting, "LANES_MAX", 2)
    take(bench, *(to(f"1011{n}", n) for n in range(1, 6)))
    wanted = [ask(bench).wanted for _ in range(3)]
    both = ["allocate", "pull-rates:labels"]
    assert wanted == [both, both, ["allocate"]]
    assert sorted(one.ship_to.postcode for one in carrier.asked) == [
        f"1011{n}" for n in range(1, 6)
    ]


def test_a_run_that_is_told_to_stop_keeps_what_it_has(
    bench: Bench, carrier: QuotingCarrier
) -> None:
    take(bench, to("10117", 1), to("80331", 2))
    run = bench.run(quoting.pull_rates, "labels", stopping=True)
    assert run.counts == {"quoted": 1}
    assert run.wanted == ["allocate"]


def test_new_orders_wake_the_carriers_first_where_the_rules_ask_them(
    bench: Bench, carrier: QuotingCarrier
) -> None:
    bench.shop.pages = [[to("10117", 1)]]
    assert "pull-rates:labels" in (first := bench.run(intake.pull_orders, "shop").wanted)
    assert "allocate" not in first
    bench.hub = replace(bench.hub, routing=rules())
    bench.shop.pages = [[to("10117", 1)], [to("10117", 2)]]
    assert "allocate" in bench.run(intake.pull_orders, "shop").wanted


def test_connections_that_no_rule_asks_stay_unasked(bench: Bench, carrier: QuotingCarrier) -> None:
    bench.hub = replace(bench.hub, routing=rules())
    take(bench, to("10117", 1))
    run = ask(bench)
    assert (run.wanted, carrier.asked) == ([], [])
    with pytest.raises(TypeError, match="3pl does not estimate rates"):
        bench.run(quoting.pull_rates, "bob")


def test_prices_in_another_currency_are_kept_and_not_used(
    bench: Bench, carrier: QuotingCarrier
) -> None:
    carrier.currency = "USD"
    take(bench, to("10117", 1))
    assert ask(bench).counts == {"quoted": 1}
    bench.run(allocation.allocate)
    assert "50.00 parcel (by the table: labels quotes in USD, not in EUR)" in said(bench)[0]


def test_a_quote_of_another_place_weight_or_location_does_not_count(
    bench: Bench, carrier: QuotingCarrier
) -> None:
    take(bench, to("10117", 1))
    ask(bench)
    [row] = kept(bench)
    now = bench.clock.now()
    with bench.store.read() as conn:
        found = rate_quotes.valid(conn, [row.location_id], ("DE", "10117"), now)
        assert [(one.id, one.connection, one.location) for one in found] == [
            (row.id, "labels", "berlin")
        ]
        assert rate_quotes.valid(conn, [row.location_id], ("DE", "10118"), now) == []
        assert rate_quotes.valid(conn, [bench.places["jersey"]], ("DE", "10117"), now) == []
        assert rate_quotes.valid(conn, [row.location_id], ("DE", "10117"), row.valid_until) == []
        order = orders.get(conn, 1)
        facts = survey.order_facts(conn, order, "shop", bench.hub.routing, now)
        berlin, jersey = survey.site_facts(conn, order, facts, bench.hub.routing)
    assert berlin.quote is not None
    assert (berlin.quote.quote_id, jersey.quote) == (row.id, None)


def test_a_simulation_uses_the_quotes_of_the_time_and_counts_them(
    bench: Bench, carrier: QuotingCarrier
) -> None:
    use(bench, Quoting("labels", wait_minutes=60))
    take(bench, to("10117", 1), to("80331", 2))
    carrier.failing["80331"] = Rejected("no")
    ask(bench)
    bench.run(allocation.allocate)
    asked = len(carrier.asked)
    dearer = replace_quoting(bench, Quoting("labels", percent=50, wait_minutes=60))
    told = simulated(bench, dearer)
    assert told["parcels at a carrier's quote"] == (1, 1)
    assert told["parcels at the table's rate"] == (1, 1)
    assert [str(one) for one in told["cost as the rules count it, EUR"]] == ["56.00", "59.00"]
    # Rules that would have asked other questions have no answers of the time, and do not wait.
    finer = replace_quoting(bench, Quoting("labels", step_g=100, wait_minutes=60))
    told = simulated(bench, finer)
    assert told["parcels at a carrier's quote"] == (1, 0)
    assert told["orders planned"] == (2, 2)
    assert len(carrier.asked) == asked


def replace_quoting(bench: Bench, asked: Quoting) -> Any:
    use(bench, asked)
    return bench.hub.routing


def simulated(bench: Bench, proposed: Any) -> dict[str, tuple[Any, Any]]:
    with bench.store.read() as conn:
        found = past.simulate(conn, proposed, T0 - timedelta(days=1))
    return {row["figure"]: (row["before"], row["after"]) for row in report.totals(found)}
