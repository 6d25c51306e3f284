"""``crossdock run``: the daemon."""

from __future__ import annotations

import logging
import os
import signal
import threading
from pathlib import Path

import click
import structlog

from jobs import app, collector, heap, logs, vaults, webhooks
from jobs.commands.options import settings_option
from state import migrate
from state.migrate import damaged

log = structlog.get_logger()

_STOP = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP}


@click.command()
@settings_option
def run(config: Path | None) -> None:
    """Run until told to stop.

    Ctrl-C or SIGTERM lets running jobs come to a safe point and ends with 0; a second one ends
    at once. Nothing is lost either way: what was left undone is done after the next start.

    \b
    Examples:
      crossdock run
      crossdock --config /etc/crossdock/settings.toml run
    """
    # Before any thread exists, as threads inherit it: only `sigwait` below sees these signals.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _STOP)
    try:
        left = _daemon(config)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    if left:
        # Python would wait for their threads. Their leases end with the next start.
        logging.shutdown()
        os._exit(1)


def _daemon(config: Path | None) -> list[str]:
    """Set up, work, and close; answers what was still running when the grace was over."""
    heap.share_one()
    configuration = app.load(config)
    settings, stop = configuration.settings, threading.Event()
    clock = app.clock_of(settings, stop)
    logs.configure(settings.log, clock, logs.secrets_of(configuration))
    store = app.store_of(settings)
    try:
        with app.lock_of(store):
            migrate.upgrade(store)
            with app.open_app(configuration, store, clock=clock, stop=stop) as installation:
                collector.settle()
                return _run(installation)
    finally:
        store.close()


def _run(installation: app.App) -> list[str]:
    """Work until a signal comes; answers what was still running when the grace was over."""
    engine = installation.engine(on_damage=_ask_to_stop)
    with webhooks.serving(installation, engine.dispatch) as address:
        # Said first: what the first jobs complain of comes after it.
        log.info(
            "started",
            pid=os.getpid(),
            store=installation.hub.store.url.render_as_string(hide_password=True),
            connections=sorted(installation.hub.links),
            streams=len(installation.streams()),
            webhooks=address,
        )
        for finding in vaults.findings(installation.configuration):
            if not finding.ok:
                log.warning(finding.detail, remedy=finding.remedy)
        engine.start()
        asked = signal.sigwait(_STOP)
        # From here on a second signal kills.
        for number in _STOP:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOP)
        log.info("stopping", signal=signal.Signals(asked).name)
    left = engine.drain(installation.settings.jobs.drain_s)
    if left:
        log.warning("stopped before these jobs came to an end", streams=left)
    else:
        log.info("stopped")
    if engine.damaged:
        raise damaged(str(installation.hub.store.url.database))
    return left


def _ask_to_stop() -> None:
    os.kill(os.getpid(), signal.SIGTERM)
