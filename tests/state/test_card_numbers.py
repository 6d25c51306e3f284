"""T24: card numbers never get into the store; what only looks like one does."""

from __future__ import annotations

import hashlib
import random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from state import inbox
from state.card_numbers import REMOVED, without_card_numbers

ISSUERS = {
    "4": (13, 16, 19),
    "51": (16,),
    "2221": (16,),
    "34": (15,),
    "6011": (16,),
    "62": (16, 19),
}
SPELLINGS = ("{}", "my card {} thanks", "{}\nexp 11/29", "No.{};cvc 123")
FIELDS = ("customer_note", "gift_message", "comments", "delivery_instructions", "messageToSeller")


def card(rng: random.Random) -> str:
    start = rng.choice([*ISSUERS])
    left = rng.choice(ISSUERS[start]) - len(start) - 1
    digits = start + "".join(rng.choices("0123456789", k=left))
    return digits + next(d for d in "0123456789" if luhn(digits + d))


def luhn(digits: str) -> bool:
    doubled = [int(d) * (1 + i % 2) for i, d in enumerate(reversed(digits))]
    return sum(d - 9 if d > 9 else d for d in doubled) % 10 == 0


def spelled(rng: random.Random, number: str) -> str:
    gap = rng.choice(["", " ", "-"])
    return gap.join(number[i : i + 4] for i in range(0, len(number), 4))


def test_threat_t24_of_ten_thousand_cards_in_notes_none_is_kept() -> None:
    rng = random.Random(24)
    kept = []
    for number in range(10_000):
        written = spelled(rng, card(rng))
        note = rng.choice(SPELLINGS).format(written)
        field = rng.choice(FIELDS)
        payload = msgspec.json.encode({"id": number, "a": [{field: note}], "total": 10.10})
        item = inbox.received(str(number), payload)
        if written.encode() in item.body:
            kept.append(note)
        assert item.sha256 == hashlib.sha256(payload).digest()
        assert b'"total":10.1' in item.body, "figures stay as they were written"
    assert kept == []


@pytest.mark.parametrize(
    "payload",
    [
        {"gtin": "4111111111111111", "id": 4111111111111111},
        {"tracking_number": "4111111111111111"},
        {"url": "https://shop.example/4111111111111111"},
        {"note": "our order 4111111111111112, EAN 4006381333931x"},
        {"note": "00340434161094042557"},
        {"meta_data": [{"key": "_ean", "value": "4000000000006"}]},
        {"meta_data": [{"key": "_mandate", "value": "4786057693235741"}]},
        {"note": "paid as txn_4111111111111111 and ch-4111111111111111"},
        {"reference": "A:4111111111111111"},
        {"note": "call +49 30 5550100 before 2026-11-02 07:00"},
    ],
)
def test_what_only_looks_like_a_card_stays(payload: dict[str, object]) -> None:
    body = msgspec.json.encode(payload)
    assert without_card_numbers(body) == body


def test_a_number_alone_in_a_field_that_people_write_in_goes() -> None:
    body = without_card_numbers(b'{"note":"4111 1111 1111 1111","n":"4111111111111111"}')
    assert body == f'{{"note":"{REMOVED}","n":"4111111111111111"}}'.encode()


@given(st.binary(max_size=200))
def test_whatever_is_not_json_is_left_to_the_mapping(noise: bytes) -> None:
    body = b"4111111111111111 " + noise
    assert without_card_numbers(body).startswith((b"4111111111111111", b"[card"))
