"""Pseudonyms that keep the shape: what made a value hard to handle is still there, who it was not.

A value is kept only when it is known to be harmless: words of the mapping definition, our SKUs,
identifiers of the order, amounts, short numbers and times. All else is exchanged letter by letter,
the same value for the same one everywhere in a bundle, by a secret that is thrown away after it.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable, Mapping
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

_SHORTEST = 3
"""Shorter values are initials, and stand in every other word."""


class Redactor:
    """``keep``: values that stay as they are, whatever they are called."""

    def __init__(self, keep: Iterable[str]) -> None:
        self._keep = {value for value in keep if value}
        self._folded = {value.casefold() for value in self._keep}
        self._secret = secrets.token_bytes(32)
        self._persons: set[str] = set()

    def learn(self, document: Any, key: str = "") -> None:
        """Note the personal values of a document, to find them in other places too."""
        if isinstance(document, Mapping):
            for name, value in document.items():
                self.learn(value, str(name))
        elif isinstance(document, list | tuple):
            for value in document:
                self.learn(value, key)
        elif isinstance(document, str) and not self._is_harmless(document, key):
            self._persons |= {document, *document.split()} if _PERSONAL.search(key) else {document}

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
        if isinstance(document, int) and not isinstance(document, bool) and abs(document) > 10**6:
            return self._number(document, key)
        return document

    def _is_harmless(self, text: str, key: str) -> bool:
        if text in self._keep:
            return True
        known = _HARMLESS.fullmatch(text) is not None
        return known and (not _PERSONAL.search(key) or (len(text) <= _SHORTEST and text.isupper()))

    def _number(self, number: int, key: str) -> int:
        kept = str(number) in self._keep or not _PERSONAL.search(key)
        return number if kept else int(self.value(str(number)))

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
        for person in sorted(self._persons, key=len, reverse=True):
            if len(person) >= _SHORTEST and person.casefold() not in self._folded:
                found = re.compile(rf"(?<!\w){re.escape(person)}(?!\w)", re.IGNORECASE)
                text = found.sub(lambda hit: self.value(hit[0]), text)
        text = _MAIL.sub(lambda hit: self.value(hit[0]), text)
        return _PHONE.sub(lambda hit: self._unless_kept(hit[0]), text)

    def _unless_kept(self, text: str) -> str:
        kept = any(text in value for value in self._keep) or _HARMLESS.fullmatch(text)
        return text if kept else self._exchanged(text)

    def leaks(self, written: str) -> list[str]:
        """Values that were learned and still stand in what was written; must be empty.

        A word of a title may be part of a SKU, which stays: that is no trace of anybody.
        """
        folded = written.casefold()
        for kept in sorted(self._folded, key=len, reverse=True):
            folded = re.sub(rf"(?<![\w-]){re.escape(kept)}(?![\w-])", " ", folded)
        return sorted(
            person
            for person in self._persons
            if len(person) > _SHORTEST
            and person.casefold() not in self._folded
            and re.search(rf"(?<!\w){re.escape(person.casefold())}(?!\w)", folded)
        )

    def _exchanged(self, text: str) -> str:
        block = b""
        drawn: list[str] = []
        for at, one in enumerate(text):
            if at % 32 == 0:
                counted = f"{at}:{text.casefold()}".encode("utf-8", "surrogatepass")
                block = hmac.digest(self._secret, counted, hashlib.sha256)
            drawn.append(_other(one, block[at % 32]))
        return "".join(drawn)


def _other(one: str, dice: int) -> str:
    """A character of the same kind; a digit that is not zero never becomes one."""
    if one.isascii():
        if one.isdigit():
            return one if one == "0" else str(1 + dice % 9)
        if one.isalpha():
            drawn = chr(ord("a") + dice % 26)
            return drawn.upper() if one.isupper() else drawn
        return one
    if one.isalpha():
        near = chr(ord(one) & ~0xF | dice & 0xF)
        return near if near.isalpha() and near.isupper() == one.isupper() else one
    return one
