"""A store that came out of a backup: what it must not believe any more, and what is to be asked.

Between the backup and the restore the former store may have sent anything that this one has
planned, and anything for orders that this one has not even seen. Nothing of that is sent before
the other side was asked.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, delete, func, or_, select, update

from state import history
from state import tables as t
from state.batches import among
from state.dirty_marks import mark_dirty_among
from state.ids import insert_one

CHECKED = "checked_after_restore"
"""The event of an order of which it is known again what others have of it."""

_FENCE_GAP = 1_000_000
"""More runs than the former store can have begun since the backup."""

_CLOCKS_APART = timedelta(hours=1)
"""How much later than ours a channel's clock may be: an order placed "after" the restore may have
been known to the former store."""

_READ_AGAIN_WITHIN = timedelta(days=7)
"""Long after every stream has caught up, and short enough that nobody asks in vain for ever."""

_EFFECTS = ("fulfilment_order", "label", "cancel_fulfilment_order", "tracking")
_UNSETTLED = ("planned", "sending", "unknown")


def begin(
    conn: Connection,
    taken_at: datetime,
    now: datetime,
    actor: str,
    former_fence: int,
    reason: str = "",
) -> int:
    """Make everything in flight safe, in the transaction that fills the store; answers the number
    of intents of which nobody knows any more whether they were sent.

    ``former_fence``: the highest of the store that this one replaces. Above it no worker of that
    store can write. Intents become ``sending``, as after the death of the process: each is then
    settled as its vendor allows, by a look-up, a repetition, or a person. Cursors stand where the
    backup left them, which is before whatever came since.
    """
    highest = max(former_fence, conn.scalar(select(func.max(t.stream.c.fence))) or 0)
    cursors = {row.key: row.cursor for row in conn.execute(select(t.stream)) if row.cursor}
    nobody = {"fence": highest + _FENCE_GAP, "owner": "", "lease_until": None}
    conn.execute(update(t.stream).values(**nobody, due_at=now, failures=0))
    running = t.run.c.state == "running"
    conn.execute(update(t.run).where(running).values(state="lost", finished_at=now))
    conn.execute(delete(t.rate_bucket))
    doubtful = _doubt_effects(conn, now)
    _promise_anew(conn, now)
    number = insert_one(
        conn,
        t.restoration,
        restored_at=now,
        taken_at=taken_at,
        actor=actor,
        cursors=cursors,
        last_event_id=conn.scalar(select(func.max(t.order_event.c.id))),
    )
    history.audit(
        conn,
        actor=actor,
        action="restore",
        subject=("restoration", number),
        after={"taken_at": taken_at.isoformat(), "intents_in_doubt": doubtful},
        reason=reason,
        now=now,
    )
    return doubtful


def _doubt_effects(conn: Connection, now: datetime) -> int:
    """``sent_at`` is the last moment at which the former store can have sent them."""
    doubted = t.intent.c.kind.in_(_EFFECTS) & t.intent.c.state.in_(_UNSETTLED)
    values = {
        "state": "sending",
        "sent_at": now,
        "owner": "",
        "send_by": None,
        "message": "the store was restored from a backup",
    }
    return conn.execute(update(t.intent).where(doubted).values(values)).rowcount


def _promise_anew(conn: Connection, now: datetime) -> None:
    """What channels offer is not known any more: each listing is computed and written once more.

    Under keys that the former store cannot have used: a vendor may take an equal key for a
    repetition, and leave the old quantity.
    """
    written = t.intent.c.kind == "stock"
    stale = written & t.intent.c.state.in_(("planned", "sending", "unknown"))
    values = {"state": "superseded", "settled_at": now, "message": "restored from a backup"}
    conn.execute(update(t.intent).where(stale).values(values))
    promise = t.channel_availability
    conn.execute(
        update(promise).values(
            observation_version=promise.c.observation_version + _FENCE_GAP, astray_since=now
        )
    )
    mark_dirty_among(conn, select(t.sku.c.id))


def latest(conn: Connection) -> Row[Any] | None:
    """The last time this store came out of a backup; null: nothing is in doubt because of one."""
    return conn.execute(_LATEST).first()


_LATEST = (
    select(t.restoration)
    .where(t.restoration.c.settled_at.is_(None))
    .order_by(t.restoration.c.id.desc())
    .limit(1)
)


def is_over(since: Row[Any], now: datetime) -> bool:
    """Has whatever came before a restoration long been read again?"""
    return bool(now >= since.restored_at + _READ_AGAIN_WITHIN)


def settle(conn: Connection, since: Row[Any], now: datetime) -> None:
    """Nobody is asked any more because of this restoration, nor of earlier ones."""
    upto = t.restoration.c.id <= since.id
    conn.execute(update(t.restoration).where(upto).values(settled_at=now))


def unchecked(
    conn: Connection, since: Row[Any], order_ids: Iterable[int] | None = None
) -> list[int]:
    """Orders of which the former store may have handed something over that this one knows nothing
    of, by id: those older than the restoration that have goods to ship, that something was under
    way about, or that their channel has told of since.

    ``order_ids``: all of these that are older, and that nobody was asked about.
    """
    order, event = t.sales_order.c, t.order_event.c
    asked = select(event.id).where(
        event.order_id == order.id, event.kind == CHECKED, event.at >= since.restored_at
    )
    query = select(order.id).where(
        order.placed_at < since.restored_at + _CLOCKS_APART, ~asked.exists()
    )
    if order_ids is not None:
        query = query.where(among(order.id, order_ids))
    else:
        query = query.where(or_(_is_to_ship(), _has_been_told_of(since), _is_in_doubt()))
    return list(conn.scalars(query.order_by(order.id)))


def _is_to_ship() -> Any:
    order, line = t.sales_order.c, t.order_line.c
    left = line.qty_shipped + line.qty_cancelled < line.qty_ordered
    goods = select(line.id).where(line.order_id == order.id, line.requires_shipping, left)
    return order.intake_state.in_(("accepted", "parked")) & goods.exists()


def _has_been_told_of(since: Row[Any]) -> Any:
    """Whatever its channel says of it by now: it may be over there because of what was sent."""
    event = t.order_event.c
    told = select(event.order_id).where(
        event.id > (since.last_event_id or 0), event.kind.in_(("received", "changed"))
    )
    return (t.sales_order.c.intake_state != "ignored") & t.sales_order.c.id.in_(told)


def _is_in_doubt() -> Any:
    """Nobody knows whether something about its work was sent, such as that it is to be stopped."""
    sent, work = t.intent.c, t.fulfilment_order.c
    of_work = (sent.subject_type == "fulfilment_order") & (sent.subject_id == work.id)
    doubted = select(sent.id).where(of_work, sent.state == "sending")
    return t.sales_order.c.id.in_(select(work.order_id).where(doubted.exists()))


def note_checked(conn: Connection, order_id: int, summary: str, now: datetime) -> None:
    history.event(conn, order_id, CHECKED, summary, now)


def orders_of_intents(conn: Connection, rows: Iterable[Row[Any]]) -> dict[int, int]:
    """Order by intent, for hand-overs: those whose subject is a fulfilment order."""
    given = {row.subject_id: row.id for row in rows if row.subject_type == "fulfilment_order"}
    work = t.fulfilment_order.c
    found = conn.execute(select(work.id, work.order_id).where(among(work.id, given)))
    by_work = {row.id: row.order_id for row in found}
    return {
        row.id: by_work[row.subject_id]
        for row in rows
        if row.subject_type == "fulfilment_order" and row.subject_id in by_work
    }


def read_shipments_again(
    conn: Connection, since: Row[Any], stream_key: str, connection_id: int, now: datetime
) -> None:
    """A connection's reports may have named work before it was known again: have them told anew.

    Those that were put aside as somebody else's are forgotten, and the stream reads from where
    the backup had left it. A run of it that is under way loses its lease: its cursor is too far.
    """
    aside = t.inbox
    conn.execute(
        delete(aside).where(
            aside.c.connection_id == connection_id,
            aside.c.topic == "shipments",
            aside.c.state == "ignored",
            aside.c.received_at >= since.restored_at,
        )
    )
    stream = t.stream
    back = {
        "cursor": since.cursors.get(stream_key),
        "fence": stream.c.fence + 1,
        "owner": "",
        "lease_until": None,
        "due_at": now,
    }
    conn.execute(update(stream).where(stream.c.key == stream_key).values(back))
