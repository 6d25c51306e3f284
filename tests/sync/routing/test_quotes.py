"""Parcels priced by what a carrier quoted, and by the table where there is no quote that counts."""

from __future__ import annotations

from datetime import timedelta
from fnmatch import fnmatchcase
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.routing import words
from sync.routing.decide import askable, decide, prepare
from sync.routing.decision import Decision, Verdict
from sync.routing.facts import Offer, OrderFacts, Quote, SiteFacts
from sync.routing.quotes import Lane, lane_of, missing
from sync.routing.rules import Objective, Quoting, Rate, Rules
from sync.routing.trace import Inputs
from tests.sync.routing.scenes import NOW, dropped, order, rule, rules, shipped, site

CHEAP = Offer("dpd", "dpd_classic", 480, "EUR", 3)
FAST = Offer("dhl", "dhl_express", 1340, "EUR", 1)
LABELS = Quoting("labels")


def quote(*offers: Offer, weight_g: int = 1000, age_h: float = 0, **more: Any) -> Quote:
    return Quote(7, "labels", weight_g, NOW - timedelta(hours=age_h), offers, **more)


def asking(*quoting: Quoting, **more: Any) -> Rules:
    """The table says 4.50 and a day, and a kilometre costs nothing."""
    more.setdefault("objective", Objective(per_100_km=0))
    return rules(*more.pop("rules", ()), quotes=quoting or (LABELS,), **more)


def verdict(site_: SiteFacts, by: Rules | None = None, facts: OrderFacts | None = None) -> Verdict:
    [found] = decide(facts or order([("A", 1)]), [site_], by or asking()).verdicts
    return found


def test_a_parcel_costs_what_the_cheapest_service_was_quoted_for() -> None:
    found = verdict(site(1, 10, {"A": 5}, quote=quote(FAST, CHEAP)))
    assert found.terms == {"parcel": 480}
    assert found.arrives_at == NOW + timedelta(days=3)
    assert found.quoted is not None
    assert (found.quoted.quote_id, found.quoted.service, found.quoted.price) == (
        7,
        "dpd_classic",
        480,
    )
    assert (found.quoted.quoted_at, found.unquoted) == (NOW, "")


@pytest.mark.parametrize(
    ("percent", "price"), [(0, 485), (10, 534), (-10, 437), (-100, 0), (100, 970)]
)
def test_the_percentage_is_rounded_half_up_to_a_minor_unit(percent: int, price: int) -> None:
    offer = msgspec.structs.replace(CHEAP, amount=485)
    found = verdict(
        site(1, 10, {"A": 5}, quote=quote(offer)), asking(Quoting("labels", percent=percent))
    )
    assert found.terms.get("parcel", 0) == price
    assert found.quoted is not None
    assert (found.quoted.amount, found.quoted.price) == (485, price)


def test_only_services_that_the_rules_allow_are_used() -> None:
    here = site(1, 10, {"A": 5}, quote=quote(FAST, CHEAP))
    assert verdict(here, asking(Quoting("labels", ("DHL_*",)))).terms == {"parcel": 1340}
    found = verdict(here, asking(Quoting("labels", ("ups_*",))))
    assert found.terms == {"parcel": 450}
    assert found.unquoted == (
        "labels offers no service that may be used, only dhl_express, dpd_classic"
    )


def test_a_service_that_comes_too_late_costs_what_lateness_costs() -> None:
    """Promised after two days: 4.80 and a day late at 10.00 against 13.40 in time."""
    here = site(1, 10, {"A": 5}, quote=quote(FAST, CHEAP))
    by = asking(rules=(rule(promise_days=2),), objective=Objective(0, per_day_late=1000))
    assert verdict(here, by).terms == {"parcel": 1340}
    lax = asking(rules=(rule(promise_days=2),), objective=Objective(0, per_day_late=100))
    assert verdict(here, lax).terms == {"parcel": 480, "lateness": 100}


AMOUNTS = st.integers(0, 5_000)
OFFERS = st.lists(
    st.builds(
        Offer,
        st.sampled_from(["dpd", "dhl"]),
        st.sampled_from(["dpd_a", "dpd_b", "dhl_a", "dhl_b"]),
        AMOUNTS,
        st.sampled_from(["EUR", "EUR", "USD"]),
        st.integers(1, 9),
    ),
    max_size=6,
)


@given(OFFERS, st.sampled_from([(), ("dpd_*",), ("dpd_a", "dhl_b")]), st.integers(-50, 50))
def test_the_cheapest_allowed_service_that_arrives_in_time_is_used(
    offers: list[Offer], services: tuple[str, ...], percent: int
) -> None:
    """Where a day late costs more than any parcel."""
    by = asking(
        Quoting("labels", services, percent),
        rules=(rule(promise_days=4),),
        objective=Objective(per_100_km=0, per_day_late=10_000, unfilled=1_000_000),
    )
    found = verdict(site(1, 10, {"A": 5}, quote=quote(*offers)), by)
    allowed = [
        one
        for one in offers
        if one.currency == "EUR"
        and any(fnmatchcase(one.service, name) for name in services or ("*",))
    ]
    if not allowed:
        assert found.quoted is None
        assert found.terms == {"parcel": 450}
        return
    assert found.quoted is not None
    in_time = [one for one in allowed if one.days is not None and one.days <= 4]
    if in_time:
        assert found.quoted.amount == min(one.amount for one in in_time)
        assert "lateness" not in found.terms
    else:
        assert found.quoted.days == min(one.days or 0 for one in allowed)
        assert found.terms["lateness"] == (found.quoted.days - 4) * 10_000


@given(OFFERS, st.integers(0, 3_000), st.integers(0, 6), st.integers(-50, 50))
def test_no_other_offer_would_have_cost_less_lateness_included(
    offers: list[Offer], per_day_late: int, promised: int, percent: int
) -> None:
    by = asking(
        Quoting("labels", percent=percent),
        rules=(rule(promise_days=promised),),
        objective=Objective(per_100_km=0, per_day_late=per_day_late, unfilled=1_000_000),
    )
    facts, sites = order([("A", 1)]), [site(1, 10, {"A": 5}, quote=quote(*offers))]
    decision = decide(facts, sites, by)
    costs = [
        (one.amount * (100 + percent) + 50) // 100
        + max(0, (one.days or 0) - promised) * per_day_late
        for one in offers
        if one.currency == "EUR"
    ]
    if costs:
        assert decision.cost == min(costs)
    # What is stored is enough to decide the same again, to the byte.
    inputs = Inputs(facts, tuple(sites))
    stored = msgspec.convert(msgspec.to_builtins(inputs, str_keys=True), Inputs, strict=False)
    kept = msgspec.convert(msgspec.to_builtins(by, str_keys=True), Rules, strict=False)
    assert decide(stored.order, stored.sites, kept).stored() == decision.stored()
    plain = msgspec.to_builtins(decision, str_keys=True)
    assert msgspec.convert(plain, Decision, strict=False).stored() == decision.stored()


@pytest.mark.parametrize(
    ("given_quote", "quoting", "why"),
    [
        (None, LABELS, "labels has not quoted it"),
        (quote(CHEAP, age_h=24), LABELS, "labels has not quoted it"),
        (quote(CHEAP, age_h=2), Quoting("labels", good_hours=2), "labels has not quoted it"),
        (quote(CHEAP, weight_g=2000), LABELS, "labels has not quoted it"),
        (quote(CHEAP), Quoting("other"), "other has not quoted it"),
        (quote(), LABELS, "labels offers nothing"),
        (quote(problem="The postcode is wrong."), LABELS, "The postcode is wrong."),
        (
            quote(msgspec.structs.replace(CHEAP, currency="USD")),
            LABELS,
            "labels quotes in USD, not in EUR",
        ),
    ],
)
def test_without_a_quote_that_counts_the_table_does_and_says_why(
    given_quote: Quote | None, quoting: Quoting, why: str
) -> None:
    found = verdict(site(1, 10, {"A": 5}, quote=given_quote), asking(quoting))
    assert (found.terms, found.quoted, found.unquoted) == ({"parcel": 450}, None, why)


def test_goods_without_a_weight_and_addresses_without_a_postcode_go_by_the_table() -> None:
    facts = order([("A", 1), ("B", 1)])
    bare = msgspec.structs.replace(
        facts, lines=(facts.lines[0], msgspec.structs.replace(facts.lines[1], weight_g=0))
    )
    here = site(1, 10, {"A": 5, "B": 5}, quote=quote(CHEAP))
    assert verdict(here, facts=facts).quoted is not None
    assert verdict(here, facts=bare).unquoted == "B has no weight"
    assert lane_of(asking(), bare, here) is None
    nowhere = msgspec.structs.replace(facts, postcode=" ")
    assert verdict(here, facts=nowhere).unquoted == "the address has no postcode"
    assert list(missing(asking(), nowhere, [here])) == []


def test_rules_without_quotes_look_at_none() -> None:
    found = verdict(site(1, 10, {"A": 5}, quote=quote(CHEAP)), rules())
    assert (found.quoted, found.unquoted) == (None, "")
    assert lane_of(rules(), order([("A", 1)]), site(1, 10, {"A": 5})) is None


def test_the_first_quoting_that_fits_a_parcel_counts() -> None:
    by = asking(Quoting("abroad", to=("FR",)), Quoting("north", from_=("L1",)), LABELS)
    for place, facts, connection in (
        (1, order([("A", 1)]), "north"),
        (2, order([("A", 1)]), "labels"),
        (2, order([("A", 1)], country="FR"), "abroad"),
    ):
        lane = lane_of(by, facts, site(place, 10, {"A": 5}))
        assert lane is not None
        assert lane.connection == connection


@pytest.mark.parametrize(
    ("lines", "stock", "step_g", "weight_g"),
    [
        ([("A", 1)], {"A": 5}, 1000, 1000),
        ([("A", 2)], {"A": 5}, 1000, 1000),
        ([("A", 3)], {"A": 5}, 1000, 2000),
        ([("A", 3)], {"A": 5}, 250, 1500),
        ([("A", 3)], {"A": 1}, 250, 500),
        ([("A", 2), ("B", 4)], {"B": 9}, 500, 2000),
        ([("A", 2), ("A", 2)], {"A": 3}, 500, 1500),
    ],
)
def test_a_lane_is_as_heavy_as_what_the_location_could_send(
    lines: list[tuple[str, int]], stock: dict[str, int], step_g: int, weight_g: int
) -> None:
    facts = order(lines, postcode=" sw1a  1aa", country="GB")
    by = asking(Quoting("labels", step_g=step_g))
    assert lane_of(by, facts, site(1, 10, stock)) == Lane("labels", 1, "GB", "SW1A 1AA", weight_g)


def test_what_is_kept_for_others_makes_no_other_lane() -> None:
    facts = order([("A", 3)])
    free, scarce = site(1, 10, {"A": 5}), site(1, 10, {"A": 5}, allotted={"A": 1})
    assert lane_of(asking(), facts, free) == lane_of(asking(), facts, scarce)


def test_goods_that_a_location_may_not_handle_have_no_weight_there() -> None:
    facts = order([("A", 4), ("B", 2)], hazmat=("A",))
    lane = lane_of(asking(), facts, site(1, 10, {"A": 5, "B": 5}))
    assert lane is not None
    assert lane.weight_g == 1000


def test_days_that_a_carrier_does_not_tell_are_those_of_the_table() -> None:
    vague = msgspec.structs.replace(CHEAP, days=None)
    found = verdict(
        site(1, 10, {"A": 5}, quote=quote(vague)), asking(rates=(Rate(parcel=1, days=6),))
    )
    assert found.arrives_at == NOW + timedelta(days=6)
    nowhere = asking(rates=(Rate(parcel=1, to=("FR",)),))
    found = verdict(site(1, 10, {"A": 5}, quote=quote(vague)), nowhere)
    assert found.dropped.startswith("there is no rate from here to DE, and labels offers no")


def test_a_quote_opens_a_lane_that_the_table_does_not_know() -> None:
    by = asking(rates=(Rate(parcel=450, to=("FR",)),))
    decision = decide(order([("A", 1)]), [site(1, 10, {"A": 5}, quote=quote(CHEAP))], by)
    assert shipped(decision) == [(1, 1, 1)]
    decision = decide(order([("A", 1)]), [site(1, 10, {"A": 5})], by)
    assert dropped(decision) == {
        "L1": "there is no rate from here to DE, and labels has not quoted it"
    }


def test_quotes_decide_which_location_ships() -> None:
    dear = msgspec.structs.replace(CHEAP, amount=900)
    sites = [site(1, 10, {"A": 5}, quote=quote(dear)), site(2, 900, {"A": 5}, quote=quote(CHEAP))]
    assert shipped(decide(order([("A", 1)]), sites, asking())) == [(1, 2, 1)]


def test_a_dear_quote_is_no_reason_to_leave_goods_where_they_are() -> None:
    dear = msgspec.structs.replace(CHEAP, amount=9_999_999)
    decision = decide(order([("A", 1)]), [site(1, 10, {"A": 5}, quote=quote(dear))], asking())
    assert shipped(decision) == [(1, 1, 1)]


def test_buyers_who_collect_cost_no_parcel_and_no_question() -> None:
    by = asking(rules=(rule(pickup="L1"),))
    here = site(1, 10, {"A": 5}, picks_up=True)
    facts = order([("A", 1)], waiting_since=NOW)
    decision = decide(facts, [here], by)
    assert (decision.cost, decision.verdicts[0].unquoted) == (0, "")
    assert askable([here], prepare(facts, [here], by).policy) == []


def waits(age_min: int, *sites: SiteFacts, wait_minutes: int = 30) -> tuple[str, str] | None:
    facts = order([("A", 1)], waiting_since=NOW - timedelta(minutes=age_min))
    return decide(facts, sites, asking(Quoting("labels", wait_minutes=wait_minutes))).waits


def test_an_order_waits_for_quotes_as_long_as_the_rules_say_and_no_longer() -> None:
    there, missing_ = site(1, 10, {"A": 5}, quote=quote(CHEAP)), site(2, 10, {"A": 5})
    told = ("quotes", "labels is asked what the parcel would cost")
    assert waits(29, there, missing_) == told
    assert waits(30, there, missing_) is None
    assert waits(0, there) is None
    assert waits(0, there, missing_, wait_minutes=0) is None
    answered = site(2, 10, {"A": 5}, quote=quote(problem="nobody goes there"))
    assert waits(0, there, answered) is None


def test_nobody_waits_for_quotes_of_a_location_that_may_not_have_the_order() -> None:
    there = site(1, 10, {"A": 5}, quote=quote(CHEAP))
    assert waits(0, there, site(2, 10, {"A": 5}, ships=False)) is None
    assert waits(0, there, site(2, 10, {})) is None
    assert waits(0, there, site(2, 10, {"A": 5}, given_up="refused it")) is None


def test_a_decision_says_whose_prices_it_was_made_by() -> None:
    sites = [site(1, 10, {"A": 5}, quote=quote(CHEAP)), site(2, 10, {"A": 5})]
    by = asking(rates=(Rate(parcel=700, days=1),))
    [ships, other] = words.told(decide(order([("A", 1)]), sites, by), order([("A", 1)]))
    assert ships == (
        "L1 ships the line, the nearest with everything in stock (10 km by postcode): "
        "4.80 parcel (dpd_classic, quote 7 of labels, 2026-11-02 08:00)"
    )
    assert other == (
        "L2 was not used: 7.00 EUR against 4.80 (10 km by postcode) "
        "(by the table: labels has not quoted it)"
    )


def test_locations_in_any_order_and_any_offers_first_give_the_same_bytes() -> None:
    twin = Offer("dpd", "a_twin", 480, "EUR", 3)
    sites = [site(1, 10, {"A": 5}, quote=quote(CHEAP, twin)), site(2, 10, {"A": 5})]
    turned = [sites[1], msgspec.structs.replace(sites[0], quote=quote(twin, CHEAP))]
    facts = order([("A", 1)])
    first, second = (decide(facts, one, asking()) for one in (sites, turned))
    assert first.stored() == second.stored()
    assert first.verdicts[0].quoted is not None
    assert first.verdicts[0].quoted.service == "a_twin"
