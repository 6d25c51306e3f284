"""A definition file as TOML has it, each key with the file and line where it stands.

What a definition says may come from several files (``extends``), and every fault and every problem
names the line that ops have to look at. So tables carry their places with them wherever they go.
"""

from __future__ import annotations

import codecs
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mappings import toml_lines, toml_text
from mappings.file_bounds import Refused, content_of
from mappings.problems import DefinitionProblem

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
        text = _decoded(content_of(path, toml_text.DEFINITION.size))
        tree = toml_text.tree_of(text, toml_text.DEFINITION)
        lines = toml_lines.lines_of(text)
    except UnicodeDecodeError as error:
        complain(spot, f"not UTF-8: {error.reason} at byte {error.start}")
    except Refused as error:
        complain(spot, str(error))
    except OSError as error:
        complain(spot, f"cannot be read: {error.strerror}")
    else:
        made: Table = _placed(tree, (), "", file, lines)
        return made
    return None


def _decoded(content: bytes) -> str:
    """The text of a file, or ``Refused``. What cannot be seen may say something other than what
    a reader sees, so it must stand there as an escape."""
    if content.startswith((codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise Refused("begins with a byte order mark: save it as UTF-8 without one")
    text = content.decode().replace("\r\n", "\n")
    for number, line in enumerate(text.split("\n"), start=1):
        for character in line:
            if is_invisible(character):
                code = f"U+{ord(character):04X}"
                raise Refused(f"line {number} holds {code}, which nobody sees: write an escape")
    return text


def is_invisible(character: str) -> bool:
    """Whether a reader does not see it, so that a file must write it as an escape."""
    return unicodedata.category(character) in _INVISIBLE and character != "\t"


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
