"""Buyers whose every word occurs nowhere else, and the hub that takes in and ships their orders."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from jobs import app
from jobs.app import App
from jobs.clock import ManualClock
from jobs.running import Order
from proof.canaries import found_in_files, found_in_store, found_opened
from sandbox import installation, trade_amazon, trade_woo
from sandbox.app import Sandbox
from sandbox.catalogue import AMAZON_CODES, SCARCE
from sandbox.people import Person
from sandbox.vendors.woo_shop import WooOrder
from sandbox.world import World
from state import history, orders, streams
from state import tables as t
from state.store import Store
from state.vault.keyring import MasterKey
from sync import imports

_DAY = datetime(2026, 11, 2, 6, tzinfo=UTC)
_URL = "http://sandbox.test"
CHANNELS = ("amazon-eu", "shop-eu")
"""The sandbox's shop and marketplace, by the names of their connections."""

_KEEP = """personal_data.keep_days_after_delivery = 30
personal_data.keep_days_after_change = 30
"""
_GOODS = sorted(set(AMAZON_CODES) - SCARCE)[:4]


class _OneClock(ManualClock):
    """The application's clock and the sandbox's at once."""

    def set_speed(self, speed: float) -> None:
        raise ValueError("a manual clock has no speed: advance it")


@dataclass
class Trade:
    """``buyers``: number of the person -> the order at the channel. ``did``: what happened."""

    folder: Path
    world: World
    app: App
    clock: _OneClock
    encrypted: Sequence[str] = ()
    buyers: dict[int, str] = field(default_factory=dict)
    did: Counter[str] = field(default_factory=Counter)

    @property
    def store(self) -> Store:
        return self.app.hub.store

    def once(self, job: str, connection: str | None = None) -> None:
        key = streams.key_of(job, connection)
        since = _DAY if job == "pull-orders" else None
        ended = self.app.runner("once").run_once(key, Order("once", connection, since))
        assert ended is not None
        if ended.verdict is not None and ended.verdict.kind == "bug":
            raise AssertionError(f"{key}: {ended.verdict.message}")

    def canaries(self, *numbers: int) -> list[str]:
        """Where the store and its files tell of them, to whoever has the keys, too."""
        wanted = pattern(numbers)
        opened = found_opened(self.store, wanted) if self.encrypted else []
        return [*self.raw(wanted), *opened]

    def raw(self, wanted: re.Pattern[bytes]) -> list[str]:
        """The same to whoever has only the files."""
        drop = found_in_files(self.folder / "drop", wanted)
        return [*found_in_store(self.store, wanted), *drop]


def pattern(numbers: Sequence[int]) -> re.Pattern[bytes]:
    """Any word of these buyers."""
    return re.compile(rb"(?i)canary(?:%s)q" % "|".join(map(str, numbers)).encode())


def email_of(number: int) -> str:
    """The address by which a buyer is known."""
    return f"canary{number}q@example.org"


def _person(number: int) -> Person:
    word = f"Canary{number}q"
    return Person(
        f"{word}first",
        f"{word}last",
        f"{word}street 1",
        f"{word}city",
        "",
        "10117",
        "DE",
        f"+49 30 {word}",
        f"{word}company",
        f"{word}floor",
    )


@contextmanager
def traded(
    count: int, seed: int, url: str | None, *, encrypted: Sequence[str] = (), talk: bool = True
) -> Iterator[Trade]:
    """A hub whose orders have all been shipped. ``encrypted``: of which channels buyers' data is.
    ``talk``: people wrote down whom they spoke to."""
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="crossdock-privacy-"))
        stack.callback(shutil.rmtree, folder)
        clock = _OneClock(_DAY)
        world = World(
            seed,
            clock,
            orders_per_channel=count,
            day_hours=100_000,
            pick_after=timedelta(minutes=1),
            ship_after=timedelta(minutes=2),
        )
        sandbox = Sandbox(world)
        installation.write(folder, _URL, world)
        channels = folder / "connections.d" / "channels.toml"
        text = channels.read_text(encoding="utf-8").replace("personal_data.encrypt = false", "")
        for name in CHANNELS:
            keep = f"{_KEEP}personal_data.encrypt = {str(name in encrypted).lower()}\n"
            text = text.replace(f"[connections.{name}]\n", f"[connections.{name}]\n{keep}")
        channels.write_text(text, encoding="utf-8")
        fulfilment = folder / "connections.d" / "fulfilment.toml"
        text = fulfilment.read_text(encoding="utf-8")
        text = text.replace("[connections.bob]\n", f"[connections.bob]\n{_KEEP}")
        fulfilment.write_text(text, encoding="utf-8")
        if encrypted:
            add_keys(folder, MasterKey.new())
        store = Store(url or f"sqlite:///{folder / 'crossdock.db'}")
        stack.callback(store.close)
        if url is None:
            with store.write() as conn:
                t.metadata.create_all(conn)
        configuration = app.load(folder / "settings.toml")
        hub = stack.enter_context(
            app.open_app(configuration, store, clock=clock, transport=sandbox.transport())
        )
        trade = Trade(folder, world, hub, clock, encrypted)
        _open_shop(trade)
        _place(trade, count)
        _work(trade)
        if talk:
            _talk(trade)
        yield trade


def add_keys(folder: Path, *masters: MasterKey) -> None:
    """Master keys beside the settings, the last one in use."""
    file = folder / "secrets" / "crossdock.keys"
    draft = file.with_suffix(".new")
    draft.write_text("".join(f"{key.line()}\n" for key in masters), encoding="utf-8")
    draft.chmod(0o600)
    draft.replace(file)
    settings = folder / "settings.toml"
    text = settings.read_text(encoding="utf-8")
    if "[encryption]" not in text:
        section = '\n[encryption]\nkeys = "file:secrets/crossdock.keys"\n'
        settings.write_text(text + section, encoding="utf-8")


def _open_shop(trade: Trade) -> None:
    app.set_up_streams(trade.app)
    folder, now = trade.folder, trade.clock.now()
    with trade.store.write() as conn:
        imports.import_skus(conn, imports.read_skus(folder / "skus.csv"))
        # What is not there goes to the 3PL, which is told the address too.
        here = [
            row for row in imports.read_counts(folder / "counts.csv") if row.sku not in _GOODS[::2]
        ]
        imports.import_counts(conn, folder / "counts.csv", "berlin", here, "ops", now)
    trade.once("pull-stock", "bob")


def _place(trade: Trade, count: int) -> None:
    for number in range(count):
        person, wants = _person(number), [(_GOODS[number % len(_GOODS)], 1)]
        if number % 2:
            name = f"305-{number:07d}-0000001"
            amazon = trade_amazon.order_of(trade.world, person, wants, name, trade.clock.now())
            amazon.buyer["buyerEmail"] = email_of(number)
            placed: Any = trade_amazon.place(trade.world, trade.clock.now(), amazon)
        else:
            basket = trade_woo.basket_of(trade.world, person, wants)
            basket = replace(basket, note=f"canary{number}qnote: ring twice")
            placed = trade_woo.checkout(trade.world, trade.clock.now(), basket)
            if isinstance(placed, WooOrder):
                placed.body["billing"]["email"] = email_of(number)
                name = str(placed.id)
        if not placed:
            raise AssertionError(f"the goods of buyer {number} are sold out")
        trade.buyers[number] = name


def _work(trade: Trade) -> None:
    """From the channel's page to the parcel."""
    for _ in range(4):
        trade.clock.advance(1800)
        for channel in ("shop-eu", "amazon-eu"):
            trade.once("pull-orders", channel)
        trade.once("allocate")
        for connection in ("labels", "bob", "shop-eu", "amazon-eu"):
            trade.once("push", connection)
        trade.once("pull-shipments", "bob")


def _talk(trade: Trade) -> None:
    with trade.store.write() as conn:
        for number in trade.buyers:
            row = row_of(conn, trade, number)
            said = f"{_person(number).full_name} called"
            history.event(conn, row.id, "note", said, trade.clock.now())
            history.audit(
                conn,
                actor="ops",
                action="release_holds",
                subject=("sales_order", row.id),
                reason=said,
                now=trade.clock.now(),
            )


def row_of(conn: Any, trade: Trade, number: int) -> Any:
    """The order of a buyer."""
    [row] = orders.find(conn, trade.buyers[number])
    return row
