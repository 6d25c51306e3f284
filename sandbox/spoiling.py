"""What a fault makes of a call: the refusal instead of an answer, or the answer spoilt."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import format_datetime
from functools import cache
from typing import Any

from werkzeug.wrappers import Request, Response

from sandbox.faults import REDIRECTS, Rule
from sandbox.wire import Vendor

RETRY_AFTER: dict[str, str | None] = {
    "huge": "99999999999",
    "negative": "-30",
    "nonsense": "soon",
    "absent": None,
    "past-date": "Mon, 02 Nov 1998 06:00:00 GMT",
}
"""Spellings of the header that have been seen; ``date`` is one too, from the moment it is sent."""

DEPTH = 100_000
DIGITS = 1_000_000
BOMB_BYTES = 40 * 1024 * 1024

_TARGETS: dict[str, Callable[[Request], str]] = {
    "redirect-http": lambda request: f"http://{request.host}/moved",
    "redirect-host": lambda _: "https://elsewhere.example/v1/orders",
    "redirect-link-local": lambda _: "http://169.254.169.254/latest/meta-data/",
    "redirect-loop": lambda request: request.url,
}


@dataclass(frozen=True)
class Answered:
    """An answer that was given: what a cache would give again."""

    body: bytes
    headers: tuple[tuple[str, str], ...]


def refusal(rule: Rule, vendor: Vendor, request: Request, now: datetime) -> Response:
    """The reply of a fault that strikes before the vendor: its own word, or a gateway's page."""
    if rule.kind in REDIRECTS:
        response = Response(status=int(rule.params.get("status", 302)))
        response.autocorrect_location_header = False
        response.headers["Location"] = _TARGETS[rule.kind](request)
        return response
    if rule.kind in {"401", "403", "410", "429"}:
        response = vendor.problem(int(rule.kind), "Refused.")
    else:
        response = _gateway_page(int(rule.kind[:3]))
    if rule.kind in {"429", "503"} and "retry_after" in rule.params:
        wait = _retry_after(rule, now)
        if wait is not None:
            response.headers["Retry-After"] = wait
    return response


def _retry_after(rule: Rule, now: datetime) -> str | None:
    asked = rule.params["retry_after"]
    if asked == "date":
        return format_datetime(now + timedelta(seconds=rule.params.get("seconds", 30)), usegmt=True)
    return RETRY_AFTER.get(str(asked), str(asked))


def spoil(
    rule: Rule, response: Response, request: Request, before: list[Answered]
) -> Response | None:
    """The reply of a fault that strikes after the vendor did its work; None: it met nothing.

    ``before``: what this operation answered the last times, newest last.
    """
    if rule.kind.endswith("-after"):
        return _gateway_page(int(rule.kind[:3]))
    if rule.kind in {"duplicate-page", "stale-page"}:
        return _again(rule, response, before)
    if rule.kind == "repeated-cursor":
        return _repeat_cursor(response, request)
    if rule.kind in _DRIFTS:
        return _drifted(rule, response)
    return _SPOILERS[rule.kind](response)


def _again(rule: Rule, response: Response, before: list[Answered]) -> Response | None:
    """An answer that was given before: of ``stale-page`` with its headers, as from a cache."""
    ago = 1 if rule.kind == "duplicate-page" else int(rule.params.get("ago", 2))
    if len(before) < ago:
        return None
    response.set_data(before[-ago].body)
    if rule.kind == "stale-page":
        for name, value in before[-ago].headers:
            response.headers[name] = value
    return response


def _gateway_page(status: int) -> Response:
    page = f"<html><body><h1>{status}</h1>nginx</body></html>"
    return Response(page, status, content_type="text/html")


def _repeat_cursor(response: Response, request: Request) -> Response | None:
    """Make the page point at itself, in whichever way this vendor points at the next one."""
    met = False
    if "Link" in response.headers:
        response.headers["Link"] = f'<{request.url}>; rel="next"'
        met = True
    body = _document(response)
    if isinstance(body, dict):
        token = request.args.get("paginationToken") or request.args.get("pageToken")
        if token and isinstance(body.get("pagination"), dict):
            body["pagination"]["nextToken"] = token
            met = True
        elif body.get("next"):
            body["next"] = request.full_path.removeprefix("/shipbob")
            met = True
        response.set_data(json.dumps(body, ensure_ascii=False))
    return response if met else None


def _document(response: Response) -> Any:
    """The body as JSON; null where another fault has made it something else."""
    try:
        return response.get_json(silent=True)
    except RecursionError:
        return None


def _with_body(change: Callable[[bytes], bytes]) -> Callable[[Response], Response]:
    def spoilt(response: Response) -> Response:
        response.set_data(change(response.get_data()))
        return response

    return spoilt


def _page_of_html(_: Response) -> Response:
    page = "<!doctype html><html><body>Just a moment...</body></html>"
    return Response(page, 200, content_type="text/html; charset=utf-8")


def _as_text(response: Response) -> Response:
    response.headers["Content-Type"] = "text/plain"
    return response


def _ok_with(body: object) -> Callable[[Response], Response]:
    """A success that says nothing, or an error: whatever the vendor meant."""

    def spoilt(_: Response) -> Response:
        return Response(json.dumps(body), 200, content_type="application/json")

    return spoilt


def _with_member(text: str) -> Callable[[bytes], bytes]:
    """Put a member into the first object of the body; an array without one gets an element."""

    def change(body: bytes) -> bytes:
        at = body.find(b"{") + 1
        if not at:
            return b"[" + text.encode() + b"]"
        rest = body[at:]
        comma = b"" if rest.lstrip()[:1] == b"}" else b","
        return body[:at] + b'"extra":' + text.encode() + comma + rest

    return change


def _twice(body: bytes) -> bytes:
    """The first member of the first record comes again with null: most parsers keep the last."""
    start = body.find(b"{", 1) if body[:1] != b"{" or b"{" in body[1:] else 0
    first = json.JSONDecoder()
    try:
        value, length = first.raw_decode(body[start:].decode())
    except (ValueError, RecursionError):
        return body
    if not value:
        return body
    end = start + len(body[start:].decode()[:length].encode())
    return body[: end - 1] + f',"{next(iter(value))}":null'.encode() + body[end - 1 :]


def _zipped(content: Callable[[bytes], bytes]) -> Callable[[Response], Response]:
    def spoilt(response: Response) -> Response:
        response.set_data(content(response.get_data()))
        response.headers["Content-Encoding"] = "gzip"
        return response

    return spoilt


@cache
def _bomb() -> bytes:
    return gzip.compress(b" " * BOMB_BYTES, compresslevel=1, mtime=0)


def _half(body: bytes) -> bytes:
    return body[: len(body) // 2]


_SPOILERS: dict[str, Callable[[Response], Response]] = {
    "html": _page_of_html,
    "truncated": _with_body(_half),
    "empty": _with_body(lambda _: b""),
    "wrong-type": _as_text,
    "empty-object": _ok_with({}),
    "errors-body": _ok_with({"errors": [{"code": "INTERNAL", "message": "Something went wrong"}]}),
    "trailing-garbage": _with_body(lambda body: body + b"<!-- cached 12:00 -->"),
    "byte-order-mark": _with_body(lambda body: b"\xef\xbb\xbf" + body),
    "not-a-number": _with_body(_with_member("NaN")),
    "duplicate-keys": _with_body(_twice),
    "deep": _with_body(_with_member("[" * DEPTH + "]" * DEPTH)),
    "huge-integer": _with_body(_with_member("9" * DIGITS)),
    "gzip-cut": _zipped(lambda body: _half(gzip.compress(body, mtime=0))),
    "gzip-bomb": _zipped(lambda _: _bomb()),
}


def _drifted(rule: Rule, response: Response) -> Response | None:
    """One object that has the field, drawn from all of them, has another one now."""
    body = _document(response)
    name = rule.params["field"]
    found = [part for part in _objects(body) if name in part]
    if not found:
        return None
    _DRIFTS[rule.kind](rule.dice.choice(found), name, rule.params)
    response.set_data(json.dumps(body, ensure_ascii=False))
    return response


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
    for part in value.values() if isinstance(value, dict) else value or ():
        if isinstance(part, dict | list):
            yield from _objects(part)


def _new_enum(part: dict[str, Any], name: str, params: dict[str, Any]) -> None:
    part[name] = params.get("value", "never-seen-before")


def _missing(part: dict[str, Any], name: str, _params: dict[str, Any]) -> None:
    del part[name]


def _other_type(part: dict[str, Any], name: str, _params: dict[str, Any]) -> None:
    value = part[name]
    part[name] = {"value": value} if isinstance(value, str | int | float | None) else str(value)


_DRIFTS: dict[str, Callable[[dict[str, Any], str, dict[str, Any]], None]] = {
    "new-enum": _new_enum,
    "missing-field": _missing,
    "type-change": _other_type,
}
