"""CSV as partners write it, and CSV that a spreadsheet may open without running anything."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

Row = dict[str, str | None]
"""One line of a file: column name -> text without outer blanks, null where the cell is empty."""

MAX_ROWS = 100_000
"""Rows of one file, which are held in memory together: about 200 MB."""

MAX_COLUMNS = 500

_SHOWN = 20
"""Problems of one kind that are spelled out; the rest is counted."""

_FORMULA = re.compile(
    r"[\s\x00-\x1f\x7f-\xa0\u200b-\u200f\u2028-\u202e\u2060\ufeff]*[=+\-@|−＝＋－＠｜﹦﹢﹣﹫]|[\t\r\n]"
)
"""A start that a spreadsheet runs, also behind characters that show nothing."""

_HARMLESS = re.compile(r"[+-]?[\d\s().,/-]*")
"""Amounts and phone numbers: without a letter nothing can be called, so they keep their sign."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a partner writes CSV."""

    encoding: str = "utf-8-sig"
    delimiter: str = ","


class BadFile(Exception):
    """A file that cannot be taken as a whole. The message holds every reason and the remedy."""


def read_rows(content: bytes, dialect: Dialect, *, required: Sequence[str]) -> list[Row]:
    """The rows of a file whose first line names the columns.

    Names are compared in lower case with ``_`` for blanks; further columns are kept. Raises
    ``BadFile`` with every problem of the header, or every line of the wrong width, at once.
    """
    lines = _lines(_decoded(content, dialect.encoding), dialect.delimiter)
    if not lines:
        raise BadFile("It is empty: the first line must name the columns.")
    names = [re.sub(r"\s+", "_", name.strip().lower()) for name in lines[0][1]]
    _check_header(names, dialect.delimiter, required)
    ragged = [number for number, cells in lines[1:] if len(cells) != len(names)]
    if ragged:
        raise BadFile(
            f"{_listed('line', ragged)} not have the {len(names)} columns of the header. Put "
            f"quotes around text that holds {dialect.delimiter!r}, a quote or a line break."
        )
    return [
        {name: cell.strip() or None for name, cell in zip(names, cells, strict=True)}
        for _, cells in lines[1:]
    ]


def write_rows(rows: Sequence[Mapping[str, object]], dialect: Dialect) -> bytes:
    """CSV (RFC 4180, every cell quoted) with the columns of the rows in order of appearance.

    Raises ``UnicodeEncodeError`` for a character that the encoding does not have.
    """
    columns = list(dict.fromkeys(name for row in rows for name in row))
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=dialect.delimiter, quoting=csv.QUOTE_ALL)
    writer.writerow(columns)
    writer.writerows([defused(row.get(name)) for name in columns] for row in rows)
    return out.getvalue().encode(dialect.encoding)


def defused(value: object) -> str:
    """The text of a cell; with an apostrophe in front where a spreadsheet would run it."""
    text = "" if value is None else str(value)
    return f"'{text}" if _FORMULA.match(text) and not _HARMLESS.fullmatch(text) else text


def _decoded(content: bytes, encoding: str) -> str:
    if content.startswith(b"PK\x03\x04"):
        raise BadFile("It is an Excel workbook or a zip archive: save it as CSV.")
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        raise BadFile(_encoding_problem(content, encoding, error)) from None
    except UnicodeError as error:
        raise BadFile(f"It is not {encoding}: {error}.") from None
    if "\x00" in text:
        raise BadFile("It holds NUL characters: it is UTF-16 or no text at all. Save it as UTF-8.")
    return text


def _encoding_problem(content: bytes, encoding: str, error: UnicodeDecodeError) -> str:
    line = content.count(b"\n", 0, error.start) + 1
    guess = "utf-16" if content.startswith((b"\xff\xfe", b"\xfe\xff")) else "cp1252"
    return (
        f"Line {line} is not {encoding}: byte 0x{content[error.start]:02x} at offset "
        f"{error.start}. Export the file as UTF-8, or set `encoding` of this connection to what "
        f"the sender uses ({guess!r} would be the usual one), then drop the file again."
    )


def _lines(text: str, delimiter: str) -> list[tuple[int, list[str]]]:
    """(line number, cells) of every line that is not blank."""
    lines: list[tuple[int, list[str]]] = []
    reader = csv.reader(narrow(text, delimiter, lines), delimiter=delimiter, strict=True)
    try:
        for cells in reader:
            if any(map(str.strip, cells)):
                lines.append((reader.line_num, cells))
            if len(lines) > MAX_ROWS + 1:
                raise BadFile(f"It has more than {MAX_ROWS} rows: split it.")
    except csv.Error as error:
        raise BadFile(f"Line {reader.line_num} is not CSV: {error}.") from None
    return lines


def narrow(text: str, delimiter: str, done: Sequence[object]) -> Iterator[str]:
    """The lines of a text, as long as none of its rows can have too many cells: the parser makes
    all cells of a row before anybody sees it. ``done``: the rows that are complete. Raises
    ``BadFile``.
    """
    rows, marks = 0, 0
    for number, line in enumerate(io.StringIO(text, newline="")):
        if number > MAX_ROWS * 5:
            raise BadFile(f"It has more than {MAX_ROWS * 5} lines, most of them blank: split it.")
        if len(done) > rows:
            rows, marks = len(done), 0
        marks += line.count(delimiter)
        # What stands in quotes is no separator, so there is room for text with many of them.
        if marks > MAX_COLUMNS * 20:
            raise BadFile(f"Row {rows + 1} has more than {MAX_COLUMNS} columns.")
        yield line


def _check_header(names: Sequence[str], delimiter: str, required: Sequence[str]) -> None:
    if len(names) > MAX_COLUMNS:
        raise BadFile(f"The header names more than {MAX_COLUMNS} columns.")
    problems = []
    if len(names) == 1:
        others = [mark for mark in ",;\t|" if mark != delimiter and mark in names[0]]
        problems += [
            f"the columns seem to be separated by {mark!r}: set `delimiter`" for mark in others
        ]
    missing = [name for name in required if name not in names]
    if missing:
        problems.append(f"missing: {', '.join(missing)}")
    twice = sorted({name for name in names if name and names.count(name) > 1})
    if twice:
        problems.append(f"named twice: {', '.join(twice)}")
    unnamed = [number for number, name in enumerate(names, 1) if not name]
    if unnamed:
        problems.append(f"without a name: column {', '.join(map(str, unnamed))}")
    if problems:
        raise BadFile(f"The header does not fit ({'; '.join(problems)}).")


def _listed(noun: str, numbers: Sequence[int]) -> str:
    shown = ", ".join(map(str, numbers[:_SHOWN]))
    more = f" and {len(numbers) - _SHOWN} more" if len(numbers) > _SHOWN else ""
    return f"{noun.capitalize()} {shown}{more} do" + ("es" if len(numbers) == 1 else "")
