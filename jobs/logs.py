"""What the daemon tells: lines for people on a terminal, JSON otherwise, no secrets in either."""

from __future__ import annotations

import logging
import sys
from collections.abc import Collection, Mapping, MutableMapping
from typing import Any

import structlog
from pydantic import SecretStr

from connectors.redaction import redact
from jobs.clock import Clock
from jobs.settings import LogSettings
from jobs.settings_loader import Configuration

LINE_MAX = 2000
_QUIET = ("apscheduler", "alembic", "httpx", "httpcore", "sqlalchemy")

Event = MutableMapping[str, Any]


def configure(settings: LogSettings, clock: Clock, secrets: Collection[str]) -> None:
    """Send all logging to stderr; stdout belongs to the documents that commands print."""
    human = settings.format == "human" or (settings.format == "auto" and sys.stderr.isatty())
    renderer = structlog.dev.ConsoleRenderer() if human else structlog.processors.JSONRenderer()
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        _time_of(clock),
        structlog.processors.format_exc_info,
        _redaction(secrets),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(settings.level.upper())
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)


def secrets_of(configuration: Configuration) -> set[str]:
    """Every secret of the settings, the store's password among them."""
    found = {
        value.get_secret_value()
        for config in configuration.configs.values()
        for _, field in config
        for value in (field.values() if isinstance(field, Mapping) else [field])
        if isinstance(value, SecretStr)
    }
    return found | {configuration.store_password} - {""}


def _time_of(clock: Clock) -> Any:
    """Stamps lines with the hub's own time, which a rehearsal runs faster than the wall's."""

    def stamp(_logger: Any, _method: str, event: Event) -> Event:
        event["timestamp"] = clock.now().isoformat(timespec="milliseconds")
        return event

    return stamp


def _redaction(secrets: Collection[str]) -> Any:
    def clean(value: Any) -> Any:
        if isinstance(value, str):
            # On one line: a name with a line end in it could forge a line of its own.
            return redact(value, secrets, LINE_MAX)
        if isinstance(value, dict):
            return {key: clean(item) for key, item in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [clean(item) for item in value]
        return value

    def lines(value: str) -> str:
        return "\n".join(redact(line, secrets, LINE_MAX) for line in value.split("\n"))

    def processor(_logger: Any, _method: str, event: Event) -> Event:
        # Keys with an underscore are structlog's own machinery.
        return {
            key: value
            if key.startswith("_")
            else lines(value)
            if key == "exception"
            else clean(value)
            for key, value in event.items()
        }

    return processor
