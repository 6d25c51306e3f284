"""A support bundle shows the same problem again elsewhere, and nobody in it can be recognised."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import Ambiguous, Rejected
from proof import bundle_replay
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


def test_a_word_of_a_title_that_is_part_of_a_sku_is_no_leak() -> None:
    redactor = Redactor({"HOODIE-GREY-S"})
    redactor.learn({"name": "Hoodie Grey"})
    assert redactor.leaks('{"sku": "HOODIE-GREY-S"}') == []
    assert redactor.leaks('{"note": "a Hoodie for you"}') == ["Hoodie"]


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
    assert redactor.leaks('{"code":"MUG-BLUE"}') == []
    assert redactor.leaks('{"code":"MUG-BLUE","buyer":"Ada Blue"}') == ["Blue"]
