"""What can be wrong: with a payload (``Problem``) or with a definition (``DefinitionProblem``).

Personal data must not reach logs or screens through an error text, so a ``Problem`` never quotes
the value of a personal field, and e-mail addresses and telephone numbers nowhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

_SHOWN = 60
_SEARCHED = 1_000
_LONGEST = 500
_EMAIL = re.compile(r"[^\s@<>\"']+@[^\s@<>\"']+")
_PHONE = re.compile(r"[+(]\d[\d ()./-]{6,}\d")


class Unfit(ValueError):
    """A value does not fit. The message says why and quotes codes only, never free text."""


class UnfitArgument(Unfit):
    """Not the value but what it is read with (its currency ...) is at fault.

    Reported once per record, not once per field that depends on it.
    """


@dataclass(frozen=True, slots=True)
class Problem:
    """One reason why a payload does not map.

    ``field`` is the canonical path (``lines[2].quantity``), ``expression`` where the value was
    looked for, ``value`` what was found (shortened, personal data masked), ``file`` and ``line``
    where the definition says so; line 0 is the file as a whole.
    ``shared``: what is at fault (a currency ...) is at fault for other fields as well.
    """

    field: str
    expression: str
    value: str
    message: str
    file: str
    shared: bool = False
    line: int = 0

    def under(self, prefix: str) -> Problem:
        """The same problem, seen from the record that holds this one."""
        return replace(self, field=f"{prefix}.{self.field}" if self.field else prefix)

    def __str__(self) -> str:
        found = f", found {self.value}" if self.value else ""
        read = f" at {self.expression!r}" if self.expression else ""
        place = _place(self.file, self.line)
        return visible(f"{self.field or 'record'}: {self.message}{found}{read} ({place})")


@dataclass(frozen=True, slots=True)
class ItemProblem:
    """One item of an array that does not map, while the record around it does.

    ``raw`` is the item as it came; it may hold personal data and belongs in the store, not in logs.
    """

    field: str
    index: int
    raw: Any
    problems: tuple[Problem, ...]


class MappingError(Exception):
    """A payload does not become a record. ``problems`` holds every reason, not only the first."""

    def __init__(self, definition: str, problems: Sequence[Problem]) -> None:
        super().__init__(f"{definition}: " + "; ".join(str(problem) for problem in problems))
        self.definition = definition
        self.problems = tuple(problems)


@dataclass(frozen=True, slots=True)
class DefinitionProblem:
    """One fault of a definition file. ``where`` is the place in it, e.g. ``fields.currency``;
    line 0 is the file as a whole."""

    file: str
    where: str
    message: str
    line: int = 0

    def __str__(self) -> str:
        told = f"{self.where}: {self.message}" if self.where else self.message
        return visible(f"{_place(self.file, self.line)}: {told}")


def _place(file: str, line: int) -> str:
    return f"{file}:{line}" if line else file


class DefinitionsInvalid(Exception):
    """At least one definition cannot be used. ``problems`` lists every fault of every file."""

    def __init__(self, problems: Iterable[DefinitionProblem]) -> None:
        self.problems = tuple(problems)
        lines = "\n".join(f"  {problem}" for problem in self.problems)
        super().__init__(f"{len(self.problems)} problem(s) in mapping definitions:\n{lines}")


def shown(value: Any, *, personal: bool = False) -> str:
    """A short, safe description of a value found in a payload.

    >>> shown("10.x"), shown("Ada Lovelace", personal=True), shown({"street": "Main St 1"})
    ("'10.x'", 'text of 12 characters', 'an object with street')
    >>> shown("call +49 170 1234567 or ada@example.org")
    "'call [phone] or [e-mail]'"
    """
    if value is None:
        return ""
    if isinstance(value, Mapping):
        keys = ", ".join(str(key) for key in list(value)[:5])
        return _shorten(f"an object with {keys}") if keys else "an empty object"
    if isinstance(value, list | tuple):
        return f"a list of {len(value)}"
    if personal:
        return f"text of {len(value)} characters" if isinstance(value, str) else "a masked value"
    if isinstance(value, int) and abs(value) > 10**_SHOWN:
        return "a number of very many digits"
    # Searching takes the square of what has no space in it, and little of it is shown.
    written = repr(value[:_SEARCHED] if isinstance(value, str) else value)
    return _shorten(_PHONE.sub("[phone]", _EMAIL.sub("[e-mail]", written)))


def _shorten(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."


def visible(text: str) -> str:
    r"""A message for screens and logs: what would not be seen, or would turn what follows around,
    is written as an escape, and the middle of an endless one is left out.

    >>> visible("unknown key 'a\u200bb'")
    "unknown key 'a\\u200bb'"
    """
    if len(text) > _LONGEST:
        text = f"{text[: _LONGEST - 150]} ... {text[-150:]}"
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
