"""Erasing a person on request: who may be forgotten already, and what is left of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import Connection, Row

from connectors.base import KeepsFiles
from state import history, orders
from state.personal import erasing, people, places
from state.personal.words import Words
from sync.context import Hub


@dataclass(frozen=True, slots=True)
class Open:
    """An order, or a record that is not yet one, whose address is still needed."""

    order: str
    connection: str
    reason: str
    remedy: str


@dataclass(slots=True)
class Erased:
    """``places``: rows that changed, by table; ``files``: files that were rewritten."""

    orders: list[int] = field(default_factory=list)
    places: Counter[str] = field(default_factory=Counter)
    files: int = 0

    @property
    def anything(self) -> bool:
        return bool(self.places or self.files)


def still_open(conn: Connection, person: people.Person) -> list[Open]:
    """What of a person cannot be erased yet."""
    reasons = people.open_orders(conn, [row.id for row in person.orders])
    found = [
        Open(
            row.channel_order_name,
            row.connection,
            reasons[row.id],
            "ship it, or cancel it in the channel; `crossdock explain` tells where it stands",
        )
        for row in person.orders
        if row.id in reasons
    ]
    return found + [
        Open(
            row.external_id,
            row.connection,
            "its payload is parked and not yet an order",
            "mend the mapping definition, then `crossdock retry`",
        )
        for row in person.records
        if row.state == "parked"
    ]


@dataclass(frozen=True, slots=True)
class Asked:
    """Who erases whom, and why. ``email`` never gets into the store."""

    email: str
    actor: str
    reason: str


def erase(conn: Connection, person: people.Person, asked: Asked, now: datetime) -> Erased:
    """Erase what is not needed any more, in the caller's transaction; orders that are open stay.

    The audit trail says who, when, why and how much, and not whom.
    """
    erasing.begin(conn)
    orders.lock(conn, [row.id for row in person.orders])
    needed = people.open_orders(conn, [row.id for row in person.orders])
    done = Erased()
    words = words_of(conn, person.orders, asked)
    settled = [row for row in person.orders if row.id not in needed]
    for row in settled:
        erase_order(conn, row, now, done, Said(f"erased by {asked.actor}", asked.actor))
    loose = [row for row in person.records if row.state != "parked"]
    keys = {(row.connection_id, row.topic, row.external_id) for row in loose}
    keys |= {key for row in settled for key in person.payloads[row.id]}
    emptied = erasing.erase_payloads(conn, sorted(keys), now)
    if emptied:
        done.places["inbox"] += emptied
    mentions = erasing.erase_mentions(conn, words)
    if mentions:
        done.places["run"] += mentions
    if done.anything:
        history.audit(
            conn,
            actor=asked.actor,
            action="erase_personal_data",
            subject=("person", 0),
            after={"orders": done.orders, "kept_open": len(needed), "rows": dict(done.places)},
            reason=words.scrub(asked.reason),
            now=now,
        )
    return done


@dataclass(frozen=True, slots=True)
class Said:
    """``story``: what an order's story tells of its erasure. ``by``: for the audit trail."""

    story: str
    by: str


def erase_order(conn: Connection, order: Row[Any], now: datetime, into: Erased, said: Said) -> None:
    """Erase one order and say so in its story; one that was erased before says it once."""
    changed = erasing.erase_order(conn, order, now, said.by)
    if changed or order.erased_at is None:
        history.event(conn, order.id, "personal_data_erased", said.story, now)
        into.orders.append(order.id)
    into.places += changed


def words_of(conn: Connection, found: Sequence[Row[Any]], asked: Asked) -> Words:
    """By what the person is known in these orders, and the address that was given."""
    return erasing.words_of(conn, [row.id for row in found], [asked.email])


Known = tuple[Collection[int], Words]
"""The connections that somebody's data went through, and the words to look for in their files."""


def known_by(conn: Connection, order: Row[Any]) -> Known:
    """How an order's buyer is known in the files of those who had to do with it."""
    through = {order.connection_id, *(key[0] for key in places.payloads(conn, order))}
    return through, erasing.words_of(conn, [order.id])


def erase_files(hub: Hub, whose: Sequence[Known]) -> int:
    """Take people's words out of the files that connectors keep; returns how many were written.

    To be done before the store forgets the words: whoever is interrupted can begin again.
    """
    written = 0
    for link in hub.links.values():
        mine = [words for through, words in whose if link.id in through]
        if mine and isinstance(link.connector, KeepsFiles):
            written += link.connector.rewrite_kept(partial(_scrub, mine))
    return written


def _scrub(known: Sequence[Words], text: str) -> str:
    for words in known:
        text = words.scrub_lines(text)
    return text
