"""On which line of a TOML file each key stands. ``tomllib`` and the packages around it tell values
only; this goes over a text that ``tomllib`` has accepted, and so need not know what is wrong.
"""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_right
from typing import Final

Path = tuple[str | int, ...]
"""Keys, and the numbers of array elements: ``("one", "ship_to", 1, "when")``."""

_SPACE: Final = re.compile(r"[ \t]*")
_GAP: Final = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")
_TEXT: Final = re.compile(
    # Up to two quotes may stand before the three that close.
    r'"""(?:\\.|[^\\])*?"""(?:"{0,2})'
    r"|'''.*?'''(?:'{0,2})"
    r'|"(?:\\.|[^"\\\n])*"'
    r"|'[^'\n]*'",
    re.DOTALL,
)
_PLAIN: Final = re.compile(r"[^,\]}\n#]*")


def lines_of(text: str) -> dict[Path, int]:
    """The line, from 1, of every table, array element and key of a valid TOML text.

    A table stands where its header is, or else where it is first mentioned.

    >>> lines_of('a = 1\\n[b]\\nc = [\\n  2,\\n]')
    {('a',): 1, ('b',): 2, ('b', 'c'): 3, ('b', 'c', 0): 4}
    """
    scanner = _Scanner(text)
    scanner.scan()
    return scanner.lines


class _Scanner:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._ends = [found.start() for found in re.finditer("\n", text)]
        self._elements: dict[Path, int] = {}
        """How many elements each array of tables has so far."""
        self.lines: dict[Path, int] = {}

    def scan(self) -> None:
        table: Path = ()
        self._skip(_GAP)
        while self._at < len(self._text):
            if self._text.startswith("[[", self._at):
                table = self._header(2)
            elif self._text.startswith("[", self._at):
                table = self._header(1)
            else:
                self._pair(table)
            self._skip(_GAP)

    def _header(self, brackets: int) -> Path:
        """``[a.b]`` or ``[[a.b]]``; gives the table that the pairs after it belong to."""
        line = self._line()
        self._at += brackets
        *holders, name = self._key()
        self._at += brackets
        path: Path = ()
        for holder in holders:
            path = (*path, holder)
            self.lines.setdefault(path, line)
            if path in self._elements:
                path = (*path, self._elements[path] - 1)
        path = (*path, name)
        if brackets == 2:
            self.lines.setdefault(path, line)
            number = self._elements.get(path, 0)
            self._elements[path] = number + 1
            path = (*path, number)
        self.lines[path] = line
        return path

    def _pair(self, table: Path) -> None:
        line = self._line()
        path = table
        for name in self._key():
            path = (*path, name)
            self.lines.setdefault(path, line)
        self._at += 1
        self._skip(_SPACE)
        self._value(path)

    def _key(self) -> list[str]:
        """The parts of a dotted key, and the space around them."""
        parts = []
        while True:
            self._skip(_SPACE)
            bare = _BARE.match(self._text, self._at)
            found = bare or _TEXT.match(self._text, self._at)
            if found is None:
                raise ValueError(f"no key on line {self._line()}")
            parts.append(found[0] if bare else tomllib.loads(f"k = {found[0]}")["k"])
            self._at = found.end()
            self._skip(_SPACE)
            if not self._text.startswith(".", self._at):
                return parts
            self._at += 1

    def _value(self, path: Path) -> None:
        if self._text.startswith("[", self._at):
            self._array(path)
        elif self._text.startswith("{", self._at):
            self._at += 1
            while not self._closed("}"):
                self._pair(path)
        elif text := _TEXT.match(self._text, self._at):
            self._at = text.end()
        else:
            self._skip(_PLAIN)

    def _array(self, path: Path) -> None:
        self._at += 1
        number = 0
        while not self._closed("]"):
            self.lines[*path, number] = self._line()
            self._value((*path, number))
            number += 1

    def _closed(self, bracket: str) -> bool:
        """Goes over what separates elements; whether there is no further one."""
        self._skip(_GAP)
        if self._text.startswith(",", self._at):
            self._at += 1
            self._skip(_GAP)
        if self._text.startswith(bracket, self._at):
            self._at += 1
            return True
        return False

    def _skip(self, pattern: re.Pattern[str]) -> None:
        found = pattern.match(self._text, self._at)
        self._at = found.end() if found else self._at

    def _line(self) -> int:
        return bisect_right(self._ends, self._at) + 1
