"""Doors into a sandbox or a hand-made transport, and the vendors' contracts to hold requests to."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import pytest
import respx
import yaml
from openapi_core import Config, OpenAPI
from openapi_core.testing import MockRequest
from pydantic import SecretStr

from connectors.amazon import Amazon, AmazonConfig
from connectors.base import Rate
from connectors.http import ApiClient, Call, Door
from connectors.shipbob import ShipBob, ShipBobConfig
from connectors.shipengine import ShipEngine, ShipEngineConfig
from connectors.woocommerce import WooCommerce, WooConfig
from mappings import Definitions
from sandbox.app import Sandbox
from sandbox.clock import ManualClock
from sandbox.vendors import lwa, shipbob, shipengine, woocommerce
from sandbox.vendors.amazon_seller import MARKETPLACES, SELLER_ID
from sandbox.world import World

START = datetime(2026, 11, 2, 8, tzinfo=UTC)
OpenDoor = Callable[..., Door]
CheckRequest = Callable[[httpx.Request], None]


class OpenLimiter:
    """Lets everybody through at once, unless told otherwise; remembers what it was told."""

    def __init__(self) -> None:
        self.wait = 0.0
        self.asked: list[tuple[str, Rate]] = []
        self.blocked: list[tuple[str, float]] = []

    def wait_s(self, key: str, rate: Rate, patience_s: float) -> float:
        self.asked.append((key, rate))
        return self.wait

    def block(self, key: str, seconds: float) -> None:
        self.blocked.append((key, seconds))


class Recorder(httpx.BaseTransport):
    """Keeps every request on its way to the transport behind it."""

    def __init__(self, inner: httpx.BaseTransport) -> None:
        self.requests: list[httpx.Request] = []
        self._inner = inner

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.read()
        self.requests.append(request)
        return self._inner.handle_request(request)


class Script(httpx.BaseTransport):
    """Gives its answers in turn, the last one for ever; an exception is raised."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self._answers = answers
        self._given = 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        answer = self._answers[min(self._given, len(self._answers) - 1)]
        self._given += 1
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
def clock() -> ManualClock:
    """One clock for the sandbox and the connectors that talk to it."""
    return ManualClock(START)


@pytest.fixture
def limiter() -> OpenLimiter:
    return OpenLimiter()


@pytest.fixture
def calls() -> list[Call]:
    """Every call made through doors of ``open_door``."""
    return []


@pytest.fixture
def open_door(clock: ManualClock, limiter: OpenLimiter, calls: list[Call]) -> OpenDoor:
    """A door of the connection ``test``; takes a transport, or none for real sockets."""

    def build(transport: httpx.BaseTransport | None = None, **more: Any) -> Door:
        return Door("test", clock, limiter, transport, calls.append, dice=random.Random(7), **more)

    return build


@pytest.fixture
def closing() -> Iterator[Callable[[Any], Any]]:
    """Closes what it is given when the test ends."""
    opened: list[Any] = []

    def keep(thing: Any) -> Any:
        opened.append(thing)
        return thing

    yield keep
    for thing in opened:
        thing.close()


@pytest.fixture
def scripted() -> Callable[..., Recorder]:
    """A vendor that gives the answers in turn, the last one for ever; exceptions are raised."""
    return lambda *answers: Recorder(Script(*answers))


@pytest.fixture
def connect(open_door: OpenDoor, closing: Callable[[Any], Any]) -> Callable[..., ApiClient]:
    """A client of https://shop.example/api; takes a transport and what ``Door.client`` takes."""

    def build(transport: httpx.BaseTransport, **more: Any) -> ApiClient:
        door = open_door(transport, **more.pop("door", {}))
        client = door.client("https://shop.example/api", limits=more.pop("limits", {}), **more)
        closing(client)
        return client

    return build


@pytest.fixture(scope="session")
def definitions() -> Definitions:
    return Definitions.load()


@pytest.fixture
def sandbox(clock: ManualClock) -> Sandbox:
    """A day of trade that begins when the clock starts."""
    return Sandbox(World(7, clock))


@pytest.fixture
def woo_shop(
    open_door: OpenDoor, definitions: Definitions, closing: Callable[[Any], Any]
) -> Callable[..., WooCommerce]:
    """WooCommerce connectors with the sandbox's credentials; a transport, or real sockets."""

    def build(
        transport: httpx.BaseTransport | None = None,
        url: str = "http://sandbox.test/woo",
        secret: str = woocommerce.CONSUMER_SECRET,
        **more: Any,
    ) -> WooCommerce:
        config = WooConfig(
            url=url,
            consumer_key=SecretStr(woocommerce.CONSUMER_KEY),
            consumer_secret=SecretStr(secret),
            **more,
        )
        connector = WooCommerce(config, open_door(transport), definitions)
        closing(connector)
        return connector

    return build


@pytest.fixture
def woo(woo_shop: Callable[..., WooCommerce], recorder: Recorder) -> WooCommerce:
    """A connector to the sandbox's shop."""
    return woo_shop(recorder)


@pytest.fixture
def web_shop(
    woo_shop: Callable[..., WooCommerce],
) -> Iterator[tuple[WooCommerce, respx.MockRouter]]:
    """A connector to a shop on the internet, whose replies the test writes."""
    api = "https://shop.example/wp-json/wc/v3"
    with respx.mock(base_url=api, assert_all_called=False) as router:
        yield woo_shop(None, "https://shop.example"), router


@pytest.fixture
def seller(
    open_door: OpenDoor, definitions: Definitions, closing: Callable[[Any], Any]
) -> Callable[..., Amazon]:
    """Amazon connectors with the sandbox's credentials; a transport, or real sockets."""

    def build(
        transport: httpx.BaseTransport | None = None,
        url: str = "http://sandbox.test",
        **more: Any,
    ) -> Amazon:
        settings: dict[str, Any] = {
            "seller_id": SELLER_ID,
            "marketplace_ids": tuple(MARKETPLACES),
            "client_id": lwa.CLIENT_ID,
            "client_secret": SecretStr(lwa.CLIENT_SECRET),
            "refresh_token": SecretStr(lwa.REFRESH_TOKEN),
            "endpoint": f"{url}/amazon",
            "token_url": f"{url}/lwa/auth/o2/token",
        }
        connector = Amazon(AmazonConfig(**(settings | more)), open_door(transport), definitions)
        closing(connector)
        return connector

    return build


@pytest.fixture
def amazon(seller: Callable[..., Amazon], recorder: Recorder) -> Amazon:
    """A connector to the sandbox's seller account."""
    return seller(recorder)


@pytest.fixture
def web_seller(seller: Callable[..., Amazon]) -> Iterator[tuple[Amazon, respx.MockRouter]]:
    """A connector to Amazon itself, whose replies the test writes; the login answers."""
    endpoint = "https://sellingpartnerapi-eu.amazon.com"
    token_url = "https://api.amazon.com/auth/o2/token"
    with respx.mock(base_url=endpoint, assert_all_called=False) as router:
        token = {"access_token": "Atza|test", "expires_in": 3600}
        router.post(token_url).mock(return_value=httpx.Response(200, json=token))
        yield seller(seller_id="A1SELLER", endpoint=endpoint, token_url=token_url), router


@pytest.fixture
def recorder(sandbox: Sandbox) -> Recorder:
    """The sandbox's transport, with the requests it was sent."""
    return Recorder(sandbox.transport())


@pytest.fixture
def shipbob_account(
    open_door: OpenDoor,
    definitions: Definitions,
    closing: Callable[[Any], Any],
    recorder: Recorder,
) -> Callable[..., ShipBob]:
    """Makes a connector to the sandbox's 3PL; takes further settings."""

    def make(**settings: Any) -> ShipBob:
        account = {"token": shipbob.TOKEN, "channel_id": 105111, **settings}
        config = ShipBobConfig.model_validate({"url": "https://sandbox.test/shipbob", **account})
        connector: ShipBob = closing(ShipBob(config, open_door(recorder), definitions))
        return connector

    return make


@pytest.fixture
def shipengine_account(
    open_door: OpenDoor,
    definitions: Definitions,
    closing: Callable[[Any], Any],
    recorder: Recorder,
) -> ShipEngine:
    """A connector to the sandbox's carriers."""
    config = ShipEngineConfig.model_validate(
        {
            "url": "https://sandbox.test/shipengine",
            "api_key": shipengine.API_KEY,
            "carrier_ids": ["se-287001"],
            "service_codes": ["dpd_classic", "dpd_classic_europe"],
        }
    )
    connector: ShipEngine = closing(ShipEngine(config, open_door(recorder), definitions))
    return connector


@cache
def _checker(file: Path, prefix: str) -> CheckRequest:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    text = file.read_text()
    contract = json.loads(text) if file.suffix == ".json" else yaml.load(text, Loader=loader)
    server = contract["servers"][0]["url"].rstrip("/")
    # Null: the contracts are taken as they are, some break OpenAPI's own rules.
    lenient: Any = None
    openapi = OpenAPI.from_dict(contract, config=Config(spec_validator_cls=lenient))

    def check(request: httpx.Request) -> None:
        asked = MockRequest(
            server,
            request.method.lower(),
            request.url.path.removeprefix(prefix),
            args=dict(request.url.params),
            headers=dict(request.headers),
            data=request.content or None,
            content_type=request.headers.get("content-type", "").partition(";")[0],
        )
        openapi.validate_request(asked)

    return check


@pytest.fixture
def request_contract(specs: Path) -> Callable[..., CheckRequest]:
    """A check of requests against a contract: its file below the specs, the path's prefix."""

    def contract(file: str, prefix: str = "") -> CheckRequest:
        return _checker(specs / file, prefix)

    return contract
