"""The merchant's forty SKUs, the same in every seed; only stock and trade differ."""

from __future__ import annotations

from dataclasses import dataclass

# Two listings per channel whose SKU the hub's catalogue does not hold: sold, but unmapped.
UNMAPPED_WOO = (
    ("LEGACY-BEANBAG-RED", "Sitzsack Rot (Auslauf)", 4990),
    ("LEGACY-MUG-2019", "Jahresbecher 2019 ☕", 890),
)
UNMAPPED_AMAZON = (
    ("XQ-7H2K-PL0M", "Filter Papers, 100 pcs (renewed)", 690),
    ("XQ-9Z4T-RR1A", "Mystery Box 🎁", 1990),
)

SCARCE = frozenset({"GRINDER-HAND", "KETTLE-GOOSE", "TEE-OLIVE-M"})

_GS1_PREFIX = "4012345"


@dataclass(frozen=True)
class Sku:
    """One stock keeping unit. ``price`` is in euro cents without tax, ``weight_g`` in grams."""

    code: str
    title: str
    gtin: str
    weight_g: int
    price: int
    inventory_id: int
    family: str | None
    option: str | None
    asin: str


# (family, title, weight in g, net price in euro cents, variants)
_FAMILIES: tuple[tuple[str, str, int, int, tuple[str, ...]], ...] = (
    ("TEE", "Organic Tee", 180, 1890, ("OLIVE-S", "OLIVE-M", "OLIVE-L", "SAND-M")),
    ("HOODIE", "Hoodie “Crossdock”", 640, 4590, ("GREY-S", "GREY-M", "GREY-L", "GREY-XL")),
    ("MUG", "Enamel Mug", 210, 990, ("WHITE", "BLUE", "RED", "BLACK")),
    ("BOTTLE", "Steel Bottle", 330, 2290, ("500", "750", "1000", "KIDS")),
    ("SOCKS", "Merino Socks", 70, 1290, ("36-38", "39-41", "42-44", "45-47")),
    ("COFFEE", "Espresso Beans", 1020, 1450, ("CLASSIC", "DARK", "DECAF", "ETHIOPIA")),
)
_SIMPLE: tuple[tuple[str, str, int, int], ...] = (
    ("GRINDER-HAND", "Handkaffeemühle", 520, 6900),
    ("KETTLE-GOOSE", "Gooseneck Kettle 1 l", 1150, 7900),
    ("DRIPPER-V60", "Dripper V60, céramique", 410, 2150),
    ("FILTER-100", "Paper Filters (100)", 160, 590),
    ("SCALE-01", "Kitchen Scale 0.1 g", 380, 2990),
    ("TAMPER-58", "Tamper ⌀58 mm", 460, 1990),
    ("CUP-TRAVEL", "To-go Cup", 240, 1690),
    ("TIN-250", "Storage Tin 250 g", 190, 790),
    ("APRON-DENIM", "Barista Apron", 430, 3490),
    ("BOOK-BREW", "The Brew Book 本", 780, 2490),
    ("BRUSH-CLEAN", "Cleaning Brush", 60, 490),
    ("SYRUP-VANILLA", "Vanilla Syrup 0.5 l", 760, 890),
    ("CHOC-SPOON", "Chocolate Spoon", 55, 350),
    ("POSTER-A2", "Poster “Origin Map”", 140, 1590),
    ("GIFT-CARD-BOX", "Gift Box", 90, 690),
    ("STICKER-SET", "Sticker Set ✨", 20, 290),
)


def gtin13(item: int) -> str:
    """A GTIN-13 under the sandbox's company prefix, with its GS1 check digit."""
    body = f"{_GS1_PREFIX}{item:05d}"
    weighted = sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(body))
    return f"{body}{-weighted % 10}"


def _sku(
    number: int,
    code: str,
    title: str,
    weight: int,
    price: int,
    family: str | None,
    option: str | None,
) -> Sku:
    # A multiplier prime to the modulus: no two numbers share an ASIN.
    asin = f"B0{number * 7_919_113 % 10**8:08d}"
    return Sku(
        code=code,
        title=title,
        gtin=gtin13(number),
        weight_g=weight,
        price=price,
        inventory_id=20_000_000 + number,
        family=family,
        option=option,
        asin=asin,
    )


def _build() -> tuple[Sku, ...]:
    skus: list[Sku] = []
    for family, title, weight, price, options in _FAMILIES:
        for option in options:
            name = f"{title} {option.title()}"
            number = len(skus) + 1
            skus.append(_sku(number, f"{family}-{option}", name, weight, price, family, option))
    for code, title, weight, price in _SIMPLE:
        skus.append(_sku(len(skus) + 1, code, title, weight, price, None, None))
    return tuple(skus)


SKUS: tuple[Sku, ...] = _build()
BY_CODE: dict[str, Sku] = {sku.code: sku for sku in SKUS}
FAMILY_TITLES: dict[str, str] = {family: title for family, title, *_ in _FAMILIES}

# The cheapest eight are not worth a listing on the marketplace.
AMAZON_CODES: tuple[str, ...] = tuple(
    sku.code for sku in sorted(SKUS, key=lambda sku: (-sku.price, sku.code))[:32]
)
