"""Every way a ``rest`` connection signs in, as the vendor sees it, and never in a message."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from connectors.base import PushesStock
from connectors.errors import ConfigProblem, CrossdockError, Rejected
from connectors.rest import Rest
from mappings import Definitions
from sandbox.clock import ManualClock
from tests.connectors.rest_words import BASE, SINCE, answer, connector, orders
from tests.connectors.woo_words import update

SECRET = "s3cret-CANARY"
USER = "user-CANARY"
TOKEN_URL = "https://login.example/oauth/token"
Build = Callable[..., Rest]


@pytest.fixture
def build(open_door: Any, closing: Callable[[Any], Any], definitions: Definitions) -> Build:
    def make(transport: httpx.BaseTransport, auth: dict[str, Any], **keys: str) -> Rest:
        given = orders({"style": "none"}, query={"a": "1 2"}) | {"auth": auth, "secret": SECRET}
        push = {"definition": "woocommerce.stock", "path": "/stock", "idempotency": "absolute"}
        given |= {"pushes": {"stock": push}} | keys
        made: Rest = closing(connector(given, open_door(transport), definitions))
        return made

    return make


def read(rest: Rest) -> None:
    list(rest.pull_orders(None, SINCE))


@pytest.mark.parametrize(
    ("auth", "keys", "header", "value"),
    [
        (
            {"style": "basic"},
            {"user": USER},
            "authorization",
            "Basic " + base64.b64encode(f"{USER}:{SECRET}".encode()).decode(),
        ),
        ({"style": "bearer"}, {}, "authorization", f"Bearer {SECRET}"),
        ({"style": "header", "name": "X-Api-Key"}, {}, "x-api-key", SECRET),
        (
            {"style": "header", "name": "Authorization", "prefix": "Token "},
            {},
            "authorization",
            f"Token {SECRET}",
        ),
    ],
)
def test_the_key_goes_into_its_header(
    build: Build, scripted: Any, auth: dict[str, Any], keys: Any, header: str, value: str
) -> None:
    vendor = scripted(answer([]))
    read(build(vendor, auth, **keys))
    assert vendor.requests[0].headers[header] == value


def test_the_key_goes_into_the_query_beside_the_others(build: Build, scripted: Any) -> None:
    vendor = scripted(answer([]))
    read(build(vendor, {"style": "query", "name": "api_key"}))
    assert vendor.requests[0].url.params.multi_items() == [("a", "1 2"), ("api_key", SECRET)]


def test_a_request_is_signed_over_the_template(
    build: Build, scripted: Any, clock: ManualClock
) -> None:
    auth = {
        "style": "hmac",
        "name": "X-Signature",
        "prefix": "v1=",
        "template": "{timestamp}\n{method}\n{path}\n{query}\n{body_sha256}\n{body}",
        "algorithm": "sha512",
        "encoding": "base64",
        "user_header": "X-Key",
        "timestamp_header": "X-Time",
    }
    vendor = scripted(answer([]), httpx.Response(503), answer({"id": 1}))
    rest = build(vendor, auth, user=USER)
    read(rest)
    assert isinstance(rest, PushesStock)
    rest.push_stock({"k": update(7, 7, 5)})
    for request in vendor.requests:
        path, _, query = request.url.raw_path.decode().partition("?")
        digest = hashlib.sha256(request.content).hexdigest()
        stamp = request.headers["x-time"]
        text = f"{stamp}\n{request.method}\n{path}\n{query}\n{digest}\n{request.content.decode()}"
        signed = base64.b64encode(hmac.digest(SECRET.encode(), text.encode(), "sha512")).decode()
        assert request.headers["x-signature"] == f"v1={signed}"
        assert request.headers["x-key"] == USER
    assert vendor.requests[0].url.query == b"a=1+2"
    stamps = [int(request.headers["x-time"]) for request in vendor.requests]
    assert stamps[2] >= stamps[1] >= int(clock.now().timestamp()) - 10, "a repeat is signed anew"


@pytest.mark.parametrize(
    ("auth", "keys", "form"),
    [
        (
            {"style": "client_credentials", "token_url": TOKEN_URL, "scope": "orders"},
            {"user": USER},
            {"grant_type": "client_credentials", "scope": "orders"},
        ),
        (
            {"style": "refresh_token", "token_url": TOKEN_URL},
            {"user": USER, "refresh_token": "refresh-CANARY"},
            {"grant_type": "refresh_token", "refresh_token": "refresh-CANARY"},
        ),
    ],
)
def test_a_token_is_fetched_used_and_replaced(
    build: Build,
    scripted: Any,
    clock: ManualClock,
    auth: dict[str, Any],
    keys: dict[str, str],
    form: dict[str, str],
) -> None:
    one, two = ({"access_token": f"token-{n}", "expires_in": 100} for n in (1, 2))
    vendor = scripted(answer(one), answer([]), answer([]), answer(two), answer([]))
    rest = build(vendor, auth, **keys)
    read(rest)
    read(rest)
    clock.advance(90)
    read(rest)
    hosts = [request.url.host for request in vendor.requests]
    assert hosts == [
        "login.example",
        "api.example",
        "api.example",
        "login.example",
        "api.example",
    ]
    asked = dict(httpx.QueryParams(vendor.requests[0].content.decode()))
    assert asked == form | {"client_id": USER, "client_secret": SECRET}
    used = [vendor.requests[n].headers["authorization"] for n in (1, 2, 4)]
    assert used == ["Bearer token-1", "Bearer token-1", "Bearer token-2"]


def test_a_refused_client_is_told_what_to_check(build: Build, scripted: Any) -> None:
    auth = {"style": "client_credentials", "token_url": TOKEN_URL}
    vendor = scripted(httpx.Response(400, json={"error": "invalid_client"}))
    with pytest.raises(ConfigProblem, match="Check `user`, `secret` and") as caught:
        read(build(vendor, auth, user=USER))
    assert "refresh" not in str(caught.value)
    assert "invalid_client" in str(caught.value)


def test_a_token_address_that_is_none_is_told(build: Build, scripted: Any) -> None:
    auth = {"style": "client_credentials", "token_url": "login.example/token"}
    with pytest.raises(ConfigProblem, match="not an absolute address"):
        build(scripted(answer([])), auth, user=USER)


def test_a_key_that_cannot_be_sent_is_told_without_it(build: Build, scripted: Any) -> None:
    with pytest.raises(ConfigProblem, match="cannot be sent") as caught:
        build(scripted(answer([])), {"style": "bearer"}, secret="s3cret-CANARY–\n")
    assert "CANARY" not in str(caught.value)


@pytest.mark.parametrize("status", [400, 401, 403, 422, 500])
@pytest.mark.parametrize(
    "auth",
    [
        {"style": "bearer"},
        {"style": "query", "name": "key"},
        {"style": "header", "name": "X-Odd"},
        {"style": "hmac", "name": "X-Sig", "template": "{body}"},
    ],
)
def test_no_secret_is_in_a_message(
    build: Build, scripted: Any, status: int, auth: dict[str, Any]
) -> None:
    def echo(request: httpx.Request) -> httpx.Response:
        told = f"{request.url} {request.headers} {SECRET}"
        return httpx.Response(status, json={"code": SECRET, "message": told})

    rest = build(httpx.MockTransport(echo), auth)
    with pytest.raises(CrossdockError) as caught:
        read(rest)
    assert "CANARY" not in str(caught.value)
    if isinstance(caught.value, Rejected):
        assert "CANARY" not in caught.value.code


def test_the_address_must_be_one_that_credentials_may_go_to(
    open_door: Any, definitions: Definitions
) -> None:
    given = orders({"style": "none"}) | {"url": BASE.replace("https", "http")}
    with pytest.raises(ConfigProblem, match="in clear text"):
        connector(given, open_door(), definitions)
