"""The door: what is repeated, what is not, and what every outcome turns into."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.base import Rate
from connectors.errors import (
    Ambiguous,
    ConfigProblem,
    CrossdockError,
    RateLimited,
    Rejected,
    Unreachable,
)
from connectors.http import ApiClient, Call, Door
from sandbox.clock import ManualClock

BASE = "https://shop.example/api"
Scripted = Callable[..., Any]
Connect = Callable[..., ApiClient]


def ok(**more: Any) -> httpx.Response:
    return httpx.Response(200, json={"fine": True}, **more)


# ---- what is repeated ------------------------------------------------------------------------

LOST = [
    httpx.ReadTimeout("no answer"),
    httpx.WriteError("broken pipe"),
    httpx.ReadError("connection reset"),
    httpx.RemoteProtocolError("server disconnected"),
]
NEVER_SENT = [
    httpx.ConnectError("refused"),
    httpx.ConnectTimeout("slow"),
    httpx.PoolTimeout("full"),
]
TROUBLE = [500, 502, 503, 504, 520, 408, 302, 600]
WRITES = ["POST", "PUT", "PATCH", "DELETE"]


@pytest.mark.parametrize("trouble", [*LOST, *NEVER_SENT], ids=lambda e: type(e).__name__)
def test_a_read_is_repeated_after_transport_trouble(
    connect: Connect, scripted: Scripted, trouble: Exception
) -> None:
    script = scripted(trouble, trouble, ok())
    assert connect(script).get("/orders", op="list").json() == {"fine": True}
    assert len(script.requests) == 3


@pytest.mark.parametrize("status", TROUBLE)
def test_a_read_is_repeated_after_trouble_on_their_side(
    connect: Connect, scripted: Scripted, status: int
) -> None:
    script = scripted(httpx.Response(status), ok())
    assert connect(script).get("/orders", op="list").status == 200
    assert len(script.requests) == 2


def test_a_read_gives_up_after_four_attempts(
    connect: Connect, scripted: Scripted, clock: ManualClock
) -> None:
    script = scripted(httpx.Response(503, headers={"Retry-After": "3"}))
    began = clock.now()
    with pytest.raises(Unreachable, match="answered 503") as caught:
        connect(script).get("/orders", op="list")
    assert (len(script.requests), caught.value.retry_after) == (4, 3.0)
    assert 9 <= (clock.now() - began).total_seconds() < 10


@pytest.mark.parametrize("method", WRITES)
@pytest.mark.parametrize("trouble", NEVER_SENT, ids=lambda e: type(e).__name__)
def test_a_write_is_repeated_when_it_was_never_sent(
    connect: Connect, scripted: Scripted, method: str, trouble: Exception
) -> None:
    script = scripted(trouble, ok())
    assert connect(script).request(method, "/orders", op="write", json={}).status == 200
    assert len(script.requests) == 2


@pytest.mark.parametrize("method", WRITES)
@pytest.mark.parametrize("trouble", LOST, ids=lambda e: type(e).__name__)
def test_a_write_whose_reply_is_lost_is_ambiguous_and_sent_once(
    connect: Connect, scripted: Scripted, method: str, trouble: Exception
) -> None:
    script = scripted(trouble, ok())
    with pytest.raises(Ambiguous, match="may have taken effect"):
        connect(script).request(method, "/orders", op="write", json={})
    assert len(script.requests) == 1


@pytest.mark.parametrize("status", [*TROUBLE, 301])
def test_a_write_with_an_unclear_status_is_ambiguous(
    connect: Connect, scripted: Scripted, status: int
) -> None:
    script = scripted(httpx.Response(status), ok())
    with pytest.raises(Ambiguous):
        connect(script).post("/orders", op="write", json={})
    assert len(script.requests) == 1


@pytest.mark.parametrize(
    "body", [b"", b"<html>busy</html>", b'{"id": 1', b"OK", b'{"id": NaN}', b"[" * 100_000]
)
def test_an_unreadable_success_is_ambiguous_for_a_write_and_repeated_for_a_read(
    connect: Connect, scripted: Scripted, body: bytes
) -> None:
    with pytest.raises(Ambiguous):
        connect(scripted(httpx.Response(200, content=body))).post("/orders", op="write", json={})
    script = scripted(httpx.Response(200, content=body), ok())
    assert connect(script).get("/orders", op="list").json() == {"fine": True}


def test_a_write_of_absolute_values_is_repeated_like_a_read(
    connect: Connect, scripted: Scripted
) -> None:
    script = scripted(httpx.ReadTimeout("slow"), httpx.Response(502), ok())
    reply = connect(script).put("/stock", op="write", json={"quantity": 5}, idempotent=True)
    assert (reply.status, len(script.requests)) == (200, 3)
    assert {request.content for request in script.requests} == {b'{"quantity":5}'}


# ---- limits ----------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["GET", *WRITES])
def test_too_many_requests_blocks_everybody_and_is_repeated(
    connect: Connect, scripted: Scripted, limiter: Any, clock: ManualClock, method: str
) -> None:
    began = clock.now()
    script = scripted(httpx.Response(429, headers={"Retry-After": "2"}), ok())
    assert connect(script).request(method, "/orders", op="any").status == 200
    assert limiter.blocked == [("test/*", 2.0)]
    assert 2.0 <= (clock.now() - began).total_seconds() <= 2.2


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7"}, 7.0),
        ({"Retry-After": "-5"}, 0.0),
        ({"Retry-After": "999999"}, 3600.0),
        ({"x-retry-after": "12"}, 12.0),
        ({"Retry-After": "soon", "x-retry-after": "9"}, 9.0),
        ({"Retry-After": "Mon, 02 Nov 2026 08:00:30 GMT"}, 30.0),
        (
            {
                "Retry-After": "Mon, 02 Nov 2026 10:00:30 GMT",
                "Date": "Mon, 02 Nov 2026 10:00:00 GMT",
            },
            30.0,
        ),
        ({"Retry-After": "nan"}, 20.0),
        ({}, 20.0),
    ],
)
def test_the_wait_after_429_in_every_spelling(
    connect: Connect, scripted: Scripted, limiter: Any, headers: dict[str, str], seconds: float
) -> None:
    client = connect(scripted(httpx.Response(429, headers=headers)), limits={"*": Rate(0.05, 5)})
    with pytest.raises(RateLimited) as caught:
        client.get("/orders", op="list")
    assert caught.value.retry_after == seconds
    assert limiter.blocked[0] == ("test/*", seconds)


def test_an_operation_has_its_own_bucket_and_the_rest_share_one(
    connect: Connect, scripted: Scripted, limiter: Any
) -> None:
    slow, shared = Rate(0.0056, 20), Rate(5, 5)
    client = connect(scripted(ok()), limits={"search": slow, "*": shared})
    for op in ("search", "get", "patch"):
        client.get("/orders", op=op)
    assert limiter.asked == [("test/search", slow), ("test/*", shared), ("test/*", shared)]


def test_a_short_wait_is_slept_and_a_long_one_gives_the_thread_back(
    connect: Connect, scripted: Scripted, limiter: Any, clock: ManualClock
) -> None:
    script = scripted(ok())
    client, began = connect(script), clock.now()
    limiter.wait = 4.0
    client.get("/orders", op="list")
    assert (clock.now() - began).total_seconds() == 4.0
    limiter.wait = 179.0
    with pytest.raises(RateLimited, match="used up for 179 s") as caught:
        client.get("/orders", op="list")
    assert (caught.value.retry_after, len(script.requests)) == (179.0, 1)


# ---- refusals --------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [401, 403])
def test_refused_credentials_are_a_matter_of_configuration(
    connect: Connect, scripted: Scripted, status: int
) -> None:
    script = scripted(httpx.Response(status, json={"code": "no", "message": "Key is invalid."}))
    with pytest.raises(ConfigProblem, match=r"Key is invalid\. Check the credentials"):
        connect(script).get("/orders", op="list")
    assert len(script.requests) == 1


def test_a_firewall_page_does_not_park_the_connection(connect: Connect, scripted: Scripted) -> None:
    page = httpx.Response(403, html="<html>Access denied</html>")
    with pytest.raises(Unreachable, match="firewall or security plugin"):
        connect(scripted(page)).post("/orders", op="write", json={})


@pytest.mark.parametrize(
    ("body", "code", "said"),
    [
        (
            {"code": "rest_invalid_param", "message": "Invalid parameter(s): x"},
            "rest_invalid_param",
            "Invalid parameter",
        ),
        (
            {"errors": [{"code": "InvalidInput", "message": "bad date", "details": ""}]},
            "InvalidInput",
            "bad date",
        ),
        ({"errors": [{"error_code": "unauthorized", "message": "no"}]}, "unauthorized", "no"),
        (
            {"title": "Validation", "errors": {"reference_id": ["taken"]}},
            "Validation",
            "reference_id: taken",
        ),
        ({"error": "invalid_grant", "error_description": "expired"}, "invalid_grant", "expired"),
        ([{"message": "first"}, {"message": "second"}], "", "first; second"),
        ("just text", "", "just text"),
        (17, "", "422"),
    ],
)
def test_a_refusal_carries_the_vendors_code_and_word(
    connect: Connect, scripted: Scripted, body: Any, code: str, said: str
) -> None:
    client = connect(scripted(httpx.Response(422, json=body)))
    with pytest.raises(Rejected) as caught:
        client.post("/orders", op="write", json={})
    assert (caught.value.code, caught.value.status) == (code, 422)
    assert said in str(caught.value)


@given(st.binary(max_size=200), st.integers(100, 999))
def test_no_body_and_no_status_is_anything_but_a_reply_or_one_of_our_errors(
    body: bytes, status: int
) -> None:
    limiter = type("Free", (), {"wait_s": lambda *a: 0.0, "block": lambda *a: None})()
    clock = ManualClock(datetime(2026, 11, 2, tzinfo=UTC))
    transport = httpx.MockTransport(lambda _: httpx.Response(status, content=body))
    client = Door("test", clock, limiter, transport).client(BASE, limits={})
    told = "test: write: shop.example"
    try:
        assert client.post("/x", op="write", json={}).status // 100 == 2
    except CrossdockError as error:
        told = str(error)
    finally:
        client.close()
    assert told.startswith("test: write: shop.example")
    assert len(told) < 700


def test_a_moved_address_is_told_with_its_remedy_and_not_followed(
    connect: Connect, scripted: Scripted
) -> None:
    moved = httpx.Response(301, headers={"Location": "https://www.shop.example/api/orders"})
    script = scripted(moved)
    with pytest.raises(ConfigProblem, match=r"https://www\.shop\.example/api/orders"):
        connect(script).get("/orders", op="list")
    assert len(script.requests) == 1


# ---- the rest --------------------------------------------------------------------------------


def test_every_request_is_counted_with_its_status(
    connect: Connect, scripted: Scripted, calls: list[Call]
) -> None:
    script = scripted(httpx.ConnectError("refused"), httpx.Response(500), ok())
    connect(script).get("/orders", op="list")
    assert [(call.connection, call.op, call.status) for call in calls] == [
        ("test", "list", 0),
        ("test", "list", 500),
        ("test", "list", 200),
    ]
    assert all(call.seconds >= 0 for call in calls)


def test_parameters_and_bodies_are_sent_as_given(connect: Connect, scripted: Scripted) -> None:
    script = scripted(ok())
    body = {"weight": Decimal("1.50"), "at": datetime(2026, 11, 2, 6, tzinfo=UTC), "name": "Ünï"}
    params = {"page": 2, "status": ["a", "b"], "token": None, "after": "2026-11-02T06:00:00"}
    connect(script).post("/orders", op="write", params=params, json=body)
    (request,) = script.requests
    assert request.url.params.multi_items() == [
        ("page", "2"),
        ("status", "a"),
        ("status", "b"),
        ("after", "2026-11-02T06:00:00"),
    ]
    assert request.content == '{"weight":1.50,"at":"2026-11-02T06:00:00Z","name":"Ünï"}'.encode()
    assert json.loads(request.content)["weight"] == 1.5
    assert request.headers["accept-encoding"] == "gzip"


def test_their_clock_is_compared_with_ours(connect: Connect, scripted: Scripted) -> None:
    client = connect(scripted(ok(headers={"Date": "Mon, 02 Nov 2026 08:01:30 GMT"})))
    assert client.last_skew_s is None
    client.get("/orders", op="list")
    assert client.last_skew_s == 90.0


def test_a_reply_without_what_was_promised_is_no_success(
    connect: Connect, scripted: Scripted
) -> None:
    empty = scripted(httpx.Response(200, json={}))
    with pytest.raises(Unreachable, match="without orders"):
        connect(empty).get("/orders", op="list").object("orders")
    with pytest.raises(Ambiguous, match="without id"):
        connect(empty).post("/orders", op="write", json={}).object("id")
    with pytest.raises(Unreachable, match="not a list of objects"):
        connect(empty).get("/orders", op="list").rows()
    with pytest.raises(Unreachable, match="not a list of objects in rows"):
        connect(scripted(httpx.Response(200, json={"rows": [1]}))).get("/x", op="list").rows("rows")


def test_a_body_may_start_with_a_byte_order_mark(connect: Connect, scripted: Scripted) -> None:
    marked = httpx.Response(200, content=b'\xef\xbb\xbf\n[{"id": 1}]')
    assert connect(scripted(marked)).get("/orders", op="list").rows() == [{"id": 1}]


def test_no_content_is_a_reply_without_a_value(connect: Connect, scripted: Scripted) -> None:
    reply = connect(scripted(httpx.Response(204))).post("/x", op="write", json={})
    assert (reply.status, reply.json()) == (204, None)


def test_closing_a_client_leaves_a_lent_transport_open(open_door: Callable[..., Door]) -> None:
    class Lent(httpx.MockTransport):
        closed = False

        def close(self) -> None:
            self.closed = True

    lent = Lent(lambda _: ok())
    door = open_door(lent)
    door.client(BASE, limits={}).close()
    assert not lent.closed
