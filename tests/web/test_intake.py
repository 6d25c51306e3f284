"""What becomes of a webhook, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from sqlalchemy import text
from structlog.testing import capture_logs

from state import hook_events
from state.store import Store
from tests.web.conftest import SHOP_SECRET, Bench, OpenBench


def test_a_webhook_is_kept_and_its_stream_wanted_and_hinted(bench: Bench) -> None:
    bench.clock.advance(60)
    answer = bench.woo(b'{"id":7,"date_modified_gmt":"2026-11-02T08:00:00","billing":{"x":"Ada"}}')
    assert answer.status == 200
    (row,) = bench.events()
    assert (row.topic, row.external_id, row.state) == ("order.updated", "7", "nudged")
    assert row.version == "2026-11-02T08:00:00"
    assert set(row.headers) == {
        "x-wc-webhook-topic",
        "x-wc-webhook-id",
        "x-wc-webhook-delivery-id",
        "x-wc-webhook-source",
    }
    assert "Ada" not in str(tuple(row))
    assert bench.stream("pull-orders:shop").want == 1
    assert bench.hinted == ["pull-orders:shop"]


def test_fault_row_34_the_same_event_a_hundred_times_at_once_has_one_effect(bench: Bench) -> None:
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: bench.woo().status, range(100)))
    assert set(answers) == {200}
    assert len(bench.events()) == 1
    assert bench.stream("pull-orders:shop").want == 1
    bench.intake.close()
    with bench.store.read() as conn:
        assert list(hook_events.tallies(conn).values()) == [{"repeated": 99}]


@pytest.mark.parametrize(
    ("name", "headers", "body"),
    [
        ("shop", {}, b"{}"),
        ("shop", {"x-wc-webhook-signature": ""}, b"{}"),
        ("shop", {"x-wc-webhook-signature": "AAAA"}, b"{}"),
        ("shop", {"x-wc-webhook-signature": "\u00e9\u20ac"}, b"{}"),
        ("bob", {"webhook-id": "m", "webhook-signature": "v1,x"}, b"{}"),
        ("bob", {"webhook-id": "m", "webhook-timestamp": "9" * 400}, b"{}"),
        ("bob", {"webhook-id": "m", "webhook-timestamp": "\u0661"}, b"{}"),
    ],
)
def test_fault_row_38_what_is_not_proven_is_refused_and_leaves_no_row(
    bench: Bench, name: str, headers: dict[str, str], body: bytes
) -> None:
    assert bench.intake.receive(name, headers, body).status == 401
    assert bench.events() == []
    bench.intake.close()
    with bench.store.read() as conn:
        (counted,) = hook_events.tallies(conn).values()
    assert sum(counted.values()) == 1


def test_an_address_without_a_secret_does_not_exist(bench: Bench) -> None:
    for name in ("closed", "nobody", "", "Shop"):
        assert bench.intake.receive(name, {}, b"{}").status == 404
        assert not bench.intake.is_open(name)


def test_a_shop_may_try_the_address_without_a_signature(bench: Bench) -> None:
    assert bench.intake.receive("shop", {}, b"webhook_id=12").status == 200
    assert bench.intake.receive("shop", {}, b"webhook_id=12&x=1").status == 401
    assert bench.events() == []


def test_fault_row_39_an_old_time_is_refused_and_a_new_one_of_the_same_event_is_known(
    bench: Bench,
) -> None:
    assert bench.bob().status == 200
    bench.clock.advance(600)
    assert bench.bob().status == 200
    assert len(bench.events()) == 1
    assert bench.stream("pull-shipments:bob").want == 1


def test_fault_row_45_an_unknown_topic_is_kept_and_flagged_and_nudges_nothing(
    bench: Bench,
) -> None:
    assert bench.woo(b'{"id":1}', topic="coupon.created").status == 200
    assert bench.bob(topic="billing.charge.created").status == 200
    assert [(row.topic, row.state) for row in bench.events()] == [
        ("coupon.created", "unused"),
        ("billing.charge.created", "unused"),
    ]
    assert bench.hinted == []


def test_fault_row_47_a_privacy_webhook_about_nobody_is_recorded_without_the_person(
    bench: Bench,
) -> None:
    body = b'{"id":99,"email":"ada@example.org"}'
    assert bench.woo(body, topic="customer.deleted").status == 200
    (row,) = bench.events()
    assert row.external_id == "99"
    assert "ada@" not in str(tuple(row))


@pytest.fixture
def hasty(store: Store) -> Iterator[Store]:
    made = Store(store.url.render_as_string(hide_password=False), 0.2)
    yield made
    made.close()


def test_fault_row_42_a_locked_store_is_said_with_503_and_never_with_200(
    open_bench: OpenBench, hasty: Store
) -> None:
    with capture_logs():
        bench = open_bench(hasty)
        with bench.store.engine.begin() as blocker:
            if not bench.store.is_sqlite:
                blocker.execute(text("LOCK TABLE hook_event IN ACCESS EXCLUSIVE MODE"))
            assert bench.woo().status == 503
        assert bench.events() == []
        assert bench.woo().status == 200
        assert len(bench.events()) == 1


def test_fault_row_42_a_store_that_is_gone_is_said_with_503(open_bench: OpenBench) -> None:
    nowhere = Store("sqlite:////nowhere/at/all.db", 0.1)
    with capture_logs():
        assert open_bench(nowhere).woo().status == 503
    nowhere.close()


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
@given(
    topic=st.text(max_size=300),
    external_id=st.one_of(st.integers(), st.text(max_size=300)),
    noise=st.binary(max_size=50),
)
@examples(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_nothing_that_a_vendor_may_say_keeps_a_proven_webhook_out(
    bench: Bench, topic: str, external_id: Any, noise: bytes
) -> None:
    import msgspec

    from connectors.hooks import signatures

    body = msgspec.json.encode({"id": external_id, "resource_type": topic}) + noise
    (signature,) = signatures([SHOP_SECRET.encode()], body)
    headers = {"x-wc-webhook-signature": signature.decode(), "x-wc-webhook-topic": topic}
    assert bench.intake.receive("shop", headers, body).status == 200
    row = bench.events()[-1]
    assert row.topic.isprintable()
    assert len(row.topic) <= 200


@pytest.mark.parametrize("store_url", ["postgresql"], indirect=True)
def test_postgresql_is_not_told_what_it_cannot_store(bench: Bench) -> None:
    body = b'{"id":"a\\u0000b\\ud83d\\ude00","date_modified_gmt":"\\u0000"}'
    assert bench.woo(body, x_wc_webhook_topic="order.\0updated").status == 200
    assert bench.events()[0].external_id == "ab\U0001f600"


def test_events_are_known_for_thirty_days_and_then_pruned(bench: Bench) -> None:
    bench.woo()
    bench.clock.advance(timedelta(days=30).total_seconds())
    with bench.store.write() as conn:
        assert hook_events.prune(conn, bench.clock.now()) == 0
    bench.clock.advance(1)
    with bench.store.write() as conn:
        assert hook_events.prune(conn, bench.clock.now()) == 1


def test_the_last_event_that_had_a_stream_read_is_found(bench: Bench) -> None:
    def last(name: str, seconds_ago: float) -> datetime | None:
        since = bench.clock.now() - timedelta(seconds=seconds_ago)
        with bench.store.read() as conn:
            return hook_events.last_nudge(conn, bench.endpoints[name].connection_id, since)

    assert last("shop", 60) is None
    came = bench.clock.now()
    bench.woo()
    bench.clock.advance(5)
    bench.bob()
    bench.woo(b'{"id":8}', topic="product.updated")
    assert last("shop", 8) == came
    assert last("shop", 5) is None
    assert last("bob", 8) == bench.clock.now()


def test_a_flood_of_forgeries_writes_at_most_once_a_minute(bench: Bench) -> None:
    for _ in range(50):
        bench.intake.receive("shop", {}, b"{}")
    with bench.store.read() as conn:
        assert hook_events.tallies(conn) == {}
    bench.clock.advance(61)
    bench.intake.receive("shop", {}, b"{}")
    with bench.store.read() as conn:
        assert list(hook_events.tallies(conn).values()) == [{"unsigned": 51}]
