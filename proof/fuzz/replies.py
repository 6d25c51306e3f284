"""Vendors' replies through the door: every call of every connector, its reply spoilt."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from random import Random
from typing import Any, cast

import httpx
from pydantic import SecretStr

from connectors.amazon import Amazon, AmazonConfig
from connectors.base import Page, Rate
from connectors.errors import CrossdockError
from connectors.http import Bounds, Door
from connectors.shipbob import ShipBob, ShipBobConfig
from connectors.shipengine import ShipEngine, ShipEngineConfig
from connectors.woocommerce import WooCommerce, WooConfig
from mappings import Definitions, MappingError
from mappings import canonical as c
from proof.fuzz.judge import Case, Unsound
from proof.fuzz.tape import Bytes, Gone, Instead, Recorder, Said
from sandbox.app import Sandbox
from sandbox.catalogue import SKUS
from sandbox.clock import ManualClock
from sandbox.vendors import lwa, shipbob, shipengine, woocommerce
from sandbox.vendors.amazon_seller import MARKETPLACES, SELLER_ID
from sandbox.vendors.shipbob_account import HOME_CENTER
from sandbox.vendors.shipbob_body import CHANNELS
from sandbox.vendors.shipengine_account import CARRIERS
from sandbox.world import World

START = datetime(2026, 11, 2, 18, tzinfo=UTC)
OPENED = datetime(2026, 11, 2, 8, tzinfo=UTC)
SINCE = datetime(2026, 11, 1, tzinfo=UTC)
_SKU = SKUS[0].code
_HOST = "https://sandbox.test"
_HOME = c.Address(
    name="Lager", street="Hafen 1", city="Köln", postcode="50667", country="DE", phone="1"
)
_ADA = c.Address(name="Ada", street="Weg 1", city="Bonn", postcode="53111", country="DE", phone="1")


class _NoLimit:
    """Lets everybody through: a limit is not what is looked at."""

    def wait_s(self, key: str, rate: Rate, patience_s: float) -> float:
        return 0.0

    def block(self, key: str, seconds: float) -> None:
        """Nobody is kept waiting."""


@cache
def definitions() -> Definitions:
    return Definitions.load()


def _woo(door: Door) -> WooCommerce:
    config = WooConfig(
        url=f"{_HOST}/woo",
        consumer_key=SecretStr(woocommerce.CONSUMER_KEY),
        consumer_secret=SecretStr(woocommerce.CONSUMER_SECRET),
    )
    return WooCommerce(config, door, definitions())


def _amazon_in_feeds(door: Door) -> Amazon:
    return _amazon(door, feed_threshold=1)


def _amazon(door: Door, feed_threshold: int = 1_000) -> Amazon:
    config = AmazonConfig(
        seller_id=SELLER_ID,
        marketplace_ids=tuple(MARKETPLACES),
        client_id=lwa.CLIENT_ID,
        client_secret=SecretStr(lwa.CLIENT_SECRET),
        refresh_token=SecretStr(lwa.REFRESH_TOKEN),
        endpoint=f"{_HOST}/amazon",
        token_url=f"{_HOST}/lwa/auth/o2/token",
        feed_threshold=feed_threshold,
    )
    return Amazon(config, door, definitions())


def _bob(door: Door) -> ShipBob:
    config = ShipBobConfig(
        url=f"{_HOST}/shipbob",
        token=SecretStr(shipbob.TOKEN),
        channel_id=next(iter(CHANNELS)),
        location_id=HOME_CENTER,
    )
    return ShipBob(config, door, definitions())


def _engine(door: Door) -> ShipEngine:
    config = ShipEngineConfig(
        url=f"{_HOST}/shipengine",
        api_key=SecretStr(shipengine.API_KEY),
        carrier_ids=tuple(carrier.carrier_id for carrier in CARRIERS),
    )
    return ShipEngine(config, door, definitions())


@dataclass(frozen=True, slots=True)
class Scenario:
    """One call of one connector. ``stream``: what its pages' records are mapped as."""

    name: str
    make: Callable[[Door], Any]
    call: Callable[[Any, ManualClock], Any]
    stream: str = ""

    def run(
        self, transport: httpx.BaseTransport, clock: ManualClock | None = None
    ) -> tuple[Any, list[Any]]:
        """(what it answered, the records that could be mapped)."""
        clock = clock or ManualClock(START)
        door = Door("fuzz", clock, _NoLimit(), transport, bounds=Bounds(attempts=1))
        with closing(self.make(door)) as connector:
            answer = self.call(connector, clock)
            if not self.stream:
                return answer, []
            mapping = definitions()[connector.info.definitions[self.stream]]
            return None, list(_mapped(mapping, cast("Iterable[Page]", answer)))


def _mapped(mapping: Any, pages: Iterable[Page]) -> Iterator[Any]:
    for page in pages:
        for record in page.records:
            try:
                yield record.external_id, mapping.apply(record.text).record
            except MappingError as error:
                yield record.external_id, str(error)[:200]


_LINE = c.FulfilmentLine(line_reference="1", sku=_SKU, quantity=Decimal(1))
_REQUEST = c.FulfilmentRequest(
    reference="FO-1",
    order_name="#1",
    placed_at=SINCE,
    currency="EUR",
    ship_to=_ADA,
    lines=(_LINE,),
)
_LABEL = c.LabelRequest(
    reference="FO-1", ship_from=_HOME, ship_to=_ADA, weight_g=500, currency="EUR"
)
_RATES = c.RateRequest(ship_from=_HOME, ship_to=_ADA, weight_g=500, ship_at=START)


def _notice(order: str) -> c.TrackingNotice:
    line = c.ShippedLine(sku=_SKU, channel_line_id="1", quantity=Decimal(1))
    return c.TrackingNotice(
        channel_order_id=order,
        package_reference="P-1",
        carrier="DHL",
        tracking_number="T1",
        shipped_at=SINCE,
        lines=(line,),
        complete=True,
        shipped_so_far=(c.Package(tracking_number="T1", carrier="DHL", lines=(line,)),),
    )


def _update(product: str, variant: str, sku: str) -> c.StockUpdate:
    return c.StockUpdate(
        external_product_id=product, external_variant_id=variant, external_sku=sku, quantity=5
    )


def _listing(product: str, variant: str, sku: str) -> c.Listing:
    return c.Listing(external_product_id=product, external_variant_id=variant, external_sku=sku)


def _bought(one: ShipEngine, _: ManualClock) -> Any:
    outcomes = one.buy_labels({"k": _LABEL})
    label = one.find_label("FO-1")
    number = label.external_id if label else "se-1"
    return outcomes, one.track(number), one.void_label(number)


def _handed_over(one: ShipBob, _: ManualClock) -> Any:
    outcomes = one.push_fulfilment_orders({"k": _REQUEST})
    found = one.find_fulfilment_order("FO-1")
    return outcomes, one.cancel_fulfilment_orders({"k": found or "1"})


def _shipped(one: ShipBob, clock: ManualClock) -> Any:
    one.push_fulfilment_orders({"k": _REQUEST})
    clock.sleep(6 * 3600)
    return one.pull_shipments(None, SINCE)


def _fed(one: Amazon, clock: ManualClock) -> Any:
    outcomes = one.push_stock({"k": _update(_SKU, _SKU, _SKU)})
    clock.sleep(3600)
    handle = next((one.handle for one in outcomes if one.handle), "1")
    return outcomes, one.poll_submission(handle, ["k"])


SCENARIOS = (
    Scenario("woocommerce check", _woo, lambda one, _: one.check()),
    Scenario("woocommerce orders", _woo, lambda one, _: one.pull_orders(None, SINCE), "orders"),
    Scenario("woocommerce listings", _woo, lambda one, _: one.pull_listings(), "listings"),
    Scenario(
        "woocommerce listing",
        _woo,
        lambda one, _: one.read_listings([_listing("1001", "1002", "X")]),
    ),
    Scenario(
        "woocommerce stock",
        _woo,
        lambda one, _: one.push_stock({"k": _update("1001", "1002", "X")}),
    ),
    Scenario(
        "woocommerce tracking", _woo, lambda one, _: one.push_tracking({"k": _notice("1049")})
    ),
    Scenario("amazon check", _amazon, lambda one, _: one.check()),
    Scenario("amazon orders", _amazon, lambda one, _: one.pull_orders(None, SINCE), "orders"),
    Scenario("amazon listings", _amazon, lambda one, _: one.pull_listings(), "listings"),
    Scenario("amazon listing", _amazon, lambda one, _: one.read_listings([_listing(*[_SKU] * 3)])),
    Scenario("amazon stock", _amazon, lambda one, _: one.push_stock({"k": _update(*[_SKU] * 3)})),
    Scenario("amazon feed", _amazon_in_feeds, _fed),
    Scenario("amazon tracking", _amazon, lambda one, _: one.push_tracking({"k": _notice("1")})),
    Scenario("shipbob check", _bob, lambda one, _: one.check()),
    Scenario("shipbob orders", _bob, _handed_over),
    Scenario("shipbob shipments", _bob, _shipped, "shipments"),
    Scenario("shipbob stock", _bob, lambda one, _: one.pull_stock(None), "stock"),
    Scenario("shipengine check", _engine, lambda one, _: one.check()),
    Scenario("shipengine rates", _engine, lambda one, _: one.quote_rates(_LABEL)),
    Scenario("shipengine estimates", _engine, lambda one, _: one.estimate_rates(_RATES)),
    Scenario("shipengine labels", _engine, _bought),
)


@dataclass(frozen=True, slots=True)
class Recorded:
    scenario: Scenario
    said: dict[tuple[str, str], list[Said]]
    records: list[Any]

    @property
    def calls(self) -> int:
        return sum(len(replies) for replies in self.said.values())


@cache
def recorded() -> tuple[Recorded, ...]:
    """Every scenario played once against vendors that are well."""
    made = []
    for scenario in SCENARIOS:
        clock = ManualClock(START)
        world = World(7, clock, orders_per_channel=6, day_start=OPENED, day_hours=4)
        world.advance_to(START)
        recorder = Recorder(Sandbox(world).transport())
        try:
            _, records = scenario.run(recorder, clock)
        except CrossdockError:
            # What is asked for is not there, and that is a reply like others.
            records = []
        made.append(Recorded(scenario, dict(recorder.said), records))
    return tuple(made)


class Replies:
    """The surface."""

    name = "vendor replies"
    refusals = (CrossdockError, MappingError)

    def evil(self) -> Sequence[tuple[str, Case]]:
        return [(what, _whole(body, headers)) for what, body, headers in _bodies()] + [
            ("good orders around a bad one", _neighbours)
        ]

    def random(self, rng: Random) -> Case:
        one = rng.choice(recorded())
        spoilt = rng.randrange(one.calls)

        def case() -> str:
            one.scenario.run(Gone(one.said, spoilt, Instead(rng)))
            return "taken"

        return case


def _packed_blanks(times: int) -> bytes:
    """So many megabytes of blanks, a thousandth of that as gzip."""
    packer = zlib.compressobj(wbits=zlib.MAX_WBITS | 16)
    parts = [packer.compress(b" " * 2**20) for _ in range(times)]
    return b"".join([*parts, packer.flush()])


def _bodies() -> Iterator[tuple[str, bytes, dict[str, str]]]:
    blanks = _packed_blanks(64)
    yield "64 MB packed into 64 kB", blanks, {"content-encoding": "gzip"}
    yield "a bomb in a bomb", gzip.compress(blanks), {"content-encoding": "gzip, gzip"}
    yield "40 MB", b" " * 40_000_000, {}
    for mark, end in ((b"[", b"]"), (b'{"a":', b"}")):
        yield "10,000 levels", mark * 10_000 + b"1" + end * 10_000, {}
        yield "a million levels never closed", mark * 1_000_000, {}
    yield "a number of a million digits", b"[" + b"9" * 1_000_000 + b"]", {}
    yield "a number of a million digits in an order", b'[{"id":' + b"9" * 1_000_000 + b"}]", {}
    yield "a number beyond a float", b'[{"id": 1e999999}]', {}


def _whole(body: bytes, headers: dict[str, str]) -> Case:
    """The same body for everything: each connector must get over it, and none takes it."""

    class Same(httpx.BaseTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            return httpx.Response(200, headers=headers, stream=Bytes(body))

    def case() -> str:
        for scenario in (SCENARIOS[1], SCENARIOS[15]):
            try:
                _, records = scenario.run(Same())
            except CrossdockError:
                continue
            if any(not isinstance(record, str) for _, record in records):
                raise Unsound(f"{scenario.name} made {len(records)} records of it")
        return "refused"

    return case


def _neighbours() -> str:
    """One order of a page is spoilt, in each of its fields in turn: the others come as before."""
    one = next(one for one in recorded() if one.scenario.name == "woocommerce orders")
    before = dict(one.records)
    key = next(key for key in one.said if key[1].endswith("/orders"))
    rows = json.loads(one.said[key][0].body)
    if len(rows) < 3:
        raise Unsound(f"there are but {len(rows)} orders: nothing is proven")
    for name in sorted(rows[1].keys() - {"id"}):
        spoilt = [rows[0], {**rows[1], name: {"\x00": [None]}}, *rows[2:]]
        first = one.said[key][0]
        page = Said(first.status, first.headers, json.dumps(spoilt).encode())
        said = {**one.said, key: [page, *one.said[key][1:]]}
        _, records = one.scenario.run(Gone(said, -1, Instead(Random(0))))
        after = dict(records)
        bad = str(rows[1]["id"])
        lost = [
            number for number in before if number != bad and after.get(number) != before[number]
        ]
        if lost or bad not in after:
            raise Unsound(f"{name} of order {bad} took {lost or bad} with it")
    return "kept"
