"""Addresses as carriers want to read them.

For outbound definitions: the canonical order keeps what the buyer wrote, and the libraries behind
these take their time (a phone number some 50 microseconds, more than half of a whole order). What
cannot be read stays as it came, since a carrier may know better than we do, and no parcel should
wait for a telephone number. The argument ``country`` is an ISO 3166-1 alpha-2 code.
"""

from __future__ import annotations

import textwrap
from typing import Any

from mappings.address_formats import address_format
from mappings.problems import Unfit, UnfitArgument
from mappings.transforms.registry import transform
from mappings.transforms.texts import text

_LINES = 3
"""Lines of a street address: what Address has, and all that carriers print."""


@transform
def phone_e164(value: object, *, country: str | None) -> str:
    """A telephone number in E.164, without an extension. What is no number is a problem.

    >>> phone_e164("0170 1234567", country="DE"), phone_e164("+1 (206) 555-0100", country="DE")
    ('+491701234567', '+12065550100')
    """
    return _phone(text(value), country)[0]


@transform
def phone(value: object, *, country: str | None) -> str:
    """A telephone number in E.164 and its extension, or what it came as if it cannot be read.

    >>> phone("(206) 622-2000 x 12", country="US"), phone("ask reception", country="US")
    ('+12066222000 ext. 12', 'ask reception')
    """
    found = text(value).strip()
    try:
        number, extension = _phone(found, country)
    except Unfit:
        return found
    # Marketplaces hide the buyer's number behind an extension: without it nobody is reached.
    return f"{number} ext. {extension}" if extension else number


def _phone(found: str, country: str | None) -> tuple[str, str]:
    """E.164 and the extension. Raises ``Unfit``.

    A number with its country's code is taken if it is long enough, as new ranges come faster than
    updates; one without it must be valid here: else it may be a number of another country.
    """
    import phonenumbers as library

    region = (country or "").strip().upper() or None
    try:
        number = library.parse(found, region)
    except library.NumberParseException:
        raise Unfit("not a telephone number") from None
    told = found.lstrip(" (").startswith(("+", "＋"))
    if not (library.is_possible_number if told else library.is_valid_number)(number):
        raise Unfit("not a telephone number of that country")
    written = library.format_number(number, library.PhoneNumberFormat.E164)
    return written, number.extension or ""


@transform
def subdivision(value: object, *, country: str | None, otherwise: str | None = None) -> str:
    """A state, province or prefecture: its ISO 3166-2 code if that is of letters, else its name.

    What is unknown stays as it came. ``otherwise`` is taken, as it is, where there is none.

    >>> subdivision("California", country="US"), subdivision("JP-13", country="JP")
    ('CA', 'Tokyo')
    >>> subdivision("Bayern", country="DE"), subdivision("Atlantis", country="US")
    ('BY', 'Atlantis')
    """
    found = text(value).strip()
    if not found:
        return otherwise or ""
    known = address_format((country or "").strip().upper())
    return (known and known.subdivision(found)) or found


@transform
def postcode(value: object, *, country: str | None) -> str:
    """A postcode as its country writes it; what is none there stays as it came.

    >>> postcode("sw1a1aa", country="GB"), postcode("D-80331", country="DE")
    ('SW1A 1AA', '80331')
    >>> postcode("00950", country="PL"), postcode("none", country="PL")
    ('00-950', 'none')
    """
    found = text(value).strip()
    known = address_format((country or "").strip().upper())
    return (known and known.postcode(found)) or found


@transform
def address_line(value: list[Any], *, line: int, longest: int) -> str:
    """One line of a street address given as a list, folded where a part of it is too long.

    Words are never cut. What does not fit three lines stays as it came, for the carrier to judge.

    >>> address_line(["Main Street 1 behind the old gate", ""], line=1, longest=20)
    'Main Street 1 behind'
    >>> address_line(["Main Street 1 behind the old gate", ""], line=2, longest=20)
    'the old gate'
    """
    if not isinstance(value, list):
        raise Unfit("not a list of lines")
    if line < 1 or longest < 1:
        raise UnfitArgument("line and longest must be whole numbers from 1")
    lines = _folded([text(part).strip() for part in value if part is not None], longest)
    return lines[line - 1] if line <= len(lines) else ""


def _folded(parts: list[str], longest: int) -> list[str]:
    parts = [part for part in parts if part]
    if all(len(part) <= longest for part in parts):
        return parts
    plain = [" ".join(part.split()) for part in parts]
    if sum(map(len, plain)) > _LINES * longest:
        return parts
    each = [line for part in plain for line in _wrapped(part, longest)]
    for lines in (each, _wrapped(" ".join(plain), longest)):
        if len(lines) <= _LINES and all(len(line) <= longest for line in lines):
            return lines
    return parts


def _wrapped(part: str, longest: int) -> list[str]:
    return textwrap.wrap(part, longest, break_long_words=False, break_on_hyphens=False)
