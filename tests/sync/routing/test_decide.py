"""A decision is pure, the best there is, and says why."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sync.routing import exact, words
from sync.routing.decide import decide, prepare
from sync.routing.decision import Decision
from sync.routing.facts import UNIT, Incoming, OrderFacts, SiteFacts
from sync.routing.rules import Objective, Rate, Rules, When
from sync.routing.trace import Inputs
from tests.sync.routing.scenes import (
    NOW,
    SKUS,
    dropped,
    order,
    rule,
    rules,
    shipped,
    site,
)


def verdict(decision: Decision, code: str) -> Any:
    return next(one for one in decision.verdicts if one.code == code)


def test_the_nearest_location_that_has_everything_ships() -> None:
    decision = decide(order([("A", 2)]), [site(1, 900, {"A": 5}), site(2, 100, {"A": 5})], rules())
    assert shipped(decision) == [(1, 2, 2)]
    assert decision.cost == 450 + 35
    assert verdict(decision, "L1").alone == 450 + 315


def test_a_farther_location_with_everything_beats_two_parcels() -> None:
    sites = [site(1, 10, {"A": 1}), site(2, 20, {"B": 1}), site(3, 1500, {"A": 1, "B": 1})]
    assert shipped(decide(order([("A", 1), ("B", 1)]), sites, rules())) == [(1, 3, 1), (2, 3, 1)]


def test_a_line_is_divided_only_if_no_location_has_it_whole() -> None:
    sites = [site(1, 10, {"A": 2}), site(2, 20, {"A": 3})]
    decision = decide(order([("A", 5)]), sites, rules())
    assert shipped(decision) == [(1, 1, 2), (1, 2, 3)]
    assert decision.split == 300
    assert verdict(decision, "L1").lacks == ("has 2 of 5 A",)


def test_lessons_row_10_thirteen_of_ten_and_fifteen_take_thirteen() -> None:
    sites = [site(1, 10, {"A": 10}), site(2, 20, {"A": 15})]
    decision = decide(order([("A", 13)]), sites, rules())
    assert sum(units for _, _, units in shipped(decision)) == 13


def test_lessons_row_k11_a_location_gives_only_what_is_still_needed() -> None:
    # 13 over 10 + 12: no location has all of it, and the second must not give 12.
    sites = [site(1, 10, {"A": 10}), site(2, 20, {"A": 12})]
    decision = decide(order([("A", 13)]), sites, rules())
    assert sum(units for _, _, units in shipped(decision)) == 13
    assert decision.unfilled == ()


def test_lessons_row_k10_goods_are_taken_where_they_are() -> None:
    # The sum over locations is enough, the first one has nothing.
    sites = [site(1, 10, {}), site(2, 900, {"A": 2})]
    assert shipped(decide(order([("A", 2)]), sites, rules())) == [(1, 2, 2)]


def test_lessons_row_8_stock_elsewhere_counts() -> None:
    sites = [site(1, 10, {"A": 1}), site(2, 20, {"A": 1}), site(3, 30, {"A": 1})]
    decision = decide(order([("A", 3)]), sites, rules())
    assert sorted(place for _, place, _ in shipped(decision)) == [1, 2, 3]


def test_lessons_row_11_the_choice_is_explicit_and_explained() -> None:
    sites = [site(n, 100, {"A": 5}) for n in (3, 1, 2)]
    decision = decide(order([("A", 1)]), sites, rules())
    assert shipped(decision) == [(1, 1, 1)], "among equals the code decides, not chance"
    preferred = rules(rule("franchise", avoid=("l1",), surcharge={"L2": 50}))
    chosen = decide(order([("A", 1)]), sites, preferred)
    assert shipped(chosen) == [(1, 3, 1)]
    assert dropped(chosen) == {"L1": "avoided by rule franchise"}
    assert verdict(chosen, "L2").terms["surcharge"] == 50


@pytest.mark.parametrize(
    ("then", "given_site", "why"),
    [
        ({}, {"given_up": "gave the order up: closed"}, "gave the order up: closed"),
        ({}, {"ships": False}, "does not ship"),
        ({"locations": ("L2",)}, {}, "not among the locations of rule r"),
        ({"avoid": ("*1",)}, {}, "avoided by rule r"),
        ({"kinds": ("store",)}, {}, "is a warehouse, which rule r does not allow"),
        ({}, {"daily_orders": 2, "orders_today": 2}, "full today: 2 of 2 orders"),
        (
            {},
            {"daily_units": 5, "units_today": 4 * UNIT},
            "full today: 4 of 5 units, and the order has 2",
        ),
        ({"pickup": "L2"}, {}, "the buyer collects at L2"),
        ({"pickup": "L1"}, {}, "buyers cannot collect here"),
        ({}, {"stock": {}}, "has none of the goods"),
        ({}, {"allotted": {"A": 0}}, "what it has is kept for orders that come first"),
    ],
)
def test_a_location_is_dropped_with_its_reason(
    then: dict[str, Any], given_site: dict[str, Any], why: str
) -> None:
    stock = given_site.pop("stock", {"A": 5})
    book = rules(rule(**then)) if then else rules()
    decision = decide(order([("A", 2)]), [site(1, 10, stock, **given_site)], book)
    assert dropped(decision) == {"L1": why}
    assert (decision.shares, len(decision.unfilled)) == ((), 1)


def test_where_no_rate_leads_nothing_is_shipped() -> None:
    book = rules(rates=(Rate(parcel=450, to=("FR",)),))
    decision = decide(order([("A", 1)]), [site(1, 10, {"A": 1})], book)
    assert dropped(decision) == {"L1": "there is no rate from here to DE"}


def test_hazardous_goods_go_only_where_they_are_handled() -> None:
    sites = [site(1, 10, {"A": 1, "B": 1}), site(2, 900, {"A": 1}, hazmat=True)]
    decision = decide(order([("A", 1), ("B", 1)], hazmat=("A",)), sites, rules())
    assert shipped(decision) == [(1, 2, 1), (2, 1, 1)]
    assert verdict(decision, "L1").lacks == ("may not handle A, which is hazardous",)
    alone = decide(order([("A", 1)], hazmat=("A",)), sites[:1], rules())
    assert dropped(alone) == {"L1": "does not handle hazardous goods"}


def test_an_order_larger_than_a_day_is_taken_by_an_empty_day() -> None:
    big = order([("A", 9)])
    assert shipped(decide(big, [site(1, 10, {"A": 9}, daily_units=5)], rules())) == [(1, 1, 9)]


def test_a_collected_order_costs_no_parcel_and_comes_from_one_place() -> None:
    sites = [site(1, 10, {"A": 9}), site(2, 900, {"A": 1}, picks_up=True, ships=False)]
    decision = decide(order([("A", 1)]), sites, rules(rule(pickup="L2")))
    assert (shipped(decision), decision.cost) == ([(1, 2, 1)], 0)
    assert shipped(decide(order([("A", 2)]), sites, rules(rule(pickup="L2")))) == [(1, 2, 1)]


def test_what_is_kept_for_others_is_told() -> None:
    sites = [site(1, 10, {"A": 3}, allotted={"A": 1}), site(2, 20, {"B": 1})]
    decision = decide(order([("A", 2), ("B", 1)]), sites, rules())
    assert shipped(decision) == [(1, 1, 1), (2, 2, 1)]
    assert decision.unfilled[0].why == "A is scarce and goes to orders that come first"
    assert "has 1 of 2 A for this order (it is scarce)" in verdict(decision, "L1").lacks


def test_what_is_on_its_way_gives_a_date() -> None:
    def due(sku: str, units: int, day: int) -> Incoming:
        return Incoming(SKUS[sku], units * UNIT, date(2026, 12, day))

    sites = [
        site(1, 10, {"A": 1}, incoming=(due("A", 3, 9), due("A", 2, 3), due("B", 9, 1))),
        site(2, 20, {}, incoming=(due("A", 9, 1),)),
    ]
    book = rules(rule(avoid=("L2",)))
    one_ahead = order([("A", 3)])
    one_ahead = msgspec.structs.replace(
        one_ahead, lines=(msgspec.structs.replace(one_ahead.lines[0], ahead=UNIT),)
    )
    for facts, expected in (
        (order([("A", 3)]), date(2026, 12, 3)),
        (one_ahead, date(2026, 12, 9)),
        (order([("A", 7)]), None),
        (order([("C", 1)]), None),
    ):
        [left] = decide(facts, sites, book).unfilled
        assert left.expected_on == expected
    told = words.told(decide(order([("A", 3)]), sites, book), order([("A", 3)]))
    said = "not shipped yet: 2 of 3 x A, since only 1 of 3 A can be had; expected on 2026-12-03"
    assert said in told


def test_ship_complete_means_all_or_nothing() -> None:
    sites = [site(1, 10, {"A": 1}), site(2, 20, {"B": 1})]
    book = rules(rule(ship_complete=True))
    assert len(decide(order([("A", 1), ("B", 1)]), sites, book).shares) == 2
    none = decide(order([("A", 1), ("B", 2)]), sites, book)
    assert none.shares == ()
    assert none.unfilled[0].why == "the order ships whole or not at all, and it cannot be had whole"
    assert none.unfilled[1].why == "only 1 of 2 B can be had"


@pytest.mark.parametrize("then", [{"split": False}, {"max_parcels": 1}])
def test_parcels_are_bounded(then: dict[str, Any]) -> None:
    sites = [site(1, 10, {"A": 1}), site(2, 20, {"B": 1})]
    decision = decide(order([("A", 1), ("B", 1)]), sites, rules(rule(**then)))
    assert len(decision.shares) == 1
    assert decision.unfilled[0].why == "not in 1 parcel, the most allowed"


def test_lateness_outweighs_distance() -> None:
    sites = [
        site(1, 10, {"A": 1}, ready_at=NOW + timedelta(days=3)),
        site(2, 900, {"A": 1}),
    ]
    book = rules(rule(promise_days=2))
    decision = decide(order([("A", 1)]), sites, book)
    assert shipped(decision) == [(1, 2, 1)]
    # It leaves after three days and is a day on its way: two days after the promise.
    assert verdict(decision, "L1").terms["lateness"] == 2000
    assert "lateness" not in verdict(decision, "L2").terms


def test_what_is_very_late_is_sent_all_the_same() -> None:
    facts = order([("A", 1)], due_at=NOW - timedelta(days=900))
    decision = decide(facts, [site(1, 10, {"A": 1})], rules())
    assert shipped(decision) == [(1, 1, 1)]
    assert verdict(decision, "L1").terms["lateness"] == 30_000


def test_a_busy_location_gives_way_when_the_rules_say_so() -> None:
    busy = site(1, 10, {"A": 1}, daily_orders=10, orders_today=9)
    idle = site(2, 900, {"A": 1}, daily_orders=10)
    even = rules(objective=Objective(imbalance=1000))
    assert shipped(decide(order([("A", 1)]), [busy, idle], rules())) == [(1, 1, 1)]
    assert shipped(decide(order([("A", 1)]), [busy, idle], even)) == [(1, 2, 1)]


def test_weight_is_paid_by_the_kilogram() -> None:
    book = rules(rates=(Rate(parcel=450, per_kg=35),))
    decision = decide(order([("A", 3)]), [site(1, 0, {"A": 3})], book)
    # 1.5 kg at 35 are 52.5, rounded half up.
    assert (decision.shares[0].weight_cost, decision.cost) == (53, 503)


@pytest.mark.parametrize(
    ("then", "given_order", "kind"),
    [
        ({"payment": "captured"}, {"paid": "authorised"}, "payment"),
        ({"payment": "authorised"}, {"paid": "none"}, "payment"),
        ({"hold": "new buyer, dear goods"}, {}, "hold"),
        ({"ship_complete": True}, {"parked_lines": 1}, "parked"),
        ({"not_before": date(2026, 11, 3)}, {}, "not_before"),
    ],
)
def test_an_order_waits_when_a_rule_says_so(
    then: dict[str, Any], given_order: dict[str, Any], kind: str
) -> None:
    decision = decide(
        order([("A", 1)], **given_order), [site(1, 10, {"A": 1})], rules(rule(**then))
    )
    assert decision.shares == ()
    assert decision.waits is not None
    assert decision.waits[0] == kind
    assert "(rule r)" in decision.waits[1]


@pytest.mark.parametrize(
    ("then", "given_order"),
    [
        ({"payment": "captured"}, {}),
        ({"payment": "authorised"}, {"paid": "authorised"}),
        ({"hold": "look"}, {"passed": ("r",)}),
        ({"ship_complete": False}, {"parked_lines": 1}),
        ({"not_before": date(2026, 11, 2)}, {}),
    ],
)
def test_and_goes_on_when_that_has_happened(
    then: dict[str, Any], given_order: dict[str, Any]
) -> None:
    decision = decide(
        order([("A", 1)], **given_order), [site(1, 10, {"A": 1})], rules(rule(**then))
    )
    assert decision.waits is None
    assert len(decision.shares) == 1


skus = st.sampled_from(sorted(SKUS))
orders_ = st.builds(
    order,
    st.lists(st.tuples(skus, st.integers(1, 5)), max_size=5),
    value=st.integers(0, 9000),
    country=st.sampled_from(["DE", "FR", ""]),
    service=st.sampled_from(["", "Express"]),
    paid=st.sampled_from(["none", "authorised", "captured"]),
    earlier_orders=st.none() | st.integers(0, 3),
    due_at=st.none() | st.integers(0, 5).map(lambda days: NOW + timedelta(days=days)),
    hazmat=st.sets(skus, max_size=1),
)
sites_ = st.lists(
    st.builds(
        site,
        st.integers(1, 6),
        st.integers(0, 2000),
        st.dictionaries(skus, st.integers(0, 6)),
        kind=st.sampled_from(["warehouse", "store", "vendor"]),
        ready_at=st.integers(0, 96).map(lambda hours: NOW + timedelta(hours=hours)),
        allotted=st.dictionaries(skus, st.integers(0, 3), max_size=1),
        picks_up=st.booleans(),
        hazmat=st.booleans(),
        daily_orders=st.none() | st.integers(1, 5),
        orders_today=st.integers(0, 5),
    ),
    max_size=5,
    unique_by=lambda one: one.location_id,
)
rules_ = st.builds(
    rules,
    st.builds(
        lambda when, then: rule("one", when, **then),
        st.builds(
            When,
            country=st.sampled_from([(), ("DE",)]),
            service=st.sampled_from([(), ("exp*",)]),
            value_from=st.none() | st.integers(0, 5000),
            earlier_orders_below=st.none() | st.integers(0, 2),
        ),
        st.fixed_dictionaries(
            {},
            optional={
                "priority": st.integers(-5, 5),
                "kinds": st.just(("warehouse", "store")),
                "avoid": st.just(("L1",)),
                "max_parcels": st.integers(1, 3),
                "ship_complete": st.booleans(),
                "pickup": st.just("L2"),
                "promise_days": st.integers(0, 3),
                "payment": st.just("authorised"),
                "surcharge": st.just({"L3": 99}),
            },
        ),
    ),
    objective=st.builds(Objective, imbalance=st.integers(0, 500), split=st.integers(0, 900)),
    rates=st.sampled_from(
        [(), (Rate(parcel=450, per_kg=35, days=1, to=("DE",)), Rate(parcel=900))]
    ),
)


@settings(max_examples=150, deadline=None)
@given(orders_, sites_, rules_)
def test_a_decision_made_again_from_what_was_stored_is_the_same_to_the_byte(
    facts: OrderFacts, sites: list[SiteFacts], book: Rules
) -> None:
    decision = decide(facts, sites, book)
    kept = msgspec.json.encode(
        msgspec.to_builtins([Inputs(facts, tuple(sites)), book], str_keys=True)
    )
    inputs, old_book = msgspec.json.decode(kept)
    again = msgspec.convert(inputs, Inputs, strict=False)
    book_again = msgspec.convert(old_book, Rules, strict=False)
    assert decide(again.order, again.sites[::-1], book_again).stored() == decision.stored()
    assert msgspec.json.decode(decision.stored(), type=Decision, strict=False) == decision


@settings(max_examples=150, deadline=None)
@given(orders_, sites_, rules_)
def test_what_is_shipped_and_what_is_not_is_the_demand_and_never_above_stock(
    facts: OrderFacts, sites: list[SiteFacts], book: Rules
) -> None:
    decision = decide(facts, sites, book)
    if decision.waits is not None:
        return
    for line in facts.lines:
        taken = sum(s.quantity for s in decision.shares if s.line_id == line.line_id)
        left = sum(u.quantity for u in decision.unfilled if u.line_id == line.line_id)
        assert taken + left == line.quantity
    for one in sites:
        for sku_id, there in one.stock.items():
            mine = [
                s for s in decision.shares if (s.location_id, s.sku_id) == (one.location_id, sku_id)
            ]
            assert sum(s.quantity for s in mine) <= min(there, one.allotted.get(sku_id, there))
    keys = [(s.sku_id, s.location_id, s.line_id) for s in decision.shares]
    assert keys == sorted(set(keys)), "reserved in (SKU, location) order, each once"


@settings(max_examples=150, deadline=None)
@given(orders_, sites_, rules_)
def test_what_is_told_adds_up_to_what_the_solver_counted(
    facts: OrderFacts, sites: list[SiteFacts], book: Rules
) -> None:
    decision, prepared = decide(facts, sites, book), prepare(facts, sites, book)
    if not facts.lines:
        return
    found = exact.solve(prepared.task)
    used = {share.location_id for share in decision.shares}
    terms = sum(sum(v.terms.values()) for v in decision.verdicts if v.location_id in used)
    weight = sum(share.weight_cost for share in decision.shares)
    assert decision.cost == decision.split + terms + weight
    if decision.waits is None and len(found.lines) == len(facts.lines):
        unfilled = found.sites.count(None) * prepared.task.unfilled_cost
        assert decision.cost == found.cost - unfilled


def test_weight_is_no_reason_to_leave_goods_where_they_are() -> None:
    """Six thousand pieces of half a kilogram cost more by weight than a line left out."""
    by_weight = rules(rates=(Rate(parcel=450, per_kg=35),))
    decision = decide(order([("A", 6000)]), [site(1, 10, {"A": 10_000})], by_weight)
    assert shipped(decision) == [(1, 1, 6000)]
