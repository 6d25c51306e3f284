"""Which carrier a tracking number belongs to, as far as the number itself says.

Sources: UPU standard S10 (postal items, check digit modulo 11); USPS Publication 199 (IMpb, check
digit of GS1); the formats and test numbers that jkeen/tracking_number_data collects (MIT) for UPS,
FedEx, DHL Express and Amazon. The codes are those of ShipEngine, as on labels that we buy.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection

_LONGEST = 40

_UPS = re.compile(r"1Z[0-9A-Z]{15}[0-9]")
_AMAZON = re.compile(r"TBA[0-9]{12}")
_DHL_EXPRESS_PIECE = re.compile(r"JVGL[0-9]{10}")
_IMPB = re.compile(r"(?:420[0-9]{5}(?:[0-9]{4})?)?(9[1-5](?:[0-9]{20}|[0-9]{24}))")
_S10 = re.compile(r"([A-Z])[A-Z]([0-9]{9})([A-Z]{2})")

_POSTS = {
    "AU": "australia_post",
    "CA": "canada_post",
    "JP": "japan_post",
    "US": "usps",
}
"""Designated operators that carry letters, parcels and express items under one name."""

_LETTERS = {
    **_POSTS,
    "AT": "austrian_post",
    "CH": "swiss_post",
    "DE": "deutsche_post",
    "ES": "correos",
    "FR": "la_poste",
    "GB": "royal_mail",
    "IT": "poste_italiane",
    "NL": "postnl",
}
"""Those that carry parcels under another name or through a subsidiary (Parcelforce, Chronopost)."""

_S10_SERVICES = {**dict.fromkeys("LRUV", _LETTERS), **dict.fromkeys("CE", _POSTS)}
"""By the first letter: express letters, registered, untracked and insured; parcels and EMS."""


def carrier_of(number: str, among: Collection[str] = ()) -> str | None:
    """The carrier's code; None where the number does not say or more than one may be meant.

    Plain digits say nothing by themselves: any number passes a check digit of FedEx or DHL one
    time in ten, and GLS or DPD write plain digits too. They count only where ``among`` names all
    carriers in question, each of which is known here, and one of them fits.

    >>> carrier_of("1Z 5R8 939 03 5756 7127"), carrier_of("RR123456785US")
    ('ups', 'usps')
    >>> carrier_of("986578788855"), carrier_of("986578788855", among=["fedex", "ups"])
    (None, 'fedex')
    """
    bare = "".join(number[: 2 * _LONGEST].split()).upper()
    if len(bare) > _LONGEST or not bare.isascii():
        return None
    named = _named(bare)
    if named is not None or not bare.isdigit() or not among or not _KNOWN.issuperset(among):
        return named
    fitting = {
        carrier
        for carrier, length, fits in _PLAIN_DIGITS
        if carrier in among and len(bare) == length and fits(bare)
    }
    return fitting.pop() if len(fitting) == 1 else None


def _named(number: str) -> str | None:
    """The carrier of a number that begins as no other carrier's does."""
    if _UPS.fullmatch(number):
        return "ups" if _ups_fits(number[2:]) else None
    if _AMAZON.fullmatch(number):
        return "amazon"
    if _DHL_EXPRESS_PIECE.fullmatch(number):
        return "dhl_express"
    if found := _IMPB.fullmatch(number):
        return "usps" if _gs1_fits(found[1]) else None
    if found := _S10.fullmatch(number):
        service, digits, country = found.groups()
        return _S10_SERVICES.get(service, {}).get(country) if _s10_fits(digits) else None
    return None


def _gs1_fits(digits: str) -> bool:
    """Modulo 10 with the weights 3, 1, 3 ... from the right, check digit last."""
    return (
        sum(int(d) * (3 if place % 2 else 1) for place, d in enumerate(reversed(digits))) % 10 == 0
    )


def _ups_fits(number: str) -> bool:
    """Modulo 10 with the weights 1, 2, 1 ... from the left; A counts 2, B 3, and so on."""
    values = [int(c) if c.isdigit() else (ord(c) - 3) % 10 for c in number]
    total = sum(value * (2 if place % 2 else 1) for place, value in enumerate(values[:-1]))
    return (total + values[-1]) % 10 == 0


def _s10_fits(digits: str) -> bool:
    weighted = sum(int(d) * w for d, w in zip(digits[:8], (8, 6, 4, 2, 3, 5, 9, 7), strict=True))
    check = 11 - weighted % 11
    return {10: 0, 11: 5}.get(check, check) == int(digits[8])


def _fedex_express_fits(digits: str) -> bool:
    weighted = sum(int(d) * (3, 1, 7)[place % 3] for place, d in enumerate(digits[:11]))
    return weighted % 11 % 10 == int(digits[11])


def _dhl_express_fits(digits: str) -> bool:
    return int(digits[:9]) % 7 == int(digits[9])


_PLAIN_DIGITS: tuple[tuple[str, int, Callable[[str], bool]], ...] = (
    ("fedex", 12, _fedex_express_fits),
    ("fedex", 15, _gs1_fits),
    ("dhl_express", 10, _dhl_express_fits),
)
"""Carrier, number of digits, whether the check digit is right."""

_KNOWN = frozenset({"amazon", "dhl_express", "fedex", "ups", "usps"})
"""Carriers of whose everyday numbers none would be missed here."""
