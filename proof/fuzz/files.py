"""Files: what partners drop into a folder, and what ops import."""

from __future__ import annotations

import codecs
import os
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from functools import cache
from io import BytesIO
from pathlib import Path
from random import Random
from typing import Any

from connectors.base import Rate
from connectors.csvdrop import CsvDrop, CsvDropConfig
from connectors.csvrecords import STREAMS
from connectors.csvtext import BadFile, Dialect, read_rows
from connectors.errors import CrossdockError
from connectors.http import Door
from mappings import Definitions, MappingError
from proof.fuzz.evil import TEXTS
from proof.fuzz.judge import Case, Unsound
from sandbox.clock import ManualClock
from sync import goods_files, imports

NOW = datetime(2026, 11, 2, 12, tzinfo=UTC)
_FILE = {"name": "x.csv", "key": "0" * 64, "modified_at": NOW.isoformat()}
_GOOD = {
    "orders": (
        "order_number,placed_at,currency,grand_total,sku,quantity,line_total",
        "{n},2026-11-02T10:00:00Z,EUR,10.00,MUG,1,10.00",
    ),
    "stock": ("sku,on_hand", "SKU-{n},5"),
    "shipments": ("reference,sku,quantity,shipped_at,tracking_number", "FO-{n},MUG,1,,T{n}"),
}
_ENCODINGS = ("utf-8-sig", "utf-8", "cp1252", "latin-1", "utf-16", "utf-32", "shift_jis", "idna")
_PLAIN = Dialect()
_DELIMITERS = ",;\t|"


class NoLimit:
    """Lets everybody through: folders have no limits."""

    def wait_s(self, key: str, rate: Rate, patience_s: float) -> float:
        return 0.0

    def block(self, key: str, seconds: float) -> None:
        """Nobody is kept waiting."""


@cache
def definitions() -> Definitions:
    return Definitions.load()


def good(stream: str, rows: int) -> str:
    head, row = _GOOD[stream]
    return "\n".join([head, *(row.format(n=n) for n in range(rows))]) + "\n"


class DroppedFiles:
    """Bytes as a dropped CSV file, read to records, and those mapped."""

    name = "dropped files"
    refusals = (BadFile,)

    def evil(self) -> Sequence[tuple[str, Case]]:
        found = [(what, _of("stock", content)) for what, content in _evil_contents()]
        return [*found, ("good rows around a bad one", _neighbours)]

    def random(self, rng: Random) -> Case:
        stream = rng.choice(list(STREAMS))
        dialect = Dialect(
            rng.choice(_ENCODINGS if rng.random() < 0.3 else _ENCODINGS[:1]),
            rng.choice(_DELIMITERS) if rng.random() < 0.2 else ",",
        )
        return _of(stream, spoiled_table(rng, good(stream, rng.randrange(1, 8))), dialect)


def _of(stream: str, content: bytes, dialect: Dialect = _PLAIN) -> Case:
    def case() -> str:
        kind = STREAMS[stream]
        rows = read_rows(content, dialect, required=kind.required)
        context: dict[str, Any] = {"file": {**_FILE, "timezone": "UTC"}, "location_code": ""}
        records = kind.records(rows, context)
        mapping = definitions()[f"csvdrop.{stream}"]
        mapped = 0
        for record in records:
            try:
                mapping.apply(record.text)
                mapped += 1
            except MappingError:
                continue
        return "mapped" if mapped else "parked"

    return case


def _neighbours() -> str:
    """A bad cell costs its own row and no other."""
    head = _GOOD["stock"][0]
    for text in TEXTS:
        cell = '"' + text.replace('"', '""').replace("\x00", " ") + '"'
        content = f"{head}\nA,1\nB,{cell}\nC,3\n".encode("utf-8", "replace")
        rows = read_rows(content, Dialect(), required=("sku", "on_hand"))
        kept = {row["sku"]: row["on_hand"] for row in rows}
        if (kept.get("A"), kept.get("C")) != ("1", "3"):
            raise Unsound(f"{text[:20]!r} took its neighbours with it")
    return "kept"


def spoiled_table(rng: Random, text: str) -> bytes:
    """A table of which cells, lines or bytes are others."""
    lines = [line.split(",") for line in text.splitlines()]
    for _ in range(rng.choice((0, 1, 1, 2, 5))):
        line = rng.choice(lines)
        match rng.randrange(6):
            case 0:
                line.append(rng.choice(TEXTS))
            case 1 if line:
                del line[rng.randrange(len(line))]
            case 2:
                lines.append(list(line))
            case _ if line:
                cell = rng.choice(TEXTS)
                quoted = '"' + cell.replace('"', '""') + '"'
                line[rng.randrange(len(line))] = quoted if rng.random() < 0.7 else cell
    made = rng.choice((",", ",", ",", ";", "\t", "|", ",,"))
    end = rng.choice(("\n", "\n", "\r\n", "\r", "\n\n"))
    content = end.join(made.join(line) for line in lines).encode(
        rng.choice(("utf-8", "utf-8", "utf-8", "utf-16", "utf-7")), "surrogatepass"
    )
    for _ in range(rng.choice((0, 0, 0, 1, 4))):
        place = rng.randrange(len(content) + 1)
        content = content[:place] + rng.randbytes(rng.choice((1, 3, 30))) + content[place:]
    if rng.random() < 0.1:
        content = content[: rng.randrange(len(content) + 1)]
    if rng.random() < 0.1:
        content = rng.choice((codecs.BOM_UTF8, codecs.BOM_UTF16_LE, b'"', b"\x00")) + content
    return content


def _evil_contents() -> Iterator[tuple[str, bytes]]:
    yield "a million columns", b",".join(b"c%d" % n for n in range(1_000_000)) + b"\n"
    yield "16 MB of separators", b"sku,on_hand\n" + b"," * (16 * 2**20)
    yield "many columns in one row over many lines", b"sku,on_hand\n" + b'"\n",,,,,,,,,' * 500_000
    yield "a quote that never ends", b'sku,on_hand\n"' + b"x,\n" * 1_000_000
    yield "a million rows", b"sku,on_hand\n" + b"A,1\n" * 1_000_000
    yield "nothing but line ends", b"\n" * 2_000_000
    yield "one cell of 10 MB", b'sku,on_hand\n"' + b"x" * 10_000_000 + b'",1\n'
    yield "NUL", b"sku,on_hand\nA\x00,1\n"
    yield "empty", b""
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", b"\x00" * 50_000_000)
    yield "a workbook that is a bomb", packed.getvalue()
    yield "XML with entities", b'<!DOCTYPE x [<!ENTITY a "a"><!ENTITY b "&a;&a;">]><x>&b;</x>\n'


class DropFolder:
    """Names and files in a real folder, through a real pull: nothing may appear outside of it."""

    name = "drop folder"
    refusals = (CrossdockError,)

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def evil(self) -> Sequence[tuple[str, Case]]:
        return []

    def random(self, rng: Random) -> Case:
        def case() -> str:
            with tempfile.TemporaryDirectory(dir=self._folder) as around:
                return _pulled(rng, Path(around))

        return case


def _pulled(rng: Random, around: Path) -> str:
    root = around / "drop"
    inbox = root / "in" / "stock"
    inbox.mkdir(parents=True)
    (around / "outside.csv").write_bytes(b"sku,on_hand\nSECRET,1\n")
    for _ in range(3):
        _place(rng, inbox, around / "outside.csv")
    before = sorted(str(path) for path in around.iterdir())
    config = CsvDropConfig(folder=root, settle_s=0, max_bytes=100_000)
    clock = ManualClock(NOW.replace(year=2030))
    connector = CsvDrop(config, Door("drop", clock, NoLimit()), definitions())
    pages = list(connector.pull_stock(None))
    taken = [record for page in pages for record in page.records]
    if any(record.external_id.startswith("SECRET") for record in taken):
        raise Unsound("a link out of the folder was followed")
    if sorted(str(path) for path in around.iterdir()) != before:
        raise Unsound("something was written outside of the folder")
    list(connector.pull_stock(pages[-1].cursor))
    return "taken" if taken else "set aside"


def _place(rng: Random, inbox: Path, outside: Path) -> None:
    name = rng.choice(
        (
            *("a.csv", "-rf.csv", "..csv", "...csv", "a b.csv", "\u202egnp.csv", "a\nb.csv"),
            *("CON.csv", "a.csv.csv", "x" * 240 + ".csv", "ü.csv", "a;rm -rf.csv", "%2e%2e.csv"),
            *("..\\x.csv", "$(id).csv", "`id`.csv", "\x1b[2J.csv", "x.CSV", "x.xlsx", "x.part"),
        )
    )
    path = os.fsencode(inbox / name)
    if rng.random() < 0.1:
        path = os.fsencode(inbox) + b"/\xff\xfe" + rng.randbytes(3).hex().encode() + b".csv"
    if os.path.lexists(path):
        return
    match rng.randrange(10):
        case 0:
            Path(os.fsdecode(path)).symlink_to(outside)
        case 1:
            os.mkfifo(path)
        case 2:
            Path(os.fsdecode(path)).mkdir()
        case _:
            content = spoiled_table(rng, good("stock", 3)) + b"\n"
            Path(os.fsdecode(path)).write_bytes(content)


class Imports:
    """Files that ops bring: SKUs, counts, goods."""

    name = "imported files"
    refusals = (imports.ImportProblem,)
    _READERS: Sequence[tuple[Callable[[Path], Sequence[Any]], str]] = (
        (imports.read_skus, "code,title,gtin,weight_g\nA,x,,1\nB,y,,2\n"),
        (imports.read_counts, "sku,on_hand,lot\nA,1,\nB,2,L\n"),
        (goods_files.read_goods, "sku,qty,lot,expires_on,serials\nA,1,,2027-01-01,a b\nB,2,,,\n"),
    )

    def __init__(self, folder: Path) -> None:
        self._file = folder / "import.csv"

    def evil(self) -> Sequence[tuple[str, Case]]:
        return [(what, self._of(1, content)) for what, content in _evil_contents()]

    def random(self, rng: Random) -> Case:
        reader = rng.randrange(len(self._READERS))
        return self._of(reader, spoiled_table(rng, self._READERS[reader][1]))

    def _of(self, reader: int, content: bytes) -> Case:
        def case() -> str:
            self._file.write_bytes(content)
            return "taken" if self._READERS[reader][0](self._file) else "empty"

        return case
