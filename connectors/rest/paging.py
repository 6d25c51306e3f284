"""Paging styles of a ``rest`` stream: what the next request asks for, and when a walk is over.

The guards are those of ``connectors.paging``: a vendor that repeats itself, never ends or says
that there are more records than came is found out, and the run ends with ``Retryable``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any, Protocol
from urllib.parse import urljoin

import httpx

from connectors.addresses import BaseUrl
from connectors.base import Cursor
from connectors.errors import ConfigProblem, Retryable, Unreachable
from connectors.http import Reply
from connectors.paging import MOST_PAGES, NumberedPages, TokenGuard
from connectors.payload_paths import reader
from connectors.rest.streams import Paging

Total = Callable[[Reply], int | None]


class Walk(Protocol):
    """One walk through a listing."""

    @property
    def done(self) -> bool: ...

    @property
    def total(self) -> int | None:
        """The records of the whole listing, where the vendor says it."""
        ...

    def values(self) -> dict[str, Any]:
        """What the placeholders of the next request stand for; null: not known yet."""
        ...

    def take(self, reply: Reply, ids: Sequence[str]) -> bool:
        """Note a reply; false when its records are to be dropped and the walk goes on."""
        ...

    def note(self) -> Cursor:
        """What another run needs to go on from here; empty when it has to start afresh."""
        ...


def walk_of(what: str, paging: Paging, base_url: str, kept: Cursor) -> Walk:
    """A walk in the style of ``paging``; ``kept`` is the ``note`` of an interrupted one."""
    total = total_reader(what, paging)
    match paging.style:
        case "page" | "offset" if paging.counts:
            return Counted(what, paging, total, kept)
        case "page" | "offset":
            return Uncounted(what, paging)
        case "cursor":
            return Tokens(what, total, _text_at(paging.next))
        case "link":
            following = _text_at(paging.next) if paging.next else _link_header
            return Links(what, total, following, base_url)
        case "since_id":
            return Ascending(what, paging.size, kept.get("last_id"))
        case "none" | "time_window":
            return Single()


def total_reader(what: str, paging: Paging) -> Total:
    """Reads how many records there are; null where the settings name no place for it."""
    if not paging.counts:
        return lambda _: None
    find = reader(paging.total) if paging.total else None

    def total(reply: Reply) -> int:
        found = find(reply.json()) if find else reply.headers.get(paging.total_header)
        if isinstance(found, str) and found.isdecimal():
            found = int(found)
        if isinstance(found, int) and not isinstance(found, bool) and found >= 0:
            return found
        place = paging.total or f"the header {paging.total_header}"
        raise ConfigProblem(
            f"{what}: the reply has no number of records at {place}: without it lost records go "
            "unnoticed. Correct `paging`, or have a proxy in between pass it on."
        )

    return total


class Single:
    """The first reply holds everything."""

    total: int | None = None

    def __init__(self) -> None:
        self.done = False

    def values(self) -> dict[str, Any]:
        return {}

    def take(self, reply: Reply, ids: Sequence[str]) -> bool:
        self.done = True
        return True

    def note(self) -> Cursor:
        return {}


class Counted:
    """Page numbers or offsets, with a total to hold the walk to."""

    def __init__(self, what: str, paging: Paging, total: Total, kept: Cursor) -> None:
        self._paging = paging
        self._read_total = total
        # Pages of another size are other pages.
        same = kept if kept.get("size") == paging.size else {}
        self._pages = NumberedPages(
            what, size=paging.size, page=same.get("page", 1), total=same.get("total")
        )

    @property
    def done(self) -> bool:
        return self._pages.done

    @property
    def total(self) -> int | None:
        return self._pages.total

    def values(self) -> dict[str, Any]:
        return _numbered(self._paging, self._pages.page)

    def take(self, reply: Reply, ids: Sequence[str]) -> bool:
        return self._pages.take(ids, self._read_total(reply) or 0)

    def note(self) -> Cursor:
        pages = self._pages
        return {"page": pages.page, "total": pages.total, "size": self._paging.size}


class Uncounted:
    """Page numbers or offsets without a total: a page that is not full is the last one."""

    total: int | None = None

    def __init__(self, what: str, paging: Paging) -> None:
        self.done = False
        self._what = what
        self._paging = paging
        self._page = 1
        self._seen: set[str] = set()

    def values(self) -> dict[str, Any]:
        return _numbered(self._paging, self._page)

    def take(self, reply: Reply, ids: Sequence[str]) -> bool:
        if ids and self._seen.issuperset(ids):
            raise Retryable(f"{self._what}: the vendor repeats a page; stopped reading")
        self._seen.update(ids)
        self.done = len(ids) < self._paging.size
        self._page += 1
        if self._page > MOST_PAGES and not self.done:
            raise Retryable(f"{self._what}: more than {MOST_PAGES} pages; stopped reading")
        return True

    def note(self) -> Cursor:
        return {}


class Tokens:
    """An opaque token in each body leads to the next page."""

    def __init__(self, what: str, total: Total, following: Callable[[Reply], str | None]) -> None:
        self.done = False
        self.total: int | None = None
        self._what = what
        self._read_total = total
        self._following = following
        self._guard = TokenGuard(what)
        self._token: str | None = None
        self._seen: set[str] = set()

    def values(self) -> dict[str, Any]:
        return {"cursor": self._token}

    def take(self, reply: Reply, ids: Sequence[str]) -> bool:
        self._token = self._guard.follow(self._following(reply), ids)
        self.total = self._read_total(reply)
        if self.total is not None:
            self._seen.update(ids)
        self.done = self._token is None
        if self.done and self.total is not None and len(self._seen) < self.total:
            raise Retryable(
                f"{self._what}: only {len(self._seen)} of {self.total} records came; "
                "they are read again later"
            )
        return True

    def note(self) -> Cursor:
        return {}


class Links(Tokens):
    """Each reply holds the address of the next page. Only its path and query are of use."""

    def __init__(
        self, what: str, total: Total, following: Callable[[Reply], str | None], base_url: str
    ) -> None:
        super().__init__(what, total, following)
        self._base = httpx.URL(base_url)

    def target(self) -> tuple[str, Mapping[str, Sequence[str]]] | None:
        """Path below the base URL and parameters of the next page; null for the first one.

        Raises ``Unreachable`` for an address elsewhere: our credentials would go with it.
        """
        if self._token is None:
            return None
        try:
            # What begins with a slash hangs below the host, all else below our base.
            url = httpx.URL(urljoin(f"{self._base}".rstrip("/") + "/", self._token))
            path = self._below_base(url)
        except (ValueError, httpx.InvalidURL):
            raise Unreachable(
                f"{self._what}: the next page is said to be at {self._token[:200]!r}, "
                "which is not below `url`"
            ) from None
        params: dict[str, list[str]] = {}
        for name, value in url.params.multi_items():
            params.setdefault(name, []).append(value)
        return path, params

    def _below_base(self, url: httpx.URL) -> str:
        """The path of ``url`` below our base. Raises ``ValueError`` for any other address."""
        root = self._base.raw_path.decode().rstrip("/")
        path = url.raw_path.partition(b"?")[0].decode()
        # A server behind a proxy that ends TLS names http: the scheme is ours to choose.
        here = url.host == self._base.host and url.port in (self._base.port, None)
        if not here or url.userinfo or not path.startswith(f"{root}/"):
            raise ValueError("elsewhere")
        below = path[len(root) :]
        BaseUrl(f"{self._base}", insecure_allowed=True).join(below)
        return below


class Ascending:
    """Each page asks for ids after the last one seen."""

    total: int | None = None

    def __init__(self, what: str, size: int, last_id: str | None) -> None:
        self.done = False
        self._what = what
        self._size = size
        self._last = last_id
        self._guard = TokenGuard(what)

    def values(self) -> dict[str, Any]:
        return {"last_id": self._last}

    def take(self, reply: Reply, ids: Sequence[str]) -> bool:
        order = [*([self._last] if self._last is not None else []), *ids]
        if all(one.isdecimal() for one in order):
            numbers = [int(one) for one in order]
            if any(b <= a for a, b in pairwise(numbers)):
                raise Retryable(
                    f"{self._what}: ids do not ascend: have the query sort by id; stopped reading"
                )
        self.done = len(ids) < self._size
        if ids:
            self._guard.follow(ids[-1], ids)
            self._last = ids[-1]
        return True

    def note(self) -> Cursor:
        return {"last_id": self._last} if self._last is not None else {}


def _numbered(paging: Paging, page: int) -> dict[str, Any]:
    return {"page": page - 1 + paging.first, "offset": (page - 1) * paging.size}


def _text_at(path: str) -> Callable[[Reply], str | None]:
    read = reader(path)

    def text(reply: Reply) -> str | None:
        found = read(reply.json())
        # A zero is an id like any other; false, null and nothing at all end the walk.
        usable = isinstance(found, (str, int)) and not isinstance(found, bool)
        return str(found) if usable else None

    return text


def _link_header(reply: Reply) -> str | None:
    links = httpx.Response(200, headers={"link": reply.headers.get("link", "")}).links
    return links.get("next", {}).get("url")
