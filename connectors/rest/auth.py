"""How a ``rest`` connection signs in: every style as an ``httpx.Auth``."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Generator, Mapping
from urllib.parse import urlencode

import httpx
from pydantic import SecretStr

from connectors.base import Clock
from connectors.errors import ConfigProblem, Rejected
from connectors.http import Door
from connectors.oauth import Grant, RefreshedToken
from connectors.rest.settings import Auth, RestConfig
from connectors.rest.words import filled
from connectors.rotation import RotatedToken


def auth_of(config: RestConfig, door: Door) -> httpx.Auth | None:
    """What puts the credentials of ``config`` on each request; null when there are none.

    What it returns may hold a client of its own and then has ``close``.
    """
    auth, secrets = config.auth, config.secrets()
    if auth is None:
        return None
    secret = secrets["secret"]
    match auth.style:
        case "basic":
            return httpx.BasicAuth(secrets["user"], secret)
        case "bearer":
            return HeaderKey("Authorization", f"Bearer {secret}")
        case "header":
            return HeaderKey(auth.name, auth.prefix + secret)
        case "query":
            return QueryKey(auth.name, secret)
        case "client_credentials":
            return ClientToken(door, _grant(auth, secrets), auth.scope)
        case "refresh_token":
            grant = _grant(auth, secrets)
            if config.token_file:
                return RotatedToken(door, grant, config.token_file)
            return RefreshedToken(door, grant)
        case "hmac":
            return Signature(auth, secret, secrets.get("user", ""), door.clock)


def _grant(auth: Auth, secrets: Mapping[str, str]) -> Grant:
    if "://" not in auth.token_url:
        raise ConfigProblem(f"auth.token_url: {auth.token_url!r} is not an absolute address.")
    secret = secrets["secret"]
    refresh = secrets.get("refresh_token", secret)
    return Grant(auth.token_url, secrets["user"], SecretStr(secret), SecretStr(refresh))


class HeaderKey(httpx.Auth):
    """The key in a header."""

    def __init__(self, name: str, value: str) -> None:
        if not value.isascii() or not value.isprintable():
            raise ConfigProblem(
                f"The value for header {name} holds a character that cannot be sent. "
                "Copy the credential again, without line breaks and typographic dashes."
            )
        self._name = name
        self._value = value

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers[self._name] = self._value
        yield request


class QueryKey(httpx.Auth):
    """The key as a parameter: put on last, so that it is never part of what we keep or follow."""

    def __init__(self, name: str, value: str) -> None:
        self._name = name
        self._value = value

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.url = request.url.copy_set_param(self._name, self._value)
        yield request


class ClientToken(RefreshedToken):
    """Access tokens by the client credentials grant (RFC 6749, 4.4), the client in the body.

    A new token takes the same call as the first one, so there is nothing else to keep.
    """

    def __init__(self, door: Door, grant: Grant, scope: str) -> None:
        super().__init__(door, grant)
        form = {name: value for name, value in grant.form().items() if name.startswith("client_")}
        form["grant_type"] = "client_credentials"
        if scope:
            form["scope"] = scope
        self._form = urlencode(form).encode()

    def _current(self) -> str:
        try:
            return super()._current()
        except ConfigProblem as problem:
            # The grant's own remedy speaks of a refresh token, and there is none here.
            refusal = problem.__context__
            if not isinstance(refusal, Rejected):
                raise
            remedy = f"Check `user`, `secret` and `auth.scope` of {self._connection}."
            raise ConfigProblem(f"{refusal} {remedy}") from None


class Signature(httpx.Auth):
    """An HMAC over a template of the request, in a header. A repeat is signed anew."""

    requires_request_body = True

    def __init__(self, auth: Auth, key: str, user: str, clock: Clock) -> None:
        self._auth = auth
        self._key = key.encode()
        self._user = user
        self._clock = clock

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        auth, values = self._auth, self._values(request)
        text = filled(auth.template, values) or ""
        digest = hmac.new(self._key, text.encode(), auth.algorithm).digest()
        signed = base64.b64encode(digest).decode() if auth.encoding == "base64" else digest.hex()
        request.headers[auth.name] = auth.prefix + signed
        if auth.user_header:
            request.headers[auth.user_header] = self._user
        if auth.timestamp_header:
            unit = "timestamp_ms" if "{timestamp_ms}" in auth.template else "timestamp"
            request.headers[auth.timestamp_header] = values[unit]
        yield request

    def _values(self, request: httpx.Request) -> dict[str, str]:
        path, _, query = request.url.raw_path.partition(b"?")
        now_ms = int(self._clock.now().timestamp() * 1000)
        return {
            "method": request.method,
            "path": path.decode(),
            "query": query.decode(),
            "body": request.content.decode(),
            "body_sha256": hashlib.sha256(request.content).hexdigest(),
            "timestamp": str(now_ms // 1000),
            "timestamp_ms": str(now_ms),
        }
