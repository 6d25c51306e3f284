"""A reconciliation as one XLSX workbook, a sheet per table.

XLSX knows no number but the binary double, which keeps 15 decimal digits. An amount is a number
as long as that keeps it exact; a longer one is text.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas
import xlsxwriter
from xlsxwriter.exceptions import FileCreateError

from mappings.numbers import exponent
from sync.reconciliation.columns import Column
from sync.reconciliation.formats import Columns, Output
from sync.spreadsheets import neutral

ROWS_MAX = 1_048_576
"""Rows of a sheet, with its heading. What is more goes on a second sheet."""

_TEXT_MAX = 32_767
_EXACT_DIGITS = 15
_WIDTHS = {"text": 16, "date": 12, "time": 20, "flag": 10, "count": 8, "amount": 14, "units": 10}


@contextmanager
def workbook(
    path: Path, tables: Mapping[str, Columns], created: datetime, rows_max: int = ROWS_MAX
) -> Iterator[dict[str, Output]]:
    """The sheets to write to, by table; the file is there when the block ends."""
    # Rows wait in temporary files: memory would grow with every one.
    with tempfile.TemporaryDirectory(dir=path.parent) as scratch:
        book = xlsxwriter.Workbook(str(path), {"constant_memory": True, "tmpdir": scratch})
        book.use_zip64()
        book.set_properties({"created": created.astimezone(UTC).replace(tzinfo=None)})
        styles = _Styles(book)
        try:
            yield {name: _Sheet(book, styles, name, tables[name], rows_max) for name in tables}
        finally:
            try:
                book.close()
            except FileCreateError as error:
                raise OSError(str(error)) from error


class _Styles:
    """The formats of a workbook, each made once."""

    def __init__(self, book: Any) -> None:
        self._book = book
        self._amounts: dict[str, Any] = {}
        self.heading = book.add_format({"bold": True})
        self.date = book.add_format({"num_format": "yyyy-mm-dd"})
        self.time = book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
        # What Excel does for a cell typed with a leading apostrophe: it stays text when edited.
        self.literal = book.add_format({"quote_prefix": True})

    def amount(self, currency: str) -> Any:
        if currency not in self._amounts:
            digits = exponent(currency)
            shown = "#,##0." + "0" * digits if digits else "#,##0"
            self._amounts[currency] = self._book.add_format({"num_format": shown})
        return self._amounts[currency]


class _Sheet:
    """One table, on as many sheets as it needs."""

    def __init__(
        self, book: Any, styles: _Styles, name: str, columns: Columns, rows_max: int
    ) -> None:
        self._book, self._styles, self._columns = book, styles, columns
        self._title, self._rows_max, self._number = name.capitalize(), rows_max, 0
        self._currency = next(i for i, c in enumerate(columns) if c.name == "currency")
        self._start()

    def _start(self) -> None:
        self._number += 1
        title = self._title if self._number == 1 else f"{self._title} {self._number}"
        self._sheet = self._book.add_worksheet(title)
        self._sheet.freeze_panes(1, 0)
        for place, column in enumerate(self._columns):
            width = max(_WIDTHS[column.kind], len(column.name) + 2)
            self._sheet.set_column(place, place, width)
            self._sheet.write_string(0, place, column.name, self._styles.heading)
        self._next = 1

    def add(self, rows: pandas.DataFrame) -> None:
        for row in rows.itertuples(index=False, name=None):
            if self._next == self._rows_max:
                self._start()
            for place, (column, value) in enumerate(zip(self._columns, row, strict=True)):
                self._cell(place, column, value, row[self._currency])
            self._next += 1

    def close(self) -> None:
        """The workbook closes its sheets."""

    def _cell(self, place: int, column: Column, value: Any, currency: str) -> None:
        """Every value by the writer of its type: none of them looks for formulas or links."""
        sheet, at = self._sheet, (self._next, place)
        if column.kind == "amount" and _is_exact(value):
            sheet.write_number(*at, float(value), self._styles.amount(currency))
        elif column.kind in ("units", "count") and _is_exact(Decimal(value)):
            sheet.write_number(*at, float(value))
        elif column.kind == "flag":
            sheet.write_boolean(*at, value)
        elif column.kind == "date" and _has_serial(value):
            sheet.write_datetime(*at, value, self._styles.date)
        elif column.kind == "time" and _has_serial(value):
            naive = value.astimezone(UTC).replace(tzinfo=None)
            sheet.write_datetime(*at, naive, self._styles.time)
        else:
            self._text(at, format(value, "f") if isinstance(value, Decimal) else str(value))

    def _text(self, at: tuple[int, int], value: str) -> None:
        shown = value[:_TEXT_MAX]
        style = () if neutral(shown) == shown else (self._styles.literal,)
        self._sheet.write_string(*at, shown, *style)


def _is_exact(value: Decimal) -> bool:
    return len(value.normalize().as_tuple().digits) <= _EXACT_DIGITS


def _has_serial(value: date) -> bool:
    """Excel counts days from 1900."""
    return value.year >= 1900
