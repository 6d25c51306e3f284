"""``crossdock hooks``: where webhooks come in, and what came."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import click
from sqlalchemy import Row

from jobs import webhooks
from jobs.commands.options import as_json, opened, settings_option
from jobs.listing import show
from state import hook_events
from web.endpoints import Endpoint

RECENTLY = timedelta(days=1)

_COLUMNS = {
    "connection": "connection",
    "url": "address",
    "state": "",
    "last": "last one",
    "events": "in 24 h",
    "unused": "unused",
    "repeated": "repeated",
    "refused": "refused",
    "later": "sent away",
}

_NOT_REFUSED = ("repeated", "later")


@click.command()
@as_json
@settings_option
def hooks(config: Path | None, as_json: bool) -> None:
    """List where webhooks come in, when the last one came, and what was refused.

    An address is open when its connection has a webhook_secret and [web] listen is set.
    "unused": proven, kept, and about nothing that we read. "refused": not proven (since ever, as
    are "repeated" and "sent away", those that could not be kept).

    \b
    Examples:
      crossdock hooks
      crossdock hooks --json
    """
    with opened(config) as installation:
        web = installation.settings.web
        with installation.hub.store.read() as conn:
            since = installation.clock.now() - RECENTLY
            came = hook_events.overview(conn, since)
            tallies = hook_events.tallies(conn)
        rows = [
            {
                "connection": name,
                "url": webhooks.url_of(web, endpoint),
                "state": _state(endpoint, listens=web.listen is not None),
                **_came(came.get(endpoint.connection_id)),
                **_counted(tallies.get(endpoint.connection_id, {})),
            }
            for name, endpoint in webhooks.endpoints_of(installation).items()
        ]
    show(rows, _COLUMNS, as_json=as_json, empty="No connection's vendor sends webhooks.")


def _state(endpoint: Endpoint, *, listens: bool) -> str:
    if not endpoint.is_open:
        return "closed: no webhook_secret"
    return "open" if listens else "closed: [web] listen is not set"


def _came(row: Row[Any] | None) -> dict[str, Any]:
    if row is None:
        return {"last": None, "events": 0, "unused": 0}
    return {"last": row.last, "events": row.events, "unused": row.unused}


def _counted(tally: Mapping[str, int]) -> dict[str, Any]:
    reasons = {kind: times for kind, times in tally.items() if kind not in _NOT_REFUSED}
    return {
        "repeated": tally.get("repeated", 0),
        "later": tally.get("later", 0),
        "refused": sum(reasons.values()),
        "reasons": reasons,
    }
