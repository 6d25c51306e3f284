"""Where webhooks may come in: one address for each connection that can prove them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from connectors.base import Hook, ReceivesHooks

PREFIX = "/hooks/"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One connection's address, ``/hooks/NAME``.

    ``streams``: the keys of the streams that it may nudge, by their names in ``every``.
    """

    connection_id: int
    name: str
    connector: ReceivesHooks
    streams: Mapping[str, str]

    @property
    def path(self) -> str:
        return path_of(self.name)

    @property
    def is_open(self) -> bool:
        """Without a secret nothing can be proven, and the address does not exist."""
        return self.connector.takes_hooks()

    def nudged_by(self, hook: Hook) -> list[str]:
        """The keys of the streams that have something to read when this came."""
        known = self.connector.info.hooks
        topics = known.topics if known else {}
        names = {
            name
            for pattern, streams in topics.items()
            if fnmatchcase(hook.topic, pattern)
            for name in streams
        }
        return sorted(self.streams[name] for name in names & self.streams.keys())

    def worth_keeping(self, headers: Mapping[str, str]) -> dict[str, str]:
        """The headers on the connector's list; they may hold anything else, also secrets."""
        known = self.connector.info.hooks
        return {
            name: "".join(c for c in headers[name][:HEADER_MAX] if c.isprintable())
            for name in (known.headers if known else ())
            if name in headers
        }


HEADER_MAX = 200
"""Characters of a header that are kept."""


def path_of(connection: str) -> str:
    """Where a connection's webhooks come in, below the address of this machine."""
    return f"{PREFIX}{connection}"
