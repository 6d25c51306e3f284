"""Pseudonyms that keep the shape: what made a value hard to handle is still there, who it was not.

A value is kept only when it is known to be harmless: words of the mapping definition, our SKUs,
identifiers of the order, amounts, short numbers and times. All else is exchanged word by word and
letter by letter, the same word for the same one everywhere in a bundle, by a secret that is thrown
away after it.

What is exchanged never comes out as it was, nor as another value that was learned: the check that
follows would take such a pseudonym for a person, and no bundle could be written.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

_PERSONAL = re.compile(
    r"name|street|address|city|town|region|postcode|postal|zip|phone|mobile|mail|company|note|"
    r"message|gift|customer|buyer|recipient|contact|birth|vat|tax_id|user|agent|\bip\b|_ip|iban|card",
    re.IGNORECASE,
)
_HARMLESS = re.compile(
    r"-?\d{1,7}(\.\d{1,6})?"  # amounts and small numbers
    r"|\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?)?"
    r"|[A-Z]{2,3}|"  # countries and currencies
)
# Begun at the begin of a word only: begun at each letter, a word of a megabyte would take days.
_MAIL = re.compile(r"(?<![^\s@<>\"])[^\s@<>\"]+@[^\s@<>\"]+")
_PHONE = re.compile(r"\+?\d[\d ()/.-]{6,}\d")
_FREE_MAIL = re.compile(r"(?i)(gmail|gmx|web|outlook|hotmail|yahoo|icloud|proton\w*)\.\w+$")

_AMOUNT = re.compile(r"-?\d{1,7}\.\d{1,6}")
_OURS = ("https://redacted.example", "freemail.example", "company.example")

_SHORTEST = 3
"""Shorter values are initials, and stand in every other word."""

_FEWEST_DIGITS = 5
"""Fewer digits alone are a house number, a year or part of a phone number, and stand everywhere."""

_DRAWS = 16
"""So often a word is drawn anew whose pseudonym would tell something."""


class Redactor:
    """``keep``: values that stay as they are, whatever they are called."""

    def __init__(self, keep: Iterable[str]) -> None:
        self._keep = {value for value in keep if value}
        self._folded = {value.casefold() for value in self._keep}
        self._kept = _any_of({*self._folded, *_OURS}, r"[\w-]")
        self._secret = secrets.token_bytes(32)
        self._persons: set[str] = set()
        self._telling: set[str] = set()
        self._named = self._told = _any_of((), r"\w")

    def learn(self, document: Any) -> None:
        """Note the personal values of a document, to find them in other places too."""
        for value, key in _values(document):
            self._persons |= set(self._learned(value, key))
        open_ = {one for one in self._persons if one.casefold() not in self._folded}
        self._telling = {one.casefold() for one in open_ if _tells(one)}
        self._named = _any_of({one for one in open_ if len(one) >= _SHORTEST}, r"\w")
        self._told = _any_of(self._telling, r"\w")

    def _learned(self, value: Any, key: str) -> Iterator[str]:
        personal = _PERSONAL.search(key) is not None
        if _is_number(value):
            if personal and _tells(str(value)):
                yield str(value)
        elif isinstance(value, str) and not self._is_harmless(value, key):
            yield value
            if _PHONE.fullmatch(value):
                yield re.sub(r"\D", "", value)
            if personal:
                # `0100` of a phone number is nobody's: the whole number is learned above.
                yield from (one for one in value.split() if _has_letter(one) or _tells(one))

    def document(self, document: Any, key: str = "") -> Any:
        """The same document with pseudonyms; keys stay, unless they tell who it is."""
        if isinstance(document, Mapping):
            return {
                self.sentence(str(name)): self.document(value, str(name))
                for name, value in document.items()
            }
        if isinstance(document, list | tuple):
            return [self.document(value, key) for value in document]
        if isinstance(document, str):
            return document if self._is_harmless(document, key) else self.value(document)
        return self._number(document, key) if _is_number(document) else document

    def _is_harmless(self, text: str, key: str) -> bool:
        if text in self._keep:
            return True
        if text.casefold() in self._telling:
            return False
        known = _HARMLESS.fullmatch(text) is not None
        return known and (not _PERSONAL.search(key) or (len(text) <= _SHORTEST and text.isupper()))

    def _number(self, number: int, key: str) -> int:
        text = str(number)
        long = abs(number) > 10**6 and _PERSONAL.search(key)
        exchanged = text not in self._keep and (long or text in self._telling)
        return int(self.value(text)) if exchanged else number

    def value(self, text: str) -> str:
        """A pseudonym of the same length and alphabet; of an address the kind of its domain."""
        if "://" in text:
            return "https://redacted.example/" + self._exchanged(text.rpartition("/")[2])
        local, at, domain = text.partition("@")
        if at and _MAIL.fullmatch(text):
            kind = "freemail" if _FREE_MAIL.search(domain) else "company"
            return f"{self._exchanged(local)}@{kind}.example"
        return self._exchanged(text)

    def sentence(self, text: str) -> str:
        """A message of ours or a vendor's: legible, without the values that were learned."""
        legible = self._named.sub(lambda hit: self.value(hit[0]), text)
        legible = _MAIL.sub(lambda hit: self.value(hit[0]), legible)
        legible = _PHONE.sub(lambda hit: self._unless_kept(hit[0]), legible)
        # What is left differs from the value only in how capitals are written.
        return self._exchanged(legible) if self._shows(legible) else legible

    def _unless_kept(self, text: str) -> str:
        kept = any(text in value for value in self._keep) or _HARMLESS.fullmatch(text)
        return text if kept else self._exchanged(text)

    def leaks(self, document: Any) -> list[str]:
        """Where in a document values still stand that were learned; must be nowhere."""
        return sorted(set(self._places(document, "")))

    def _places(self, document: Any, at: str) -> Iterator[str]:
        if isinstance(document, Mapping):
            for name, value in document.items():
                shown = self._shows(str(name))
                if shown:
                    yield f"the names in {at or 'it'}"
                yield from self._places(value, f"{at}.{'?' if shown else name}".lstrip("."))
        elif isinstance(document, list | tuple):
            for number, value in enumerate(document):
                yield from self._places(value, f"{at}[{number}]")
        elif (isinstance(document, str) or _is_number(document)) and self._shows(str(document)):
            yield at

    def _shows(self, text: str) -> bool:
        """Does a value that was learned stand in it?

        A word of a title may be part of a SKU, which stays, and a postcode of an amount: that is
        no trace of anybody.
        """
        folded = text.casefold()
        if _HARMLESS.fullmatch(text):
            return folded in self._telling
        return self._told.search(self._kept.sub(" ", folded)) is not None

    def _exchanged(self, text: str) -> str:
        """Freely where all else leaves it as it was, as ``0000`` is."""
        near = re.sub(r"\S+", lambda hit: self._word(hit[0], freely=False), text)
        if near != text and not self._shows(near):
            return near
        return re.sub(r"\S+", lambda hit: self._word(hit[0], freely=True), text)

    def _word(self, word: str, *, freely: bool) -> str:
        for draw in range(_DRAWS):
            drawn = self._drawn(word, draw, freely=freely)
            if drawn.casefold() != word.casefold() and not self._shows(drawn):
                break
        return drawn

    def _drawn(self, word: str, draw: int, *, freely: bool) -> str:
        block = b""
        drawn: list[str] = []
        for at, one in enumerate(word):
            if at % 32 == 0:
                counted = f"{draw}:{at}:{word.casefold()}".encode("utf-8", "surrogatepass")
                block = hmac.digest(self._secret, counted, hashlib.sha256)
            drawn.append(_other(one, block[at % 32], freely=freely))
        return "".join(drawn)


def _any_of(values: Iterable[str], letter: str) -> re.Pattern[str]:
    """Finds each of the values, the longest first, where it is not part of a longer word."""
    listed = "|".join(re.escape(one) for one in sorted(values, key=lambda one: (-len(one), one)))
    return re.compile(rf"(?<!{letter})(?:{listed or '(?!)'})(?!{letter})", re.IGNORECASE)


def _values(document: Any, key: str = "") -> Iterator[tuple[Any, str]]:
    """The values of a document, each with the name that it goes by."""
    if isinstance(document, Mapping):
        for name, value in document.items():
            yield from _values(value, str(name))
    elif isinstance(document, list | tuple):
        for value in document:
            yield from _values(value, key)
    else:
        yield document, key


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _has_letter(text: str) -> bool:
    return any(one.isalpha() for one in text)


def _tells(text: str) -> bool:
    """Could a value alone tell who it is, wherever it stands?"""
    if _has_letter(text):
        return len(text) > _SHORTEST
    digits = sum(one.isalnum() for one in text)
    return digits >= _FEWEST_DIGITS and not _AMOUNT.fullmatch(text)


def _other(one: str, dice: int, *, freely: bool) -> str:
    """A character of the same kind. Zero stays zero, and others never become it; ``freely``: it
    may, and a letter that has none beside it becomes an English one."""
    if one.isascii():
        if one.isdigit():
            return one if one == "0" and not freely else str(1 + dice % 9)
        if one.isalpha():
            drawn = chr(ord("a") + dice % 26)
            return drawn.upper() if one.isupper() else drawn
        return one
    kind = unicodedata.category(one)
    if kind[0] not in "LNS":
        return one
    near = chr(ord(one) & ~0xF | dice & 0xF)
    if unicodedata.category(near) == kind and near.isdigit() == one.isdigit():
        return near
    return chr(ord("a") + dice % 26) if freely and not one.isdigit() else one
