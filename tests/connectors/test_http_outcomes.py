"""Whatever happens to a call, each of its items ends with exactly one outcome."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.base import Outcome
from connectors.errors import Ambiguous, ConfigProblem, RateLimited, Rejected, Unreachable
from connectors.outcomes import in_chunks, settle
from mappings import MappingError

ITEMS = {key: key for key in "abcdefgh"}
Call = Callable[[Mapping[str, str]], list[Outcome]]


def applied(chunk: Mapping[str, str]) -> list[Outcome]:
    return [Outcome(key, "applied") for key in chunk]


def failing_at(bad: str, error: Exception) -> Call:
    def call(chunk: Mapping[str, str]) -> list[Outcome]:
        if bad in chunk:
            raise error
        return applied(chunk)

    return call


def statuses(outcomes: list[Outcome]) -> str:
    return " ".join(f"{outcome.key}:{outcome.status}" for outcome in outcomes)


def test_chunks_keep_order_and_size() -> None:
    assert [list(chunk) for chunk in in_chunks(ITEMS, 3)] == [list("abc"), list("def"), list("gh")]
    assert in_chunks({}, 3) == []


@pytest.mark.parametrize("refusal", [Rejected("no such id", "bad_id", 404), MappingError("x", [])])
def test_one_bad_item_is_found_and_the_rest_goes_through(refusal: Exception) -> None:
    outcomes = settle(in_chunks(ITEMS, 8), failing_at("f", refusal))
    assert {o.key for o in outcomes if o.status == "applied"} == set("abcdegh")
    (bad,) = [o for o in outcomes if o.status == "rejected"]
    assert (bad.key, bad.code) == ("f", getattr(refusal, "code", ""))


def test_a_lost_reply_leaves_its_own_chunk_unknown_only() -> None:
    outcomes = settle(in_chunks(ITEMS, 3), failing_at("e", Ambiguous("lost")))
    assert statuses(outcomes) == (
        "a:applied b:applied c:applied d:unknown e:unknown f:unknown g:applied h:applied"
    )


@pytest.mark.parametrize(
    "trouble", [RateLimited("slow down", 30.0), Unreachable("gone"), ConfigProblem("bad key")]
)
def test_trouble_that_concerns_all_stops_the_push_and_keeps_what_was_done(
    trouble: Exception,
) -> None:
    asked: list[str] = []

    def call(chunk: Mapping[str, str]) -> list[Outcome]:
        asked.extend(chunk)
        return failing_at("c", trouble)(chunk)

    outcomes = settle(in_chunks(ITEMS, 2), call)
    assert statuses(outcomes) == (
        "a:applied b:applied c:retry d:retry e:retry f:retry g:retry h:retry"
    )
    assert asked == list("abcd")
    assert {o.retry_after for o in outcomes if o.status == "retry"} == {
        getattr(trouble, "retry_after", None)
    }


def test_trouble_before_anything_happened_is_raised() -> None:
    with pytest.raises(ConfigProblem):
        settle(in_chunks(ITEMS, 2), failing_at("a", ConfigProblem("bad key")))


def test_an_item_the_reply_forgets_is_unknown() -> None:
    outcomes = settle([ITEMS], lambda chunk: applied(chunk)[:-2])
    assert statuses(outcomes).endswith("f:applied g:unknown h:unknown")


def test_a_bug_of_ours_is_not_dressed_up_as_an_outcome() -> None:
    with pytest.raises(KeyError):
        settle([ITEMS], failing_at("a", KeyError("oops")))


@given(
    size=st.integers(1, 9),
    bad=st.sets(st.sampled_from("abcdefgh")),
    lost=st.sets(st.sampled_from("abcdefgh")),
)
def test_every_item_has_exactly_one_outcome(size: int, bad: set[str], lost: set[str]) -> None:
    def call(chunk: Mapping[str, str]) -> list[Outcome]:
        if bad & set(chunk):
            raise Rejected("bad")
        if lost & set(chunk):
            raise Ambiguous("lost")
        return applied(chunk)

    outcomes = settle(in_chunks(ITEMS, size), call)
    assert sorted(o.key for o in outcomes) == sorted(ITEMS)
    assert {o.key for o in outcomes if o.status == "rejected"} == bad
    assert {o.key for o in outcomes if o.status == "applied"}.isdisjoint(bad | lost)
