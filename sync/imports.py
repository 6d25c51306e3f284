"""Files that ops bring: SKUs and stock counts as CSV. All of a file is taken, or none of it."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from itertools import zip_longest
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row
from sqlalchemy.exc import IntegrityError

from connectors.csvtext import BadFile, narrow
from mappings.file_bounds import Refused, content_of
from state import catalogue, fulfilment, grounds, history, stock
from state.errors import Misplaced

MAX_BYTES = 16 * 1024 * 1024
MAX_ROWS = 200_000
MAX_COLUMNS = 500
"""Of one file, whose rows are held in memory together."""


class ImportProblem(Exception):
    """The file cannot be taken; ``problems`` lists every fault with its line."""

    def __init__(self, path: Path, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        listed = "\n".join(f"  {problem}" for problem in problems)
        super().__init__(f"{path}: nothing was imported:\n{listed}")


@dataclass(frozen=True, slots=True)
class SkuRow:
    """``tags`` and ``hazmat``: null where the file does not say; what is known then stays."""

    code: str
    title: str
    gtin: str
    weight_g: int
    tags: frozenset[str] | None = None
    hazmat: bool | None = None


def rows_of(path: Path, required: Sequence[str]) -> list[tuple[int, dict[str, str]]]:
    """(line number, row) of a comma-separated file in UTF-8, with or without byte order mark.

    Blank lines are left out, and a short one has empty cells.
    """
    try:
        lines = _lines(path, content_of(path, MAX_BYTES).decode("utf-8-sig"))
    except (BadFile, Refused) as refused:
        raise ImportProblem(path, [str(refused)]) from None
    except UnicodeDecodeError as error:
        raise ImportProblem(
            path, [f"byte {error.start} is not UTF-8: save the file as 'CSV UTF-8'"]
        ) from error
    except csv.Error as error:
        raise ImportProblem(path, [f"it is not CSV: {error}"]) from None
    names = lines[0][1] if lines else []
    missing = [name for name in required if name not in names]
    if missing:
        raise ImportProblem(path, [f"line 1: the column {name} is missing" for name in missing])
    if len(names) > MAX_COLUMNS:
        raise ImportProblem(path, [f"line 1 has more than {MAX_COLUMNS} columns"])
    return [(number, _row(names, cells)) for number, cells in lines[1:]]


def _lines(path: Path, text: str) -> list[tuple[int, list[str]]]:
    """(line number, cells) of the header and of every row; rows are made of them only once it is
    known that there are not too many."""
    lines: list[tuple[int, list[str]]] = []
    reader = csv.reader(narrow(text, ",", lines))
    for cells in filter(None, reader):
        if len(lines) > MAX_ROWS:
            raise ImportProblem(path, [f"it has more than {MAX_ROWS:,} rows: split it"])
        lines.append((reader.line_num, cells))
    return lines


def _row(names: Sequence[str], cells: Sequence[str]) -> dict[str, str]:
    filled = zip_longest(names, cells[: len(names)], fillvalue="")
    return {name: cell.strip() for name, cell in filled}


def location_of(conn: Connection, path: Path, code: str) -> Row[Any]:
    """The location of that code. Raises ``ImportProblem`` when there is none."""
    found = fulfilment.location_by_code(conn, code)
    if found is None:
        raise ImportProblem(path, [f"there is no location {code} in the settings"])
    return found


_WEIGHT_DIGITS = 9
_YES_OR_NO = {"": None, "yes": True, "no": False}


def read_skus(path: Path) -> list[SkuRow]:
    """SKUs of a file with the columns ``code,title`` and, if there, ``gtin,weight_g,tags,hazmat``.

    Several tags of a SKU are parted by blanks.
    """
    problems: list[str] = []
    found: dict[str, SkuRow] = {}
    for line, row in rows_of(path, ("code", "title")):
        weight = row.get("weight_g", "") or "0"
        if not row["code"]:
            problems.append(f"line {line}: code is empty")
        elif row["code"] in found:
            problems.append(f"line {line}: code {row['code']} stands in the file twice")
        if not (weight.isascii() and weight.isdecimal() and len(weight) <= _WEIGHT_DIGITS):
            problems.append(f"line {line}: weight_g {weight!r} is not a whole number of grams")
        elif row.get("hazmat", "") not in _YES_OR_NO:
            problems.append(f"line {line}: hazmat {row['hazmat']!r} is neither yes nor no")
        else:
            found[row["code"]] = SkuRow(
                code=row["code"],
                title=row["title"],
                gtin=row.get("gtin", ""),
                weight_g=int(weight),
                tags=frozenset(row["tags"].split()) if "tags" in row else None,
                hazmat=_YES_OR_NO[row.get("hazmat", "")],
            )
    if problems:
        raise ImportProblem(path, problems)
    return list(found.values())


def import_skus(conn: Connection, rows: Sequence[SkuRow]) -> tuple[int, int]:
    """Add new SKUs and amend known ones, in the order of their codes: two imports of the same
    SKUs never wait for one another in turn. Returns (new, amended)."""
    new = sum(
        catalogue.upsert_sku(
            conn,
            code=row.code,
            title=row.title,
            gtin=row.gtin,
            weight_g=row.weight_g,
            hazmat=row.hazmat,
        )
        for row in sorted(rows, key=lambda row: row.code)
    )
    _tag(conn, rows)
    return new, len(rows) - new


def _tag(conn: Connection, rows: Sequence[SkuRow]) -> None:
    """Promise rules may be about tags: what is tagged anew is promised anew."""
    given = {row.code: row.tags for row in rows if row.tags is not None}
    ids = catalogue.resolve(conn, 0, given)
    tags = {ids[code]: tags for code, tags in given.items()}
    stock.mark_dirty(conn, grounds.set_tags(conn, tags))


def quantity(text: str) -> Decimal:
    """A quantity that is not negative, with at most six decimals. Raises ``ValueError``."""
    try:
        found = Decimal(text)
    except InvalidOperation:
        found = Decimal("NaN")
    # Rounding a number of many digits fails, so how large it is comes first.
    if not found.is_finite() or not 0 <= found < MOST or found != round(found, 6):
        raise ValueError(f"{text!r} is not a quantity")
    return found


MOST = Decimal(10) ** 12
"""Of one SKU at one place: what a signed 64-bit number of millionths still holds."""

COUNT_REASONS = ("adjust_count", "adjust_damage", "adjust_found")


@dataclass(frozen=True, slots=True)
class Counted:
    """How a file of counts came about. ``at``: when they were counted, null: now."""

    reason: str = "adjust_count"
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class CountRow:
    """A line of a file of counts. ``lot``: empty where it names none."""

    line: int
    sku: str
    lot: str
    on_hand: Decimal

    def __str__(self) -> str:
        return " lot ".join(filter(None, (self.sku, self.lot)))


Fault = tuple[int, str]
"""A line of a file, and the sentence that says what is wrong with it."""


def read_counts(path: Path) -> list[CountRow]:
    """Absolute counts of a file with the columns ``sku,on_hand``, maybe ``lot``."""
    found, faults = readable_counts(path)
    _refuse(path, faults)
    return found


def readable_counts(path: Path) -> tuple[list[CountRow], list[Fault]]:
    """The same of the lines that can be read, and what is wrong with the others: whoever looks
    the SKUs up can tell all faults of the file at once."""
    faults: list[Fault] = []
    found: list[CountRow] = []
    for line, row in rows_of(path, ("sku", "on_hand")):
        if not row["sku"]:
            faults.append((line, f"line {line}: sku is empty"))
        try:
            counted = quantity(row["on_hand"])
        except ValueError as error:
            faults.append((line, f"line {line}: on_hand {error}"))
        else:
            found.append(CountRow(line, row["sku"], row.get("lot", ""), counted))
    return found, faults


def _refuse(path: Path, faults: Iterable[Fault]) -> None:
    told = [sentence for _, sentence in sorted(faults)]
    if told:
        raise ImportProblem(path, told)


_COUNTS_ITSELF = (
    "an outside system counts at {code}: its next count brings the figures. Where the stock is "
    'yours to count, say authority = "hub" under [locations.{code}]'
)

Piles = dict[tuple[int, str], CountRow]
"""Counts by SKU id and lot, the lot empty where goods are not told apart by it."""


def _piles(
    conn: Connection, location: Row[Any], counts: Sequence[CountRow], faults: list[Fault]
) -> Piles:
    """Counts with our ids. Of two of one pile the second is a fault: which of them is the count,
    or whether both together are, only who counted can say.
    """
    skus = catalogue.resolve(conn, 0, [row.sku for row in counts])
    known = catalogue.by_ids(conn, skus.values())
    found: Piles = {}
    for row in counts:
        if row.sku not in skus:
            told = f"line {row.line}: unknown SKU {row.sku}: import it first"
            faults += [(row.line, told)] if row.sku else []
            continue
        sku = known[skus[row.sku]]
        lot = row.lot if sku.lot_tracked else ""
        before = found.setdefault((sku.id, lot), row)
        if before is not row:
            told = (
                f"lines {before.line} and {row.line}: {before} and {row} are one pile at "
                f"{location.code}, {sku.code}: write its whole count on one line"
            )
            faults.append((row.line, told))
    return found


def import_counts(
    conn: Connection,
    path: Path,
    location_code: str,
    counts: Sequence[CountRow],
    actor: str,
    now: datetime,
    how: Counted = Counted(),
    unreadable: Sequence[Fault] = (),
) -> int:
    """Bring the on-hand of a location of ours to these counts; returns how many changed.

    Every change is a ledger row and the import an audit row. What the file does not name keeps
    its count. ``unreadable``: what is wrong with further lines; it is told with all the rest.
    """
    location = location_of(conn, path, location_code)
    if location.authority != "hub":
        # Its next count would silently take this one's place, and until then we offered too much.
        raise ImportProblem(path, [_COUNTS_ITSELF.format(code=location.code)])
    changed, faults = 0, list(unreadable)
    for (sku_id, lot), row in sorted(_piles(conn, location, counts, faults).items()):
        try:
            with conn.begin_nested():
                delta = stock.set_count(
                    conn,
                    sku_id=sku_id,
                    location_id=location.id,
                    authority=location.authority,
                    on_hand=row.on_hand,
                    reason=how.reason,
                    key=f"import:{location.id}:{sku_id}:{lot}:{now.isoformat()}",
                    now=now,
                    observed_at=how.at,
                    lot_id=stock.ensure_lot(conn, sku_id, lot, None) if lot else None,
                    actor=actor,
                )
        except IntegrityError:
            why = "fewer than are reserved already; ship or cancel those orders first"
            faults.append((row.line, f"line {row.line}: {row.sku}: {why}"))
        except Misplaced as problem:
            faults.append((row.line, f"line {row.line}: {row.sku}: {problem}"))
        else:
            changed += bool(delta)
    _refuse(path, faults)
    history.audit(
        conn,
        actor=actor,
        action="import_counts",
        subject=("location", location.id),
        after={"skus": len(counts), "changed": changed, "reason": how.reason},
        reason=path.name,
        now=now,
    )
    return changed
