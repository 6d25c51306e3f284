"""The officially assigned codes of ISO 3166-1 alpha-2, and how vendors stray from them."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

ALPHA2 = frozenset(
    """
    AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR
    BS BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ
    EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW
    GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY
    KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV
    MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY
    QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG
    TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM
    ZW
    """.split()  # noqa: SIM905 - 249 quoted words would hide the list
)

IN_USE_BUT_NOT_ISO = frozenset({"XK"})
"""User-assigned codes that carriers and shops use as if they were official: Kosovo."""

OTHER_SPELLINGS = {"UK": "GB", "EL": "GR"}
"""Exceptionally reserved codes: UK, and the EL of European VAT numbers for Greece."""

_LONGEST_NAME = 80
"""Characters. The longest name in use has some 50."""

_COUNTRY_OF_A_PART = {
    "England": "GB",
    "Scotland": "GB",
    "Wales": "GB",
    "Northern Ireland": "GB",
    "Kosovo": "XK",
}
"""Names that addresses use and that ISO does not list as countries."""

_OF_SEVERAL_COUNTRIES = frozenset({"congo", "korea"})


def alpha2(spelling: str) -> str | None:
    """The code of a country written as alpha-2, alpha-3 or by its name; None where it is none.

    Names are those of the ``countryinfo`` package: English ones, each country's own, and some of
    other languages. They must match: the package's own search takes the most similar name.

    >>> alpha2("U.K."), alpha2("DEU"), alpha2("Deutschland"), alpha2("Allemagne"), alpha2("Germnay")
    ('GB', 'DE', 'DE', 'DE', None)
    """
    code = spelling.strip().upper().replace(".", "")
    code = OTHER_SPELLINGS.get(code, code)
    if code in ALPHA2 or code in IN_USE_BUT_NOT_ISO:
        return code
    if len(code) > _LONGEST_NAME:
        return None
    return _by_spelling().get(plain(code))


def plain(name: str) -> str:
    """A name without case, accents, spaces and punctuation, so that spellings of it are equal.

    >>> plain("Côte d'Ivoire"), plain("U.S.A."), plain("東京都")
    ('cotedivoire', 'usa', '東京都')
    """
    parts = unicodedata.normalize("NFKD", name.casefold())
    return "".join(character for character in parts if character.isalnum())


@cache
def _by_spelling() -> Mapping[str, str]:
    """Made when the first name comes: it takes a tenth of a second, and codes need none of it."""
    from countryinfo import CountryInfo

    certain = {plain(name): code for name, code in _COUNTRY_OF_A_PART.items()}
    shared: dict[str, set[str]] = {}
    for country in CountryInfo.all().values():
        code = country.get("ISO", {}).get("alpha2")
        if code in ALPHA2:
            certain[plain(country["name"])] = code
            certain[plain(country["ISO"]["alpha3"])] = code
            for name in _other_names(country):
                shared.setdefault(plain(name), set()).add(code)
    unique = {name: min(codes) for name, codes in shared.items() if len(codes) == 1}
    return {
        name: code
        for name, code in (unique | certain).items()
        # Two letters are a code or nothing; two characters of another script are a name.
        if name not in _OF_SEVERAL_COUNTRIES and (len(name) > 2 or not name.isascii())
    }


def _other_names(country: Mapping[str, Any]) -> Iterator[str]:
    yield from country.get("altSpellings") or ()
    yield from (country.get("translations") or {}).values()
    yield country.get("nativeName") or ""
