"""Webhooks that stopped coming: vendors remove or disable a subscription and tell nobody.

Polling reads everything all the same, only later. So what is wrong is told and hurts nobody: the
stream of this job fails with what ops can do, in ``crossdock status`` and in the log, until the
vendor sends again.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection, func, select

from connectors.base import ListsSubscriptions
from connectors.errors import Rejected
from state import hook_events, streams
from state import tables as t
from sync.context import Hub, Link, Run

JOB = "check-hooks"
SILENT_AFTER = 5
"""Orders of which a change was read and no webhook came: fewer may be on their way, or lost by
chance."""
ON_THEIR_WAY = timedelta(hours=1)
"""How old a change is before its webhook counts as missing."""


def check_hooks(hub: Hub, run: Run) -> None:
    """Job: is the vendor still told to send, and does it?

    Raises ``Rejected`` with the remedy when it is not, or does not.
    """
    link = hub.link(run)
    connector = link.connector
    if not isinstance(connector, ListsSubscriptions) or not link.hooks_at:
        return
    wrong = [one for one in connector.subscriptions(link.hooks_at) if not one.ok]
    if wrong:
        told = "; ".join(f"{one.subject} {one.detail}. {one.remedy}" for one in wrong)
        raise Rejected(f"{link.name}: changes are read later than they could be: {told}")
    now = hub.clock.now()
    with hub.store.read() as conn:
        since = _heard_of(conn, link)
        missed = _changed(conn, link, since, now - ON_THEIR_WAY) if since else 0
    if since and missed >= SILENT_AFTER:
        raise Rejected(
            f"{link.name}: {missed} orders changed since {since:%Y-%m-%d %H:%M} and no webhook"
            f" came, though the vendor says that it sends. See that {link.hooks_at} can be reached"
            " from outside, and what was refused: crossdock hooks"
        )


def _heard_of(conn: Connection, link: Link) -> datetime | None:
    """When the last webhook came, or when all was last well; null: nothing was ever known."""
    came = hook_events.last(conn, link.id)
    well = streams.last_success(conn, streams.key_of(JOB, link.name))
    return max((at for at in (came, well) if at is not None), default=None)


def _changed(conn: Connection, link: Link, since: datetime, until: datetime) -> int:
    """Orders that changed at the channel in between, as polling has read them."""
    order = t.sales_order.c
    query = select(func.count()).where(
        order.connection_id == link.id,
        order.channel_updated_at > since,
        order.channel_updated_at <= until,
    )
    return conn.scalar(query) or 0
