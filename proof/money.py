"""G17: money. Generated documents over every exponent, tax inside and outside of prices, discounts
shared out to the last minor unit: what is read is what was written, and its parts make its total.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import msgspec

from mappings import Definition, Definitions, MappingError, numbers, totals
from mappings import canonical as c
from proof.budget import Budget, reached
from proof.evidence import Evidence, Size
from proof.fuzz.clock import measured
from proof.planting import Planted

DOCUMENTS: dict[Size, int] = {"pull-request": 100_000, "nightly": 5_000_000}
CURRENCIES = ("JPY", "KRW", "ISK", "UGX", "EUR", "USD", "GBP", "KWD", "BHD", "TND", "CLF", "UYW")
"""Exponents 0, 2, 3 and 4."""

_PACKAGES = ("mappings", "state", "sync", "connectors", "jobs")
_FLOATS = {
    # Money as JSON numbers of vendors, and as the numbers of spreadsheets, each proven exact.
    ("mappings/numbers.py", "*"),
    ("mappings/transforms/outbound.py", "money_number"),
    ("sync/reconciliation/workbook.py", "_cell"),
}
_MONEY = ("amount", "total", "price", "minor", "money", "tax", "discount", "fee", "refund", "paid")


@dataclass(frozen=True, slots=True)
class Document:
    """An order as a partner writes it down, and what it says in minor units."""

    body: bytes
    currency: str
    grand_total: int
    lines: tuple[int, ...]


def shares(amount: int, weights: Sequence[int]) -> list[int]:
    """``amount`` by weight, the rest to the largest remainders: together they are ``amount``."""
    whole = sum(weights)
    if not whole:
        return [amount, *[0] * (len(weights) - 1)]
    given = [amount * weight // whole for weight in weights]
    by_rest = sorted(range(len(weights)), key=lambda n: (-(amount * weights[n] % whole), n))
    for n in by_rest[: amount - sum(given)]:
        given[n] += 1
    return given


def generated(rng: Random) -> Document:
    """One order: its total is put together here in whole minor units, as a till would do it."""
    currency = rng.choice(CURRENCIES)
    digits = numbers.exponent(currency)
    count = rng.choice((1, 1, 2, 3, 7))
    inside = rng.random() < 0.5
    quantities = [rng.choice((1, 2, 3, 10)) for _ in range(count)]
    gross = [rng.randrange(10 ** rng.randrange(1, 8)) * quantity for quantity in quantities]
    discounts = shares(rng.randrange(sum(gross) + 1) if rng.random() < 0.5 else 0, gross)
    net = [one - off for one, off in zip(gross, discounts, strict=True)]
    rate = rng.choice((0, 7, 19, 20, 25))
    taxes = [(one * rate * 2 + 100) // 200 for one in net]
    shipping, off = rng.choice((0, 490, 1)), rng.choice((0, 0, 1, 100))
    total = sum(net) + shipping - off + (0 if inside else sum(taxes))

    def text(amount: int) -> str:
        shown = format(Decimal(amount).scaleb(-digits), "f")
        return shown + "0" * rng.choice((0, 0, 2)) if "." in shown else shown

    order = {
        "order_number": "1",
        "placed_at": "2026-11-02T10:00:00Z",
        "currency": currency,
        "grand_total": text(total),
        "shipping_total": text(shipping),
        "discount_total": text(off),
        "prices_include_tax": "yes" if inside else "no",
    }
    lines = [
        {
            "line_number": n + 1,
            "sku": f"SKU-{n}",
            "quantity": str(quantities[n]),
            "line_discount": text(discounts[n]),
            "line_total": text(net[n]),
            "line_tax": text(taxes[n]),
        }
        for n in range(count)
    ]
    file = {"modified_at": "2026-11-02T10:00:00+00:00", "timezone": "UTC"}
    body = msgspec.json.encode({"order": order, "lines": lines, "file": file})
    return Document(body, currency, total, tuple(net))


def unexplained(document: Document, mapping: Definition) -> int:
    """Minor units that differ between what was written and what was read, all parts together.

    Raises ``MappingError`` where it is not read at all.
    """
    order: c.Order = mapping.apply(document.body).record
    found = [line.line_total for line in order.lines]
    lines = sum(abs(a - b) for a, b in zip(found, document.lines, strict=True))
    back = int(
        numbers.major_units(order.grand_total, order.currency).scaleb(
            numbers.exponent(document.currency)
        )
    )
    return (
        lines
        + abs(order.grand_total - document.grand_total)
        + abs(back - document.grand_total)
        + abs(totals.calculated_total(order) - order.grand_total)
    )


def checked(documents: int, seed: int, budget: Budget | None = None) -> tuple[int, list[str]]:
    """(documents looked at, what does not hold of them), each with the seed of its own."""
    mapping = Definitions.load()["csvdrop.orders"]
    violations, number = list[str](), -1
    for number in (budget or Budget()).over(range(documents)):
        document = generated(Random(f"{seed}.{number}"))
        try:
            off = unexplained(document, mapping)
        except MappingError as error:
            violations.append(f"the reader: {seed}.{number} was refused: {str(error)[:200]}")
            continue
        if off:
            violations.append(
                f"the sums: {seed}.{number}: {off} minor units of {document.currency}"
            )
    return number + 1, violations


def float_paths(root: Path = Path(__file__).parents[1]) -> list[str]:
    """Places where something that bears the name of money becomes a binary fraction."""
    found: list[str] = []
    for package in _PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            place = path.relative_to(root).as_posix()
            # Routing weighs what a parcel would cost; nothing of that is ever booked.
            if "/routing/" in place or "/simulation/" in place or "migrations" in place:
                continue
            found += _floats(place, path.read_text(encoding="utf-8"))
    return found


def _floats(place: str, source: str) -> Iterator[str]:
    for function in ast.walk(ast.parse(source)):
        if not isinstance(function, ast.FunctionDef):
            continue
        if {(place, "*"), (place, function.name)} & _FLOATS:
            continue
        for call in ast.walk(function):
            if _is_float_of_money(call):
                yield f"no float: {place}:{function.name}: {ast.unparse(call)}"


def _is_float_of_money(node: ast.AST) -> bool:
    if not isinstance(node, ast.Call) or ast.unparse(node.func) != "float":
        return False
    said = " ".join(ast.unparse(argument).lower() for argument in node.args)
    return any(word in said for word in _MONEY)


def prove(size: Size, seed: int = 1, budget_s: float | None = None) -> Evidence:
    """The goal at one of its sizes. ``budget_s``: real seconds; null: all documents."""
    command = f"python -m proof G17 --size {size} --seed {seed}"
    found = counted(DOCUMENTS[size], seed, command, Budget(budget_s))
    return replace(found, figures={**found.figures, **reached(size, found.runs, DOCUMENTS[size])})


def counted(documents: int, seed: int, command: str = "", budget: Budget | None = None) -> Evidence:
    """So many documents, the look at the source, and the planted bugs."""
    with measured() as cost:
        planted = {bug.name: _noticed(bug) for bug in _bugs()}
        runs, violations = checked(documents, seed, budget)
        violations += float_paths()
        floats = list(_floats("sync/x.py", "def f(amount):\n    return float(amount) / 100\n"))
        planted["an amount becomes a float"] = floats[0] if floats else None
    return Evidence(
        claim="G17",
        title="Money to the minor unit",
        command=command,
        runs=runs,
        unit="documents",
        seeds=str(seed),
        violations=violations,
        planted=planted,
        figures={"unexplained minor units": len(violations), "currencies": len(CURRENCIES)},
        cpu_s=cost.cpu_s,
    )


def _noticed(bug: Planted) -> str | None:
    numbers._text_in_minor_units.cache_clear()
    with bug.in_place():
        _, found = checked(200, 2)
    numbers._text_in_minor_units.cache_clear()
    return found[0][:120] if found else None


def _bugs() -> list[Planted]:
    plain: Any = numbers._plain_minor_units

    def two_digits(value: str, _digits: int, *, rounded: bool) -> int | None:
        found: int | None = plain(value, 2, rounded=rounded)
        return found

    def through_float(value: str, digits: int, **_: bool) -> int:
        return int(float(value) * 10**digits)

    def without_adjustments(order: c.Order) -> int:
        return sum(line.line_total for line in order.lines)

    return [
        Planted("every currency has two digits", [(numbers, "_plain_minor_units", two_digits)]),
        Planted("amounts pass through a float", [(numbers, "_plain_minor_units", through_float)]),
        Planted("only lines are added up", [(totals, "calculated_total", without_adjustments)]),
    ]
