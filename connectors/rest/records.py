"""Takes the records of a ``rest`` stream out of replies, and completes them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from connectors.base import RawRecord
from connectors.errors import ConfigProblem, Retryable
from connectors.http import ApiClient, Reply, segment
from connectors.payload_paths import id_text, reader
from connectors.rest.streams import Attach, Split, Stream
from connectors.rest.words import filled, moment_of, parameters

Row = tuple[str, dict[str, Any]]
"""A record as it was listed, after its id."""


class Records:
    """What the settings say about the records of one stream."""

    def __init__(self, name: str, stream: Stream, api: ApiClient) -> None:
        self._name = name
        self._api = api
        self._read_rows = reader(stream.records)
        self._read_id = reader(stream.id)
        self._split = stream.split
        self._read_part_id = reader(stream.split.id if stream.split else "")
        self._read_change = reader(stream.changed) if stream.changed else None
        self._attached = [_Attached(name, one, api) for one in stream.attach]

    def listed(self, reply: Reply) -> list[Row]:
        """The rows of a page. Raises for a reply that has no list of objects with ids there."""
        rows = self._read_rows(reply.json())
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise reply.unclear("answered JSON, but no list of objects where `records` points")
        found = [(id_text(self._read_id(row)), row) for row in rows]
        if not all(key for key, _ in found):
            raise reply.unclear("answered records without an id where `id` points")
        return found

    def made(self, rows: list[Row]) -> list[RawRecord]:
        """The records: further calls made, and split where the settings say so."""
        return [record for key, row in rows for record in self._completed(key, row)]

    def changes(self, rows: list[Row]) -> list[datetime]:
        """When the rows changed, where the settings say how that is told."""
        if self._read_change is None:
            return []
        found = [(key, self._read_change(row)) for key, row in rows]
        return [self._moment(key, value) for key, value in found if value is not None]

    def _completed(self, key: str, row: dict[str, Any]) -> Iterator[RawRecord]:
        for attached in self._attached:
            row = attached.added(key, row)
        if self._split is None:
            yield RawRecord.of(key, row)
            return
        for part in _parts(self._split, row):
            part_id = id_text(self._read_part_id(part))
            if not part_id:
                raise Retryable(f"{self._name}: a row of record {key} has no id where `id` points")
            yield RawRecord.of(part_id, part)

    def _moment(self, key: str, value: Any) -> datetime:
        try:
            return moment_of(value)
        except ValueError as problem:
            raise ConfigProblem(
                f"{self._name}: `changed` of record {key} is no time: {problem}. Correct `changed`."
            ) from None


class _Attached:
    """One further call for each record that wants it."""

    def __init__(self, stream: str, one: Attach, api: ApiClient) -> None:
        self._one = one
        self._op = f"{stream}_{one.into}"
        self._api = api
        self._wants = reader(one.when)
        self._read = reader(one.records)
        self._least = reader(one.at_least) if one.at_least else None

    def added(self, key: str, row: dict[str, Any]) -> dict[str, Any]:
        if not self._wants(row):
            return row
        path = filled(self._one.path, {"id": segment(key)})
        query = parameters(self._one.query, {"id": key})
        reply = self._api.get(str(path), op=self._op, params=query)
        rows = self._read(reply.json())
        if not isinstance(rows, list):
            raise reply.unclear(f"answered JSON, but no list where `records` of {self._op} points")
        least = self._least(row) if self._least else 0
        if not isinstance(least, int):
            raise ConfigProblem(f"{self._op}: `at_least` of record {key} is no number. Correct it.")
        if len(rows) < least:
            raise Retryable(f"{self._op}: record {key} has {least}, only {len(rows)} could be read")
        return {**row, self._one.into: rows}


def _parts(split: Split, row: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    rest = {name: value for name, value in row.items() if name != split.rows}
    for item in row.get(split.rows) or [None]:
        yield {split.parent: rest, split.item: item}
