"""OAuth 2 access tokens from a refresh token: one refresh at a time, shared by all threads."""

from __future__ import annotations

import threading
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import httpx
from pydantic import SecretStr

from connectors.base import Clock, Rate
from connectors.errors import ConfigProblem, Rejected, Retryable
from connectors.http import Door

TOKEN_OP = "oauth_token"  # noqa: S105
"""The operation under which token calls are limited and counted."""

_LIMITS = {TOKEN_OP: Rate(per_second=0.2, burst=5)}
_REFRESH_AT = 0.8
"""Share of a token's life after which it is replaced, while the old one still works."""
_TOO_FRESH = timedelta(seconds=60)
"""A token younger than this that is refused lacks a permission: a newer one would not help."""


@dataclass(frozen=True, slots=True)
class Grant:
    """The static refresh token and the client that may use it. ``token_url`` is absolute."""

    token_url: str
    client_id: str
    client_secret: SecretStr
    refresh_token: SecretStr

    def form(self) -> dict[str, str]:
        return {
            "grant_type": "refresh_token",
            "refresh_token": self.refresh_token.get_secret_value(),
            "client_id": self.client_id,
            "client_secret": self.client_secret.get_secret_value(),
        }


@dataclass(frozen=True, slots=True)
class Token:
    """An access token, and how long it lives from when it was asked for."""

    value: str
    issued: datetime
    lifetime: timedelta

    def old(self, now: datetime) -> bool:
        return now >= self.issued + self.lifetime * _REFRESH_AT

    def dead(self, now: datetime) -> bool:
        return now >= self.issued + self.lifetime


class RefreshedToken(httpx.Auth):
    """Puts a live access token into ``header``; ``Renewable`` for ``ApiClient``.

    Only for grants whose refresh token stays the same (Amazon LWA): nothing is persisted. Those
    whose token changes are ``connectors.rotation``.
    """

    def __init__(
        self, door: Door, grant: Grant, *, header: str = "Authorization", prefix: str = "Bearer "
    ) -> None:
        base, _, self._path = grant.token_url.rpartition("/")
        form = grant.form()
        self._form = urlencode(form).encode()
        self._client = door.client(
            base,
            limits=_LIMITS,
            secrets=(form["refresh_token"], form["client_secret"]),
            on_the_way=True,
        )
        self._connection = door.connection
        self._clock: Clock = door.clock
        self._header = header
        self._prefix = prefix
        self._token: Token | None = None
        # Held across the token call on purpose: whoever comes meanwhile takes its result.
        self._lock = threading.Lock()

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers[self._header] = self._prefix + self._current()
        yield request

    def renew(self, request: httpx.Request) -> bool:
        """See ``Renewable``: true when the next attempt goes out with another token."""
        refused = request.headers.get(self._header, "")
        with self._lock:
            token = self._token
            if token is not None and self._prefix + token.value == refused:
                if self._clock.now() - token.issued < _TOO_FRESH:
                    return False
                self._token = self._fetch()
            return True

    def close(self) -> None:
        self._client.close()

    def _current(self) -> str:
        with self._lock:
            now = self._clock.now()
            if self._token is None or self._token.dead(now):
                self._token = self._fetch()
            elif self._token.old(now):
                try:
                    self._token = self._fetch()
                except Retryable:
                    # The old one still works, and the next call tries again.
                    return self._token.value
            return self._token.value

    def _fetch(self) -> Token:
        return self._exchange(self._form)[0]

    def _exchange(self, form: bytes) -> tuple[Token, Mapping[str, Any]]:
        """A new access token for the form, and all that came with it."""
        asked = self._clock.now()
        try:
            reply = self._client.post(
                f"/{self._path}",
                op=TOKEN_OP,
                content=form,
                headers={"Content-Type": "application/x-www-form-urlencoded"},
                idempotent=True,
            )
            body = reply.object("access_token")
            with reply.reading():
                lifetime = _lifetime(body)
        except Rejected as refusal:
            raise ConfigProblem(
                f"{refusal} The refresh token is no longer accepted: authorise {self._connection} "
                "at the vendor again and put the new refresh token into its secret."
            ) from None
        return Token(str(body["access_token"]), asked, lifetime), body


def _lifetime(body: Mapping[str, Any]) -> timedelta:
    seconds = body["expires_in"]
    # Without a believable figure the token is used for a minute rather than never or for ever.
    return timedelta(seconds=seconds if isinstance(seconds, int) and 0 < seconds < 10**7 else 60)
