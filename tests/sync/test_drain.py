"""The drain: one bad answer concerns what it is about, and the newest quantity is what goes out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Row, select

from connectors.base import Outcome, Push
from connectors.errors import (
    Ambiguous,
    ConfigProblem,
    Rejected,
    Retryable,
    Unreachable,
    Unreadable,
    VendorDown,
)
from mappings import canonical as c
from state import intents
from state import tables as t
from state.breakers import Breakers
from state.circuit import OPENS_AT
from sync import allocation, drain, intake
from tests.sync.conftest import Bench, JobRun, woo_order
from tests.sync.promise.setting import listed, promise, push, stock_keys, written


def rows(bench: Bench, kind: str = "stock") -> list[Row[Any]]:
    query = select(t.intent).where(t.intent.c.kind == kind).order_by(t.intent.c.id)
    with bench.store.read() as conn:
        return list(conn.execute(query))


def declare(bench: Bench, idempotency: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    info = bench.shop.info
    pushes = {**info.pushes, "push_stock": Push(100, idempotency)}
    monkeypatch.setattr(bench.shop, "info", replace(info, pushes=pushes))


# ---- the newest quantity -----------------------------------------------------------------------


class Slow:
    """A channel during whose first call the goods sell out; then it answers with ``trouble``."""

    def __init__(self, bench: Bench, trouble: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sent: list[int] = []

        def push_stock(updates: Mapping[str, c.StockUpdate]) -> Sequence[Outcome]:
            self.sent += [update.quantity for update in updates.values()]
            if len(self.sent) > 1:
                return [Outcome(key, "applied") for key in updates]
            bench.clock.advance(1)
            bench.put("A", "berlin", 0)
            promise(bench)
            if isinstance(trouble, BaseException):
                raise trouble
            return [Outcome(key, **trouble) for key in updates]

        monkeypatch.setattr(bench.shop, "push_stock", push_stock)


@pytest.mark.parametrize(
    "trouble",
    [
        Retryable("busy", retry_after=3600),
        Ambiguous("the reply was lost"),
        {"status": "retry", "message": "locked"},
        {"status": "unknown", "message": "not named"},
    ],
    ids=["all of it later", "reply lost", "later", "unknown"],
)
def test_a_quantity_that_came_back_unsent_never_follows_or_holds_up_the_newer_one(
    bench: Bench, trouble: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """10 comes back as everything sells: 0 goes out at once, and 10 never again."""
    bench.put("A", "berlin", 10)
    listed(bench, A=0)
    shop = Slow(bench, trouble, monkeypatch)
    promise(bench)
    push(bench)
    push(bench)
    assert shop.sent == [10, 0]
    bench.clock.advance(7200)
    push(bench)
    assert shop.sent == [10, 0]
    assert [state for _, state, _ in stock_keys(bench)] == ["superseded", "done"]


def test_a_crash_during_a_call_does_not_bring_an_older_quantity_back(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.put("A", "berlin", 10)
    listed(bench, A=0)
    shop = Slow(bench, KeyboardInterrupt(), monkeypatch)
    promise(bench)
    with pytest.raises(KeyboardInterrupt):
        push(bench)
    bench.clock.advance(60)
    push(bench)
    assert shop.sent == [10, 0]


DEEDS = st.lists(
    st.tuples(st.sampled_from(["plan", "claim", "retry", "done", "lost"]), st.integers(0, 90)),
    max_size=30,
)


@given(deeds=DEEDS)
@settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_versions_go_out_in_rising_order_one_at_a_time(
    bench: Bench, deeds: list[tuple[str, int]]
) -> None:
    """However plans, calls and their ends interleave, planned without looking at what is there."""
    link, subject = bench.hub.links["shop"].id, next(_SUBJECTS)
    sent: list[int] = []
    version = 0
    with bench.store.write() as conn:
        for deed, wait in deeds:
            bench.clock.advance(wait)
            now = bench.clock.now()
            under_way = [
                r for r in intents.of_subject(conn, "stock", subject) if r.state == "sending"
            ]
            assert len(under_way) <= 1
            if deed == "plan":
                version += 1
                plan(conn, link, subject, version, now)
            elif deed == "claim":
                due = intents.due(conn, link, "stock", now, 100, newest=True)
                mine = [row for row in due if row.subject_id == subject]
                claimed = intents.claim(conn, mine, now, newest=True)
                sent += [row.body["quantity"] for row in claimed]
                if claimed:
                    assert sent[-1] == version, "the newest there is"
            elif under_way and deed == "retry":
                later = now + timedelta(seconds=60)
                intents.move(conn, under_way[0].id, "planned", not_before=later)
            elif under_way:
                intents.move(conn, under_way[0].id, "done" if deed == "done" else "review")
    assert sent == sorted(sent)


_SUBJECTS = iter(range(10_000, 1_000_000))


def plan(conn: Any, link: int, subject: int, version: int, now: Any) -> None:
    intents.plan(
        conn,
        connection_id=link,
        kind="stock",
        subject=("listing", subject),
        key=f"stock:{subject}:{version}",
        body={"quantity": version},
        now=now,
    )


# ---- one bad handle ----------------------------------------------------------------------------


class Feeds:
    """A channel that takes every write for later, one batch each, and tells the end when polled.

    ``ends``: by variant, a status or what is raised; no entry: still at work.
    """

    def __init__(self, bench: Bench) -> None:
        self.ends: dict[str, Any] = {}
        self.polled: list[str] = []
        feeds = self

        class FeedShop(type(bench.shop)):  # type: ignore[misc]
            def push_stock(self, updates: Mapping[str, c.StockUpdate]) -> Sequence[Outcome]:
                return [
                    Outcome(key, "accepted", handle=f"feed-{update.external_variant_id}")
                    for key, update in updates.items()
                ]

            def poll_submission(self, handle: str, keys: Sequence[str]) -> Sequence[Outcome] | None:
                feeds.polled.append(handle)
                end = feeds.ends.get(handle.removeprefix("feed-"))
                if isinstance(end, Exception):
                    raise end
                return [Outcome(key, end) for key in keys] if end else None

        bench.shop = FeedShop()
        link = replace(bench.hub.links["shop"], connector=bench.shop)
        bench.hub = replace(bench.hub, links={**bench.hub.links, "shop": link})


@pytest.fixture
def feeds(bench: Bench) -> Feeds:
    """A and B are written, each in a feed of its own; C waits for its turn."""
    found = Feeds(bench)
    for sku, quantity in (("A", 1), ("B", 2), ("C", 3)):
        bench.put(sku, "berlin", quantity)
    listed(bench, A=0, B=0)
    written(bench)
    listed(bench, C=0)
    promise(bench)
    return found


def states(bench: Bench) -> list[str]:
    return [row.state for row in rows(bench)]


def test_a_feed_that_is_gone_concerns_its_own_writes_only(bench: Bench, feeds: Feeds) -> None:
    feeds.ends = {"11": Rejected("no such feed", status=404), "12": "applied"}
    run = push(bench)
    assert states(bench) == ["planned", "done", "accepted"]
    assert run.counts["results_lost"] == 1
    assert "no such feed" in rows(bench)[0].message
    feeds.ends["11"] = "applied"
    bench.clock.advance(60)
    push(bench)
    push(bench)
    assert states(bench)[0] == "done", "an absolute number is simply written again"


def test_a_lost_feed_is_looked_at_by_a_person_where_a_repeat_might_do_harm(
    bench: Bench, feeds: Feeds, monkeypatch: pytest.MonkeyPatch
) -> None:
    declare(bench, "none", monkeypatch)
    feeds.ends = {"11": Rejected("no such feed"), "12": "applied"}
    push(bench)
    assert states(bench) == ["review", "done", "accepted"]


def test_a_report_that_cannot_be_read_is_asked_for_less_and_less_often(
    bench: Bench, feeds: Feeds
) -> None:
    feeds.ends = {"11": Unreachable("the report is cut off"), "12": "applied", "13": "applied"}
    for _ in range(40):
        bench.clock.advance(180)
        push(bench)
    assert states(bench) == ["accepted", "done", "done"]
    assert feeds.polled.count("feed-11") < 9, "and not 40 times in two hours"
    assert rows(bench)[0].message == "the report is cut off"
    feeds.ends["11"] = "applied"
    bench.clock.advance(3600)
    push(bench)
    assert states(bench) == ["done"] * 3


def test_a_vendor_that_names_a_time_is_asked_then(bench: Bench, feeds: Feeds) -> None:
    feeds.ends = {"11": Retryable("slow down", retry_after=120)}
    push(bench)
    for seconds, times in ((119, 1), (2, 2)):
        bench.clock.advance(seconds)
        push(bench)
        assert feeds.polled.count("feed-11") == times


def test_a_feed_without_a_readable_report_does_not_hold_up_its_listing_for_ever(
    bench: Bench, feeds: Feeds
) -> None:
    feeds.ends = {"11": Unreachable("the report is cut off")}
    for _ in range(10):
        bench.clock.advance(3600)
        push(bench)
    assert rows(bench)[0].attempts > 1, "after six hours it is written again"


def test_fault_row_69_no_feed_is_given_up_while_its_vendor_is_known_to_be_down(
    bench: Bench, feeds: Feeds
) -> None:
    feeds.ends = {"11": VendorDown("shop", bench.clock.now(), 300.0)}
    before = [(row.state, row.attempts, row.not_before) for row in rows(bench)]
    for _ in range(10):
        bench.clock.advance(3600)
        with pytest.raises(VendorDown):
            push(bench)
    assert [(row.state, row.attempts, row.not_before) for row in rows(bench)] == before
    assert set(feeds.polled) == {"feed-11"}


def test_fault_row_23_nothing_is_claimed_while_the_vendor_is_down(
    bench: Bench, feeds: Feeds
) -> None:
    breaker = Breakers(bench.store, bench.clock)
    for _ in range(OPENS_AT):
        breaker.leave("shop", "trouble", probe=False)
    before = [(row.state, row.attempts) for row in rows(bench)]
    with pytest.raises(VendorDown, match="the next try is in"):
        push(bench)
    assert [(row.state, row.attempts) for row in rows(bench)] == before
    assert feeds.polled == []
    breaker.leave("shop", "answered", probe=False)
    push(bench)
    assert [row.attempts for row in rows(bench)] == [1, 1, 1]


def test_a_vendor_that_is_down_is_not_asked_about_every_feed(bench: Bench, feeds: Feeds) -> None:
    polled: list[str] = []

    def poll_submission(handle: str, keys: Sequence[str]) -> None:
        polled.append(handle)
        bench.clock.advance(90)
        raise Unreachable("no answer in 90 s")

    bench.shop.poll_submission = poll_submission  # type: ignore[attr-defined]
    push(bench)
    assert polled == ["feed-11"]
    push(bench)
    assert polled == ["feed-11", "feed-12"], "the other one's turn"


def test_writes_of_a_connection_that_reads_no_results_any_more_are_settled(
    bench: Bench, feeds: Feeds
) -> None:
    plain = type(bench.shop).__mro__[1]()
    link = replace(bench.hub.links["shop"], connector=plain)
    bench.hub = replace(bench.hub, links={**bench.hub.links, "shop": link})
    bench.shop = plain
    push(bench)
    bench.clock.advance(60)
    push(bench)
    assert plain.stock == {"11": 1, "12": 2, "13": 3}
    assert states(bench) == ["done"] * 3


# ---- one bad look-up ---------------------------------------------------------------------------


@pytest.fixture
def unknown_label(bench: Bench) -> Bench:
    """Two labels whose replies were lost, due to be looked up; neither was bought."""
    bench.put("A", "berlin", 5)
    bench.shop.pages = [[woo_order(1, {"A": 1}), woo_order(2, {"A": 1})]]
    bench.run(intake.pull_orders, "shop")
    bench.run(allocation.allocate)
    for _ in range(2):
        lost = Ambiguous("the reply was lost")
        lost.after_effect = False  # type: ignore[attr-defined]
        bench.carrier.answers.append(lost)
    push_labels(bench)
    assert [row.state for row in rows(bench, "label")] == ["unknown"] * 2
    bench.clock.advance(61)
    return bench


def push_labels(bench: Bench) -> JobRun:
    return bench.run(drain.push, "labels")


def find_trouble(bench: Bench, trouble: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    """Looking the first label up ends in ``trouble``."""
    first = rows(bench, "label")[0].body["reference"]

    def find_label(reference: str) -> None:
        if reference == first:
            raise trouble

    monkeypatch.setattr(bench.carrier, "find_label", find_label)


def test_fault_row_56_two_hits_ask_a_person_and_the_rest_goes_on(
    unknown_label: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = unknown_label
    find_trouble(bench, Ambiguous("two labels carry it"), monkeypatch)
    run = push_labels(bench)
    assert [row.state for row in rows(bench, "label")] == ["review", "done"]
    assert run.counts["unresolved"] == 1
    assert bench.carrier.bought == 1


def test_fault_row_56_a_refused_look_up_proves_nothing_and_ends_with_a_person(
    unknown_label: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = unknown_label
    find_trouble(bench, Rejected("not found", status=404), monkeypatch)
    push_labels(bench)
    assert [row.state for row in rows(bench, "label")] == ["unknown", "done"]
    bench.clock.advance(6 * 3600)
    push_labels(bench)
    assert [row.state for row in rows(bench, "label")] == ["review", "done"]
    assert bench.carrier.bought == 1


@pytest.mark.parametrize(
    ("trouble", "ends"),
    [(Unreadable("a label without a price"), "review"), (Unreachable("timeout"), "unknown")],
)
def test_fault_row_56_what_can_never_be_read_ends_with_a_person_and_an_outage_does_not(
    unknown_label: Bench, trouble: Exception, ends: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = unknown_label
    find_trouble(bench, trouble, monkeypatch)
    push_labels(bench)
    assert [row.state for row in rows(bench, "label")] == ["unknown", "done"]
    bench.clock.advance(6 * 3600)
    push_labels(bench)
    (first, _) = rows(bench, "label")
    assert first.state == ends
    assert str(trouble) in first.message


def test_fault_row_69_no_look_up_is_put_off_because_the_vendor_is_known_to_be_down(
    unknown_label: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = unknown_label
    bench.clock.advance(6 * 3600)
    (first, *_) = rows(bench, "label")
    find_trouble(bench, VendorDown("carrier", bench.clock.now(), 300.0), monkeypatch)
    with pytest.raises(VendorDown):
        push_labels(bench)
    (after, *_) = rows(bench, "label")
    assert (after.state, after.not_before) == ("unknown", first.not_before)


def test_a_look_up_without_an_answer_is_made_again_later(
    unknown_label: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench, first = unknown_label, rows(unknown_label, "label")[0].body["reference"]
    asked: list[str] = []

    def find_label(reference: str) -> None:
        asked.append(reference)
        if reference == first and len(asked) < 4:
            raise Unreachable("no answer")

    monkeypatch.setattr(bench.carrier, "find_label", find_label)
    push_labels(bench)
    assert [row.state for row in rows(bench, "label")] == ["unknown", "done"]
    for _ in range(20):
        bench.clock.advance(30)
        push_labels(bench)
    assert [row.state for row in rows(bench, "label")] == ["done", "done"]
    assert asked.count(first) <= 4
    assert bench.carrier.bought == 2


# ---- certainly not sent ------------------------------------------------------------------------


@pytest.mark.parametrize("idempotency", ["none", "absolute"])
def test_what_wrong_credentials_kept_from_being_sent_is_unsent(
    bench: Bench, idempotency: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    declare(bench, idempotency, monkeypatch)
    bench.put("A", "berlin", 10)
    listed(bench, A=0)
    promise(bench)
    bench.shop.answers.append(ConfigProblem("answered 401"))
    with pytest.raises(ConfigProblem):
        push(bench)
    [row] = rows(bench)
    assert (row.state, row.attempts) == ("planned", 0), "so it may still be withdrawn"
    push(bench)
    assert bench.shop.stock == {"11": 10}


def test_the_half_that_was_sent_before_the_credentials_expired_stays_sent(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    declare(bench, "none", monkeypatch)
    for sku in ("A", "B"):
        bench.put(sku, "berlin", 4)
    listed(bench, A=0, B=0)
    promise(bench)
    answers: list[Any] = [Rejected("one of them is bad"), None, ConfigProblem("answered 401")]

    def push_stock(updates: Mapping[str, c.StockUpdate]) -> Sequence[Outcome]:
        answer = answers.pop(0)
        if answer is not None:
            raise answer
        return [Outcome(key, "applied") for key in updates]

    monkeypatch.setattr(bench.shop, "push_stock", push_stock)
    with pytest.raises(ConfigProblem):
        push(bench)
    assert states(bench) == ["done", "planned"]


def test_a_lost_reply_that_nobody_can_look_up_is_a_person_s(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A quantity has no look-up: said to have one, it would wait for ever."""
    declare(bench, "lookup", monkeypatch)
    bench.put("A", "berlin", 10)
    listed(bench, A=0)
    promise(bench)
    bench.shop.answers.append(Ambiguous("the reply was lost"))
    push(bench)
    assert states(bench) == ["review"]
