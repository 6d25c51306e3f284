"""A sandbox with a manual clock, clients into it, and the vendors' contracts to hold it to."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from openapi_core import Config, OpenAPI
from openapi_core.testing import MockRequest, MockResponse

from sandbox.app import Sandbox
from sandbox.clock import ManualClock
from sandbox.vendors import lwa, shipbob, shipengine, woocommerce
from sandbox.world import World

START = datetime(2026, 11, 2, 6, 0, tzinfo=UTC)
Check = Callable[[httpx.Response], None]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START)


@pytest.fixture
def sandbox(clock: ManualClock) -> Sandbox:
    return Sandbox(World(7, clock))


@pytest.fixture
def quiet(clock: ManualClock) -> Sandbox:
    """A sandbox in which nobody buys anything by himself."""
    return Sandbox(World(7, clock, orders_per_channel=0))


@pytest.fixture
def connect() -> Iterator[Callable[..., httpx.Client]]:
    """Clients into a sandbox, without sockets; closed when the test ends."""
    opened: list[httpx.Client] = []

    def open_client(sandbox: Sandbox, **options: Any) -> httpx.Client:
        base = options.pop("base_url", "http://sandbox.test")
        client = httpx.Client(transport=sandbox.transport(), base_url=base, **options)
        opened.append(client)
        return client

    yield open_client
    for client in opened:
        client.close()


@pytest.fixture
def woo(connect: Callable[..., httpx.Client]) -> Callable[[Sandbox], httpx.Client]:
    credentials = (woocommerce.CONSUMER_KEY, woocommerce.CONSUMER_SECRET)
    return lambda sandbox: connect(
        sandbox, base_url="http://sandbox.test/woo/wp-json/wc/v3", auth=credentials
    )


@pytest.fixture
def amazon(connect: Callable[..., httpx.Client]) -> Callable[[Sandbox], httpx.Client]:
    def log_in(sandbox: Sandbox) -> httpx.Client:
        client = connect(sandbox, base_url="http://sandbox.test/amazon")
        reply = client.post(
            "http://sandbox.test/lwa/auth/o2/token",
            data={
                "grant_type": "refresh_token",
                "refresh_token": lwa.REFRESH_TOKEN,
                "client_id": lwa.CLIENT_ID,
                "client_secret": lwa.CLIENT_SECRET,
            },
        )
        client.headers["x-amz-access-token"] = reply.json()["access_token"]
        return client

    return log_in


@pytest.fixture
def bob(connect: Callable[..., httpx.Client]) -> Callable[[Sandbox], httpx.Client]:
    headers = {"Authorization": f"Bearer {shipbob.TOKEN}", "shipbob_channel_id": "105111"}
    return lambda sandbox: connect(
        sandbox, base_url="http://sandbox.test/shipbob/2026-01", headers=headers
    )


@pytest.fixture
def engine(connect: Callable[..., httpx.Client]) -> Callable[[Sandbox], httpx.Client]:
    return lambda sandbox: connect(
        sandbox,
        base_url="http://sandbox.test/shipengine/v1",
        headers={"API-Key": shipengine.API_KEY},
    )


@pytest.fixture
def admin(connect: Callable[..., httpx.Client]) -> Callable[[Sandbox], httpx.Client]:
    return lambda sandbox: connect(sandbox, base_url="http://sandbox.test/_sandbox")


def _flat(node: Any, contract: dict[str, Any]) -> Any:
    """A contract whose schemas can be met as they are meant.

    Beside a ``$ref`` nothing counts (OpenAPI 3.0). ``allOf`` is written out: its members each
    forbid the other's properties, so that taken literally no object would ever fit. ``oneOf`` is
    read as ``anyOf``: it lists a type and what inherits from it, and what fits one fits both.
    """
    if isinstance(node, list):
        return [_flat(part, contract) for part in node]
    if not isinstance(node, dict):
        return node
    if isinstance(node.get("$ref"), str):
        return {"$ref": node["$ref"]}
    if isinstance(node.get("oneOf"), list):
        kept = {key: node[key] for key in node if key not in {"oneOf", "additionalProperties"}}
        node = kept | {"anyOf": node["oneOf"]}
    members = node.get("allOf")
    if not isinstance(members, list):
        return {key: _flat(part, contract) for key, part in node.items()}
    merged: dict[str, Any] = {}
    for member in (*members, {key: part for key, part in node.items() if key != "allOf"}):
        whole = _flat(_resolved(member, contract), contract)
        properties = merged.get("properties", {}) | whole.get("properties", {})
        required = [*merged.get("required", []), *whole.get("required", [])]
        merged |= whole
        merged |= {"properties": properties} if properties else {}
        merged |= {"required": required} if required else {}
    return merged


def _resolved(member: dict[str, Any], contract: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in member:
        return member
    found: Any = contract
    for step in member["$ref"].removeprefix("#/").split("/"):
        found = found[step]
    assert isinstance(found, dict)
    return found


@cache
def _checker(file: Path, prefix: str) -> Check:
    """A check that a response is one the contract in ``file`` allows for its operation."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    text = file.read_text()
    raw = json.loads(text) if file.suffix == ".json" else yaml.load(text, Loader=loader)
    contract = _flat(raw, raw)
    server = contract["servers"][0]["url"].rstrip("/")
    # Some contracts break rules of OpenAPI itself: they are taken as they are.
    config = Config(spec_validator_cls=None)  # type: ignore[arg-type]
    openapi = OpenAPI.from_dict(contract, config=config)

    def check(response: httpx.Response) -> None:
        request = response.request
        asked = MockRequest(
            server,
            request.method.lower(),
            request.url.path.removeprefix(prefix),
            args=dict(request.url.params),
            headers=dict(request.headers),
        )
        answered = MockResponse(
            response.content,
            status_code=response.status_code,
            headers=dict(response.headers),
            content_type=response.headers.get("content-type", "").partition(";")[0],
        )
        openapi.validate_response(asked, answered)

    return check


@pytest.fixture
def amazon_contract(specs: Path) -> Callable[[str], Check]:
    return lambda api: _checker(specs / "amazon-sp-api" / "oas3" / f"{api}.json", "/amazon")


@pytest.fixture
def shipbob_contract(specs: Path) -> Check:
    return _checker(specs / "shipbob" / "openapi" / "openapi-2026-01.json", "/shipbob")


@pytest.fixture
def shipengine_contract(specs: Path) -> Check:
    return _checker(specs / "shipengine" / "openapi.yaml", "/shipengine")
