"""What ops may write for a ``rest`` connection: how to sign in, how fast, what to read and send.

``connectors.rest.streams`` and ``connectors.rest.pushes`` describe the last two.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, SecretStr, StringConstraints, model_validator

from connectors.base import Config, Shelves
from connectors.rest.pushes import Pushes
from connectors.rest.streams import Streams
from connectors.rest.words import SIGNED_NAMES, unknown_names

Style = Literal["basic", "bearer", "header", "query", "client_credentials", "refresh_token", "hmac"]
HeaderName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9!#$%&'*+.^_|~-]+$")]

_SECRETS: Mapping[Style, set[str]] = {
    "basic": {"user", "secret"},
    "bearer": {"secret"},
    "header": {"secret"},
    "query": {"secret"},
    "client_credentials": {"user", "secret"},
    "refresh_token": {"user", "secret", "refresh_token"},
    "hmac": {"secret"},
}
_NEEDED: Mapping[Style, set[str]] = {
    "header": {"name"},
    "query": {"name"},
    "client_credentials": {"token_url"},
    "refresh_token": {"token_url"},
    "hmac": {"name", "template"},
}
_ALLOWED: Mapping[Style, set[str]] = {
    "header": {"prefix"},
    "client_credentials": {"scope"},
    "hmac": {"prefix", "algorithm", "encoding", "user_header", "timestamp_header"},
}


class Auth(Config):
    """How a request proves who sends it. The secrets stand beside this table, as references."""

    style: Style
    """basic, bearer, header, query, client_credentials, refresh_token or hmac."""
    name: str = ""
    """The header (header, hmac) or the parameter (query) that carries the key or signature."""
    prefix: str = ""
    """Text in front of the key or signature, with its space."""
    token_url: str = ""
    """Where OAuth 2 tokens come from: an absolute address."""
    scope: str = ""
    """OAuth 2 scope to ask for."""
    template: str = ""
    """What is signed: text with {method}, {path}, {query}, {body}, {body_sha256}, {timestamp}."""
    algorithm: Literal["sha256", "sha512", "sha1"] = "sha256"
    """The hash of the signature."""
    encoding: Literal["hex", "base64"] = "hex"
    """How the signature is written."""
    user_header: str = ""
    """The header that carries `user`, the id of the signing key."""
    timestamp_header: str = ""
    """The header that carries the signed time, as Unix seconds or as milliseconds."""

    @model_validator(mode="after")
    def _fits_its_style(self) -> Self:
        needed = _NEEDED.get(self.style, set())
        given = self.model_fields_set - {"style"}
        problems = [f"style {self.style} needs `{key}`" for key in sorted(needed) if not self[key]]
        problems += [
            f"style {self.style} has no use for `{key}`"
            for key in sorted(given - needed - _ALLOWED.get(self.style, set()))
        ]
        problems += unknown_names(self.template, SIGNED_NAMES)
        if self.timestamp_header and "{timestamp" not in self.template:
            problems.append("`timestamp_header` without {timestamp} in the template proves nothing")
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def __getitem__(self, key: str) -> str:
        return str(getattr(self, key))


class RateLimit(Config):
    """A token bucket: at most ``burst`` calls at once, ``per_second`` in the long run."""

    per_second: float = Field(gt=0, le=1000)
    burst: int = Field(ge=1, le=10_000)


class Probe(Config):
    """A harmless read for `crossdock check`."""

    path: str = Field(pattern=r"^/[^?#\s{}]*$")
    """Path below `url` that answers when address and credentials are right."""


class RestConfig(Config):
    """``url`` is what every path hangs below. Describe at least one stream or push."""

    url: str
    """The address that every path hangs below, such as https://api.example.com/v2."""
    kind: Literal["channel", "fulfilment"] = "channel"
    """What it is: channel (sells) or fulfilment (ships)."""
    auth: Auth | None = None
    """How to sign in: a table with `style` and what that style needs."""
    user: SecretStr | None = None
    """User name, client id or key id: env:NAME or file:PATH."""
    secret: SecretStr | None = None
    """Password, token, key or client secret: env:NAME or file:PATH."""
    refresh_token: SecretStr | None = None
    """OAuth 2 refresh token: env:NAME or file:PATH."""
    token_file: Path | None = None
    """Where the newest refresh token is kept, for vendors that give a new one with each use."""
    headers: Mapping[HeaderName, str] = {}
    """Sent with every request. No secrets."""
    limits: Mapping[str, RateLimit] = {}
    """Calls per second by operation (a stream's name, push_stock ...); "*" is all others."""
    check_call: Probe | None = None
    """What `crossdock check` reads; without it the first page of every stream."""
    streams: Streams | None = None
    """What is read: orders, listings, stock, shipments."""
    pushes: Pushes | None = None
    """What is sent: stock, tracking, fulfilment_orders, cancellations."""

    def shelves(self) -> Shelves | None:
        stock = self.streams.stock if self.streams else None
        if stock is None:
            return None
        return Shelves(("rest", self.url.rstrip("/"), self.user, self.secret, stock))

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        problems = [*self._secret_problems()]
        if self.token_file and (self.auth is None or self.auth.style != "refresh_token"):
            problems.append("`token_file` is for auth style refresh_token")
        operations = self.operations()
        if operations <= {"check"}:
            problems.append("describe at least one of `streams` or `pushes`")
        problems += [
            f"limits.{name}: no such operation, there are {', '.join(sorted(operations | {'*'}))}"
            for name in sorted(self.limits.keys() - operations - {"*"})
        ]
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def operations(self) -> set[str]:
        """The names calls are limited and counted by."""
        names = {"check"}
        for name, stream in (self.streams.described() if self.streams else {}).items():
            names |= {name, *(f"{name}_{one.into}" for one in stream.attach)}
        for name, push in (self.pushes.described() if self.pushes else {}).items():
            names |= {f"push_{name}"} | ({f"find_{name}"} if push.find else set())
            names |= {f"poll_{name}"} if push.queued else set()
        if self.pushes and self.pushes.cancellations:
            names |= {"cancel_fulfilment_orders", "confirm_cancellation"}
        return names

    def secrets(self) -> dict[str, str]:
        """The secrets that are given, by their key."""
        given = {name: getattr(self, name) for name in ("user", "secret", "refresh_token")}
        return {name: value.get_secret_value() for name, value in given.items() if value}

    def _secret_problems(self) -> list[str]:
        style = self.auth.style if self.auth else None
        needed = set(_SECRETS[style]) if style else set()
        if self.auth and self.auth.user_header:
            needed.add("user")
        given = set(self.secrets())
        told = [f"auth style {style} needs `{name}`" for name in sorted(needed - given)]
        of = f"auth style {style} has" if style else "a connection without `auth` has"
        return told + [f"{of} no use for `{name}`" for name in sorted(given - needed)]
