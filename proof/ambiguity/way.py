"""The way to a vendor and back, on which one call meets what its cell says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

import httpx
import msgspec

from proof.ambiguity.vendors import KEY_HOST, KeyVendor
from sandbox.app import Sandbox

Met = Literal[
    "ok",
    "429",
    "connect-fail",
    "timeout-before",
    "timeout-after",
    "5xx-after",
    "garbage-after",
    "delayed",
]
OUTCOMES: tuple[Met, ...] = (
    "ok",
    "429",
    "connect-fail",
    "timeout-before",
    "timeout-after",
    "5xx-after",
    "garbage-after",
    "delayed",
)


class Crash(BaseException):
    """The process dies here: nothing of ours may catch it."""


@dataclass
class Way(httpx.BaseTransport):
    """``is_effect`` knows the calls that the cell is about; the first one meets ``met``.

    ``lag``: how long what was made stays unknown to look-ups. With ``delayed`` it is how long the
    call is under way after the caller has given it up, and look-ups know it as soon as it arrives:
    what a vendor declares is the time of both together.
    """

    sandbox: Sandbox
    keys: KeyVendor
    is_effect: Callable[[httpx.Request], bool]
    met: Met = "ok"
    lag: timedelta = timedelta(0)
    die_after_send: bool = False
    sent: list[bytes] = field(default_factory=list)
    """The body of every call that left us for good, in the order they left."""
    struck: int = 0
    _under_way: list[tuple[datetime, httpx.Request]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._inner = self.sandbox.transport()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.arrive()
        request.read()
        if request.method == "GET":
            return self._seen(request, self._answer(request))
        if not self.is_effect(request):
            return self._answer(request)
        met, self.met = self.met, "ok"
        self.struck += met != "ok"
        return self._meet(request, met)

    @property
    def busy(self) -> bool:
        """Is a call still under way?"""
        return bool(self._under_way)

    def arrive(self) -> None:
        """Let calls that were under way reach the vendor."""
        now = self.keys.clock.now()
        arrived = [request for at, request in self._under_way if at <= now]
        self._under_way = [one for one in self._under_way if one[0] > now]
        for request in arrived:
            self._answer(request)

    def _meet(self, request: httpx.Request, met: Met) -> httpx.Response:
        if met == "connect-fail":
            raise httpx.ConnectError("refused", request=request)
        if met == "429":
            return httpx.Response(429, headers={"Retry-After": "20"}, request=request)
        self.sent.append(request.content)
        if met == "timeout-before":
            raise httpx.ReadTimeout("lost on its way", request=request)
        if met == "delayed":
            self._under_way.append((self.keys.clock.now() + self.lag, request))
            self.lag = timedelta(0)
            raise httpx.ReadTimeout("on its way", request=request)
        response = self._answer(request)
        if self.die_after_send:
            self.die_after_send = False
            raise Crash
        if met == "timeout-after":
            raise httpx.ReadTimeout("the reply was lost", request=request)
        if met == "5xx-after":
            return httpx.Response(502, html="<h1>502</h1>", request=request)
        if met == "garbage-after":
            return httpx.Response(200, content=response.read()[:7], request=request)
        return response

    def _answer(self, request: httpx.Request) -> httpx.Response:
        if request.url.host == KEY_HOST:
            return self.keys.answer(request)
        return self._inner.handle_request(request)

    def _seen(self, request: httpx.Request, response: httpx.Response) -> httpx.Response:
        """A look-up answered from an index that lags behind."""
        if not self.lag or not _is_look_up(request):
            return response
        body = msgspec.json.decode(response.read())
        before = self.keys.clock.now() - self.lag
        if isinstance(body, list):
            kept = [row for row in body if _made(row) <= before]
            return httpx.Response(response.status_code, json=kept)
        if "label_id" in body and _made(body) > before:
            told = {"error_code": "invalid_identifier", "message": "No such label."}
            return httpx.Response(404, json={"errors": [told]})
        return httpx.Response(response.status_code, json=body)


def _is_look_up(request: httpx.Request) -> bool:
    names = {name.lower() for name in request.url.params}
    return "external_shipment_id" in request.url.path or bool(names & {"referenceids", "reference"})


def _made(row: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(row.get("created_date") or row["created_at"])
