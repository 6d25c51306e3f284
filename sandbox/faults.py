"""Faults on the way to and from a vendor, switchable per route, drawn from a seeded generator."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.utils import format_datetime
from fnmatch import fnmatchcase
from typing import Any

from werkzeug.wrappers import Request, Response

from sandbox.wire import Vendor

BEFORE = frozenset({"latency", "timeout-before", "429", "500", "502", "503"})
"""Kinds that strike before the vendor saw the request: nothing was applied."""

AFTER = frozenset(
    {
        "timeout-after",
        "500-after",
        "html",
        "truncated",
        "empty",
        "wrong-type",
        "duplicate-page",
        "repeated-cursor",
    }
)
"""Kinds that strike after the vendor did its work: the effect stands, the reply suffers."""

KINDS = BEFORE | AFTER


class NeverArrived(ConnectionResetError):
    """The request was lost on the way: nothing was applied."""


class ReplyDropped(ConnectionResetError):
    """The effect stands, the reply was lost."""


@dataclass
class Rule:
    """One fault. ``pattern`` is a glob on ``vendor:operation`` (``amazon:*``, ``*:createLabel``).

    It strikes with ``probability`` until it has struck ``times`` times (None: for ever).
    ``params``: latency ``seconds``; 429 ``retry_after`` as seconds or ``"date"`` with ``seconds``.
    """

    pattern: str
    kind: str
    probability: float = 1.0
    times: int | None = None
    params: dict[str, Any] = field(default_factory=dict)
    struck: int = 0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"no fault {self.kind!r}: one of {', '.join(sorted(KINDS))}")


class Faults:
    """The rules in force. Each rule draws for itself, so adding one does not reshuffle others."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._rules: list[tuple[Rule, random.Random]] = []
        self._added = 0

    @property
    def rules(self) -> list[Rule]:
        return [rule for rule, _ in self._rules]

    def add(self, pattern: str, kind: str, **options: Any) -> Rule:
        """Put a fault in force; ``options`` are probability, times and params."""
        rule = Rule(pattern, kind, **options)
        self._added += 1
        self._rules.append((rule, random.Random(f"{self._seed}:fault:{self._added}")))
        return rule

    def clear(self) -> None:
        """Make the world whole again."""
        self._rules.clear()

    def draw(self, vendor: str, operation: str) -> list[Rule]:
        """The rules that strike this call, in the order they were added."""
        name, striking = f"{vendor}:{operation}", []
        for rule, generator in self._rules:
            if not fnmatchcase(name, rule.pattern):
                continue
            if rule.times is not None and rule.struck >= rule.times:
                continue
            if generator.random() < rule.probability:
                rule.struck += 1
                striking.append(rule)
        return striking


def refusal(rule: Rule, vendor: Vendor, now: datetime) -> Response:
    """The reply of a fault that strikes before the vendor: its own 429, or a gateway's 5xx page."""
    response = _gateway_page(int(rule.kind))
    if rule.kind == "429":
        response = vendor.problem(429, "Too many requests.")
    if rule.kind in {"429", "503"} and "retry_after" in rule.params:
        wait = rule.params["retry_after"]
        if wait == "date":
            until = now + timedelta(seconds=rule.params.get("seconds", 30))
            wait = format_datetime(until, usegmt=True)
        response.headers["Retry-After"] = str(wait)
    return response


def spoil(rule: Rule, response: Response, request: Request, previous: bytes | None) -> Response:
    """The reply of a fault that strikes after the vendor did its work.

    ``previous`` is the body this operation answered the time before, for ``duplicate-page``.
    """
    body = response.get_data()
    if rule.kind == "500-after":
        return _gateway_page(500)
    if rule.kind == "html":
        page = "<!doctype html><html><body>Just a moment...</body></html>"
        return Response(page, 200, content_type="text/html; charset=utf-8")
    if rule.kind == "truncated":
        response.set_data(body[: len(body) // 2])
    elif rule.kind == "empty":
        response.set_data(b"")
    elif rule.kind == "wrong-type":
        response.headers["Content-Type"] = "text/plain"
    elif rule.kind == "duplicate-page" and previous is not None:
        response.set_data(previous)
    elif rule.kind == "repeated-cursor":
        _repeat_cursor(response, request)
    return response


def _gateway_page(status: int) -> Response:
    page = f"<html><body><h1>{status}</h1>nginx</body></html>"
    return Response(page, status, content_type="text/html")


def _repeat_cursor(response: Response, request: Request) -> None:
    """Make the page point at itself, in whichever way this vendor points at the next one."""
    if "Link" in response.headers:
        response.headers["Link"] = f'<{request.url}>; rel="next"'
    body = response.get_json(silent=True)
    if not isinstance(body, dict):
        return
    token = request.args.get("paginationToken") or request.args.get("pageToken")
    if token and isinstance(body.get("pagination"), dict):
        body["pagination"]["nextToken"] = token
    elif body.get("next"):
        body["next"] = request.full_path.removeprefix("/shipbob")
    response.set_data(json.dumps(body, ensure_ascii=False))
