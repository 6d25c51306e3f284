"""The sandbox: one WSGI application in front of every vendor.

The way of a call: match the route, let due events happen, faults that strike before, credentials,
rate limit, the vendor's handler, faults that strike after, the call log.
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING

import httpx
from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Request, Response

from sandbox import admin
from sandbox import faults as fault
from sandbox.spoiling import Answered, refusal, spoil
from sandbox.transport import SandboxTransport
from sandbox.vendors import amazon, amazon_feeds, lwa, shipbob, shipengine, woocommerce
from sandbox.wire import Call, Route, Vendor

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from sandbox.world import World

VENDORS: tuple[Vendor, ...] = (
    woocommerce.VENDOR,
    lwa.VENDOR,
    amazon.VENDOR,
    amazon_feeds.DOCUMENTS,
    shipbob.VENDOR,
    shipengine.VENDOR,
)


KEPT_ANSWERS = 8
"""Answers of an operation that a cache in front of the vendor may give again."""

UNKNOWN = "unknown"
"""The operation of a call no route of the vendor takes."""


@dataclass(frozen=True, slots=True)
class LoggedCall:
    """One call as the sandbox saw it. ``status`` 0: lost before, -1: applied but reply lost."""

    vendor: str
    operation: str
    status: int
    at: datetime


@dataclass
class CallLog:
    """Every call in order of arrival, and how often each operation was called."""

    entries: list[LoggedCall] = field(default_factory=list)

    def add(self, vendor: str, operation: str, status: int, at: datetime) -> None:
        self.entries.append(LoggedCall(vendor, operation, status, at))

    def counts(self) -> dict[str, int]:
        """``vendor:operation`` -> calls."""
        return dict(Counter(f"{call.vendor}:{call.operation}" for call in self.entries))


class Sandbox:
    """A world behind HTTP. ``wsgi`` is the application, ``transport()`` its socketless client."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.faults = fault.Faults(world.seed)
        self.calls = CallLog()
        self._lock = threading.Lock()
        self._answered: dict[str, deque[Answered]] = {}
        self._targets = {
            (vendor.name, route.operation): (vendor, route)
            for vendor in (*VENDORS, admin.vendor(self))
            for route in vendor.routes
        }
        self._map = _compiled(tuple(_rule(*target) for target in self._targets.values()))

    def wsgi(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """WSGI entry. A lost call raises NeverArrived or ReplyDropped: the server hangs up."""
        return self.handle(Request(environ))(environ, start_response)

    def transport(self) -> httpx.BaseTransport:
        """An httpx transport into this sandbox, without sockets."""
        return SandboxTransport(self)

    def handle(self, request: Request) -> Response:
        """Answer one request. Raises NeverArrived and ReplyDropped as the faults in force say."""
        target = self._match(request)
        if isinstance(target, Response):
            return target
        vendor, route, path_args = target
        if vendor.name == admin.NAME:
            with self.world.lock:
                self.world.advance_to(self.world.clock.now())
                return self._answer(vendor, route, self._call(request, path_args))
        with self._lock:
            striking = self.faults.draw(vendor.name, route.operation, self.world.clock.now())
        for rule in striking:
            if rule.kind == "latency":
                self.faults.note(rule)
                self.world.clock.sleep(float(rule.params.get("seconds", 1.0)))
        with self.world.lock:
            self.world.advance_to(self.world.clock.now())
            response = self._serve(vendor, route, self._call(request, path_args), striking)
        self._hold_back(striking)
        return response

    def _call(self, request: Request, path_args: Mapping[str, str]) -> Call:
        return Call(request, self.world, self.world.now, path_args)

    def _hold_back(self, striking: list[fault.Rule]) -> None:
        """Answer late; raises ReplyDropped where the caller has hung up meanwhile."""
        if any(rule.kind in fault.REFUSALS | fault.REDIRECTS for rule in striking):
            return
        for rule in striking:
            if rule.kind == "late":
                self.faults.note(rule)
                seconds = float(rule.params.get("seconds", 1.0))
                patience = float(rule.params.get("patience", 30.0))
                self.world.clock.sleep(min(seconds, patience))
                if seconds > patience:
                    raise fault.ReplyDropped(104, "the reply came after the caller hung up")

    def _serve(self, vendor: Vendor, route: Route, call: Call, rules: list[fault.Rule]) -> Response:
        before = [rule for rule in rules if rule.kind in fault.BEFORE and rule.kind != "latency"]
        if before:
            self.faults.note(before[0])
        if before and before[0].kind == "timeout-before":
            self.calls.add(vendor.name, route.operation, 0, call.now)
            raise fault.NeverArrived(104, "the request was lost on its way")
        if before:
            response = refusal(before[0], vendor, call.request, call.now)
        else:
            response = self._answer(vendor, route, call)
            response = self._spoiled(vendor, route, call, response, rules)
        self.calls.add(vendor.name, route.operation, response.status_code, call.now)
        # Clients hold their clock against it, so it tells the world's time, not the server's.
        response.date = call.now
        return response

    def _answer(self, vendor: Vendor, route: Route, call: Call) -> Response:
        """The vendor's own answer: refusal of the guard, of the limit, or the handler's."""
        refused = vendor.guard(call)
        if refused is not None:
            return refused
        limit = vendor.limit(route.operation)
        verdict = None if limit is None else self.world.limiter.draw(limit, call.now)
        if verdict is not None and limit is not None and verdict.wait:
            return vendor.throttled(vendor, limit, verdict)
        try:
            response = route.handler(call)
        except HTTPException as problem:
            response = vendor.problem(problem.code or 400, problem.description or "")
        if verdict is not None and limit is not None:
            response.headers.update(vendor.quota(limit, verdict))
        return response

    def _spoiled(
        self, vendor: Vendor, route: Route, call: Call, response: Response, rules: list[fault.Rule]
    ) -> Response:
        key = f"{vendor.name}:{route.operation}"
        answered = self._answered.setdefault(key, deque(maxlen=KEPT_ANSWERS))
        before = list(answered)
        answered.append(Answered(response.get_data(), tuple(response.headers.items())))
        for rule in rules:
            if rule.kind == "timeout-after":
                self.faults.note(rule)
                self.calls.add(vendor.name, route.operation, -1, call.now)
                raise fault.ReplyDropped(104, "the reply was lost on its way")
            if rule.kind in fault.AFTER and rule.kind != "late":
                spoilt = spoil(rule, response, call.request, before)
                if spoilt is not None:
                    self.faults.note(rule)
                    response = spoilt
        return response

    def _match(self, request: Request) -> tuple[Vendor, Route, dict[str, str]] | Response:
        try:
            endpoint, arguments = self._map.bind_to_environ(request.environ).match()
        except HTTPException as problem:
            for vendor in VENDORS:
                if f"{request.path}/".startswith(f"{vendor.prefix}/"):
                    self.calls.add(vendor.name, UNKNOWN, problem.code or 404, self.world.now)
                    return vendor.problem(problem.code or 404, problem.description or "")
            return Response("no such vendor\n", problem.code or 404)
        vendor, route = self._targets[endpoint]
        return vendor, route, {name: str(value) for name, value in arguments.items()}


_RuleKey = tuple[tuple[str, str], str, str]


def _rule(vendor: Vendor, route: Route) -> _RuleKey:
    path = vendor.prefix + ("" if route.path == "/" else route.path)
    return (vendor.name, route.operation), route.method, path


@cache
def _compiled(rules: tuple[_RuleKey, ...]) -> Map:
    """werkzeug compiles rules to code, which takes longer than many a test: once is enough."""
    made = [Rule(path, endpoint=endpoint, methods=[method]) for endpoint, method, path in rules]
    return Map(made, strict_slashes=False, merge_slashes=False)
