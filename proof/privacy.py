"""G16, threat T23: after an erasure nothing tells who a buyer was, and the books are whole.

Buyers whose every word occurs nowhere else order in the sandbox's shop and marketplace. Their
orders are taken in, handed over, labelled and shipped by the real application. Half of the buyers
ask to be erased; of the others the time runs out. The 3PL also tells of parcels that never become
a shipment, of theirs and of somebody's who bought elsewhere. Looked at are all bytes: every column
of every row, payloads unpacked, and on SQLite the database file with its freed pages and its log.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from itertools import cycle, islice
from time import process_time
from typing import Any
from unittest import mock

import msgspec
from sqlalchemy import func, insert, select, update

from proof.budget import Budget, reached
from proof.buyers import CHANNELS, Trade, email_of, traded
from proof.canaries import all_in_store, all_opened
from proof.evidence import Evidence, Size
from state import history, inbox
from state import tables as t
from state.personal import erasing, people, reports, retention
from state.store import Store
from state.vault import bodies, keys
from sync import intake, invariants
from sync.privacy import erasure, expiry
from sync.privacy.erasure import Asked

_ORDERS: dict[Size, int] = {"pull-request": 100, "nightly": 1_000}
"""Of a round of hubs, shared out over them."""
_ROUNDS: dict[Size, int] = {"pull-request": 1, "nightly": 10}
_PLANTED_ORDERS = 4
_STRANGER = 9_999_999
"""The buyer of an order that others gave the 3PL."""
_MOST_ASKED = 500
"""Whoever asks has every payload read for their address: the others' time runs out instead."""


def prove(
    size: Size, seed: int = 1, postgres: str | None = None, budget_s: float | None = None
) -> Evidence:
    """With buyers' data in clear, encrypted, and on PostgreSQL both. ``postgres``: the URL of a
    database with the store's tables and no row, for one hub. ``budget_s``: real seconds; null: all
    hubs."""
    started, budget = process_time(), Budget(budget_s)
    planted = {name: _noticed(plant, seed) for name, plant in PLANTED.items()}
    planted |= {name: _noticed(plant, seed, CHANNELS) for name, plant in PLANTED_KEYS.items()}
    first: list[tuple[str | None, Sequence[str]]] = [(None, ()), (None, CHANNELS)]
    if postgres:
        first.append((postgres, CHANNELS[:1]))
    # As many as make at least the orders that are wanted.
    orders = -(-_ORDERS[size] // len(first))
    more = islice(cycle(first[:2]), (_ROUNDS[size] - 1) * len(first))
    injections: Counter[str] = Counter()
    violations: list[str] = []
    runs, number = 0, seed
    hubs = enumerate(budget.over([*first, *more], least=len(first)), seed)
    for number, (url, encrypted) in hubs:
        with traded(orders, number, url, encrypted=encrypted) as trade:
            kind = "sqlite" if url is None else "postgresql"
            kind += f", {len(encrypted)} channels encrypted" if encrypted else ""
            violations += [f"{kind}, seed {number}: {one}" for one in check(trade)]
            injections.update({f"{kind}: {name}": n for name, n in trade.did.items()})
            runs += len(trade.buyers)
    return Evidence(
        "G16",
        "after an erasure no byte tells who the buyer was",
        f"python -m proof G16 --size {size} --seed {seed}",
        runs,
        "buyers",
        f"{seed}-{number}",
        injections,
        violations,
        planted,
        {
            "databases": "sqlite, postgresql" if postgres else "sqlite",
            **reached(size, runs, _ORDERS[size] * _ROUNDS[size]),
        },
        process_time() - started,
    )


# ---- the check -------------------------------------------------------------------------------


def check(trade: Trade) -> list[str]:
    """Everything that does not hold."""
    asked = [number for number in trade.buyers if number % 4 < 2][:_MOST_ASKED]
    others = sorted({*trade.buyers} - {*asked})
    found = [f"buyer {n} was not there to begin with" for n in {*trade.buyers} - _known(trade)][:1]
    books = _books(trade)
    _tell_of_parcels(trade)
    for number in asked:
        _erase(trade, number)
    trade.did["erased on request"] += len(asked)
    if not trade.store.wipe_traces():
        found.append("the store's log could not be emptied")
    found += [f"after the erasure: {where}" for where in trade.canaries(*asked)]
    found += _keys_left(trade, asked)
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
    """The buyers of whom the store tells anything, to whoever has the keys."""
    wanted = re.compile(rb"(?i)canary(\d+)q")
    return {int(n) for n in all_in_store(trade.store, wanted) | all_opened(trade.store, wanted)}


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


def _tell_of_parcels(trade: Trade) -> None:
    """What the 3PL says of work under names that never become a shipment."""
    work, order = t.fulfilment_order.c, t.sales_order
    named = select(order.c.channel_order_id, work.reference).join(
        order, order.c.id == work.order_id
    )
    buyers = {name: number for number, name in trade.buyers.items()}
    bob = next(link.id for link in trade.app.hub.links.values() if link.name == "bob")
    with trade.store.write() as conn:
        told = [
            (row.reference, buyers[row.channel_order_id])
            for row in conn.execute(named)
            if row.channel_order_id in buyers
        ]
        told.append(("SOMEBODY-ELSE", _STRANGER))
        parcels = [_parcel(place, *one) for place, one in enumerate(told)]
        inbox.add(conn, bob, "shipments", parcels, trade.clock.now())
    trade.did["parcels that are no shipment"] += len(parcels)


def _parcel(place: int, reference: str, number: int) -> inbox.Received:
    """Tells of the buyer nothing by which they could be asked for."""
    body = {"order": {"reference_id": reference, "recipient": f"canary{number}qdoor"}}
    return inbox.received(f"parcel-{place}", msgspec.json.encode(body))


def _erase(trade: Trade, number: int) -> None:
    asked = Asked(email_of(number), "ops", f"{email_of(number)} asked for it")
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


def _keys_left(trade: Trade, numbers: Sequence[int]) -> list[str]:
    """Keys that would read these buyers' data in a backup, and those that others need."""
    names = {trade.buyers[number] for number in numbers}
    with trade.store.read() as conn:
        held = set(conn.scalars(select(t.data_key.c.external_id)))
    return [f"after the erasure: the key of order {name}" for name in sorted(names & held)]


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
    left = trade.canaries(*others, _STRANGER)
    return found + [f"31 days later: {where}" for where in left]


# ---- planted bugs ----------------------------------------------------------------------------


def _noticed(plant: Callable[[], Any], seed: int, encrypted: Sequence[str] = ()) -> str | None:
    """What noticed a planted bug: the first thing that did not hold."""
    with traded(_PLANTED_ORDERS, seed, None, encrypted=encrypted) as trade, plant():
        found = check(trade)
    return found[0] if found else None


def _instead(target: object, name: str, other: Any) -> Callable[[], Any]:
    return lambda: mock.patch.object(target, name, other)


def _both(*plants: Callable[[], Any]) -> Callable[[], Any]:
    @contextmanager
    def together() -> Iterator[None]:
        with ExitStack() as stack:
            for plant in plants:
                stack.enter_context(plant())
            yield

    return together


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
        audit(conn, **{**given, "after": {"of": email_of(0)}})

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
    "nobody looks whose the 3PL's reports are": _instead(reports, "named", lambda _: set()),
    "only what became an order or a shipment expires": _instead(
        expiry, "_expire_reports", _nothing
    ),
}

PLANTED_KEYS: dict[str, Callable[[], Any]] = {
    "the keys of erased orders stay": _instead(keys, "destroy", _nothing),
    "an encrypted address of what was sent stays, and its key": _both(
        _instead(bodies, "without_person", lambda body: body), _instead(keys, "destroy", _nothing)
    ),
    "encrypted addresses and notes stay, and their keys": _both(
        _instead(erasing, "_blank", _nothing), _instead(keys, "destroy", _nothing)
    ),
}
"""On encrypted data, where only keys can show that it is still there."""
