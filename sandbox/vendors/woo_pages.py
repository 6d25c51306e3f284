"""WordPress REST paging and errors, shared by all Woo collections."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar
from urllib.parse import urlencode

from werkzeug.wrappers import Response

from sandbox.wire import Call, Json, reply

_PER_PAGE_MAX = 100

Row = TypeVar("Row")


def woo_problem(status: int, code: str, message: str, **data: object) -> Response:
    """An error body: code, message, and data with the status in it."""
    return reply({"code": code, "message": message, "data": {"status": status, **data}}, status)


def invalid_param(name: str, why: str) -> Response:
    """400 rest_invalid_param, naming the parameter."""
    return woo_problem(
        400,
        "rest_invalid_param",
        f"Invalid parameter(s): {name}",
        params={name: why},
        details={name: {"code": "rest_invalid_param", "message": why, "data": None}},
    )


def page_of(
    call: Call,
    rows: Sequence[Row],
    render: Callable[[Row], Json],
    shown: Callable[[Sequence[Row]], None] | None = None,
) -> Response:
    """One page of a collection with X-WP-Total, X-WP-TotalPages and Link.

    ``shown`` is told of the rows of a page that is not the last one.
    """
    numbers: dict[str, int] = {}
    for name, default, high in (("per_page", 10, _PER_PAGE_MAX), ("page", 1, 10**9)):
        text = call.query(name) or str(default)
        if not text.isdecimal() or not 1 <= int(text) <= high:
            return invalid_param(
                name, f"{name} must be between 1 (inclusive) and {high} (inclusive)"
            )
        numbers[name] = int(text)
    per_page, page = numbers["per_page"], numbers["page"]
    start = call.whole("offset", (page - 1) * per_page)
    pages, total = -(-len(rows) // per_page), len(rows)
    if call.world.quirks.endless and rows and page >= pages:
        start, pages, total = (pages - 1) * per_page, page + 1, (page + 1) * per_page
        call.world.quirks.note("endless", call.request.base_url)
    headers = {"X-WP-Total": str(total), "X-WP-TotalPages": str(pages)}
    links = []
    if page > 1:
        links.append(_link(call, min(page - 1, max(pages, 1)), "prev"))
    if page < pages:
        links.append(_link(call, page + 1, "next"))
    if links:
        headers["Link"] = ", ".join(links)
    listed = rows[start : start + per_page]
    body = [render(row) for row in listed]
    if shown is not None and page < pages:
        shown(listed)
    return reply(body, headers=headers)


def _link(call: Call, page: int, rel: str) -> str:
    query = urlencode({**call.request.args.to_dict(), "page": str(page)})
    return f'<{call.request.base_url}?{query}>; rel="{rel}"'
