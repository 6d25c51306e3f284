"""Rules that came, went or changed, and a date window's edge: their listings are computed anew.

What decided the promises of each connection is kept: the rules in force there, and the locations
that serve it. Where that is not what holds now, just the listings that the difference can touch
are marked. A rule that begins or ends by its dates looks the same as one that ops wrote or erased.
Where a rule weighs the in-flight risk, time is such a ground too: a rate of sale falls by itself.
What moves while a connection is out of the settings marks nothing of it: its grounds are forgotten.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection

from state import grounds
from sync.context import Hub, Link, Run
from sync.promise.rules import digest_of
from sync.promise.weighing import business_date, written_links

RATE_EVERY_S = 900
"""How often the rates of sale are looked at anew."""

SOLD_WITHIN = timedelta(days=2)
"""Longer than the longest window that a rate is measured in, in any time zone."""


def renew(hub: Hub, run: Run) -> None:
    """Mark what a change of rules, dates or serving locations touches."""
    links = written_links(hub)
    with hub.store.read() as conn:
        found = {link.id: _grounds(conn, hub, link) for link in links.values()}
        stale = [key for key, now in found.items() if grounds.noted(conn, key) != now]
        away = grounds.noted_connections(conn) - found.keys()
    if not stale and not away:
        return
    with run.commit() as conn:
        grounds.forget(conn, away)
        touched = [(key, scope) for key in stale for scope in _noted(conn, key, found[key])]
        grounds.mark_dirty_within(conn, touched)
    run.count("rules_changed", sum("sold_since" not in scope for _, scope in touched))


def _noted(
    conn: Connection, connection_id: int, now: dict[str, dict[str, str]]
) -> list[dict[str, str]]:
    """Note what decides a connection's promises now; returns what the difference is about."""
    before = grounds.noted(conn, connection_id)
    differing = before.keys() ^ now.keys()
    new = {digest: scope for digest, scope in now.items() if digest not in before}
    grounds.note(conn, connection_id, before.keys() - now.keys(), new)
    return [(now | before)[digest] for digest in sorted(differing)]


def _grounds(conn: Connection, hub: Hub, link: Link) -> dict[str, dict[str, str]]:
    """What decides a connection's promises: digest -> the listings it is about."""
    places = grounds.places_of(conn, [link.id]).get(link.id, {})
    serving = digest_of({"serving": sorted((row.code, row.group) for row in places.values())})
    return {
        serving: {},
        **hub.policy.promise.in_force(link.name, business_date(hub, link)),
        **(_rates(hub.clock.now()) if hub.policy.promise.weighs_risk else {}),
    }


def _rates(now: datetime) -> dict[str, dict[str, str]]:
    """The rates of what was sold lately, as they are in this quarter of an hour."""
    since = (now - SOLD_WITHIN).date().isoformat()
    return {digest_of({"rates": int(now.timestamp()) // RATE_EVERY_S}): {"sold_since": since}}
