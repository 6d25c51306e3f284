"""The words by which a person is known, and their removal from free text."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

GONE = "(erased)"
"""What stands in free text in the place of a personal word."""

_SHORTEST = 3
"""Shorter words ("Li", "12") would tear holes into text that is about somebody else."""

_STRONG = ("name", "email", "phone")
"""Fields that tell a person from others by themselves."""

_NAMES = ("name", "company")
"""Of these every single word counts: a carrier says "Lovelace is not at home"."""

_WEAK = ("city", "postcode")
"""Others live there too, and a location may be called by it."""

_NEVER = ("country", "region")

_NOBODY = re.compile(r"(?!)")


@dataclass(frozen=True, slots=True)
class Words:
    """Finds what was taken from addresses, however it is capitalised.

    ``strong``: names this person and nobody else. ``own``: that, and what in text about the
    person's own orders is about the person. ``every``: also the city and the postcode.
    """

    strong: re.Pattern[str]
    own: re.Pattern[str]
    every: re.Pattern[str]

    @classmethod
    def of(cls, addresses: Iterable[Mapping[str, Any]], more: Iterable[str] = ()) -> Words:
        """``addresses``: fields by name. ``more``: further texts that are the person's alone, such
        as a note."""
        strong, own, every = set(more), set[str](), set[str]()
        for address in addresses:
            for name, value in address.items():
                if name in _NEVER or not isinstance(value, str):
                    continue
                found = strong if name in _STRONG else every if name in _WEAK else own
                found.add(value)
                if name in _NAMES:
                    own.update(re.split(r"[^\w'-]+", value))
        own |= strong
        return cls(_any_of(strong), _any_of(own), _any_of(own | every))

    def scrub(self, text: str) -> str:
        """Text about the person's own orders, without the person."""
        return self.own.sub(GONE, text)

    def scrub_places(self, text: str) -> str:
        """The same, without the city and the postcode."""
        return self.every.sub(GONE, text)

    def scrub_lines(self, text: str) -> str:
        """Text about many people: of the lines that name this one, every word; the others stay."""
        lines = text.splitlines(keepends=True)
        kept = (self.scrub_places(line) if self.strong.search(line) else line for line in lines)
        # A text of several lines, such as a note, is found in the whole only.
        return self.strong.sub(GONE, "".join(kept))

    def scrub_all(self, value: Any) -> Any:
        """``value`` with every text in it scrubbed, keys apart: those are ours."""
        return _each(value, self.scrub)

    def scrub_all_places(self, value: Any) -> Any:
        """The same, without the city and the postcode."""
        return _each(value, self.scrub_places)


def _each(value: Any, scrub: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return scrub(value)
    if isinstance(value, Mapping):
        return {key: _each(item, scrub) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_each(item, scrub) for item in value]
    return value


def _any_of(words: Iterable[str]) -> re.Pattern[str]:
    wanted = sorted({w.strip() for w in words if len(w.strip()) >= _SHORTEST}, key=_longest)
    if not wanted:
        return _NOBODY
    each = "|".join(re.escape(word) for word in wanted)
    return re.compile(rf"(?<!\w)(?:{each})(?!\w)", re.IGNORECASE)


def _longest(word: str) -> tuple[int, str]:
    """Of "Ada Lovelace" and "Ada" the longer one is to be found first."""
    return -len(word), word
