"""The layout of a folder shared with a partner, and moving files in it without losing one.

``in/<stream>/`` is the partner's to write to, ``out/<stream>/`` theirs to collect from;
``archive/<stream>/`` and ``rejected/<stream>/`` are ours. Nothing is ever deleted, nor overwritten
with other bytes but to take out personal data, links are never followed, and every name we write is
of our own making.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from connectors.errors import ConfigProblem, Unreachable

_LONGEST_STEM = 80


@contextmanager
def reachable(folder: Path) -> Iterator[None]:
    """Turns an operating system error into ``Unreachable``: a share comes and goes."""
    try:
        yield
    except OSError as error:
        raise Unreachable(
            f"{folder}: {error.strerror or error}. Is the share mounted, writable and not full? "
            f"`crossdock check` makes missing folders."
        ) from error


def inside(root: Path, *parts: str) -> Path:
    """A folder of the layout. Raises ``ConfigProblem`` when a link leads somewhere else."""
    with reachable(root):
        folder = root.resolve().joinpath(*parts)
        if folder.resolve() != folder:
            raise ConfigProblem(f"{folder} is or contains a link: use a real folder instead.")
    return folder


def move_aside(source: Path, folder: Path, mark: str = "") -> Path:
    """Move a file into ``folder`` under its own plain name, ``mark`` and a free number."""
    stem, _, ending = plain(source.name).rpartition(".")
    with reachable(folder):
        folder.mkdir(parents=True, exist_ok=True)
        number = 1
        while True:
            parts = (stem, mark, str(number) if number > 1 else "", ending)
            target = folder / ".".join(part for part in parts if part)
            if not os.path.lexists(target):
                source.rename(target)
                return target
            number += 1


def plain(name: str) -> str:
    """``name`` reduced to characters that mean nothing to any file system, at most 90 long."""
    stem, _, ending = name.rpartition(".")
    safe = re.sub(r"[^A-Za-z0-9_-]+", "_", stem or ending)[:_LONGEST_STEM]
    return f"{safe}.{re.sub(r'[^A-Za-z0-9]+', '', ending)[:8] or 'bin'}" if stem else f"{safe}.bin"


def shown(name: str) -> str:
    """``name`` as text that can be stored: bytes that are no UTF-8 are spelled out."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def write_atomically(target: Path, content: bytes, mode: int = 0o666) -> None:
    """Write a file that is seen whole or not at all, also after a power cut.

    ``mode``: what a new file permits, less what the process takes away. Raises ``OSError``; then
    ``target`` is what it was before.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f".{target.name}.tmp")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(target)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    folder = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def rewrite_texts(folders: Sequence[Path], encoding: str, change: Callable[[str], str]) -> int:
    """Put ``change`` of its text in the place of every file below, where it differs.

    A name stays: it carries the key by which a file that is dropped again is known. Returns how
    many files were written.
    """
    written = 0
    for folder in folders:
        with reachable(folder):
            for path in sorted(folder.glob("*/*")):
                if path.is_symlink() or not path.is_file():
                    continue
                before = path.read_bytes()
                text, spoken = _decoded(before, encoding)
                after = change(text).encode(spoken, "replace")
                if after != before:
                    write_atomically(path, after)
                    written += 1
    return written


def _decoded(content: bytes, encoding: str) -> tuple[str, str]:
    """Text and the encoding that gives exactly these bytes again."""
    marks = ("utf-16",) if content[:2] in (b"\xff\xfe", b"\xfe\xff") else ()
    for name in (*marks, "utf-8", encoding):
        try:
            text = content.decode(name)
        except UnicodeDecodeError:
            continue
        if text.encode(name) == content:
            return text, name
    return content.decode("latin-1"), "latin-1"
