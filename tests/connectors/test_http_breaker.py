"""What opens the breaker, what closes it, and what passes it by."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from connectors.breaker import asking_anyway
from connectors.errors import Ambiguous, Rejected, Unreachable, VendorDown
from connectors.http import ApiClient
from jobs.clock import ManualClock
from state import migrate
from state.breakers import Breakers
from state.circuit import FIRST_S, JITTER, OPENS_AT
from state.store import Store

Client = Callable[..., tuple[ApiClient, Any]]

DOWN = httpx.Response(503)
WELL = httpx.Response(200, json={"ok": True})


@pytest.fixture
def breaker(tmp_path: Path, clock: ManualClock) -> Iterator[Breakers]:
    store = Store(f"sqlite:///{tmp_path / 'hub.db'}")
    migrate.upgrade(store)
    yield Breakers(store, clock)
    store.close()


@pytest.fixture
def client(
    connect: Callable[..., ApiClient], scripted: Callable[..., Any], breaker: Breakers
) -> Client:
    """A client behind the breaker, and the recorder of what really left."""

    def build(*answers: Any, **more: Any) -> tuple[ApiClient, Any]:
        vendor = scripted(*answers)
        return connect(vendor, door={"breaker": breaker}, **more), vendor

    return build


@pytest.mark.parametrize(
    "trouble", [httpx.ConnectError("refused"), httpx.ReadTimeout("late"), DOWN, httpx.Response(500)]
)
def test_a_read_that_meets_nothing_but_trouble_opens_it(
    client: Client, breaker: Breakers, trouble: Any
) -> None:
    api, vendor = client(trouble)
    # The trouble that was met is told, and not that the breaker has opened over it.
    with pytest.raises(Unreachable):
        api.get("/orders", op="list")
    assert len(vendor.requests) == OPENS_AT
    with pytest.raises(VendorDown, match="test: not asked: the vendor has been down since") as told:
        api.post("/orders", op="create", json={})
    assert told.value.retry_after == pytest.approx(FIRST_S * JITTER, rel=0.1)
    assert len(vendor.requests) == OPENS_AT
    assert breaker.is_open("test")


def test_one_answer_closes_it(client: Client, clock: ManualClock, breaker: Breakers) -> None:
    api, vendor = client(*[DOWN] * OPENS_AT, httpx.Response(404), WELL)
    with pytest.raises(Unreachable):
        api.get("/orders", op="list")
    clock.advance(FIRST_S * JITTER)
    # A refusal is an answer: somebody is there.
    with pytest.raises(Rejected):
        api.get("/orders/1", op="get")
    assert not breaker.is_open("test")
    assert api.get("/orders", op="list").json() == {"ok": True}
    assert len(vendor.requests) == OPENS_AT + 2


def test_a_probe_that_fails_is_one_call_and_the_next_comes_later(
    client: Client, clock: ManualClock
) -> None:
    api, vendor = client(DOWN)
    waits = []
    for probes in range(4):
        with pytest.raises(Unreachable):
            api.get("/orders", op="list")
        assert len(vendor.requests) == OPENS_AT + probes
        with pytest.raises(VendorDown) as told:
            api.get("/orders", op="other")
        waits.append(told.value.retry_after or 0.0)
        clock.advance(waits[-1])
    assert waits[0] < waits[1] < waits[2]


def test_writes_of_which_nobody_knows_are_not_repeated_and_open_it(client: Client) -> None:
    api, vendor = client(DOWN)
    for _ in range(OPENS_AT):
        with pytest.raises(Ambiguous):
            api.post("/orders", op="create", json={})
    with pytest.raises(VendorDown):
        api.post("/orders", op="create", json={})
    assert len(vendor.requests) == OPENS_AT


def test_a_person_who_asks_is_not_kept_out_and_an_answer_counts(
    client: Client, breaker: Breakers
) -> None:
    api, _ = client(*[DOWN] * OPENS_AT, WELL)
    with pytest.raises(Unreachable):
        api.get("/orders", op="list")
    with asking_anyway():
        assert api.get("/orders", op="list").json() == {"ok": True}
    assert not breaker.is_open("test")


def test_limits_and_refused_credentials_never_open_it(client: Client, breaker: Breakers) -> None:
    api, _ = client(httpx.Response(429, headers={"Retry-After": "600"}))
    for _ in range(2 * OPENS_AT):
        with pytest.raises(Exception, match="429"):
            api.get("/orders", op="list")
    assert not breaker.is_open("test")


def test_files_elsewhere_and_tokens_pass_it_by(client: Client, breaker: Breakers) -> None:
    api, _ = client(DOWN, document_hosts=["files.example"])
    for _ in range(OPENS_AT):
        with pytest.raises(Unreachable):
            api.download("https://files.example/report", op="report")
    assert not breaker.is_open("test")
    token, _ = client(WELL, on_the_way=True)
    other, _ = client(DOWN)
    with pytest.raises(Unreachable):
        other.get("/orders", op="list")
    # The login answers; whether the vendor's API does is another question.
    assert token.get("/token", op="token").json() == {"ok": True}
    assert breaker.is_open("test")
