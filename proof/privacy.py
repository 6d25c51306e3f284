"""G16, threat T23: after an erasure nothing tells who a buyer was, and the books are whole.

Buyers whose every word occurs nowhere else order in the sandbox's shop and marketplace. Their
orders are taken in, handed over, labelled and shipped by the real application. Half of the buyers
ask to be erased; of the others the time runs out. Looked at are all bytes: every column of every
row, payloads unpacked, and on SQLite the database file with its freed pages and its log.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import process_time
from typing import Any
from unittest import mock

from sqlalchemy import func, insert, select, update

from jobs import app
from jobs.app import App
from jobs.clock import ManualClock
from jobs.running import Order
from proof.canaries import all_in_store, found_in_files, found_in_store
from proof.evidence import Evidence, Size
from sandbox import installation, trade_amazon, trade_woo
from sandbox.app import Sandbox
from sandbox.catalogue import AMAZON_CODES, SCARCE
from sandbox.people import Person
from sandbox.vendors.woo_shop import WooOrder
from sandbox.world import World
from state import history, orders, streams
from state import tables as t
from state.personal import erasing, people, retention
from state.store import Store
from sync import imports, intake, invariants
from sync.privacy import erasure
from sync.privacy.erasure import Asked

_DAY = datetime(2026, 11, 2, 6, tzinfo=UTC)
_URL = "http://sandbox.test"
_ORDERS: dict[Size, int] = {"pull-request": 100, "nightly": 10_000}
_PLANTED_ORDERS = 4
_MOST_ASKED = 500
"""Whoever asks has every payload read for their address: the others' time runs out instead."""
_KEEP = "personal_data = { keep_days_after_delivery = 30, keep_days_after_change = 30 }\n"
_GOODS = sorted(set(AMAZON_CODES) - SCARCE)[:4]


def prove(size: Size, seed: int = 1, postgres: str | None = None) -> Evidence:
    """``postgres``: the URL of a database with the store's tables and no row, for the second half
    of the claim."""
    started = process_time()
    urls = [None, *filter(None, [postgres])]
    injections: Counter[str] = Counter()
    violations: list[str] = []
    runs = 0
    for url in urls:
        with _trade(_ORDERS[size] // len(urls), seed, url) as trade:
            kind = "sqlite" if url is None else "postgresql"
            violations += [f"{kind}, seed {seed}: {one}" for one in check(trade)]
            injections.update({f"{kind}: {name}": n for name, n in trade.did.items()})
            runs += len(trade.buyers)
    planted = {name: _noticed(plant, seed) for name, plant in PLANTED.items()}
    return Evidence(
        "G16",
        "after an erasure no byte tells who the buyer was",
        f"python -m proof G16 --size {size} --seed {seed}",
        runs,
        "buyers",
        str(seed),
        injections,
        violations,
        planted,
        {"databases": "sqlite, postgresql" if postgres else "sqlite"},
        process_time() - started,
    )


# ---- the world -------------------------------------------------------------------------------


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
        wanted = _pattern(numbers)
        return found_in_store(self.store, wanted) + found_in_files(self.folder / "drop", wanted)


def _pattern(numbers: Sequence[int]) -> re.Pattern[bytes]:
    return re.compile(rb"(?i)canary(?:%s)q" % "|".join(map(str, numbers)).encode())


def _email(number: int) -> str:
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
def _trade(count: int, seed: int, url: str | None) -> Iterator[Trade]:
    """A hub whose orders have all been shipped."""
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
        text = channels.read_text(encoding="utf-8")
        channels.write_text(text.replace("timezone =", f"{_KEEP}timezone ="), encoding="utf-8")
        store = Store(url or f"sqlite:///{folder / 'crossdock.db'}")
        stack.callback(store.close)
        if url is None:
            with store.write() as conn:
                t.metadata.create_all(conn)
        configuration = app.load(folder / "settings.toml")
        hub = stack.enter_context(
            app.open_app(configuration, store, clock=clock, transport=sandbox.transport())
        )
        trade = Trade(folder, world, hub, clock)
        _open_shop(trade)
        _place(trade, count)
        _work(trade)
        yield trade


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
            amazon.buyer["buyerEmail"] = _email(number)
            placed: Any = trade_amazon.place(trade.world, trade.clock.now(), amazon)
        else:
            basket = trade_woo.basket_of(trade.world, person, wants)
            basket = replace(basket, note=f"canary{number}qnote: ring twice")
            placed = trade_woo.checkout(trade.world, trade.clock.now(), basket)
            if isinstance(placed, WooOrder):
                placed.body["billing"]["email"] = _email(number)
                name = str(placed.id)
        if not placed:
            raise AssertionError(f"the goods of buyer {number} are sold out")
        trade.buyers[number] = name


def _work(trade: Trade) -> None:
    """From the channel's page to the parcel, and what people and vendors write on the way."""
    for _ in range(4):
        trade.clock.advance(1800)
        for channel in ("shop-eu", "amazon-eu"):
            trade.once("pull-orders", channel)
        trade.once("allocate")
        for connection in ("labels", "bob", "shop-eu", "amazon-eu"):
            trade.once("push", connection)
        trade.once("pull-shipments", "bob")
    with trade.store.write() as conn:
        for number in trade.buyers:
            row = _row(conn, trade, number)
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


def _row(conn: Any, trade: Trade, number: int) -> Any:
    [row] = orders.find(conn, trade.buyers[number])
    return row


# ---- the check -------------------------------------------------------------------------------


def check(trade: Trade) -> list[str]:
    """Everything that does not hold."""
    asked = [number for number in trade.buyers if number % 4 < 2][:_MOST_ASKED]
    others = sorted({*trade.buyers} - {*asked})
    found = [f"buyer {n} was not there to begin with" for n in {*trade.buyers} - _known(trade)][:1]
    books = _books(trade)
    for number in asked:
        _erase(trade, number)
    trade.did["erased on request"] += len(asked)
    if not trade.store.wipe_traces():
        found.append("the store's log could not be emptied")
    found += [f"after the erasure: {where}" for where in trade.canaries(*asked)]
    found += _come_back(trade, asked)
    if _books(trade) != books:
        found.append("after the erasure: the books are other ones")
    found += _expire(trade, others)
    if _books(trade) != books:
        found.append("after the expiry: the books are other ones")
    with trade.store.read() as conn:
        found += [f"audit: {one.invariant} {one.subject}" for one in invariants.check(conn)]
    return found


def _known(trade: Trade) -> set[int]:
    """The buyers of whom the store tells anything."""
    return {int(number) for number in all_in_store(trade.store, re.compile(rb"(?i)canary(\d+)q"))}


def _books(trade: Trade) -> Any:
    """What finance and tax need, of every buyer's order."""
    order, line, tax = t.sales_order.c, t.order_line.c, t.tax_line.c
    money = (order.grand_total, order.discount_total, order.shipping_total, order.tax_total)
    country = select(t.address.c.country).where(t.address.c.id == order.ship_to_id)
    with trade.store.read() as conn:
        return (
            sorted(
                conn.execute(select(order.id, order.currency, *money, country.scalar_subquery()))
            ),
            sorted(conn.execute(select(line.id, line.qty_ordered, line.qty_shipped))),
            conn.scalar(select(func.sum(tax.amount))),
        )


def _erase(trade: Trade, number: int) -> None:
    asked = Asked(_email(number), "ops", f"{_email(number)} asked for it")
    with trade.store.write() as conn:
        person = people.find(conn, asked.email)
        erasure.erase(conn, person, asked, trade.clock.now())


def _come_back(trade: Trade, asked: Sequence[int]) -> list[str]:
    """The channels report the same orders anew, with other contents."""
    trade.clock.advance(3600)
    now = trade.clock.now()
    for number in asked:
        if number % 2:
            trade.world.seller.orders[trade.buyers[number]].modified = now
        else:
            trade.world.shop.refund(
                trade.world.shop.orders[int(trade.buyers[number])], 0, f"canary{number}qgift", now
            )
    # A channel lists what is some minutes old.
    trade.clock.advance(900)
    before = _reports(trade)
    for channel in ("shop-eu", "amazon-eu"):
        trade.once("pull-orders", channel)
    trade.did["reported again"] += _reports(trade) - before
    trade.store.wipe_traces()
    return [f"after a later report: {where}" for where in trade.canaries(*asked)]


def _reports(trade: Trade) -> int:
    """Payloads that were kept without their content; not the marks that say so of a record."""
    row = t.inbox.c
    bare = (func.length(row.body) == 0) & (func.length(row.sha256) > 0)
    with trade.store.read() as conn:
        return conn.scalar(select(func.count()).select_from(t.inbox).where(bare)) or 0


def _expire(trade: Trade, others: Sequence[int]) -> list[str]:
    found = []
    trade.clock.advance(timedelta(days=29).total_seconds())
    trade.once("expire-personal")
    gone = {*others} - _known(trade)
    found += [f"29 days later buyer {number} is gone" for number in gone][:1]
    trade.clock.advance(timedelta(days=2).total_seconds())
    trade.once("expire-personal")
    trade.did["expired"] += len(others)
    return found + [f"31 days later: {where}" for where in trade.canaries(*others)]


# ---- planted bugs ----------------------------------------------------------------------------


def _noticed(plant: Callable[[], Any], seed: int) -> str | None:
    """What noticed a planted bug: the first thing that did not hold."""
    with _trade(_PLANTED_ORDERS, seed, None) as trade, plant():
        found = check(trade)
    return found[0] if found else None


def _instead(target: object, name: str, other: Any) -> Callable[[], Any]:
    return lambda: mock.patch.object(target, name, other)


def _nothing(*_: object) -> int:
    return 0


def _loses_totals() -> Any:
    whole = erasing.erase_order

    def greedy(conn: Any, order: Any, now: datetime, by: str) -> Counter[str]:
        conn.execute(update(t.sales_order).values(grand_total=0))
        return whole(conn, order, now, by)

    return mock.patch.object(erasing, "erase_order", greedy)


def _remembers_in_the_audit() -> Any:
    audit = history.audit

    def talkative(conn: Any, **given: Any) -> None:
        audit(conn, **{**given, "after": {"of": _email(0)}})

    return mock.patch.object(history, "audit", talkative)


def _copies() -> Any:
    whole = erasing.erase_order

    def copying(conn: Any, order: Any, now: datetime, by: str) -> Counter[str]:
        row = conn.execute(select(t.address).where(t.address.c.id == order.ship_to_id)).one()
        kept = {name: value for name, value in row._mapping.items() if name != "id"}
        conn.execute(insert(t.address).values(kept))
        return whole(conn, order, now, by)

    return mock.patch.object(erasing, "erase_order", copying)


def _hurries() -> Any:
    whole = retention.held

    def early(conn: Any, connection_id: int, keep: retention.Keep, before: datetime) -> Any:
        return whole(conn, connection_id, keep, before + timedelta(days=2))

    return mock.patch.object(retention, "held", early)


PLANTED: dict[str, Callable[[], Any]] = {
    "payloads stay in the inbox": _instead(erasing, "_empty", _nothing),
    "what was sent keeps its address": _instead(erasing, "_shorten_addresses", _nothing),
    "addresses and notes stay": _instead(erasing, "_blank", _nothing),
    "free text stays": _instead(erasing, "_scrub", _nothing),
    "the store's files are not wiped": _instead(Store, "wipe_traces", lambda _: True),
    "a later report brings the buyer back": _instead(intake, "stripped", lambda reading: reading),
    "the audit trail tells whom": _remembers_in_the_audit,
    "the erasure takes the totals along": _loses_totals,
    "a copy of the address is left": _copies,
    "nothing ever expires": _instead(
        retention, "_until", lambda _row, _keep: datetime(9999, 1, 1, tzinfo=UTC)
    ),
    "it expires two days early": _hurries,
}
