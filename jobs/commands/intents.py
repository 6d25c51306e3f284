"""``crossdock intents``: what is to happen outside, and what nobody knows the end of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from sqlalchemy import Row

from jobs import accountable
from jobs.commands.options import as_json, opened, opened_store, settings_option
from jobs.listing import show, show_json
from jobs.problems import UsageProblem
from state import intents as kept
from state import streams
from state.intents import OPEN
from sync import resolving

LISTED = 500

_COLUMNS = {
    "key": "intent",
    "connection": "connection",
    "kind": "kind",
    "state": "state",
    "attempts": "attempts",
    "sent_at": "sent",
    "message": "message",
}


@click.group(invoke_without_command=True)
@as_json
@click.pass_context
def intents(ctx: click.Context, as_json: bool) -> None:
    """What is to happen outside: written down before it is sent, and settled by the answer.

    Without a sub-command those that wait for a person's word are listed.

    \b
    Examples:
      crossdock intents --json
      crossdock intents list --all --json
      crossdock intents resolve label:1001-5f3a2b1c-1 --not-done --reason "asked the carrier"
    """
    if ctx.invoked_subcommand is None:
        ctx.invoke(listing, as_json=as_json)
    elif as_json:
        raise UsageProblem(
            "Options before the command are not passed on.",
            f"Write them after it: crossdock intents {ctx.invoked_subcommand} ...",
        )


@intents.command("list")
@click.option("--all", "every", is_flag=True, help="Also those that are settled by themselves.")
@as_json
@settings_option
def listing(config: Path | None, every: bool = False, as_json: bool = False) -> None:
    """List intents in review; with --all every one of which the last word is not spoken.

    \b
    Examples:
      crossdock intents list
      crossdock intents list --all --json
    """
    states = ("review", *OPEN) if every else ("review",)
    with opened_store(config) as (_, store, _clock), store.read() as conn:
        rows = [_row(row) for row in kept.listing(conn, states, LISTED)]
    empty = "No intent is open." if every else "No intent waits for a person."
    show(rows, _COLUMNS, as_json=as_json, empty=empty)


def _row(row: Row[Any]) -> dict[str, Any]:
    return {
        "key": row.idempotency_key,
        "connection": row.connection,
        "kind": row.kind,
        "state": row.state,
        "attempts": row.attempts,
        "created_at": row.created_at,
        "sent_at": row.sent_at,
        "not_before": row.not_before,
        "remote_id": row.remote_id,
        "message": row.message,
    }


@intents.command("show")
@click.argument("key")
@as_json
@settings_option
def show_one(config: Path | None, key: str, as_json: bool) -> None:
    """Show one intent with the body that was, or will be, sent.

    \b
    Examples:
      crossdock intents show label:1001-5f3a2b1c-1
      crossdock intents show label:1001-5f3a2b1c-1 --json
    """
    with opened(config) as installation:
        link, row = _found(installation, key)
    told = _row_of(row, link.name) | {"body": row.body}
    if as_json:
        show_json(told)
        return
    for name, value in told.items():
        if name != "body":
            click.echo(f"{name}: {'-' if value is None else value}")
    show_json(row.body)


def _row_of(row: Row[Any], connection: str) -> dict[str, Any]:
    names = ("kind", "state", "attempts", "created_at", "sent_at", "not_before", "settled_at")
    told = {"key": row.idempotency_key, "connection": connection}
    told |= {name: getattr(row, name) for name in (*names, "remote_id", "code", "message")}
    return told


def _found(installation: Any, key: str) -> tuple[Any, Row[Any]]:
    hub = installation.hub
    with hub.store.read() as conn:
        row = kept.by_key(conn, key)
    if row is None:
        raise UsageProblem(f"There is no intent {key!r}.", "`crossdock intents` lists them.")
    links = [link for link in hub.links.values() if link.id == row.connection_id]
    if not links:
        raise UsageProblem(
            f"The connection of {key} is not in the settings any more.", "Put it back there."
        )
    return links[0], row


@intents.command("resolve")
@click.argument("key")
@click.option("--done", metavar="NUMBER", help="It happened: the vendor's own number of it.")
@click.option("--not-done", is_flag=True, help="It did not happen: it is sent again.")
@click.option("--reason", required=True, help="How you know; kept in the history.")
@click.option("--tracking", default="", help="Of a label the vendor does not tell us about.")
@click.option("--carrier", default="", help="The same.")
@as_json
@settings_option
def resolve(
    config: Path | None,
    key: str,
    done: str | None,
    not_done: bool,
    reason: str,
    tracking: str,
    carrier: str,
    as_json: bool,
) -> None:
    """Say what became of an intent in review, after a look at the vendor.

    It goes on as if the vendor had answered so. With --not-done it is sent again: be sure, or the
    same goods leave twice.

    \b
    Examples:
      crossdock intents resolve fulfilment_order:1001-5f3a2b1c-1 --done 300000017 --reason "saw it"
      crossdock intents resolve label:1001-5f3a2b1c-1 --not-done --reason "not on the invoice"
    """
    if (done is None) == (not not_done):
        raise UsageProblem("Say either --done NUMBER or --not-done.", "Look at the vendor first.")
    if not reason.strip() or (done is not None and not done.strip()):
        raise UsageProblem("The number and the reason cannot be empty.", "Say how you know.")
    found = resolving.Found(
        done, accountable.reason(reason), accountable.actor(), tracking, carrier
    )
    with opened(config) as installation:
        hub = installation.hub
        link, row = _found(installation, key)
        try:
            outcome = resolving.outcome_of(link, row, found)
            with hub.store.write() as conn:
                woken = resolving.resolve(conn, hub, link, row, outcome, found)
                for stream in woken:
                    streams.request(conn, stream, hub.clock.now())
        except resolving.CannotResolve as problem:
            raise UsageProblem(str(problem), problem.remedy) from None
    if as_json:
        show_json({"intent": key, "done": done is not None, "remote_id": done})
    elif done is not None:
        click.echo(f"{key}: done as {done}.")
    else:
        click.echo(f"{key}: not done; it is sent again with the next push.")
