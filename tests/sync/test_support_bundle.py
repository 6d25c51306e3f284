"""A support bundle shows the same problem again elsewhere, and nobody in it can be recognised."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.base import Outcome, Push
from connectors.errors import Ambiguous, Rejected
from proof import bundle_replay
from sandbox.people import PEOPLE
from sync import allocation, drain, intake, shipping
from sync.support.capture import capture
from sync.support.redaction import Redactor
from tests.sync.conftest import Bench, woo_order
from tests.sync.test_shipments import reported

CANARIES = {
    "first_name": "Zebediah",
    "last_name": "Quackenbush",
    "company": "Plumbus Works",
    "address_1": "Xylophonweg 77b",
    "city": "Nowherehausen",
    "postcode": "98765",
    "phone": "+49 30 77665544",
    "email": "zebediah.q@gmail.com",
    "country": "DE",
}
NOTE = "Please ring twice for Grandma Quackenbush, code 4711-0815"


def order(lines: dict[str, int], **given: Any) -> dict[str, Any]:
    shipping = {name: value for name, value in CANARIES.items() if name != "email"}
    return woo_order(1, lines, **given) | {
        "billing": CANARIES,
        "shipping": shipping,
        "customer_note": NOTE,
        "meta_data": [
            {"id": 7, "key": "_nickname", "value": "Quackenbush"},
            {"id": 8, "key": "_courier_hint", "value": "call +493077665544 Zebediah"},
        ],
    }


def unmapped_sku(bench: Bench) -> dict[str, Any]:
    bench.put("A", "berlin", 5)
    return order({"A": 1, "UNKNOWN-1": 1})


def total_variance(bench: Bench) -> dict[str, Any]:
    bench.put("A", "berlin", 5)
    return order({"A": 1}, total="99.00")


def refused_by_the_3pl(bench: Bench) -> dict[str, Any]:
    bench.put("B", "jersey", 5)
    message = "cannot deliver to Zebediah Quackenbush, 98765 Nowherehausen"
    bench.warehouse.answers = [{"status": "rejected", "code": "address", "message": message}]
    return order({"B": 2})


def label_in_review(bench: Bench) -> dict[str, Any]:
    bench.put("A", "berlin", 5)
    bench.carrier.answers = [Ambiguous("the reply was lost")]

    def refuse(_reference: str) -> None:
        raise Rejected("the look-up is not allowed")

    bench.carrier.find_label = refuse  # type: ignore[assignment]
    return order({"A": 1})


def no_location(bench: Bench) -> dict[str, Any]:
    return order({"A": 3})


def more_left_than_ordered(bench: Bench) -> dict[str, Any]:
    bench.put("B", "jersey", 5)
    placed = bench.warehouse.push_fulfilment_orders

    def push(requests: Mapping[str, Any]) -> Any:
        for one in requests.values():
            parcel = reported(one.reference, "s1", "1Z1", "B", "3")
            bench.warehouse.shipments.append(parcel | {"contact": "Zebediah Quackenbush"})
        return placed(requests)

    bench.warehouse.push_fulfilment_orders = push  # type: ignore[method-assign]
    return order({"B": 2})


PROBLEMS: dict[Callable[[Bench], dict[str, Any]], list[str]] = {
    unmapped_sku: ["line/unmapped"],
    total_variance: ["hold/total_variance"],
    refused_by_the_3pl: ["hold/manual", "intent/fulfilment_order/rejected"],
    label_in_review: ["intent/label/review"],
    no_location: ["waits"],
    more_left_than_ordered: ["hold/manual"],
}


def bundled(bench: Bench, folder: Path) -> tuple[Path, dict[str, Any]]:
    """The order's bundle as a file, as ``crossdock bundle`` writes it."""
    with bench.store.read() as conn:
        link = bench.hub.links["shop"]
        document = capture(conn, bench.hub, link, "1", {}, bench.clock.now())
    path = folder / "1.bundle.json.zst"
    path.write_bytes(zstandard.ZstdCompressor().compress(msgspec.json.encode(document)))
    return path, document


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda problem: str(problem.__name__))
def test_a_problem_is_reproduced_from_its_bundle_without_the_person(
    bench: Bench, tmp_path: Path, problem: Callable[[Bench], dict[str, Any]]
) -> None:
    bench.shop.pages = [[problem(bench)]]
    bench.run(intake.pull_orders, "shop")
    for _ in range(3):
        bench.run(allocation.allocate)
        bench.run(drain.push, "labels")
        bench.run(drain.push, "bob")
        bench.run(shipping.pull_shipments, "bob")
        # A look-up that is refused is given up after six hours.
        bench.clock.advance(4 * 3600)
    path, document = bundled(bench, tmp_path)
    assert document["problems"] == PROBLEMS[problem]
    replayed = bundle_replay.replay(path)
    assert replayed.seen == replayed.told
    assert replayed.same
    written = zstandard.ZstdDecompressor().decompressobj().decompress(path.read_bytes())
    told = written.decode().casefold()
    named = [*CANARIES.values(), "Quackenbush", "Grandma", "4711-0815", "77665544"]
    assert [one for one in named if len(one) > 2 and one.casefold() in told] == []


def test_what_an_edit_after_the_hand_over_did_is_done_in_that_order_again(
    bench: Bench, tmp_path: Path
) -> None:
    bench.put("B", "jersey", 5)
    bench.shop.pages = [[order({"B": 2})]]
    bench.run(intake.pull_orders, "shop")
    bench.run(allocation.allocate)
    bench.run(drain.push, "bob")
    bench.clock.advance(600)
    edited = order({"B": 1}, date_modified_gmt="2026-11-02T11:00:00")
    bench.shop.pages = [[edited]]
    bench.run(intake.pull_orders, "shop")
    path, document = bundled(bench, tmp_path)
    assert document["problems"] == ["hold/edited_after_release"]
    assert bundle_replay.replay(path).same


def refused(bench: Bench) -> None:
    bench.warehouse.refuse_cancel = True


def agreed(_bench: Bench) -> None:
    pass


def taken_for_later(bench: Bench) -> None:
    def take(asked: Mapping[str, str]) -> Sequence[Outcome]:
        return [Outcome(key, "accepted") for key in asked]

    bench.warehouse.cancel_fulfilment_orders = take  # type: ignore[assignment]


def lost(bench: Bench) -> None:
    def lose(_asked: Mapping[str, str]) -> Sequence[Outcome]:
        raise Ambiguous("the reply was lost")

    bench.warehouse.cancel_fulfilment_orders = lose  # type: ignore[assignment]


STOPS: dict[Callable[[Bench], None], list[str]] = {
    refused: ["hold/cancel_pending", "intent/cancel_fulfilment_order/rejected"],
    agreed: [],
    taken_for_later: ["hold/cancel_pending"],
    lost: ["hold/cancel_pending"],
}


@pytest.mark.parametrize("answer", STOPS, ids=lambda answer: str(answer.__name__))
def test_what_a_location_said_to_a_cancellation_is_said_again(
    bench: Bench, tmp_path: Path, answer: Callable[[Bench], None]
) -> None:
    handed_over_and_cancelled(bench, answer)
    path, document = bundled(bench, tmp_path)
    assert document["problems"] == STOPS[answer]
    assert bundle_replay.replay(path).seen == STOPS[answer]


def handed_over_and_cancelled(bench: Bench, answer: Callable[[Bench], None]) -> None:
    """Work of the 3PL, whose goods now are elsewhere too, where routing would take them."""
    bench.put("B", "jersey", 5)
    bench.shop.pages = [[order({"B": 2})]]
    bench.run(intake.pull_orders, "shop")
    bench.run(allocation.allocate)
    bench.clock.advance(600)
    bench.run(drain.push, "bob")
    bench.put("B", "berlin", 50)
    bench.clock.advance(600)
    answer(bench)
    cancelled = order({"B": 2}, status="cancelled", date_modified_gmt="2026-11-02T11:00:00")
    bench.shop.pages = [[cancelled]]
    bench.run(intake.pull_orders, "shop")
    bench.clock.advance(60)
    bench.run(drain.push, "bob")
    bench.clock.advance(60)


def test_goods_that_left_after_a_refused_cancellation_leave_after_it_again(
    bench: Bench, tmp_path: Path
) -> None:
    handed_over_and_cancelled(bench, refused)
    [reference] = bench.warehouse.taken
    bench.warehouse.shipments.append(reported(reference, "s1", "1Z1", "B", "2"))
    bench.run(shipping.pull_shipments, "bob")
    path, document = bundled(bench, tmp_path)
    assert document["problems"] == ["hold/manual", "intent/cancel_fulfilment_order/rejected"]
    assert bundle_replay.replay(path).same


def test_a_word_of_a_title_that_is_part_of_a_sku_is_no_leak() -> None:
    redactor = Redactor({"HOODIE-GREY-S"})
    redactor.learn({"name": "Hoodie Grey"})
    assert redactor.leaks({"sku": "HOODIE-GREY-S"}) == []
    assert redactor.leaks({"note": "a Hoodie for you"}) == ["note"]


def test_a_bundle_that_lacks_what_it_hangs_on_is_told_from_a_whole_one(
    bench: Bench, tmp_path: Path
) -> None:
    bench.shop.pages = [[total_variance(bench)]]
    bench.run(intake.pull_orders, "shop")
    path, document = bundled(bench, tmp_path)
    document["payloads"][0]["body"]["total"] = "15.00"
    path.write_bytes(zstandard.ZstdCompressor().compress(msgspec.json.encode(document)))
    assert not bundle_replay.replay(path).same
    path.write_bytes(b"no bundle")
    with pytest.raises(ValueError, match="no support bundle"):
        bundle_replay.load(path)


@given(text=st.text(min_size=4, max_size=40))
def test_a_pseudonym_has_the_length_and_the_alphabet_of_the_value(text: str) -> None:
    drawn = Redactor(()).document({"address_1": text})["address_1"]
    if "@" in text or "://" in text:
        return
    assert len(drawn) == len(text)
    assert [c.isdigit() for c in drawn] == [c.isdigit() for c in text]
    assert [c.isspace() for c in drawn] == [c.isspace() for c in text]


def test_the_same_value_has_the_same_pseudonym_and_another_bundle_another_one() -> None:
    first, other = Redactor(()), Redactor(())
    twice = first.document([{"name": "Zebediah Quackenbush"}, {"name": "Zebediah Quackenbush"}])
    assert twice[0] == twice[1]
    assert twice[0] != other.document({"name": "Zebediah Quackenbush"})
    mail = first.document({"email": "zeb@gmail.com"})["email"]
    assert mail.endswith("@freemail.example")
    assert first.document({"total": "12.50", "sku": "A-1", "country": "DE"})["total"] == "12.50"


def test_a_word_of_our_sku_is_no_leak_and_alone_it_is() -> None:
    redactor = Redactor(["MUG-BLUE"])
    redactor.learn({"name": "Blue"})
    assert redactor.leaks({"code": "MUG-BLUE"}) == []
    assert redactor.leaks({"code": "MUG-BLUE", "buyer": "Ada Blue"}) == ["buyer"]


SAID = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=24),
    st.sampled_from(("payment manual", "billing", "Example Company", "0000", "1000", "00 00 00")),
    st.from_regex(r"\+?[0-9]{2,3} [0-9]{2,4} [0-9]{3,4} ?[0-9]{0,4}", fullmatch=True),
    st.from_regex(r"[0-9]{3,6}", fullmatch=True),
    st.sampled_from(PEOPLE).flatmap(
        lambda one: st.sampled_from([one.full_name, one.street, one.city, one.phone, one.postcode])
    ),
)
"""What people type: also what our own words, facts and pseudonyms are made of."""


@settings(max_examples=60)
@given(st.tuples(SAID, SAID, SAID, SAID, SAID), st.emails(), SAID)
def test_whatever_a_buyer_types_is_taken_out_and_the_rest_stays(
    typed: tuple[str, ...], mail: str, named: str
) -> None:
    redactor = Redactor({"A-1", "billing", "total"})
    keys = ("first_name", "address_1", "postcode", "phone", "customer_note")
    body = {
        **dict(zip(keys, typed, strict=True)),
        "email": mail,
        "meta": [{"key": named, "value": one} for one in typed],
        "total": "12.50",
        "number": 1000,
        "paid": True,
        "refund": None,
    }
    redactor.learn(body)
    summary = redactor.sentence(f"refused: {', '.join(typed)}".upper())
    document = redactor.document(body) | {"summary": summary}
    assert redactor.leaks(document) == []
    assert (document["total"], document["number"]) == ("12.50", 1000)
    told = str(list(document.values())).casefold()
    canaries = [one for one in (*typed, mail) if sum(c.isalnum() for c in one) >= 5]
    kept = ("billing", "total")
    assert [one for one in canaries if one.casefold() in told and one not in kept] == []


def test_nothing_comes_out_as_it_was_not_even_zeros() -> None:
    for text in ("0000", "0100", "00 00 00", "ªªªª", "王小明", "🌻🌻🌻🌻", "Li"):
        drawn = {Redactor(()).value(text) for _ in range(50)}
        assert text not in drawn


def test_what_is_found_left_is_told_by_its_place_alone() -> None:
    redactor = Redactor(())
    redactor.learn({"first_name": "Zebediah"})
    document = {"events": [{}, {"said": "Zebediah", "zebediah": {"x": "to Zebediah!"}}]}
    places = ["events[1].?.x", "events[1].said", "the names in events[1]"]
    assert redactor.leaks(document) == places


PLAIN = {"country": "DE", "email": "o@shop.example"}
BUYERS = [
    *(
        {
            "first_name": one.first,
            "last_name": one.last,
            "company": one.company,
            "address_1": one.street,
            "address_2": one.street2,
            "city": one.city,
            "state": one.state,
            "postcode": one.postcode,
            "country": one.country,
            "phone": one.phone,
            "email": f"buyer{number}@shop.example",
        }
        for number, one in enumerate(PEOPLE)
    ),
    PLAIN
    | {"first_name": "A", "city": "1000 Bruxelles", "postcode": "1000", "address_1": "W 1000"},
    PLAIN | {"first_name": "Example", "company": "Company Hold", "phone": "+44 20 0100 0000"},
    PLAIN | {"first_name": "Warehouse", "last_name": "Planned", "address_1": "Released 12345"},
]


KNOWN_WORDS = ("planned", "released", "warehouse", "example", "company")
"""Names that are words of our own, too."""


def test_a_bundle_is_written_for_every_buyer_and_holds_none_of_them(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_once = Push(1000, "absolute", at_once=1000)
    pushes = {**bench.shop.info.pushes, "push_stock": at_once}
    monkeypatch.setattr(bench.shop, "info", replace(bench.shop.info, pushes=pushes))
    note = "hold the payment of 1000, billing was planned on 2026-11-02"
    given = [
        woo_order(number, {"A": 1}, billing=who, shipping=who, customer_note=note)
        for number, who in enumerate(BUYERS, start=1)
    ]
    bench.put("A", "berlin", 500)
    bench.shop.pages = [given]
    bench.run(intake.pull_orders, "shop")
    bench.run(allocation.allocate)
    ours = {"berlin"}
    for number, who in enumerate(BUYERS, start=1):
        with bench.store.read() as conn:
            link = bench.hub.links["shop"]
            document = capture(conn, bench.hub, link, str(number), {}, bench.clock.now())
        told = str(document).casefold()
        words = [word for value in who.values() for word in (value, *value.split())]
        named = {one.casefold() for one in words if len(one) >= 5} - ours - set(KNOWN_WORDS)
        assert [one for one in named if one in told] == []
