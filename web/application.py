"""The WSGI application: one address for each connection, and nothing else.

``POST /hooks/NAME`` takes a webhook, ``GET`` and ``HEAD`` say whether the address is open. Answers
say nothing of why, and never repeat what was sent.
"""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING

from web.endpoints import PREFIX
from web.intake import CLOSED, LATER, PING, RETRY_AFTER_S, Answer, Intake

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

BODY_MAX = 1_000_000
"""Bytes. Our vendors' webhooks are a few thousand."""

_METHODS = "GET, HEAD, POST"
_NOT_SO = Answer(405, "no such method")
_TOO_LARGE = Answer(413, "too large")


class Application:
    """Answers HTTP requests out of an intake; any server that speaks WSGI may call it."""

    def __init__(self, intake: Intake, body_max: int = BODY_MAX) -> None:
        self._intake = intake
        self._body_max = body_max

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        answer = self._answer(environ)
        body = f"{answer.text}\n".encode()
        headers = [
            ("Content-Type", "text/plain; charset=utf-8"),
            ("Content-Length", str(len(body))),
            ("Cache-Control", "no-store"),
            ("X-Content-Type-Options", "nosniff"),
        ]
        if answer == LATER:
            headers.append(("Retry-After", str(RETRY_AFTER_S)))
        if answer == _NOT_SO:
            headers.append(("Allow", _METHODS))
        start_response(f"{answer.status} {HTTPStatus(answer.status).phrase}", headers)
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]

    def _answer(self, environ: WSGIEnvironment) -> Answer:
        path, method = environ.get("PATH_INFO", ""), environ["REQUEST_METHOD"]
        name = path.removeprefix(PREFIX)
        if name == path or not self._intake.is_open(name):
            return CLOSED
        if method in ("GET", "HEAD"):
            return PING
        if method != "POST":
            return _NOT_SO
        # Counted, not believed: Content-Length is the caller's word.
        body = environ["wsgi.input"].read(self._body_max + 1)
        if len(body) > self._body_max:
            return _TOO_LARGE
        return self._intake.receive(name, _headers(environ), body)


def _headers(environ: WSGIEnvironment) -> dict[str, str]:
    return {
        name.removeprefix("HTTP_").replace("_", "-").lower(): value
        for name, value in environ.items()
        if name.startswith("HTTP_")
    }
