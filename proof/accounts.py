"""I13: two accounts of one vendor that give the same ids to other things: nothing crosses.

Two shops and two sellers, each with a world of its own behind it, trade through one hub with one
warehouse and one 3PL. Shops count their orders from the same number, so that nearly every id is
there twice; in half of the pairs both worlds are equal to the byte, so that contents are as well.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import Connection, select

from jobs import app
from jobs.app import App
from proof.clock import cpu_s
from proof.evidence import Evidence, Size
from proof.planting import Planted
from proof.world.clock import HubClock, WorldClock
from proof.world.database import SQLITE, empty_store
from proof.world.simulation import MORNING, silence
from proof.world.stage import Stage
from sandbox import installation, truth
from sandbox.app import Sandbox
from sandbox.installation import Pace
from sandbox.world import World
from state import inbox, intents, orders, streams
from state import tables as t
from state.store import Store
from sync import imports

_ACCOUNTS = ("eu", "us")
_HOSTS = {"eu": "eu.test", "us": "us.test"}
_PAIRS = {"pull-request": 1, "nightly": 20}
"""Of different worlds; as many again of equal ones."""
_PACE = Pace("30m", "30m", "6h", "1h", "4h", "8h", "30m", rest="12h")
_HOURS = 2
_REST = timedelta(hours=9)
"""By then the 3PL has shipped and told of what was ordered last, in parts as well."""
_STEP = timedelta(minutes=30)


def prove(size: Size, seed: int = 1) -> Evidence:
    began, violations, met = cpu_s(), [], Counter[str]()
    pairs = list(_pairs(size, seed))
    for pair in pairs:
        violations += [f"{pair}: {one}" for one in trade(pair, met)]
    return Evidence(
        claim="I13",
        title="Two accounts of one vendor with the same ids: nothing crosses",
        command=f"python -m proof I13 --size {size} --seed {seed}",
        runs=len(pairs),
        unit="pairs of worlds",
        seeds=f"{seed}-{pairs[-1][1]}",
        injections=dict(met),
        violations=violations,
        planted={bug.name: _noticed(bug, seed) for bug in BUGS},
        cpu_s=round(cpu_s() - began, 1),
    )


def _pairs(size: Size, seed: int) -> Iterator[tuple[int, int]]:
    for number in range(seed, seed + _PAIRS[size]):
        yield number, number + 1
        yield number, number


def _noticed(bug: Planted, seed: int) -> str | None:
    """What was noticed first of a bug, in a pair of different worlds or else of equal ones."""
    with bug.in_place():
        for pair in ((seed, seed + 1), (seed, seed)):
            for told in trade(pair, Counter()):
                return told.split(":")[0]
    return None


def trade(seeds: tuple[int, int], met: Counter[str]) -> list[str]:
    """A few hours of both accounts; what crossed, each as ``what: where and how``. ``met``: ids
    that both accounts gave, by vendor."""
    stage = Stage(MORNING)
    worlds = {
        account: World(seed, WorldClock(stage), orders_per_channel=6, day_hours=_HOURS)
        for account, seed in zip(_ACCOUNTS, seeds, strict=True)
    }
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="crossdock-two-")))
        stack.enter_context(silence())
        store = Store(stack.enter_context(empty_store(SQLITE, folder)))
        stack.callback(store.close)
        hub = _installed(folder, worlds, store, HubClock(stage))
        stack.callback(hub.close)
        found = _live(hub, stage, worlds)
        with store.read() as conn:
            found += [told for name in _ACCOUNTS for told in _differences(conn, worlds, name)]
    for vendor, of in (("shop", _shop_ids), ("seller", _seller_ids)):
        met[f"{vendor} ids that two accounts gave"] += len(of(worlds["eu"]) & of(worlds["us"]))
    return found


def _installed(folder: Path, worlds: Mapping[str, World], store: Store, clock: HubClock) -> App:
    """One merchant's files, and the channels of a second one beside them."""
    installation.write(folder, f"http://{_HOSTS['eu']}", worlds["eu"], pace=_PACE)
    other = folder / "other"
    installation.write(other, f"http://{_HOSTS['us']}", worlds["us"], pace=_PACE)
    channels = (other / "connections.d" / "channels.toml").read_text(encoding="utf-8")
    for name in ("shop", "amazon"):
        channels = channels.replace(f"connections.{name}-eu", f"connections.{name}-us")
    (folder / "connections.d" / "more.toml").write_text(channels, encoding="utf-8")
    network = _Network({_HOSTS[name]: Sandbox(world) for name, world in worlds.items()})
    hub = app.open_app(app.load(folder / "settings.toml"), store, clock=clock, transport=network)
    app.set_up_streams(hub)
    counts = imports.read_counts(folder / "counts.csv")
    with store.write() as conn:
        imports.import_skus(conn, imports.read_skus(folder / "skus.csv"))
        imports.import_counts(conn, folder / "counts.csv", "berlin", counts, "ops", clock.now())
    return hub


class _Network(httpx.BaseTransport):
    """Each account's vendors at a host of their own."""

    def __init__(self, hosts: Mapping[str, Sandbox]) -> None:
        self._hosts = {host: sandbox.transport() for host, sandbox in hosts.items()}

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return self._hosts[request.url.host].handle_request(request)


def _live(hub: App, stage: Stage, worlds: Mapping[str, World]) -> list[str]:
    runner, found = hub.runner("run"), []
    end = max(world.day_ends for world in worlds.values()) + _REST
    while stage.now < end:
        for world in worlds.values():
            world.advance_to(stage.now)
        with hub.hub.store.read() as conn:
            due = streams.due(conn, stage.now)
        for key in due:
            ended = runner.run_due(key)
            if ended is not None and ended.verdict is not None and ended.verdict.kind == "bug":
                found.append(f"a bug of ours: {key}, {ended.verdict.message}")
        if not due:
            stage.now += _STEP
    return found


def _shop_ids(world: World) -> set[str]:
    return {order["id"] for order in truth.woo_orders(world)}


def _seller_ids(world: World) -> set[str]:
    return {order["id"] for order in truth.amazon_orders(world)}


def _differences(conn: Connection, worlds: Mapping[str, World], account: str) -> Iterator[str]:
    """The account's truth against what we hold under its name. Sent was all of it by those whose
    vendors are in the first world."""
    world = worlds[account]
    sides = {
        f"shop-{account}": truth.woo_orders(world),
        f"amazon-{account}": truth.amazon_orders(world),
    }
    for channel, placed in sides.items():
        ours = _ours(conn, channel)
        theirs = {order["id"]: order for order in placed}
        for number in sorted({*ours} ^ {*theirs}):
            where = "here only" if number in ours else "there only"
            yield f"orders: {channel} {number} is {where}"
        for number in sorted({*ours} & {*theirs}):
            money = (theirs[number]["total"], theirs[number]["currency"])
            if money != ours[number] and theirs[number]["status"] != "PENDING":
                yield f"money: {channel} {number} is {ours[number]} here, {money} there"
        yield from _crossed(conn, worlds, channel, account)


def _ours(conn: Connection, channel: str) -> dict[str, tuple[int, str]]:
    order = t.sales_order.c
    query = (
        select(order.channel_order_id, order.grand_total, order.currency)
        .join(t.connection, t.connection.c.id == order.connection_id)
        .where(t.connection.c.name == channel)
    )
    return {number: (total, currency) for number, total, currency in conn.execute(query)}


def _crossed(
    conn: Connection, worlds: Mapping[str, World], channel: str, account: str
) -> Iterator[str]:
    """Parcels of an order that go to somebody else's address, or that its channel never heard of;
    and what it heard of beyond them."""
    parcels: dict[str, set[str]] = {}
    sent = _sent(worlds["eu"])
    for number, reference in _references(conn, channel):
        mine = parcels.setdefault(number, set())
        for tracking, postcode in sent.get(reference, ()):
            mine.add(tracking)
            if postcode != _postcode(worlds[account], number):
                yield f"addresses: {channel} {number}: {reference} goes to {postcode}"
    for number, told in _told(worlds[account], channel).items():
        if told != parcels.get(number, set()):
            yield f"parcels: {channel} {number} knows {told} of {parcels.get(number, set())}"


def _references(conn: Connection, channel: str) -> list[tuple[str, str]]:
    """(order at the channel, reference of its work)."""
    work, order = t.fulfilment_order.c, t.sales_order.c
    query = (
        select(order.channel_order_id, work.reference)
        .join(t.fulfilment_order, work.order_id == order.id)
        .join(t.connection, t.connection.c.id == order.connection_id)
        .where(t.connection.c.name == channel)
    )
    return [(number, reference) for number, reference in conn.execute(query)]


def _sent(world: World) -> dict[str, list[tuple[str, str]]]:
    """Reference -> (tracking number, postcode) of what carrier and 3PL sent."""
    found: dict[str, list[tuple[str, str]]] = {}
    for label in world.shipengine.labels.values():
        where = str(label.shipment["ship_to"]["postal_code"])
        found.setdefault(label.external_id or "", []).append((label.tracking, where))
    for order in world.shipbob.orders.values():
        where = str(order.body["recipient"]["address"]["zip_code"])
        for shipment in order.shipments:
            if shipment.shipped is not None and shipment.tracking:
                found.setdefault(order.reference, []).append((shipment.tracking, where))
    return found


def _postcode(world: World, number: str) -> str:
    if number.isdecimal():
        body = world.shop.orders[int(number)].body
        return str(body["shipping"]["postcode"] or body["billing"]["postcode"])
    return str((world.seller.orders[number].recipient or {}).get("postalCode"))


def _told(world: World, channel: str) -> dict[str, set[str]]:
    """Order -> tracking numbers that its channel shows, but of what Amazon itself sends."""
    if channel.startswith("shop"):
        rows = {one["id"]: one["meta"] for one in truth.woo_orders(world)}
        items = {number: meta.get("_wc_shipment_tracking_items") for number, meta in rows.items()}
        return {n: {one["tracking_number"] for one in shown or ()} for n, shown in items.items()}
    return {
        number: {package.tracking for package in order.packages.values()}
        for number, order in world.seller.orders.items()
        if order.fulfilled_by == "MERCHANT"
    }


def _of_any(asked: Callable[..., Any]) -> Callable[..., Any]:
    """The question of one account, asked of all of them."""

    def ask(conn: Connection, _connection_id: int, *rest: Any, **more: Any) -> Any:
        found: Any = None
        for connection_id in conn.scalars(select(t.connection.c.id)).all():
            told = asked(conn, connection_id, *rest, **more)
            if found is None:
                found = told
            else:
                found = found + told if isinstance(told, list) else found | told
        return found

    return ask


BUGS = (
    Planted(
        "orders are known by their number alone",
        ((orders, "existing", _of_any(orders.existing)),),
    ),
    Planted(
        "payloads are known by their number alone",
        ((inbox, "known", _of_any(inbox.known)),),
    ),
    Planted(
        "whoever sends takes what is anybody's",
        ((intents, "due", _of_any(intents.due)),),
    ),
)
