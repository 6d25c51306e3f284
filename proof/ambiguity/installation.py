"""A hub with one piece of work, handed to whichever vendor a cell is about."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

from sqlalchemy import event, select, update

from connectors import shipengine
from jobs import app
from jobs.app import App
from jobs.clock import ManualClock
from jobs.running import Order
from jobs.settings_loader import Configuration
from mappings import Definitions
from proof.ambiguity.vendors import KEY_HOST, WINDOW_S, Forgetful, KeyVendor
from proof.ambiguity.way import Way
from proof.world.database import share_what_is_compiled
from sandbox import installation
from sandbox.app import Sandbox
from sandbox.world import World
from state import fulfilment, migrate, streams
from state import tables as t
from state.store import Store
from sync import cancellation, imports

DAY = datetime(2026, 11, 2, 6, tzinfo=UTC)
BASE = "http://sandbox.test"
LOOKUP_LAG_S = int(shipengine.LOOKUP_LAG_S)
"""What ShipEngine declares, and ShipBob as well; the described ones of the proof do likewise."""
MORE = f"""
[connections.rest-bob]
connector = "rest"
kind = "fulfilment"
url = "{BASE}/shipbob/2026-01"
headers = {{ shipbob_channel_id = "105111" }}
secret = "file:secrets/shipbob_token"
auth = {{ style = "bearer" }}

[connections.rest-bob.pushes.fulfilment_orders]
definition = "shipbob.fulfilment_orders"
path = "/order"
context = {{ shipping_method = "Standard", location_id = 84 }}
idempotency = "reference"
lookup_lag_s = {LOOKUP_LAG_S}
remote_id = "id"

[connections.rest-bob.pushes.fulfilment_orders.find]
path = "/order"
query = {{ ReferenceIds = "{{reference}}" }}
reference = "reference_id"

[connections.keys]
connector = "rest"
kind = "fulfilment"
url = "http://{KEY_HOST}"
secret = "file:secrets/shipbob_token"
auth = {{ style = "bearer" }}

[connections.keys.pushes.fulfilment_orders]
definition = "shipbob.fulfilment_orders"
path = "/orders"
context = {{ shipping_method = "Standard", location_id = 84 }}
idempotency = "key"
key_header = "Idempotency-Key"
key_window_s = {WINDOW_S}
lookup_lag_s = {LOOKUP_LAG_S}
remote_id = "id"
find = {{ path = "/orders", query = {{ reference = "{{reference}}" }}, reference = "reference" }}

[connections.keys.pushes.stock]
definition = "woocommerce.stock"
path = "/stock"
idempotency = "key"
key_header = "Idempotency-Key"
key_window_s = {WINDOW_S}

[connections.blind]
connector = "rest"
kind = "channel"
url = "{BASE}/woo/wp-json/wc/v3"
user = "file:secrets/woo_key"
secret = "file:secrets/woo_secret"
auth = {{ style = "basic" }}

[connections.blind.pushes.stock]
definition = "woocommerce.stock"
path = "/products/batch"
batch_max = 100
wrap = "update"
results = "update"
result_key = "id"
idempotency = "none"

[connections.drop]
connector = "csvdrop"
folder = "drop"
"""


class OneClock(ManualClock):
    """The hub's clock and the sandbox's at once."""

    def set_speed(self, speed: float) -> None:
        raise ValueError("a manual clock has no speed: advance it")


@cache
def _read() -> Definitions:
    return Definitions.load()


def _shipped(_: Configuration, __: Path | None = None) -> Definitions:
    return _read()


@dataclass
class Scene:
    """A world, and the store of a hub before its push."""

    folder: Path
    clock: OneClock
    world: World
    way: Way
    store: Store
    apps: list[App] = field(default_factory=list)

    def process(self) -> App:
        """Start a hub on the store; closing it is its death."""
        configuration = app.load(self.folder / "settings.toml")
        # Reading the definitions, the same for all, takes longer than the rest of a cell.
        with patch.object(app, "definitions_of", _shipped):
            hub = app.open_app(configuration, self.store, clock=self.clock, transport=self.way)
        self.apps.append(hub)
        return hub

    def close(self) -> None:
        for hub in self.apps:
            hub.close()
        self.store.close()

    def intents(self, kind: str) -> list[Any]:
        with self.store.read() as conn:
            query = select(t.intent).where(t.intent.c.kind == kind).order_by(t.intent.c.id)
            return list(conn.execute(query))


@contextmanager
def opened(folder: Path, seed: int, since: datetime, effect: Any) -> Iterator[Scene]:
    """A scene over the files in ``folder``, whose world has come as far as ``since``."""
    clock = OneClock(DAY)
    world = World(seed, clock, orders_per_channel=3, day_hours=1)
    world.shipengine = Forgetful()
    clock.advance((since - DAY).total_seconds())
    world.advance_to(clock.now())
    way = Way(Sandbox(world), KeyVendor(clock), effect)
    store = Store(f"sqlite:///{folder / 'crossdock.db'}")
    share_what_is_compiled(store)
    scene = Scene(folder, clock, world, way, store)
    event.listen(scene.store.engine, "connect", _no_waiting_for_the_disk)
    try:
        yield scene
    finally:
        scene.close()


def _no_waiting_for_the_disk(dbapi: Any, _record: Any) -> None:
    # No process dies in a proof but in its own words, and nobody cuts the power.
    dbapi.execute("PRAGMA synchronous = OFF").close()


READY = DAY + timedelta(hours=2)
"""When the template's orders are all there."""


def template(folder: Path, seed: int, taker: str) -> Path:
    """Files and store of a hub whose orders are released to ``taker`` and not sent yet."""
    made = folder / taker
    made.mkdir(parents=True)
    (made / "drop").mkdir()
    with opened(made, seed, READY, lambda _: False) as scene:
        installation.write(made, BASE, scene.world)
        settings = made / "settings.toml"
        text = settings.read_text("utf-8").replace(
            'connection = "labels"', f'connection = "{taker}"'
        )
        settings.write_text(text.replace('release_after = "10m"', 'release_after = "0s"'), "utf-8")
        (made / "connections.d" / "more.toml").write_text(MORE, "utf-8")
        migrate.upgrade(scene.store)
        _work(scene, made)
    return made


def _work(scene: Scene, folder: Path) -> None:
    hub = scene.process()
    app.set_up_streams(hub)
    now = scene.clock.now()
    with scene.store.write() as conn:
        imports.import_skus(conn, imports.read_skus(folder / "skus.csv"))
        counts = folder / "counts.csv"
        imports.import_counts(conn, counts, "berlin", imports.read_counts(counts), "ops", now)
    hub.hub.links["drop"].connector.check()
    for connection in ("shop-eu", "amazon-eu"):
        run(hub, "pull-listings", connection)
        run(hub, "pull-orders", connection)
    run(hub, "allocate")
    run(hub, "promise")


def run(hub: App, job: str, connection: str | None = None) -> Any:
    """Run a job once; how it ended."""
    return hub.runner("once").run_once(streams.key_of(job, connection), Order("once", connection))


def give(scene: Scene, kind: str, connection: str) -> None:
    """Have one intent of a kind, and nothing else, go out over a connection."""
    intent = t.intent
    planned = intent.c.state == "planned"
    with scene.store.write() as conn:
        number = conn.scalar(select(t.connection.c.id).where(t.connection.c.name == connection))
        query = select(intent).where(planned, intent.c.kind == kind)
        chosen = min(conn.execute(query), key=lambda row: _fitness(row, number))
        mine = intent.c.id == chosen.id
        conn.execute(update(intent).where(mine).values(connection_id=number))
        conn.execute(update(intent).where(planned & ~mine).values(state="superseded"))


def _fitness(row: Any, connection_id: int | None) -> tuple[bool, bool, int]:
    """Those of the connection first, and products without variations."""
    body = row.body
    varies = body.get("external_product_id") != body.get("external_variant_id")
    return row.connection_id != connection_id, varies, row.id


def cancel_first(scene: Scene) -> None:
    """Ask the vendor to stop the first work that it has taken."""
    query = select(t.fulfilment_order.c.order_id).where(
        t.fulfilment_order.c.request_state == "accepted"
    )
    with scene.store.write() as conn:
        order_id = conn.scalar(query)
        assert order_id is not None
        work = next(one for one in fulfilment.of_order(conn, order_id))
        cancellation.request_cancellation(conn, work, scene.clock.now())
