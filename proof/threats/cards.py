"""T24: numbers of cards that buyers write where they do not belong: none gets into the store."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from random import Random
from typing import Any

import httpx
import msgspec
from sqlalchemy import select

from proof.planting import Planted
from proof.threats import rig as rigs
from proof.threats.check import Checked, verdict
from proof.threats.rig import LABELS, SHOP, Rig
from sandbox.people import PEOPLE
from state import card_numbers, inbox
from state import tables as t

NUMBERS = 10_000
ORDERS = 5
"""That carry one number in every field of theirs through a whole hub."""
_ISSUERS = {"4": (13, 16, 19), "51": (16,), "2221": (16,), "34": (15,), "6011": (16,), "62": (16,)}
_AROUND = ("{}", "my card {} thanks", "{}\nexp 11/29", "No.{};cvc 123", "card: {}.", "({})")
FIELDS = (
    *("customer_note", "gift_message", "comments", "comment", "delivery_instructions", "remark"),
    *("messageToSeller", "buyer_note", "note", "notes", "memo", "gift_text", "order_comments"),
    *("instructions", "remarks", "message", "text", "card", "card_number", "giftMessageText"),
    *("first_name", "last_name", "firstName", "lastName", "company", "companyName", "address_1"),
    *("address_2", "addressLine1", "street"),
)
_OF_ORDERS = ("first_name", "last_name", "company", "address_1", "address_2")


def t24(numbers: int = NUMBERS) -> Checked:
    """Numbers in notes, names and addresses: in what is kept of a payload, and in every row of a
    hub that took orders with them."""
    violations, met = _t24(numbers)
    bugs = (
        Planted("payloads are kept as they come", [(inbox, "without_card_numbers", bytes)]),
        Planted(
            "numbers in groups are none", [(card_numbers, "_NUMBER", re.compile(r"\d{13,19}"))]
        ),
        Planted("names and streets are nobody's text", [(card_numbers, "_WRITTEN", _NOTES)]),
    )
    planted = {}
    for bug in bugs:
        with bug.in_place():
            planted[f"T24: {bug.name}"] = verdict(_t24(300)[0])
    figure = (
        f"{numbers:,} numbers in {len(FIELDS)} fields of payloads and {met} in orders of a whole"
        " hub, 0 kept"
    )
    return Checked("T24", numbers + met, figure, violations, planted)


_NOTES = re.compile(r"note|comment|messag|instruct|remark|memo|gift|text|card", re.IGNORECASE)


def _t24(numbers: int) -> tuple[list[str], int]:
    rng = Random(24)
    violations = []
    for place in range(numbers):
        field, written = FIELDS[place % len(FIELDS)], _written(rng)
        payload = {"id": place, "order": [{field: rng.choice(_AROUND).format(written)}]}
        kept = inbox.received(str(place), msgspec.json.encode(payload)).body
        if written.encode() in kept:
            violations.append(f"in {field}: {written} is kept")
    told, met = _through_a_hub(rng)
    return violations + told, met


def _written(rng: Random) -> str:
    """The number of a card, as somebody types it."""
    begin = rng.choice([*_ISSUERS])
    left = rng.choice(_ISSUERS[begin]) - len(begin) - 1
    digits = begin + "".join(rng.choices("0123456789", k=left))
    digits += next(last for last in "0123456789" if _adds_up(digits + last))
    return rng.choice(("", " ", "-")).join(digits[n : n + 4] for n in range(0, len(digits), 4))


def _adds_up(digits: str) -> bool:
    """Luhn's check digit, not as the product computes it."""
    doubled = [int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(digits))]
    return sum(sum(divmod(one, 10)) for one in doubled) % 10 == 0


# ---- a whole hub ------------------------------------------------------------------------------


def _through_a_hub(rng: Random) -> tuple[list[str], int]:
    """What of the numbers is found in any row, and how many of them reached the hub."""
    sent: list[str] = []

    def number() -> str:
        sent.append(_written(rng))
        return sent[-1]

    def rewrite(_: httpx.Request, answer: Any) -> Any:
        for one in answer if isinstance(answer, list) else ():
            if isinstance(one, dict) and "line_items" in one:
                one["customer_note"] = f"please charge {number()}"
                for party in ("billing", "shipping"):
                    one[party].update({name: number() for name in _OF_ORDERS})
        return answer

    with rigs.opened() as rig:
        for person in PEOPLE[:ORDERS]:
            rig.buy(person, "MUG-BLUE")
        rig.network.rewrite = rewrite
        rig.clock.advance(1800)
        for job, connection in (("pull-orders", SHOP), ("allocate", None), ("push", LABELS)):
            rig.once(job, connection)
        found = {where for where, text in _rows(rig) if any(one in text for one in sent)}
        taken = _orders(rig)
    told = [f"{where} holds the number of a card" for where in sorted(found)]
    if taken < ORDERS:
        told.append(f"{taken} of {ORDERS} orders were taken, so nothing is proven")
    return told, len(sent)


def _orders(rig: Rig) -> int:
    with rig.store.read() as conn:
        return len(conn.execute(select(t.sales_order.c.id)).all())


def _rows(rig: Rig) -> Iterator[tuple[str, str]]:
    """Every value of the store as text, and every payload unpacked."""
    with rig.store.read() as conn:
        for table in t.metadata.sorted_tables:
            for row in conn.execute(select(table)).mappings():
                yield from ((f"{table.name}.{name}", str(value)) for name, value in row.items())
        held: Sequence[Any] = conn.execute(select(t.inbox)).all()
        yield from (("inbox", text.decode()) for text in inbox.texts(conn, held))
