"""The sweep: what a vendor holds, held against what was sent; every difference has its price."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import update

from connectors.base import Effect
from state import strays
from state import tables as t
from sync import allocation, drain, intake, planning, sweep
from tests.sync.conftest import T0, Bench, JobRun, woo_order

ON_SQLITE = pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)


class Books:
    """What the carrier holds, listed by when it was bought."""

    def __init__(self, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
        self.effects: list[Effect] = []
        self.pages = 0
        self._bench = bench
        monkeypatch.setattr(bench.carrier, "list_effects", self.listed, raising=False)

    def listed(self, since: datetime, until: datetime) -> Iterator[Sequence[Effect]]:
        self.pages += 1
        yield [one for one in self.effects if since <= one.placed_at <= until]

    def add(self, reference: str, external_id: str, *, live: bool = True) -> None:
        self.effects.append(
            Effect(
                kind="label",
                reference=reference,
                external_id=external_id,
                live=live,
                placed_at=self._bench.clock.now(),
                cost=499,
                currency="EUR",
                remedy=f"void label {external_id}",
            )
        )


@pytest.fixture
def books(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Books:
    """The labels of two orders, bought and listed."""
    kept = Books(bench, monkeypatch)
    bench.put("A", "berlin", 9)
    bench.shop.pages.append([woo_order(n, {"A": 1}) for n in (1, 2)])
    bench.run(intake.pull_orders, "shop")
    bench.run(allocation.allocate)
    bench.run(drain.push, "labels")
    for reference, label in bench.carrier.labels.items():
        kept.add(reference, label.external_id)
    return kept


def swept(bench: Bench, hours: float = 2.0, cursor: Any = None) -> JobRun:
    bench.clock.advance(hours * 3600)
    return bench.run(sweep.sweep, "labels", cursor=cursor)


def found(bench: Bench) -> list[tuple[str, str]]:
    with bench.store.read() as conn:
        return [(row.problem, row.external_id) for row in strays.listing(conn)]


def first_reference(bench: Bench) -> str:
    return next(iter(bench.carrier.labels))


def test_books_that_agree_have_no_strays(bench: Bench, books: Books) -> None:
    run = swept(bench)
    assert found(bench) == []
    assert run.counts["listed"] >= 2


def test_a_second_label_is_found_with_its_price_and_is_gone_once_it_is_voided(
    bench: Bench, books: Books
) -> None:
    books.add(first_reference(bench), "L9")
    run = swept(bench)
    assert found(bench) == [("double", "L9")]
    with bench.store.read() as conn:
        (row,) = strays.listing(conn)
    assert (row.cost, row.currency, row.remedy) == (499, "EUR", "void label L9")
    books.effects[-1] = Effect(
        "label", books.effects[-1].reference, "L9", False, books.effects[-1].placed_at
    )
    swept(bench, cursor=run.cursor)
    assert found(bench) == []
    with bench.store.read() as conn:
        assert [row.gone_at is None for row in strays.listing(conn, every=True)] == [False]


@ON_SQLITE
def test_a_stray_that_comes_back_is_open_again(bench: Bench, books: Books) -> None:
    books.add(first_reference(bench), "L9")
    voided = Effect("label", first_reference(bench), "L9", False, books.effects[-1].placed_at)
    live = books.effects[-1]
    run = swept(bench)
    for effect in (voided, live):
        books.effects[-1] = effect
        run = swept(bench, cursor=run.cursor)
    assert found(bench) == [("double", "L9")]
    with bench.store.read() as conn:
        assert len(strays.listing(conn, every=True)) == 1


@ON_SQLITE
def test_a_label_of_refused_work_is_found(bench: Bench, books: Books) -> None:
    with bench.store.write() as conn:
        conn.execute(update(t.intent).values(state="rejected", remote_id=""))
        conn.execute(update(t.fulfilment_order).values(external_id=""))
    swept(bench)
    assert found(bench) == [("not_done", "L1"), ("not_done", "L2")]


@ON_SQLITE
@pytest.mark.parametrize("state", ["sending", "unknown", "planned"])
def test_what_is_still_on_its_way_is_no_stray(bench: Bench, books: Books, state: str) -> None:
    with bench.store.write() as conn:
        conn.execute(update(t.intent).values(state=state, remote_id=""))
        conn.execute(update(t.fulfilment_order).values(external_id=""))
    swept(bench)
    assert found(bench) == []


@ON_SQLITE
def test_a_label_that_is_not_there_is_missed_and_one_bought_at_another_time_is_not(
    bench: Bench, books: Books
) -> None:
    gone, other = list(bench.carrier.labels)
    books.effects.clear()
    del bench.carrier.labels[gone]
    swept(bench)
    assert found(bench) == [("missing", "L1")]
    assert other in bench.carrier.labels


@ON_SQLITE
def test_our_reference_of_which_we_know_nothing_is_found_and_others_are_left_alone(
    bench: Bench, books: Books
) -> None:
    """As after a restore from an old backup; the merchant's own labels are none of ours."""
    order: Any = type("Order", (), {"connection_id": 1, "channel_order_id": "99"})
    ours = planning.reference_for(bench.hub, order, 1)
    for reference in (ours, "MANUAL-7", "", "99-deadbeef-1"):
        books.add(reference, f"X{reference}")
    swept(bench)
    assert found(bench) == [("unknown_reference", f"X{ours}")]


@ON_SQLITE
def test_a_long_way_is_gone_in_slices_of_a_budget(
    bench: Bench, books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweep, "MOST_CALLS", 5)
    cursor, runs = None, 0
    while cursor is None or cursor["more"]:
        before, run = books.pages, swept(bench, 0, cursor)
        assert books.pages - before <= 5
        cursor, runs = run.cursor, runs + 1
    assert runs == 3
    books.add(first_reference(bench), "L9")
    assert swept(bench, cursor=cursor).counts["strays"] == 1


@given(
    held=st.lists(st.tuples(st.sampled_from("abcd"), st.booleans()), max_size=6, unique_by=str),
    ours=st.sets(st.sampled_from("abcd"), max_size=1),
    still_open=st.booleans(),
)
def test_of_all_objects_under_a_reference_at_most_one_is_no_stray(
    held: list[tuple[str, bool]], ours: set[str], still_open: bool
) -> None:
    """However many there are: the one that we know is ours, and every other live one costs."""
    effects = [Effect("label", "1-x-1", name, live, T0) for name, live in held]
    known = {("label", "1-x-1"): sweep.Known(ours, still_open)}
    strange = [row["external_id"] for row in sweep.unexpected(lambda _: True, effects, known)]
    live = {name for name, alive in held if alive}
    assert not ours & set(strange)
    assert set(strange) <= live
    spared = live - set(strange) - ours
    assert len(spared) <= (1 if still_open and not ours & live else 0)


def test_the_reach_covers_what_a_sweep_may_have_missed() -> None:
    assert sweep.AGAIN > sweep.SETTLED + sweep.EDGE
    assert sweep.SLICE < sweep.REACH
    assert timedelta(hours=1) <= sweep.SETTLED
