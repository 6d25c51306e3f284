"""How a vendor module is hooked into the sandbox: calls in, replies out, routes between."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from werkzeug.exceptions import BadRequest
from werkzeug.wrappers import Request, Response

if TYPE_CHECKING:
    from sandbox.limits import Limit, Verdict
    from sandbox.world import World

Json = dict[str, Any]
"""A JSON object as a vendor sends it."""


@dataclass(frozen=True)
class Call:
    """One request on its way to a vendor, at one moment of the sandbox clock."""

    request: Request
    world: World
    now: datetime
    path_args: Mapping[str, str]

    @property
    def origin(self) -> str:
        """Scheme and host the caller used, without a trailing slash."""
        return self.request.host_url.rstrip("/")

    def query(self, name: str) -> str | None:
        """A query parameter; an empty one counts as absent."""
        return self.request.args.get(name) or None

    def listed(self, name: str) -> list[str]:
        """A list parameter, whether comma separated or repeated."""
        texts = self.request.args.getlist(name)
        return [part for text in texts for part in text.split(",") if part]

    def whole(self, name: str, default: int) -> int:
        """A parameter that must be a whole number of at least 0, else :class:`Malformed`."""
        text = self.query(name) or str(default)
        if not text.isdecimal():
            raise Malformed(f"{name} must be a whole number.")
        return int(text)

    def json(self) -> Json:
        """The request's JSON object. Raises :class:`Malformed` when it is none."""
        try:
            body = json.loads(self.request.get_data())
        except ValueError as error:
            raise Malformed(str(error)) from error
        if not isinstance(body, dict):
            raise Malformed("The body must be a JSON object.")
        return body


class Malformed(BadRequest):
    """The request body or a parameter cannot be read."""


Handler = Callable[[Call], Response]
Guard = Callable[[Call], Response | None]


@dataclass(frozen=True)
class Route:
    """One operation of a vendor: ``path`` is a werkzeug rule below the vendor's prefix."""

    operation: str
    method: str
    path: str
    handler: Handler


def open_to_all(_call: Call) -> Response | None:
    """No credentials are asked for."""
    return None


def unlimited(_operation: str) -> Limit | None:
    """No rate limit at all."""
    return None


def no_quota(_limit: Limit, _verdict: Verdict) -> dict[str, str]:
    """No header tells the caller what is left."""
    return {}


def retry_after(vendor: Vendor, _limit: Limit, verdict: Verdict) -> Response:
    """A 429 in the vendor's shape with whole seconds to wait."""
    response = vendor.problem(429, "Too many requests.")
    response.headers["Retry-After"] = str(max(1, math.ceil(verdict.wait)))
    return response


@dataclass(frozen=True)
class Vendor:
    """Everything the sandbox needs to serve one vendor API.

    ``guard`` answers the refusal when credentials are missing or wrong. ``limit`` names the
    bucket and its size for an operation, ``quota`` the headers that tell of it, ``throttled`` the
    answer when it is empty. ``problem`` shapes an error (status, message) the vendor's way.
    """

    name: str
    prefix: str
    routes: tuple[Route, ...]
    guard: Guard
    limit: Callable[[str], Limit | None]
    problem: Callable[[int, str], Response]
    quota: Callable[[Limit, Verdict], dict[str, str]] = no_quota
    throttled: Callable[[Vendor, Limit, Verdict], Response] = retry_after


def part(body: Json, name: str) -> Json:
    """An object inside an object; an absent one is empty. Raises :class:`Malformed`."""
    found = body.get(name) or {}
    if not isinstance(found, dict):
        raise Malformed(f"{name} must be an object.")
    return found


def entries(body: Json, name: str) -> list[Any]:
    """A list inside an object; an absent one is empty. Raises :class:`Malformed`."""
    found = body.get(name) or []
    if not isinstance(found, list):
        raise Malformed(f"{name} must be a list.")
    return found


def rows(body: Json, name: str) -> list[Json]:
    """A list of objects inside an object. Raises :class:`Malformed`."""
    found = entries(body, name)
    if not all(isinstance(row, dict) for row in found):
        raise Malformed(f"{name} must be a list of objects.")
    return found


def number_in(body: Json, name: str) -> int:
    """A whole number inside an object; 0 when there is none."""
    found = body.get(name)
    return found if isinstance(found, int) and not isinstance(found, bool) else 0


def reply(body: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON response."""
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    response = Response(text, status=status, content_type="application/json; charset=utf-8")
    for name, value in (headers or {}).items():
        response.headers[name] = value
    return response


def stamp(moment: datetime) -> str:
    """RFC 3339 in UTC with whole seconds: 2026-11-02T06:00:00Z."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def moment_of(text: str) -> datetime:
    """Read an ISO 8601 moment; without an offset it is taken as UTC. Raises :class:`Malformed`."""
    try:
        moment = datetime.fromisoformat(text.replace(" ", "+"))
    except ValueError as error:
        raise Malformed(f"{text!r} is not an ISO 8601 date") from error
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
