"""Webhooks of this installation: which addresses there are, and serving them beside the engine."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager

import structlog

from connectors.base import Finding, ListsSubscriptions, ReceivesHooks
from jobs.app import App
from jobs.problems import OperatorError
from jobs.settings import WebSettings
from state import streams
from state.store import Store
from sync import outcomes
from sync.context import Link
from web.application import Application
from web.bounds import Bounds
from web.endpoints import Endpoint
from web.intake import Intake
from web.server import Server

log = structlog.get_logger()

PATIENCE_S = 2.0
"""A webhook does not wait for a lock as long as a job does: its vendor asks again."""


def endpoints_of(installation: App) -> dict[str, Endpoint]:
    """The address of every connection whose vendor sends webhooks, open or not, by name."""
    return {
        name: Endpoint(
            connection_id=link.id,
            name=name,
            connector=link.connector,
            streams={
                job.every: streams.key_of(job.name, name) for job in installation.jobs_of(name)
            },
        )
        for name, link in installation.hub.links.items()
        if isinstance(link.connector, ReceivesHooks) and link.connector.info.hooks
    }


def url_of(settings: WebSettings, endpoint: Endpoint) -> str:
    """What to enter at the vendor; as far as we know it."""
    base = settings.public_url or (f"http://{settings.listen}" if settings.listen else "")
    return f"{base.rstrip('/')}{endpoint.path}"


@contextmanager
def serving(installation: App, hint: Callable[[Collection[str]], None]) -> Iterator[str | None]:
    """Take webhooks until the block ends, where the settings say so; yields the address.

    ``hint``: told of the streams that a webhook wants read. Raises ``OperatorError``.
    """
    settings = installation.settings.web
    if settings.listen is None:
        yield None
        return
    host, port = settings.address()
    store = Store(installation.settings.store.url, PATIENCE_S)
    intake = Intake(store, installation.clock, endpoints_of(installation), hint)
    server = Server(Application(intake, settings.body_max), _bounds(settings))
    try:
        try:
            port = server.start(host, port)
        except OSError as error:
            raise OperatorError(
                f"Webhooks cannot be taken on {settings.listen}: {error.strerror or error}.",
                "Give [web] listen an address of this machine that nobody else uses.",
            ) from None
        yield f"{host}:{port}"
    finally:
        server.stop()
        intake.close()
        store.close()


def findings(installation: App, link: Link) -> list[Finding]:
    """What ``crossdock check`` says of one connection's webhooks; nothing where none are wanted."""
    endpoint = endpoints_of(installation).get(link.name)
    settings = installation.settings.web
    if endpoint is None or (not endpoint.is_open and settings.listen is None):
        return []
    connector, url = link.connector, url_of(settings, endpoint)
    hooks = connector.info.hooks
    where = hooks.enter if hooks else ""
    if not endpoint.is_open:
        told = "none are taken: the connection has no webhook_secret"
        return [Finding("webhooks", True, told, f"To have changes at once: {_REMEDY}")]
    if settings.listen is None:
        remedy = 'Set listen = "127.0.0.1:8431" under [web], or remove the webhook_secret.'
        return [Finding("webhooks", False, "there is a secret, and nobody listens", remedy)]
    if settings.public_url is None:
        remedy = "Set public_url under [web]: how the vendor reaches this machine."
        return [Finding("webhooks", False, "where vendors reach us is not known", remedy)]
    found = [Finding("webhooks", True, f"{url}, entered at {where}")]
    if isinstance(connector, ListsSubscriptions):
        verdict = outcomes.attempt(lambda: found.extend(connector.subscriptions(url)))
        if verdict is not None:
            remedy = "Let the credentials read webhooks, or look there yourself."
            found.append(Finding("webhook", False, verdict.message, remedy))
    return found


_REMEDY = "webhook_secret (docs/webhooks.md)."


def _bounds(settings: WebSettings) -> Bounds:
    return Bounds(
        body_max=settings.body_max,
        receive_s=settings.receive_within,
        connections=settings.connections,
        threads=settings.threads,
    )
