"""Which SKU of ours may a channel's unknown SKU word mean? Candidates, with reason and score."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, islice
from typing import Any, Final

from rapidfuzz import fuzz, process, utils
from sqlalchemy import Connection, Row

from state import catalogue, orders

CANDIDATES_MAX: Final = 5
TITLE_ALIKE_MIN: Final = 80
"""Of 100: below it, titles have a word or two in common and mean nothing."""
_SEPARATORS = re.compile(r"[\W_]+")
_ZEROS = re.compile(r"(?<![0-9])0+(?=[0-9])")
_GTIN_LENGTHS = (8, 12, 13, 14)


@dataclass(frozen=True, slots=True)
class Candidate:
    """``score``: 0 to 100, only good for comparing candidates of one name."""

    code: str
    title: str
    score: int
    reason: str


@dataclass(frozen=True, slots=True)
class Unmapped:
    """A channel's word that waits to be linked; ``lines``: how many wait for it. With none it was
    only asked for, and ``connection`` is empty."""

    name: str
    connection: str
    lines: int
    title: str
    candidates: tuple[Candidate, ...]


@dataclass(frozen=True, slots=True)
class _Word:
    """What the lines of one name say about their goods; ``connection`` is empty without lines."""

    name: str
    connection: str
    title: str
    gtins: frozenset[str]
    asins: frozenset[str]


class Catalogue:
    """Our SKUs and their other names, arranged for looking up."""

    def __init__(self, conn: Connection) -> None:
        self._skus = {row.id: row for row in catalogue.all_skus(conn)}
        self._titles = {
            row.id: utils.default_process(row.title) for row in self._skus.values() if row.title
        }
        self._by_normal: dict[str, list[int]] = {}
        self._by_gtin: dict[str, list[int]] = {}
        for row in self._skus.values():
            self._by_normal.setdefault(normalised(row.code), []).append(row.id)
            if number := gtin14(row.gtin):
                self._by_gtin.setdefault(number, []).append(row.id)
        self._by_asin: dict[str, list[int]] = {}
        self._decided: dict[str, list[Row[Any]]] = {}
        for alias in catalogue.all_aliases(conn):
            if alias.sku_id in self._skus:
                self._arrange(alias)

    def _arrange(self, alias: Row[Any]) -> None:
        if alias.scheme == "asin":
            self._by_asin.setdefault(alias.value, []).append(alias.sku_id)
        elif alias.scheme != "gtin":
            self._decided.setdefault(normalised(alias.value), []).append(alias)
        elif number := gtin14(alias.value):
            self._by_gtin.setdefault(number, []).append(alias.sku_id)

    def candidates(self, word: _Word) -> tuple[Candidate, ...]:
        """The best few, best first; of each SKU only its strongest reason."""
        best: dict[int, tuple[int, str]] = {}
        for sku_id, score, reason in self._found(word):
            if score > best.get(sku_id, (0, ""))[0]:
                best[sku_id] = (score, reason)
        ranked = sorted(best, key=lambda sku_id: (-best[sku_id][0], self._skus[sku_id].code))
        return tuple(
            Candidate(self._skus[i].code, self._skus[i].title, *best[i])
            for i in ranked[:CANDIDATES_MAX]
        )

    def _found(self, word: _Word) -> Iterator[tuple[int, int, str]]:
        """(SKU, score, reason)."""
        searches: tuple[Callable[[_Word], Iterable[tuple[int, int, str]]], ...] = (
            self._by_code,
            self._by_number,
            self._by_decision,
            self._by_title,
        )
        for search in searches:
            yield from search(word)

    def _by_code(self, word: _Word) -> Iterator[tuple[int, int, str]]:
        for sku_id in self._by_normal.get(normalised(word.name), ()) if word.name else ():
            if self._skus[sku_id].code == word.name:
                frees = ": 'crossdock retry' frees the lines" if word.connection else ""
                yield sku_id, 100, f"it is our code{frees}"
            else:
                yield sku_id, 92, "our code but for case, separators or leading zeros"

    def _by_number(self, word: _Word) -> Iterator[tuple[int, int, str]]:
        named = gtin14(word.name)
        for number in sorted(word.gtins | ({named} if named else set())):
            for sku_id in self._by_gtin.get(number, ()):
                yield sku_id, 97, f"same GTIN {number.lstrip('0')}"
        for asin in sorted(word.asins):
            for sku_id in self._by_asin.get(asin, ()):
                yield sku_id, 95, f"same ASIN {asin}"

    def _by_decision(self, word: _Word) -> Iterator[tuple[int, int, str]]:
        for alias in self._decided.get(normalised(word.name), ()) if word.name else ():
            where = f"on {alias.connection}" if alias.connection else "everywhere"
            if alias.value == word.name:
                yield alias.sku_id, 95, f"means this {where}, as decided before"
            else:
                yield alias.sku_id, 85, f"{alias.value!r} means this {where}, as decided before"

    def _by_title(self, word: _Word) -> Iterator[tuple[int, int, str]]:
        found = process.extract(
            utils.default_process(word.title),
            self._titles,
            scorer=fuzz.token_sort_ratio,
            score_cutoff=TITLE_ALIKE_MIN,
            limit=CANDIDATES_MAX,
        )
        for _, alike, sku_id in found if word.title else ():
            # Titles alone never outrank a code or a number.
            yield sku_id, round(alike * 0.8), f"titles are {round(alike)} % alike"


def normalised(name: str) -> str:
    """A code without what people and spreadsheets change: case, separators, leading zeros.

    >>> normalised("mug_White 007"), normalised("MUG-WHITE-7"), normalised("0012")
    ('MUGWHITE7', 'MUGWHITE7', '12')
    """
    return "".join(_ZEROS.sub("", part) for part in _SEPARATORS.split(name)).upper()


def gtin14(text: str) -> str | None:
    """A GTIN-8, -12, -13 or -14 with a right check digit, as 14 digits; null for anything else.

    >>> gtin14("4006381333931"), gtin14("4006381333932")
    ('04006381333931', None)
    """
    if len(text) not in _GTIN_LENGTHS or not (text.isascii() and text.isdigit()):
        return None
    number = text.zfill(14)
    weighted = sum(int(digit) * (3 if place % 2 == 0 else 1) for place, digit in enumerate(number))
    return number if weighted % 10 == 0 else None


def unmapped(conn: Connection, name: str | None = None, limit: int | None = None) -> list[Unmapped]:
    """The names that parked lines wait for, at most ``limit``, or just ``name``, whether or not a
    line waits for it; each with its candidates."""
    rows = [
        row
        for row in orders.parked_lines(conn)
        if row.park_reason == "unmapped" and name in (None, row.channel_sku)
    ]
    if not rows:
        return [_only_asked(conn, name)] if name else []
    known = Catalogue(conn)
    return [
        Unmapped(word.name, word.connection, count, word.title, known.candidates(word))
        for word, count in islice(_words(rows), limit)
    ]


def _only_asked(conn: Connection, name: str) -> Unmapped:
    """A name that no line has is all that is known of its goods: it may be any word for them."""
    word = _Word(name, "", title=name, gtins=frozenset(), asins=frozenset({name}))
    return Unmapped(name, "", 0, "", Catalogue(conn).candidates(word))


def _words(rows: Sequence[Row[Any]]) -> Iterator[tuple[_Word, int]]:
    """Lines of one name on one connection mean the same goods; without a name, of one title."""

    def key(row: Row[Any]) -> tuple[str, str, str]:
        return row.connection, row.channel_sku, "" if row.channel_sku else row.title

    for (connection, name, _), group in groupby(sorted(rows, key=key), key):
        lines = list(group)
        gtins = {gtin14(line.gtin) for line in lines} - {None}
        asins = {line.asin for line in lines if line.asin}
        title = next((line.title for line in lines if line.title), "")
        numbers = frozenset(str(number) for number in gtins)
        yield _Word(name, connection, title, numbers, frozenset(asins)), len(lines)


def as_rows(found: Iterable[Unmapped]) -> Iterator[Mapping[str, Any]]:
    """A row for each candidate, and one for each name that has none."""
    for one in found:
        waiting = {
            "name": one.name,
            "connection": one.connection,
            "lines": one.lines,
            "line_title": one.title,
        }
        for candidate in one.candidates:
            yield {
                **waiting,
                "code": candidate.code,
                "title": candidate.title,
                "score": candidate.score,
                "reason": candidate.reason,
            }
        if not one.candidates:
            yield {**waiting, "code": None, "title": None, "score": None, "reason": None}
