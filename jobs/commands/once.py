"""``crossdock once``: one job, now."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import click

from jobs import accountable, app
from jobs.catalogue import JOBS, Job
from jobs.commands.options import as_json, opened, require_connection, row_number, settings_option
from jobs.listing import show
from jobs.problems import OperatorError, UsageProblem
from jobs.runner import Ended, Runner
from jobs.running import Order
from state import history, holds, streams
from sync.guard import watch

_COLUMNS = {
    "stream": "stream",
    "result": "result",
    "counts": "counts",
    "calls": "calls",
    "error": "error",
}


def _jobs_help() -> str:
    return "\n".join(f"  {job.name:<15} {job.help}" for job in JOBS.values())


@click.command(
    help=f"""Run one job now and show what it did.

Without CONNECTION the job runs for every connection that can do it. A stream that the daemon is
running at this moment is left to it.

\b
Jobs:
{_jobs_help()}

\b
Examples:
  crossdock once pull-orders shop-eu
  crossdock once pull-orders shop-eu --since 2026-11-01 --dry-run
  crossdock once allocate --json
  crossdock once promise --approve 12
"""
)
@click.argument("job", type=click.Choice(list(JOBS)), metavar="JOB")
@click.argument("connection", required=False)
@click.option(
    "--since",
    metavar="TIME",
    help="Read from this date or time, whatever was read before (in the connection's time zone).",
)
@click.option("--dry-run", is_flag=True, help="Do everything, then write and send nothing.")
@click.option(
    "--approve",
    type=int,
    callback=row_number,
    metavar="RUN",
    help="Let the difference of a run pass that the guard holds (see `crossdock guard list`).",
)
@as_json
@settings_option
def once(
    config: Path | None,
    job: str,
    connection: str | None,
    since: str | None,
    dry_run: bool,
    approve: int | None,
    as_json: bool,
) -> None:
    if approve is not None and dry_run:
        raise UsageProblem("An approval is no rehearsal.", "Leave --dry-run out.")
    with opened(config) as installation:
        names = _connections(installation, JOBS[job], connection)
        app.set_up_streams(installation)
        if approve is not None:
            names = [_approved(installation, JOBS[job], names, approve)]
        if not dry_run:
            _note(installation, job, names, since)
        runner = installation.runner("once")
        runner.heartbeat.start()
        try:
            rows = [_row(installation, runner, JOBS[job], name, since, dry_run) for name in names]
        finally:
            runner.heartbeat.stop()
    show(rows, _COLUMNS, as_json=as_json)
    if dry_run and not as_json:
        click.echo("Dry run: nothing was written or sent.")
    if any(row["result"] != "ok" for row in rows):
        raise OperatorError("Not every run went well.", "See the error above.")


def _note(installation: app.App, job: str, names: list[str | None], since: str | None) -> None:
    """Before the runs: what they do is told of each of them, and not by whom it was asked for."""
    with installation.hub.store.write() as conn:
        history.audit(
            conn,
            actor=accountable.actor(),
            action="run_once",
            subject=("stream", 0),
            after={"streams": [streams.key_of(job, name) for name in names], "since": since},
            reason=accountable.reason(),
            now=installation.clock.now(),
        )


def _connections(installation: app.App, job: Job, given: str | None) -> list[str | None]:
    if job.is_global:
        if given is not None:
            raise UsageProblem(f"{job.name} belongs to no connection.", "Leave it out.")
        return [None]
    links = installation.hub.links
    able = [name for name in links if job in installation.jobs_of(name)]
    if given is None:
        if not able:
            remedy = _HOOKS_REMEDY if job.of_hooks else "See `crossdock connections`."
            raise UsageProblem(f"No connection can {job.name}.", remedy)
        return list(able)
    require_connection(installation.configuration, given)
    connector = links[given].connector
    if not job.suits(connector):
        raise UsageProblem(
            f"{given} cannot {job.name}: a {connector.info.title} does not offer it."
        )
    if given not in able:
        raise UsageProblem(f"{given} cannot {job.name}: it takes no webhooks.", _HOOKS_REMEDY)
    return [given]


_HOOKS_REMEDY = (
    "Webhooks need the connection's webhook_secret, and listen and public_url under [web]:"
    " docs/webhooks.md."
)


def _approved(installation: app.App, job: Job, names: list[str | None], number: int) -> str | None:
    """Approve the held run; answers the connection whose stream it belongs to."""
    keys = {streams.key_of(job.name, name): name for name in names}
    with installation.hub.store.write() as conn:
        hold = holds.get(conn, number)
        if hold is None or hold.stream_key not in keys:
            raise UsageProblem(
                f"The guard holds no run {number} of {job.name}.",
                "See `crossdock guard list`.",
            )
        if not watch.approve(
            conn,
            number,
            accountable.actor(),
            installation.clock.now(),
            reason=accountable.reason(),
        ):
            raise UsageProblem(
                f"Run {number} is not held any more: it is {hold.state}.",
                "See `crossdock guard list`: a later run may be held with another difference.",
            )
    return keys[hold.stream_key]


def _row(
    installation: app.App,
    runner: Runner,
    job: Job,
    name: str | None,
    since: str | None,
    dry_run: bool,
) -> dict[str, Any]:
    zone = installation.hub.links[name].timezone if name else ZoneInfo("UTC")
    order = Order("once", name, _moment(since, zone) if since else None, dry_run)
    key = streams.key_of(job.name, name)
    ended = runner.run_once(key, order)
    return {"stream": key, "dry_run": dry_run, **_told(ended)}


def _told(ended: Ended | None) -> dict[str, Any]:
    if ended is None:
        told = "another process is running it: wait for that, or see `crossdock status`"
        return {"result": "busy", "counts": {}, "calls": {}, "error": told}
    failed = "held" if ended.run.counts["held"] else "failed"
    return {
        "result": "ok" if ended.verdict is None else failed,
        "counts": dict(ended.run.counts),
        "calls": dict(ended.run.calls),
        "error": "" if ended.verdict is None else ended.verdict.message,
    }


def _moment(text: str, zone: ZoneInfo) -> datetime:
    """``2026-11-01`` (its midnight) or ``2026-11-01T08:30[+01:00]``, in UTC."""
    try:
        if "T" not in text and " " not in text:
            return datetime.combine(date.fromisoformat(text), time(), zone).astimezone(UTC)
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UsageProblem(
            f"--since {text!r} is no time.", "Write 2026-11-01 or 2026-11-01T08:30:00+01:00."
        ) from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)
