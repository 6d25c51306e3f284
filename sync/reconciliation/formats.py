"""A reconciliation's tables as CSV and Parquet, written as they come.

Rows arrive as pandas frames of objects: decimals stay decimals, nothing passes through a float.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from datetime import UTC
from pathlib import Path
from typing import Any, Protocol

import pandas
import pyarrow
import pyarrow.parquet

from sync.reconciliation.columns import Column, Kind
from sync.spreadsheets import neutral

Columns = Sequence[Column]


def frame(columns: Columns, rows: Sequence[dict[str, Any]]) -> pandas.DataFrame:
    """Rows as pandas has them; also without any row there is every column."""
    return pandas.DataFrame(list(rows), columns=[c.name for c in columns], dtype=object)


class Output(Protocol):
    """A table while it is being written. Raises ``OSError`` where the disk does."""

    def add(self, rows: pandas.DataFrame) -> None: ...
    def close(self) -> None: ...


_CSV_CELLS: dict[Kind, Callable[[Any], str]] = {
    "text": neutral,
    "date": str,
    "time": lambda value: value.astimezone(UTC).isoformat().replace("+00:00", "Z"),
    "flag": lambda value: "true" if value else "false",
    "count": str,
    "amount": lambda value: format(value, "f"),
    "units": lambda value: format(value, "f"),
}


class Csv:
    """Quoted throughout, so that text stays in its cell; numbers are numbers all the same."""

    def __init__(self, path: Path, columns: Columns) -> None:
        self._columns = columns
        # Excel takes a file for UTF-8 only with a byte order mark.
        self._file = path.open("w", encoding="utf-8-sig", newline="")
        self._write(frame(columns, []), header=True)

    def add(self, rows: pandas.DataFrame) -> None:
        shown = {c.name: list(map(_CSV_CELLS[c.kind], rows[c.name])) for c in self._columns}
        self._write(pandas.DataFrame(shown, dtype=object), header=False)

    def _write(self, rows: pandas.DataFrame, *, header: bool) -> None:
        rows.to_csv(
            self._file, index=False, header=header, quoting=csv.QUOTE_ALL, lineterminator="\r\n"
        )

    def close(self) -> None:
        self._file.close()


_ARROW_TYPES: dict[Kind, pyarrow.DataType] = {
    "text": pyarrow.string(),
    "date": pyarrow.date32(),
    "time": pyarrow.timestamp("us", tz="UTC"),
    "flag": pyarrow.bool_(),
    "count": pyarrow.int64(),
    "amount": pyarrow.decimal128(38, 4),
    "units": pyarrow.decimal128(38, 6),
}
"""The scales hold every currency's decimals (ISO 4217 has up to 4) and every quantity."""


class Parquet:
    """Typed columns: amounts are decimals here too."""

    _GROUP_ROWS = 50_000
    """Rows that are kept back to be written as one row group: readers skip and scan by those."""

    def __init__(self, path: Path, columns: Columns) -> None:
        fields = [pyarrow.field(c.name, _ARROW_TYPES[c.kind]) for c in columns]
        self._schema = pyarrow.schema(fields)
        self._writer = pyarrow.parquet.ParquetWriter(path, self._schema)
        self._group = self._schema.empty_table()

    def add(self, rows: pandas.DataFrame) -> None:
        table = pyarrow.Table.from_pandas(rows, schema=self._schema, preserve_index=False)
        self._group = pyarrow.concat_tables([self._group, table.replace_schema_metadata()])
        if self._group.num_rows >= self._GROUP_ROWS:
            self._writer.write_table(self._group)
            self._group = self._schema.empty_table()

    def close(self) -> None:
        try:
            if self._group.num_rows:
                self._writer.write_table(self._group)
        finally:
            self._writer.close()
