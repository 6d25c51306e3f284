"""One token for all threads: fetched once, replaced in time, and never asked for in vain."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest
from pydantic import SecretStr

from connectors.errors import Ambiguous, ConfigProblem, CrossdockError, Unreachable
from connectors.http import ApiClient, Door
from connectors.oauth import Grant, RefreshedToken
from sandbox.clock import ManualClock

GRANT = Grant(
    "https://login.example/auth/token",
    "client-1",
    SecretStr("s3cret/CANARY"),
    SecretStr("rt-CANARY"),
)


class Vendor(httpx.BaseTransport):
    """A token endpoint and an API that takes the tokens it has not revoked."""

    def __init__(self) -> None:
        self.issued = 0
        self.served = 0
        self.revoked: set[str] = set()
        self.login_answer: httpx.Response | None = None
        self.api_answer: httpx.Response | None = None
        self.forms: list[dict[str, list[str]]] = []
        self.slowly = threading.Event()
        self.slowly.set()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.host == "login.example":
            self.slowly.wait(5)
            self.forms.append(parse_qs(request.read().decode()))
            if self.login_answer is not None:
                return self.login_answer
            self.issued += 1
            return httpx.Response(
                200, json={"access_token": f"at-{self.issued}", "expires_in": 3600}
            )
        if self.api_answer is not None:
            return self.api_answer
        if request.headers.get("x-token", "") in {"", *self.revoked}:
            return httpx.Response(403, json={"errors": [{"code": "Unauthorized", "message": "no"}]})
        self.served += 1
        return httpx.Response(200, json={"token": request.headers["x-token"]})


@pytest.fixture
def vendor() -> Vendor:
    return Vendor()


@pytest.fixture
def api(vendor: Vendor, open_door: Callable[..., Door]) -> Iterator[ApiClient]:
    door = open_door(vendor)
    token = RefreshedToken(door, GRANT, header="x-token", prefix="")
    client = door.client("https://api.example", auth=token, limits={})
    yield client
    client.close()
    token.close()


def used(api: ApiClient) -> str:
    return str(api.get("/orders", op="list").object("token")["token"])


def test_the_form_is_that_of_the_refresh_grant(api: ApiClient, vendor: Vendor) -> None:
    assert used(api) == "at-1"
    assert vendor.forms == [
        {
            "grant_type": ["refresh_token"],
            "refresh_token": ["rt-CANARY"],
            "client_id": ["client-1"],
            "client_secret": ["s3cret/CANARY"],
        }
    ]


def test_many_threads_share_one_refresh(api: ApiClient, vendor: Vendor) -> None:
    vendor.slowly.clear()
    with ThreadPoolExecutor(16) as pool:
        waiting = [pool.submit(used, api) for _ in range(16)]
        vendor.slowly.set()
        tokens = {each.result() for each in waiting}
    assert (tokens, vendor.issued, vendor.served) == ({"at-1"}, 1, 16)


def test_a_token_is_replaced_at_80_percent_of_its_life(
    api: ApiClient, vendor: Vendor, clock: ManualClock
) -> None:
    assert used(api) == "at-1"
    clock.advance(2879)
    assert used(api) == "at-1"
    clock.advance(1)
    assert used(api) == "at-2"
    assert vendor.issued == 2


def test_an_old_token_serves_while_the_login_is_down_and_a_dead_one_does_not(
    api: ApiClient, vendor: Vendor, clock: ManualClock
) -> None:
    used(api)
    clock.advance(3000)
    vendor.login_answer = httpx.Response(503)
    assert used(api) == "at-1"
    clock.advance(600)
    with pytest.raises(Unreachable, match="oauth_token: login"):
        used(api)
    assert vendor.issued == 1


def test_a_token_refused_before_its_time_is_replaced_once(
    api: ApiClient, vendor: Vendor, clock: ManualClock
) -> None:
    used(api)
    clock.advance(120)
    vendor.revoked = {"at-1"}
    assert api.post("/orders", op="write", json={}).json() == {"token": "at-2"}
    assert vendor.issued == 2


def test_fault_row_19_a_dead_token_costs_no_attempt_where_only_one_is_made(
    api: ApiClient, vendor: Vendor, clock: ManualClock
) -> None:
    # One push every two hours, with a token that lives for minutes: it would be refused for ever.
    vendor.api_answer = httpx.Response(503)
    with pytest.raises(Unreachable):
        api.put("/orders/1", op="write", json={}, idempotent=True)
    vendor.api_answer = None
    clock.advance(120)
    vendor.revoked = {"at-1"}
    assert api.put("/orders/1", op="write", json={}, idempotent=True).json() == {"token": "at-2"}


def test_a_missing_permission_does_not_burn_tokens(
    api: ApiClient, vendor: Vendor, clock: ManualClock
) -> None:
    vendor.revoked = {f"at-{number}" for number in range(1, 100)}
    for _ in range(3):
        with pytest.raises(ConfigProblem, match="Unauthorized"):
            used(api)
    clock.advance(61)
    with pytest.raises(ConfigProblem):
        used(api)
    assert vendor.issued == 2


def test_threads_refused_together_renew_once(
    api: ApiClient, vendor: Vendor, clock: ManualClock
) -> None:
    used(api)
    clock.advance(120)
    vendor.revoked = {"at-1"}
    with ThreadPoolExecutor(8) as pool:
        tokens = {each.result() for each in [pool.submit(used, api) for _ in range(8)]}
    assert (tokens, vendor.issued) == ({"at-2"}, 2)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, {"error": "invalid_grant", "error_description": "revoked: rt-CANARY"}),
        (401, {"error": "invalid_client", "error_description": "s3cret/CANARY is wrong"}),
    ],
)
def test_a_refused_login_tells_what_to_do_and_no_secret(
    api: ApiClient, vendor: Vendor, status: int, body: dict[str, Any]
) -> None:
    vendor.login_answer = httpx.Response(status, json=body)
    with pytest.raises(ConfigProblem) as caught:
        api.post("/orders", op="write", json={})
    assert body["error"] in str(caught.value)
    assert "CANARY" not in f"{caught.value!r} {GRANT!r}"


@pytest.mark.parametrize("answer", [{"expires_in": 3600}, {"access_token": "x"}, [1], "x"])
def test_a_login_that_talks_nonsense_is_unreachable(
    api: ApiClient, vendor: Vendor, answer: Any
) -> None:
    vendor.login_answer = httpx.Response(200, json=answer)
    with pytest.raises(CrossdockError) as caught:
        used(api)
    # The call itself never left, so nothing about it is ambiguous.
    assert not isinstance(caught.value, Ambiguous)
    assert vendor.served == 0


@pytest.mark.parametrize("life", [0, -5, "3600", None, 10**12])
def test_a_life_nobody_believes_counts_as_a_minute(
    api: ApiClient, vendor: Vendor, clock: ManualClock, life: Any
) -> None:
    vendor.login_answer = httpx.Response(200, json={"access_token": "at-x", "expires_in": life})
    assert used(api) == "at-x"
    clock.advance(30)
    assert used(api) == "at-x"
    clock.advance(30)
    assert used(api) == "at-x"
    assert len(vendor.forms) == 2
