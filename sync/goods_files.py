"""Files of goods that moved: CSV with sku and qty, taken as a whole or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row
from sqlalchemy.exc import IntegrityError

from state import catalogue, stock
from state.errors import KeyReused, Misplaced
from state.stock import Cause
from sync.imports import ImportProblem, quantity, rows_of


@dataclass(frozen=True, slots=True)
class Goods:
    """A line of a file. ``lot`` and ``expires_on`` where goods have lots, ``serials`` where pieces
    have numbers of their own.
    """

    line: int
    sku: str
    qty: Decimal
    lot: str = ""
    expires_on: date | None = None
    serials: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Known:
    """What a file says of one SKU and lot, with our ids. ``lot_id``: null where it has none."""

    goods: Goods
    sku_id: int
    lot_id: int | None


@dataclass(frozen=True, slots=True)
class Taken:
    """How many lines of a file moved something, and how many it had moved before."""

    moved: int
    known: int


def read_goods(path: Path) -> list[Goods]:
    """Lines with the columns ``sku,qty`` and, where they are used, ``lot,expires_on,serials``.

    ``serials`` are separated by spaces; ``expires_on`` is a day like 2027-03-31.
    """
    problems: list[str] = []
    found: dict[tuple[str, str], Goods] = {}
    for line, row in rows_of(path, ("sku", "qty")):
        sku, lot = row["sku"], row.get("lot", "")
        try:
            goods = Goods(
                line,
                sku,
                quantity(row["qty"]),
                lot,
                date.fromisoformat(row["expires_on"]) if row.get("expires_on") else None,
                tuple(row.get("serials", "").split()),
            )
        except ValueError as error:
            problems.append(f"line {line}: {error}")
            continue
        if goods.qty == 0:
            problems.append(f"line {line}: qty is zero")
        elif (sku, lot) in found:
            problems.append(f"line {line}: {f'{sku} {lot}'.strip()} stands in the file twice")
        found[sku, lot] = goods
    if problems:
        raise ImportProblem(path, problems)
    return list(found.values())


def resolve(
    conn: Connection, path: Path, goods: Sequence[Goods], *, by_lot: bool = True
) -> list[Known]:
    """What the file says of each SKU and lot, in their order; a lot that is new is made.

    Lines that name one SKU by its code and by another name are one movement, and so are those of
    several lots where the SKU's goods are not told apart by lot, or not ``by_lot`` here: each on
    its own would bear the same key, and only the first would be booked. Raises ``ImportProblem``
    naming every SKU that is unknown, and every lot that expires on another day than a line says.
    """
    skus = catalogue.resolve(conn, 0, [one.sku for one in goods])
    problems = [
        f"line {one.line}: unknown SKU {one.sku}: import it first"
        for one in goods
        if one.sku not in skus
    ]
    tracked = catalogue.by_ids(conn, skus.values())
    known: dict[tuple[int, str], Known] = {}
    for one in goods:
        if one.sku in skus:
            sku_id = skus[one.sku]
            lot = one.lot if by_lot and tracked[sku_id].lot_tracked else ""
            try:
                lot_id = stock.ensure_lot(conn, sku_id, lot, one.expires_on) if lot else None
            except Misplaced as problem:
                problems.append(f"line {one.line}: {one.sku}: {problem}")
            else:
                before = known.get((sku_id, lot))
                whole = replace(one, lot=lot) if before is None else _sum(before.goods, one)
                known[sku_id, lot] = Known(whole, sku_id, lot_id)
    if problems:
        raise ImportProblem(path, problems)
    return [known[key] for key in sorted(known)]


def _sum(before: Goods, more: Goods) -> Goods:
    return replace(before, qty=before.qty + more.qty, serials=before.serials + more.serials)


def key_of(kind: str, location_id: int, reference: str, line: Known) -> str:
    """A movement's key: the document's own number, so that the same one twice is one movement."""
    return f"{kind}:{location_id}:{reference}:{line.sku_id}:{line.goods.lot}"


def receive(
    conn: Connection, line: Known, location_id: int, closes: str | None, cause: Cause
) -> bool:
    """Take a line in, ``closes`` being the reference under which it was on its way, if it was.

    Raises ``Misplaced`` when nothing of it is on its way to this location under that reference,
    ``KeyReused`` when the key was booked for something else.
    """
    goods, lot_id = line.goods, line.lot_id
    if closes is None:
        return stock.receive(
            conn,
            sku_id=line.sku_id,
            location_id=location_id,
            qty=goods.qty,
            cause=cause,
            lot_id=lot_id,
            pieces=goods.serials,
        )
    was = stock.posted(conn, cause.key)
    if was is not None:
        _require_same(conn, was, goods.qty, closes)
        return False
    fitting = [
        row
        for row in stock.in_transit(conn, closes, lock=True)
        if (row.sku_id, row.to_location_id) == (line.sku_id, location_id)
        and lot_id in (None, row.lot_id or lot_id)
    ]
    if len(fitting) != 1:
        many = "several lots" if fitting else "nothing"
        raise Misplaced(f"{many} of it on the way to there under {closes}")
    return stock.arrive(conn, fitting[0], goods.qty, cause, lot_id=lot_id, pieces=goods.serials)


def _require_same(conn: Connection, was: Row[Any], qty: Decimal, closes: str) -> None:
    """Raise unless ``was``, the first row of a receipt, took ``qty`` in and closed ``closes``."""
    booked, under = abs(Decimal(was.delta)), stock.consigned_under(conn, was)
    # At an outside location no more is booked than was on its way. Where that is all of it, what
    # came beyond it is not known any more; nor does it count, as the location's own count does.
    ended = was.bucket == "incoming" and was.ref_id not in {
        row.id for row in stock.in_transit(conn, closes)
    }
    if under == closes and (booked == qty or (ended and booked < qty)):
        return
    closed = f"closing {under}" if under else "closing nothing"
    raise KeyReused(
        f"{booked} of it were booked under this reference already, {closed}; "
        f"now it says {qty}, closing {closes}: give another delivery a reference of its own"
    )


def write_off(conn: Connection, reference: str, cause: Cause) -> Decimal:
    """Give up all that is still on its way under a reference; returns how many units."""
    return sum(
        (
            stock.write_off(conn, row, replace(cause, key=f"{cause.key}:{row.id}"))
            for row in stock.in_transit(conn, reference, lock=True)
        ),
        Decimal(0),
    )


def move(
    conn: Connection, path: Path, lines: Iterable[Known], book: Callable[[Known], bool]
) -> Taken:
    """Book every line, or raise ``ImportProblem`` with all that cannot be booked.

    ``book`` answers false when the line's movement is known already.
    """
    moved = known = 0
    problems: list[str] = []
    for line in lines:
        try:
            with conn.begin_nested():
                if book(line):
                    moved += 1
                else:
                    known += 1
        except (IntegrityError, KeyReused, Misplaced) as error:
            problems.append(f"line {line.goods.line}: {line.goods.sku}: {_why(error)}")
    if problems:
        raise ImportProblem(path, problems)
    return Taken(moved, known)


def _why(error: Exception) -> str:
    if isinstance(error, IntegrityError):
        return "fewer are there than that, or than are reserved: ship or cancel those orders first"
    return str(error)
