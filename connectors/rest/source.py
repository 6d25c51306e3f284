"""Reads one stream of a ``rest`` connection: windows, pages, records."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from connectors.base import Clock, Cursor, Page, RawRecord
from connectors.errors import ConfigProblem, Retryable
from connectors.http import ApiClient, Reply, segment
from connectors.rest.paging import Links, Walk, walk_of
from connectors.rest.records import Records
from connectors.rest.streams import Stream
from connectors.rest.words import filled, parameters, written


@dataclass(frozen=True, slots=True)
class _Window:
    """Times of change that one reading covers."""

    after: datetime
    until: datetime


class Source:
    """One stream of one connection, as its settings describe it."""

    def __init__(
        self, name: str, stream: Stream, api: ApiClient, clock: Clock, base_url: str
    ) -> None:
        self._name = name
        self._stream = stream
        self._api = api
        self._clock = clock
        self._base_url = base_url
        self._records = Records(name, stream, api)
        self._names = stream.names

    def sample(self) -> int:
        """How many records the first page of the last day has, for `crossdock check`."""
        now = self._clock.now()
        window = _Window(now - timedelta(days=1), now)
        walk = walk_of(self._name, self._stream.paging, self._base_url, {})
        return len(self._records.listed(self._ask(walk, window)))

    def pages(self, cursor: Cursor | None, since: datetime) -> Iterator[Page]:
        """Everything that changed since the cursor, or since ``since`` where there is none."""
        style = self._stream.paging.style
        if "since" not in self._names:
            yield from self._beyond((cursor or {}) if style == "since_id" else {})
            return
        window, kept = self._opened(cursor, since)
        if style == "time_window":
            yield from self._slices(window)
        elif "until" in self._names:
            yield from self._closed(window, kept)
        else:
            yield from self._open(window)

    def _opened(self, cursor: Cursor | None, since: datetime) -> tuple[_Window, Cursor]:
        horizon = timedelta(seconds=self._stream.horizon_s)
        trusted = (self._clock.now() - horizon).replace(microsecond=0)
        if cursor is None or "watermark" not in cursor:
            return _Window(since, max(trusted, since)), {}
        after = datetime.fromisoformat(cursor["watermark"])
        if "until" in cursor:
            return _Window(after, datetime.fromisoformat(cursor["until"])), cursor
        return _Window(after, max(trusted, after)), {}

    def _closed(self, window: _Window, kept: Cursor) -> Iterator[Page]:
        """A window with both ends: once it was walked, its end is the watermark."""
        walk = self._walk(kept)
        for records, _ in self._taken(walk, window):
            if walk.done:
                yield Page(records, _watermark(window.until), walk.total)
            else:
                note = walk.note()
                reached = _watermark(window.after)
                if note:
                    reached |= {"until": window.until.isoformat(), **note}
                yield Page(records, reached, walk.total)

    def _open(self, window: _Window) -> Iterator[Page]:
        """A window without an end: the latest change seen is the watermark, once all was seen.

        It never passes the horizon, so a record with a time in the future cannot hide others.
        """
        walk, newest = self._walk({}), window.after
        for records, changes in self._taken(walk, window):
            newest = max([newest, *(min(change, window.until) for change in changes)])
            yield Page(records, _watermark(newest if walk.done else window.after), walk.total)

    def _slices(self, window: _Window) -> Iterator[Page]:
        """Windows small enough for one reply each: a full one is halved, the next one doubled."""
        paging = self._stream.paging
        widest = timedelta(seconds=paging.window_s)
        width, start = widest, window.after
        while start < window.until:
            end = min(start + width, window.until)
            rows = self._records.listed(self._ask(self._walk({}), _Window(start, end)))
            if len(rows) < paging.size:
                yield Page(self._records.made(rows), _watermark(end))
                # A busy hour must not make the quiet year after it a walk of seconds.
                start, width = end, min(width * 2, widest)
            elif width <= timedelta(seconds=1):
                raise Retryable(
                    f"{self._name}: more than {paging.size - 1} records in one second and the "
                    "overlap before it; use another paging style or a smaller `overlap_s`"
                )
            else:
                width = max(min(width, end - start) / 2, timedelta(seconds=1))

    def all(self) -> Iterator[Page]:
        """The whole listing, whatever was read before.

        With ``snapshot`` the last page has the number of all records as its total: nothing is
        missing then, and a SKU that was not named has no stock.
        """
        walk, now, count = self._walk({}), self._clock.now(), 0
        for records, _ in self._taken(walk, _Window(now, now)):
            count += len(records)
            yield Page(records, {}, count if walk.done and self._stream.snapshot else None)

    def _beyond(self, cursor: Cursor) -> Iterator[Page]:
        """What has a greater id than any seen before; without ``since_id`` the whole listing."""
        walk, now = self._walk(cursor), self._clock.now()
        for records, _ in self._taken(walk, _Window(now, now)):
            note = walk.note() if self._stream.paging.style == "since_id" else {}
            yield Page(records, {"v": 1, **note}, walk.total)

    def _taken(
        self, walk: Walk, window: _Window
    ) -> Iterator[tuple[list[RawRecord], list[datetime]]]:
        while not walk.done:
            reply = self._ask(walk, window)
            rows = self._records.listed(reply)
            if walk.take(reply, [key for key, _ in rows]):
                yield self._records.made(rows), self._records.changes(rows)

    def _walk(self, kept: Cursor) -> Walk:
        return walk_of(self._name, self._stream.paging, self._base_url, kept)

    def _ask(self, walk: Walk, window: _Window) -> Reply:
        followed = walk.target() if isinstance(walk, Links) else None
        if followed:
            path, params = followed
            return self._api.get(path, op=self._name, params=params)
        stream, values = self._stream, self._values(walk, window)
        filled_path = filled(stream.path, {name: _in_path(value) for name, value in values.items()})
        if filled_path is None:
            raise ConfigProblem(
                f"{self._name}: `path` has a placeholder that the first page knows no value for. "
                "Put it into the query, where it is then left out."
            )
        query = parameters(stream.query, values)
        if stream.method == "GET":
            return self._api.get(filled_path, op=self._name, params=query)
        body = {name: value for name, value in query.items() if value is not None}
        return self._api.post(filled_path, op=self._name, json=body, idempotent=True)

    def _values(self, walk: Walk, window: _Window) -> Mapping[str, Any]:
        stream = self._stream
        overlapped = window.after - timedelta(seconds=stream.overlap_s)
        return {
            **walk.values(),
            "size": stream.paging.size,
            "since": written(overlapped, stream.time_format),
            "until": written(window.until, stream.time_format),
        }


def _watermark(moment: datetime) -> Cursor:
    return {"v": 1, "watermark": moment.isoformat()}


def _in_path(value: Any) -> str | None:
    return None if value is None else segment(str(value))
