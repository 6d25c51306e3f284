"""Buyers whose every word can be found again, wherever it was copied to."""

from __future__ import annotations

import re
from typing import Any

from proof.canaries import found_in_store
from state.store import Store
from sync import allocation, drain, intake
from tests.sync.conftest import Bench, woo_order


def email_of(number: int) -> str:
    return f"canary{number}mail@example.org"


def address_of(number: int) -> dict[str, str]:
    """As WooCommerce spells it."""
    return {
        "first_name": f"Canary{number}first",
        "last_name": f"Canary{number}last",
        "company": f"Canary{number}company",
        "address_1": f"Canary{number}street 7",
        "address_2": f"Canary{number}floor",
        "city": f"Canary{number}city",
        "postcode": "10117",
        "country": "DE",
        "phone": f"+49 30 canary{number}",
    }


def order_of(number: int, lines: dict[str, int], **given: Any) -> dict[str, Any]:
    own = {
        "customer_note": f"Canary{number}note: ring twice",
        "billing": {**address_of(number), "email": email_of(number).title()},
        "shipping": address_of(number),
    }
    return woo_order(number, lines, **{**own, **given})


def take(bench: Bench, *payloads: dict[str, Any]) -> Any:
    bench.shop.pages = [list(payloads)]
    return bench.run(intake.pull_orders, "shop")


def ship(bench: Bench) -> None:
    """Plan what was taken in, buy its labels, and tell the shop."""
    bench.run(allocation.allocate)
    for name in ("labels", "bob", "shop"):
        bench.run(drain.push, name)


def shipped(bench: Bench, *numbers: int) -> None:
    """Orders 1, 2 ... of one A each, taken in and sent."""
    bench.put("A", "berlin", len(numbers))
    take(bench, *(order_of(number, {"A": 1}) for number in numbers))
    ship(bench)


def canaries(store: Store, *numbers: int) -> list[str]:
    """Where words of these buyers still are: columns of the store, compressed payloads among
    them, and on SQLite the bytes of its files, freed pages and log too."""
    numbered = "|".join(map(str, numbers)).encode()
    return found_in_store(store, re.compile(rb"(?i)canary(?:%s)[a-z]" % numbered))
