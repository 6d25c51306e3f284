"""Routing is pure: the same inputs give the same plan, and the plan is the best there is."""

from __future__ import annotations

from decimal import Decimal
from itertools import chain, combinations

from hypothesis import given, settings
from hypothesis import strategies as st

from sync.distance import distance_km
from sync.routing import Candidate, Need, Plan, route


def candidate(number: int, km: float, available: dict[int, int]) -> Candidate:
    return Candidate(
        number, f"L{number}", number, km, {k: Decimal(v) for k, v in available.items()}
    )


def need(line: int, sku: int, qty: int) -> Need:
    return Need(line, sku, Decimal(qty))


def chosen(plan: Plan) -> set[int]:
    return {share.location_id for share in plan.shares}


def test_the_nearest_location_that_has_everything_ships() -> None:
    plan = route([need(1, 1, 2)], [candidate(1, 900, {1: 5}), candidate(2, 100, {1: 5})])
    assert chosen(plan) == {2}
    assert plan.verdicts[0]["dropped_because"] == "fewer or nearer locations ship as much"


def test_one_far_location_beats_two_near_ones() -> None:
    places = [candidate(1, 10, {1: 1}), candidate(2, 20, {2: 1}), candidate(3, 5000, {1: 1, 2: 1})]
    assert chosen(route([need(1, 1, 1), need(2, 2, 1)], places)) == {3}


def test_a_line_is_split_only_if_no_location_has_it_whole() -> None:
    places = [candidate(1, 10, {1: 2}), candidate(2, 20, {1: 3})]
    plan = route([need(1, 1, 5)], places)
    assert [(s.location_id, int(s.qty)) for s in plan.shares] == [(1, 2), (2, 3)]


def test_without_goods_there_is_no_plan() -> None:
    plan = route([need(1, 1, 1)], [candidate(1, 10, {})])
    assert plan.shares == ()
    assert plan.verdicts[0]["dropped_because"] == "has none of the goods"


needs_ = st.lists(
    st.builds(need, st.integers(1, 9), st.integers(1, 3), st.integers(1, 4)),
    min_size=1,
    max_size=4,
    unique_by=lambda n: n.order_line_id,
)
candidates_ = st.lists(
    st.builds(
        candidate,
        st.integers(1, 6),
        st.sampled_from([10.0, 20.0, 300.0]),
        st.dictionaries(st.integers(1, 3), st.integers(0, 6)),
    ),
    max_size=5,
    unique_by=lambda c: c.location_id,
)


@settings(max_examples=150, deadline=None)
@given(needs_, candidates_)
def test_a_plan_takes_no_more_than_there_is_and_as_much_as_there_is(
    needs: list[Need], candidates: list[Candidate]
) -> None:
    plan = route(needs, candidates)
    for need_ in needs:
        taken = sum(s.qty for s in plan.shares if s.order_line_id == need_.order_line_id)
        assert taken <= need_.qty
    for place in candidates:
        for sku, available in place.available.items():
            taken = sum(
                s.qty for s in plan.shares if s.location_id == place.location_id and s.sku_id == sku
            )
            assert taken <= available
    shipped = sum((s.qty for s in plan.shares), Decimal(0))
    assert shipped == _covered(needs, candidates)


@settings(max_examples=100, deadline=None)
@given(needs_, candidates_)
def test_no_smaller_set_of_locations_ships_as_much(
    needs: list[Need], candidates: list[Candidate]
) -> None:
    plan = route(needs, candidates)
    best = _covered(needs, candidates)
    sizes = [
        len(subset)
        for subset in chain.from_iterable(
            combinations(candidates, size) for size in range(len(candidates) + 1)
        )
        if _covered(needs, subset) == best
    ]
    assert len(chosen(plan)) == min(sizes)


@settings(max_examples=50, deadline=None)
@given(needs_, candidates_)
def test_the_plan_does_not_depend_on_the_order_of_candidates(
    needs: list[Need], candidates: list[Candidate]
) -> None:
    assert route(needs, candidates).shares == route(needs, candidates[::-1]).shares


def _covered(needs: list[Need], candidates: object) -> Decimal:
    total = Decimal(0)
    for sku in {n.sku_id for n in needs}:
        wanted = sum((n.qty for n in needs if n.sku_id == sku), Decimal(0))
        stock = sum((c.available.get(sku, Decimal(0)) for c in candidates), Decimal(0))  # type: ignore[attr-defined]
        total += min(wanted, stock)
    return total


def test_distance_ranks_own_country_before_neighbours_before_overseas() -> None:
    here = distance_km("DE", "10115", "DE", "10999")
    same_country = distance_km("DE", "80331", "DE", "10999")
    neighbour = distance_km("NL", "1012", "DE", "10999")
    overseas = distance_km("US", "07001", "DE", "10999")
    unknown = distance_km("DE", "10115", "", "")
    assert here < same_country < neighbour < overseas < unknown


def test_a_country_that_the_gazetteer_lacks_is_far_and_nothing_worse() -> None:
    assert distance_km("DE", "10117", "XK", "10000") == distance_km("DE", "10117", "ZZ", "")
