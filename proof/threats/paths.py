"""T17, T18 and T29: names that lead out of a folder, files that swell, and who may read ours."""

from __future__ import annotations

import gzip
import os
import shutil
import stat
import tempfile
import zlib
from collections.abc import Callable
from functools import partial
from io import BytesIO
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

from connectors import dropfolder
from connectors.csvtext import BadFile, Dialect, read_rows
from connectors.dropoutbox import Outbox
from connectors.errors import CrossdockError
from connectors.inflating import Damaged, inflated
from mappings import toml_text
from mappings.file_bounds import Refused
from proof.fuzz.clock import measured
from proof.planting import Planted
from proof.threats.check import Checked, verdict
from state import migrate, store
from sync import imports

_PARTS = (
    "..",
    ".",
    "etc",
    "\\",
    "../..",
    "./..",
    "x",
    "~",
    "%2e%2e",
    "..%2f",
    "....//",
    "CON",
    "NUL",
    "a:b",
)
_ENDS = (
    "x.csv",
    "\x00.csv",
    "passwd",
    "a\nb",
    "\u202ecsv.exe",
    "x" * 300,
    " ",
    "-rf",
    "$(id)",
    "`id`",
)
_BOMB_S = 2.0


_DEEP = "1/2/3/4/5/6/7/8"
"""How far below its own top a drop folder stands here: a name that leads out of it ends above it
and not in the folders of whoever runs this, also when a planted bug takes it as it is."""


def names(top: Path) -> list[str]:
    """Names and references that are meant to become a path; none leads out of ``top``."""
    found = [f"{first}/{end}" for first in (*_PARTS, str(top)) for end in _ENDS]
    found += [f"{first}\\{end}" for first in _PARTS[:7] for end in _ENDS[:7]]
    found += [
        f"{top}/etc/passwd",
        "C:\\x",
        "\\\\host\\share",
        "file:///x",
        "../" * 7 + "x",
        "\ud800",
    ]
    return [*found, "CON.csv", "aux", "x." * 150, "\uff0e\uff0e\uff0fx", "..\u2215x"]


def t17() -> Checked:
    """References and names of files that partners choose."""
    violations, tried = _t17()
    bug = Planted("names are taken as they are", [(dropfolder, "plain", lambda name: name)])
    with bug.in_place():
        planted = {f"T17: {bug.name}": verdict(_t17(12)[0])}
    return Checked("T17", tried, f"{tried} names, 0 files outside", violations, planted)


def _t17(most: int | None = None) -> tuple[list[str], int]:
    # What a power cut would leave is not what is looked at, and waiting for the disk is dear.
    with (
        tempfile.TemporaryDirectory() as top,
        Planted("", [(os, "fsync", lambda _: None)]).in_place(),
    ):
        given = names(Path(top))[:most]
        return [problem for name in given for problem in _placed(Path(top), name)], len(given)


def _placed(top: Path, name: str) -> list[str]:
    violations = []
    root = top / _DEEP / "drop"
    for folder in ("out/work", "archive/work", "in", "rejected"):
        (root / folder).mkdir(parents=True)
    source = root / "in" / "source"
    source.write_bytes(b"x")
    _try(partial(_hand_over, root, name))
    _try(partial(dropfolder.inside, root, name))
    target = root / "rejected"
    _try(partial(_moved, source, target, name))
    outside = [path for path in top.rglob("*") if path.is_file() and root not in path.parents]
    if outside:
        violations.append(f"the folder: {name[:40]!r} wrote outside")
    if not any(source.parent.iterdir()) and not any(target.iterdir()):
        violations.append(f"the folder: {name[:40]!r} took a file away")
    for entry in top.iterdir():
        shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
    return violations


def _hand_over(root: Path, name: str) -> None:
    Outbox(root, "work").hand_over(b"x", {name: "0"})


def _moved(source: Path, folder: Path, name: str) -> None:
    source.rename(folder / dropfolder.plain(name))


def _try(move: Callable[[], object]) -> None:
    try:
        move()
    except (CrossdockError, OSError, ValueError):
        return


def t18() -> Checked:
    """Files and bodies that are small until they are read."""
    violations, tried = _t18()
    bug = Planted("unpacking has no end", [(zlib, "decompressobj", _Unbounded)])
    with bug.in_place():
        planted = {f"T18: {bug.name}": verdict(_t18()[0])}
    return Checked("T18", tried, f"{tried} bombs, each refused in < 2 s", violations, planted)


class _Unbounded:
    """What unpacks all at once, whatever it becomes."""

    unconsumed_tail = b""
    eof = True

    def __init__(self, *_: object) -> None:
        """Whatever the format is."""

    def decompress(self, data: bytes, _most: int = 0) -> bytes:
        return gzip.decompress(data) if data[:2] == b"\x1f\x8b" else zlib.decompress(data)


def _t18() -> tuple[list[str], int]:
    violations = []
    bombs = _bombs()
    for what, read in bombs.items():
        with measured() as cost:
            try:
                read()
                violations.append(f"{what}: was read")
            except (BadFile, Damaged, Refused, imports.ImportProblem, _TooMuch):
                pass
        if cost.cpu_s > _BOMB_S:
            violations.append(f"{what}: took {cost.cpu_s:.1f} s")
    return violations, len(bombs)


class _TooMuch(Exception):
    """The reader stopped at its cap, as the door does."""


def _bombs() -> dict[str, Callable[[], object]]:
    blanks, packed = b" " * 20_000_000, BytesIO()
    with ZipFile(packed, "w", ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", blanks)
        archive.writestr("xl/sharedStrings.xml", b'<!DOCTYPE x [<!ENTITY a "aaaa">]>')
    entities = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "a"><!ENTITY b "&a;&a;">]><x>&b;</x>'
    once, raw = gzip.compress(blanks), zlib.compress(blanks)
    return {
        "gzip": lambda: _capped([once], "gzip"),
        "gzip in pieces": lambda: _capped(
            [once[n : n + 100] for n in range(0, 19_000, 100)], "gzip"
        ),
        "deflate": lambda: _capped([raw], "deflate"),
        "gzip cut off": lambda: list(inflated([gzip.compress(b"x")[:-4]], "gzip")),
        "gzip that is none": lambda: list(inflated([b"\x1f\x8bxxxx"], "gzip")),
        "a workbook": lambda: _rows(packed.getvalue()),
        "a workbook named .csv": lambda: _rows(b"PK\x03\x04" + blanks[:1_000]),
        "entities": lambda: _rows(entities),
        "columns": lambda: _rows(b"," * 1_000_000),
        "rows": lambda: _rows(b"sku,on_hand\n" + b"A,1\n" * 150_000),
        "a number": lambda: toml_text.tree_of("x = " + "9" * 100_000, toml_text.SETTINGS),
        "levels": lambda: toml_text.tree_of("x = " + "[" * 50_000, toml_text.SETTINGS),
    }


def _capped(parts: list[bytes], coding: str) -> None:
    size = 0
    for piece in inflated(parts, coding):
        if len(piece) > 1_000_000:
            return
        size += len(piece)
        if size > 1_000_000:
            raise _TooMuch


def _rows(content: bytes) -> None:
    read_rows(content, Dialect(), required=("sku", "on_hand"))


def t29() -> Checked:
    """Nobody but the owner can read the store and what lies beside it."""
    violations, tried = _t29()
    bug = Planted("the store is made as it comes", [(store, "_keep_to_ourselves", lambda _: None)])
    with bug.in_place():
        planted = {f"T29: {bug.name}": verdict(_t29()[0])}
    figure = f"{tried} files, 0 open to others"
    return Checked("T29", tried, figure, violations, planted, "files")


def _t29() -> tuple[list[str], int]:
    before = os.umask(0o022)
    try:
        with tempfile.TemporaryDirectory() as name:
            opened = store.Store(f"sqlite:///{name}/crossdock.db")
            try:
                migrate.upgrade(opened)
                modes = {
                    path.name: stat.S_IMODE(path.stat().st_mode) for path in Path(name).iterdir()
                }
            finally:
                opened.close()
    finally:
        os.umask(before)
    violations = [f"the modes: {name} is {mode:o}" for name, mode in modes.items() if mode & 0o077]
    return violations, len(modes)
