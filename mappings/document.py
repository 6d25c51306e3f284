"""A definition file as TOML has it, each key with the file and line where it stands.

What a definition says may come from several files (``extends``), and every fault and every problem
names the line that ops have to look at. So tables carry their places with them wherever they go.
"""

from __future__ import annotations

import codecs
import tomllib
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from mappings import toml_lines
from mappings.problems import DefinitionProblem

SIZE: Final = 250_000
"""Bytes of one file; the longest shipped one has 15,000."""

KEYS: Final = 5_000
"""Keys of one file, in all its tables; the longest shipped one has 600."""

DEPTH: Final = 50
"""Levels of tables and lists of one file."""

DOTS: Final = 200
"""Dots on one line; the longest expression of a shipped file has 20."""

_INVISIBLE = ("Cc", "Cf", "Zl", "Zp")
"""Unicode categories of characters that show nothing, or turn what stands beside them around."""


@dataclass(frozen=True, slots=True)
class Spot:
    """A place in a definition. ``where``: its keys, without the numbers of variants."""

    file: str
    line: int
    where: str = ""

    def below(self, key: str) -> Spot:
        """A key that this place should have and has not."""
        return replace(self, where=f"{self.where}.{key}" if self.where else key)

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


Complain = Callable[[Spot, str], None]
"""Called with a place and what is wrong there."""


class Table(dict[str, Any]):
    """A TOML table. ``spot``: its own place, ``spots``: those of its keys."""

    def __init__(self, spot: Spot) -> None:
        super().__init__()
        self.spot = spot
        self.spots: dict[str, Spot] = {}

    def put(self, key: str, value: Any, spot: Spot) -> None:
        self[key] = value
        self.spots[key] = spot

    def take(self, key: str, other: Table) -> None:
        """Copy a key of another table, and where it stands there."""
        self.put(key, other[key], other.spots[key])

    def at(self, key: str) -> Spot:
        """Where a key stands, or would."""
        return self.spots.get(key) or self.spot.below(key)

    def copied(self, without: tuple[str, ...] = ()) -> Table:
        """The same keys in a table of its own; what they hold is shared."""
        made = Table(self.spot)
        for key in self:
            if key not in without:
                made.take(key, self)
        return made


def opened(path: Path, file: str, complain: Complain) -> Table | None:
    """Read a file, called ``file`` in messages, or complain and give None."""
    spot = Spot(file, 0)
    try:
        # A pipe would block, and a device never end.
        if not path.is_file():
            complain(spot, "not a file")
            return None
        with path.open("rb") as file_of_path:
            content = file_of_path.read(SIZE + 1)
        text = _decoded(content)
        tree = tomllib.loads(text)
        _check_extent(tree)
        lines = toml_lines.lines_of(text)
    except _Refused as error:
        complain(spot, str(error))
    except UnicodeDecodeError as error:
        complain(spot, f"not UTF-8: {error.reason} at byte {error.start}")
    except ValueError as error:  # that a number has too many digits is not told as a fault of TOML
        complain(spot, f"not TOML: {error}")
    except RecursionError:
        complain(spot, "not TOML: nested too deep")
    except OSError as error:
        complain(spot, f"cannot be read: {error.strerror}")
    else:
        made: Table = _placed(tree, (), "", file, lines)
        return made
    return None


class _Refused(ValueError):
    """A file that is not looked at any further."""


def _decoded(content: bytes) -> str:
    """The text of a file, or ``_Refused``. What cannot be seen may say something other than what
    a reader sees, so it must stand there as an escape."""
    if len(content) > SIZE:
        raise _Refused(f"a file of more than {SIZE:,} bytes")
    if content.startswith((codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise _Refused("begins with a byte order mark: save it as UTF-8 without one")
    text = content.decode().replace("\r\n", "\n")
    for number, line in enumerate(text.split("\n"), start=1):
        # The parser takes the square of a dotted key's parts, in seconds and in bytes.
        if line.count(".") > DOTS:
            raise _Refused(f"line {number} has more than {DOTS} dots")
        for character in line:
            if is_invisible(character):
                code = f"U+{ord(character):04X}"
                raise _Refused(f"line {number} holds {code}, which nobody sees: write an escape")
    return text


def is_invisible(character: str) -> bool:
    """Whether a reader does not see it, so that a file must write it as an escape."""
    return unicodedata.category(character) in _INVISIBLE and character != "\t"


def _check_extent(tree: Any) -> None:
    """Raises ``_Refused`` for what would take for ever to check."""
    keys, level = 0, [tree]
    for _ in range(DEPTH):
        keys += sum(len(part) for part in level if isinstance(part, dict))
        if keys > KEYS:
            raise _Refused(f"a file of more than {KEYS:,} keys")
        level = [
            inner
            for part in level
            for inner in (part.values() if isinstance(part, dict) else part)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return
    raise _Refused(f"tables nested deeper than {DEPTH} levels")


def _placed(
    value: Any, path: toml_lines.Path, where: str, file: str, lines: Mapping[toml_lines.Path, int]
) -> Any:
    if isinstance(value, dict):
        table = Table(Spot(file, lines.get(path, 1), where))
        for key, inner in value.items():
            below = f"{where}.{key}" if where else key
            spot = Spot(file, lines[*path, key], below)
            table.put(key, _placed(inner, (*path, key), below, file, lines), spot)
        return table
    if isinstance(value, list):
        return [
            _placed(item, (*path, number), where, file, lines) for number, item in enumerate(value)
        ]
    return value


def collector(problems: list[DefinitionProblem]) -> Complain:
    """Turns complaints into problems, each told once."""

    told = set(problems)

    def complain(spot: Spot, message: str) -> None:
        problem = DefinitionProblem(spot.file, spot.where, message, spot.line)
        if problem not in told:
            told.add(problem)
            problems.append(problem)

    return complain
