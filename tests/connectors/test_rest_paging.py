"""Every paging style of a ``rest`` stream, and the vendors that lie about their pages."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.base import Page
from connectors.errors import ConfigProblem, Retryable, Unreachable
from connectors.rest import Rest
from mappings import Definitions
from tests.connectors.rest_words import SINCE, answer, connector, ids, orders, rows

NUMBERED = {"page": "{page}", "limit": "{size}"}
Make = Callable[..., Rest]


class Shelf(httpx.BaseTransport):
    """A vendor with a fixed list of records, in the styles that hold for such a list."""

    def __init__(self, count: int, size: int) -> None:
        self.records = rows(*range(1, count + 1))
        self.size = size
        self.calls = 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.calls += 1
        asked, size = request.url.params, self.size
        known = {"page": size, "offset": 1, "cursor": 1, "after": 1}
        start = next((int(asked[name]) * step for name, step in known.items() if name in asked), 0)
        start -= size if "page" in asked else 0
        page = self.records[start : start + size]
        after = start + size
        body: dict[str, Any] = {"data": page, "total": len(self.records)}
        if after < len(self.records):
            body |= {"next": after, "link": f"/v1/orders?cursor={after}"}
            return answer(body, Link=f'<https://api.example/v1/orders?cursor={after}>; rel="next"')
        return answer(body)


STYLES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "page": ({"style": "page", "total": "total"}, NUMBERED),
    "page without a total": ({"style": "page"}, NUMBERED),
    "offset": ({"style": "offset", "total": "total"}, {"offset": "{offset}"}),
    "offset without a total": ({"style": "offset"}, {"offset": "{offset}"}),
    "cursor": ({"style": "cursor", "next": "next", "total": "total"}, {"cursor": "{cursor}"}),
    "link in the body": ({"style": "link", "next": "link"}, {}),
    "link header": ({"style": "link"}, {}),
    "since_id": ({"style": "since_id"}, {"after": "{last_id}"}),
}


@pytest.fixture
def make(open_door: Any, closing: Callable[[Any], Any], definitions: Definitions) -> Make:
    def build(transport: httpx.BaseTransport, paging: dict[str, Any], **changes: Any) -> Rest:
        made: Rest = closing(
            connector(orders(paging, **changes), open_door(transport), definitions)
        )
        return made

    return build


def pulled(rest: Rest, cursor: dict[str, Any] | None = None) -> list[Page]:
    return list(rest.pull_orders(cursor, SINCE))


@pytest.mark.parametrize("style", STYLES)
@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(count=st.integers(0, 23), size=st.integers(1, 7))
def test_every_style_reads_every_record_once_and_in_few_calls(
    make: Make, style: str, count: int, size: int
) -> None:
    paging, query = STYLES[style]
    vendor = Shelf(count, size)
    rest = make(vendor, paging | {"size": size}, query=query, records="data")
    assert ids(pulled(rest)) == [str(n) for n in range(1, count + 1)]
    assert vendor.calls <= count // size + 1


# ---- vendors that lie ----------------------------------------------------------------------------

CURSOR = {"style": "cursor", "next": "next"}


def test_a_repeated_cursor_ends_the_run(make: Make, scripted: Any) -> None:
    vendor = scripted(
        answer({"data": rows(1), "next": "A"}), answer({"data": rows(2), "next": "A"})
    )
    rest = make(vendor, CURSOR, query={"c": "{cursor}"}, records="data")
    with pytest.raises(Retryable, match="repeats a page"):
        pulled(rest)
    assert [r.url.params.get("c") for r in vendor.requests] == [None, "A"]


def test_empty_pages_with_a_token_are_followed_for_a_while(make: Make, scripted: Any) -> None:
    few = [answer({"data": [], "next": f"t{n}"}) for n in range(5)]
    vendor = scripted(*few, answer({"data": rows(7), "next": None}))
    assert ids(pulled(make(vendor, CURSOR, query={"c": "{cursor}"}, records="data"))) == ["7"]
    vendor = scripted(*(answer({"data": [], "next": f"t{n}"}) for n in range(9)))
    with pytest.raises(Retryable, match="6 empty pages in a row"):
        pulled(make(vendor, CURSOR, query={"c": "{cursor}"}, records="data"))


@pytest.mark.parametrize(
    "link",
    [
        "https://evil.example/v1/orders?cursor=2",
        "//evil.example/v1/orders",
        "https://api.example:8443/v1/orders",
        "https://user:pw@api.example/v1/orders",
        "https://api.example/admin?cursor=2",
        "../../admin",
        "https://api.example/v10/orders",
        "https://api.example/v1/%2e%2e/admin",
        "https://api.example/v1//evil.example/orders",
        "https://[api.example/v1/orders",
        "https://api.example:port/v1/orders",
        "/v1/orders\\..\\admin",
    ],
)
@pytest.mark.parametrize("place", ["body", "header"])
def test_a_next_link_to_elsewhere_is_refused(
    make: Make, scripted: Any, link: str, place: str
) -> None:
    header = {"Link": f'<{link}>; rel="next"'} if place == "header" else {}
    vendor = scripted(answer({"data": rows(1), "next": link}, **header))
    paging = {"style": "link"} | ({"next": "next"} if place == "body" else {})
    with pytest.raises(Unreachable, match="not below `url`"):
        pulled(make(vendor, paging, records="data"))
    assert len(vendor.requests) == 1, "nothing was sent there"


@pytest.mark.parametrize(
    "link",
    [
        "http://api.example/v1/orders?a=1&a=2&c=x%2Fy",
        "/v1/orders?a=1&a=2&c=x%2Fy",
        "orders?a=1&a=2&c=x%2Fy",
    ],
)
def test_a_next_link_is_followed_with_its_whole_query(make: Make, scripted: Any, link: str) -> None:
    vendor = scripted(answer({"data": rows(1), "next": link}), answer({"data": [], "next": None}))
    pulled(make(vendor, {"style": "link", "next": "next"}, records="data", query={"b": "first"}))
    second = vendor.requests[1].url
    assert (second.scheme, second.host, second.path) == ("https", "api.example", "/v1/orders")
    assert second.params.multi_items() == [("a", "1"), ("a", "2"), ("c", "x/y")]


def test_fewer_records_than_the_total_are_no_complete_listing(make: Make, scripted: Any) -> None:
    short = answer({"data": rows(1, 2), "total": 9})
    numbered = {"style": "page", "size": 10, "total": "total"}
    with pytest.raises(Retryable, match="only 2 of 9 records came, twice"):
        pulled(make(scripted(short), numbered, query=NUMBERED, records="data"))
    counted = CURSOR | {"total": "total"}
    with pytest.raises(Retryable, match="only 2 of 9 records came"):
        pulled(make(scripted(short), counted, query={"c": "{cursor}"}, records="data"))


@pytest.mark.parametrize("total", [None, -1, "many", True, 2.5, [3]])
def test_a_total_that_is_none_is_told_to_ops(make: Make, scripted: Any, total: Any) -> None:
    vendor = scripted(answer({"data": [], "total": total}))
    paging = {"style": "page", "size": 10, "total": "total"}
    with pytest.raises(ConfigProblem, match="no number of records at total"):
        pulled(make(vendor, paging, query=NUMBERED, records="data"))


def test_a_page_that_comes_again_ends_the_run(make: Make, scripted: Any) -> None:
    vendor = scripted(answer(rows(1, 2)))
    with pytest.raises(Retryable, match="repeats a page"):
        pulled(make(vendor, {"style": "page", "size": 2}, query=NUMBERED))


def test_ids_that_do_not_ascend_end_the_run(make: Make, scripted: Any) -> None:
    paging = {"style": "since_id", "size": 2}
    for replies in ([rows(5, 4)], [rows(1, 2), rows(2, 3)], [rows(3, 3)]):
        vendor = scripted(*(answer(reply) for reply in replies))
        with pytest.raises(Retryable, match="do not ascend"):
            pulled(make(vendor, paging, query={"after": "{last_id}"}))


def test_since_id_remembers_the_last_id(make: Make, scripted: Any) -> None:
    paging, query = {"style": "since_id", "size": 2}, {"after": "{last_id}"}
    pages = pulled(make(scripted(answer(rows(1, 2)), answer(rows(3))), paging, query=query))
    assert [page.cursor for page in pages] == [{"v": 1, "last_id": "2"}, {"v": 1, "last_id": "3"}]
    vendor = scripted(answer([]))
    (last,) = pulled(make(vendor, paging, query=query), pages[-1].cursor)
    assert vendor.requests[0].url.params["after"] == "3"
    assert last.cursor == {"v": 1, "last_id": "3"}


# ---- time ----------------------------------------------------------------------------------------


class Timeline(httpx.BaseTransport):
    """A vendor that answers what changed in a span, the first ``size`` of it and no more."""

    def __init__(self, seconds: list[int], size: int) -> None:
        self.changes = {n: SINCE + timedelta(seconds=s) for n, s in enumerate(seconds)}
        self.size = size

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        asked = request.url.params
        low, high = (datetime.fromtimestamp(int(asked[name]), UTC) for name in ("from", "to"))
        found = [n for n, at in self.changes.items() if low <= at < high]
        return answer(rows(*found[: self.size]))


WINDOWS = {"query": {"from": "{since}", "to": "{until}"}, "time_format": "unix", "overlap_s": 0}


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    seconds=st.lists(st.integers(0, 86_000), unique=True, max_size=40),
    window_s=st.integers(1_000, 100_000),
)
def test_time_windows_are_halved_until_nothing_is_cut_off(
    make: Make, seconds: list[int], window_s: int
) -> None:
    paging = {"style": "time_window", "size": 4, "window_s": window_s}
    pages = pulled(make(Timeline(seconds, 4), paging, **WINDOWS))
    assert sorted(map(int, ids(pages))) == list(range(len(seconds)))
    marks = [page.cursor["watermark"] for page in pages]
    assert marks == sorted(marks)
    assert marks[-1] == "2026-11-02T07:59:55+00:00"


def test_a_second_that_is_too_full_is_told(make: Make) -> None:
    paging = {"style": "time_window", "size": 3, "window_s": 86_400}
    with pytest.raises(Retryable, match="more than 2 records in one second"):
        pulled(make(Timeline([50] * 3, 3), paging, **WINDOWS))


def test_an_open_window_moves_to_the_latest_change_but_not_past_the_horizon(
    make: Make, scripted: Any
) -> None:
    query = {"from": "{since}", "page": "{page}"}
    paging = {"style": "page", "size": 2}
    more = {"query": query, "changed": "at", "overlap_s": 60, "horizon_s": 120}
    full = rows(1, at="2026-11-01T10:00:00") + rows(2, at=1_793_000_000)
    vendor = scripted(answer(full), answer(rows(3, at="2099-01-01T00:00:00Z")))
    first, last = pulled(make(vendor, paging, **more))
    assert first.cursor["watermark"] == SINCE.isoformat(), "not before the walk is over"
    assert last.cursor["watermark"] == "2026-11-02T07:58:00+00:00"
    again = scripted(answer([]))
    (page,) = pulled(make(again, paging, **more), last.cursor)
    assert again.requests[0].url.params["from"] == "2026-11-02T07:57:00Z"
    assert page.cursor == last.cursor, "nothing new, nothing moved"


def test_a_time_of_change_that_is_none_is_told_to_ops(make: Make, scripted: Any) -> None:
    vendor = scripted(answer(rows(1, at="yesterday")))
    rest = make(vendor, {"style": "none"}, query={"from": "{since}"}, changed="at")
    with pytest.raises(ConfigProblem, match="`changed` of record 1 is no time"):
        pulled(rest)


def test_a_cursor_of_another_page_size_starts_the_window_again(make: Make, scripted: Any) -> None:
    vendor = scripted(answer([], total="0"))
    paging = {"style": "page", "size": 50, "total_header": "total"}
    query = {"from": "{since}", "to": "{until}", "page": "{page}"}
    kept = {"v": 1, "watermark": "2026-11-01T00:00:00+00:00", "until": "2026-11-02T00:00:00+00:00"}
    pulled(make(vendor, paging, query=query), kept | {"page": 3, "total": 250, "size": 100})
    assert vendor.requests[0].url.params["page"] == "1"
    assert vendor.requests[0].url.params["to"] == "2026-11-02T00:00:00Z"


# ---- requests ------------------------------------------------------------------------------------


def test_a_search_is_posted_and_repeated_like_a_read(make: Make, scripted: Any) -> None:
    vendor = scripted(httpx.Response(503), answer({"data": rows(1)}))
    rest = make(
        vendor, CURSOR, method="POST", query={"c": "{cursor}", "open": True, "n": 5}, records="data"
    )
    assert ids(pulled(rest)) == ["1"]
    assert [json.loads(request.content) for request in vendor.requests] == [
        {"open": "true", "n": 5}
    ] * 2


def test_a_placeholder_in_the_path_is_one_segment(make: Make, scripted: Any) -> None:
    vendor = scripted(answer([]))
    pulled(make(vendor, {"style": "page", "size": 5, "first": 0}, path="/orders/page/{page}"))
    assert vendor.requests[0].url.path == "/v1/orders/page/0"


def test_the_stock_of_a_snapshot_ends_with_the_proof_that_it_is_complete(
    open_door: Any, closing: Callable[[Any], Any], definitions: Definitions, scripted: Any
) -> None:
    stock = {"definition": "csvdrop.stock", "path": "/stock", "paging": CURSOR, "records": "data"}
    stock |= {"query": {"c": "{cursor}"}}
    for snapshot, totals in ((True, [None, 3]), (False, [None, None])):
        vendor = scripted(
            answer({"data": rows(1, 2), "next": "a"}), answer({"data": rows(3), "next": None})
        )
        given_ = {
            "url": "https://api.example",
            "streams": {"stock": stock | {"snapshot": snapshot}},
        }
        rest = closing(connector(given_, open_door(vendor), definitions))
        assert [page.total for page in rest.pull_stock()] == totals
