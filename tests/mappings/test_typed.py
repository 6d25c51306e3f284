"""Payloads as JSON: only what is read is decoded, and nothing comes out differently for it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks import woo_orders
from mappings import Definition, Definitions, MappingError
from tests.mappings.test_compiler import (
    VALUES,
    expressions_of,
    invented,
    keys_of,
    outcome,
    vendor_objects,
)

Define = Callable[[str], Definition]

INBOUND = [name for name, one in Definitions.load().items() if one.source is None]


def same_as_decoded(definition: Definition, text: bytes) -> bool:
    """Compare what comes out of JSON and of its content; says whether the typed way did it."""
    payload = msgspec.json.decode(text)
    as_json = outcome(lambda: definition.apply(text))
    assert as_json == outcome(lambda: definition.apply(payload))
    assert as_json == outcome(lambda: definition.collected(payload))
    return definition._of_json(text) is not None


def encoded(document: Any, draw: Random) -> bytes:
    """As some vendor writes it: escaped or not, dense or not, now and then a key twice."""
    text = json.dumps(
        document,
        ensure_ascii=draw.random() < 0.5,
        indent=draw.choice((None, 1)),
        separators=draw.choice(((",", ":"), (" , ", " : "))),
    )
    if isinstance(document, dict) and document and draw.random() < 0.3:
        key = draw.choice(list(document))
        text = f'{{{json.dumps(key)}: {json.dumps(draw.choice(VALUES))}, "x y": 1.5e3, {text[1:]}'
    return text.encode()


def test_every_inbound_definition_decodes_for_itself(definitions: Definitions) -> None:
    untyped = [name for name in INBOUND if definitions[name].typed is None]
    assert untyped == []


def test_orders_of_a_good_day_need_nothing_else(definitions: Definitions) -> None:
    definition = definitions["woocommerce.orders"]
    for number in range(1, 101):
        body = woo_orders.order(number, seed=7)
        for found in (body, {**body, "refunds": woo_orders.refunds(body)}):
            assert same_as_decoded(definition, msgspec.json.encode(found))


def test_real_payloads_come_out_the_same_as_json(definitions: Definitions, specs: Path) -> None:
    found = list(vendor_objects(specs))
    typed_way = dict.fromkeys(INBOUND, 0)
    for name in INBOUND:
        definition = definitions[name]
        keys = {field.expression.text.split(".")[0] for field in definition.plan.fields}
        for payload in found:
            if len(keys & payload.keys()) > 1:
                typed_way[name] += same_as_decoded(definition, msgspec.json.encode(payload))
    assert typed_way["woocommerce.orders"] > 30
    assert typed_way["amazon.orders"] > 20


@settings(max_examples=150)
@given(
    number=st.integers(1, 50),
    places=st.lists(st.integers(0, 10_000), min_size=1, max_size=3),
    values=st.lists(st.sampled_from(VALUES), min_size=3, max_size=3),
    seed=st.integers(0, 1_000),
)
def test_a_spoilt_order_comes_out_the_same_as_json(
    definitions: Definitions,
    spoil: Callable[[Any, int, Any], Any],
    number: int,
    places: list[int],
    values: list[Any],
    seed: int,
) -> None:
    body = woo_orders.order(number, seed=7)
    for place, value in zip(places, values, strict=False):
        body = spoil(body, place, value)
    text = encoded(body, Random(seed))
    same_as_decoded(definitions["woocommerce.orders"], text)
    assert text


@pytest.mark.parametrize("name", INBOUND)
@settings(max_examples=40)
@given(seed=st.integers(0, 10**9))
def test_payloads_made_of_the_keys_of_a_definition_come_out_the_same_as_json(
    definitions: Definitions, name: str, seed: int
) -> None:
    definition = definitions[name]
    keys = set[str]().union(*(keys_of(found.tree) for found in expressions_of(definition.plan)))
    draw = Random(seed)
    text = encoded(invented(sorted(keys), draw), draw)
    same_as_decoded(definition, text)
    assert definition.typed is not None


# ---- what is no payload ------------------------------------------------------------------------

_DEEP = b'{"ref":' + b"[" * 100_000 + b"]" * 100_000 + b"}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "the payload is not JSON: Input data was truncated"),
        (b"{", "the payload is not JSON: Input data was truncated"),
        (b'{"ref": 1}}', "the payload is not JSON: JSON is malformed"),
        (b'\xef\xbb\xbf{"ref": 1}', "the payload is not JSON: JSON is malformed"),
        (b'{"ref": NaN}', "the payload is not JSON: JSON is malformed"),
        (b'{"ref": 1e999}', "the payload is not JSON: Number out of range"),
        (b'{"ref": "\xff"}', "the payload is not JSON: not UTF-8"),
        (b'{"elsewhere": "\xff"}', "the payload is not JSON: not UTF-8"),
        (b'{"\xc0\x80": 1}', "the payload is not JSON: not UTF-8"),
        (b"[1]", "the payload is not an object"),
        (b"null", "the payload is not an object"),
        (b'"{}"', "the payload is not an object"),
        (_DEEP, "the payload is nested too deeply"),
        (_DEEP.replace(b"ref", b"elsewhere"), "the payload is nested too deeply"),
    ],
)
@pytest.mark.parametrize("name", ["shipbob.shipments", "woocommerce.orders"])
def test_what_is_no_json_object_is_one_problem(
    definitions: Definitions, name: str, text: bytes, message: str
) -> None:
    with pytest.raises(MappingError) as caught:
        definitions[name].apply(text)
    (problem,) = caught.value.problems
    assert problem.message.startswith(message)
    assert problem.file == f"{name}.toml"


@given(st.binary(max_size=40) | st.text(max_size=40).map(str.encode))
def test_no_bytes_make_a_mapping_crash(definitions: Definitions, text: bytes) -> None:
    for name in INBOUND:
        with pytest.raises(MappingError) as caught:
            definitions[name].apply(text)
        assert caught.value.problems


COUNT = """
target = "StockCount"
[fields]
sku = "sku.code"
on_hand = "counts[0].on_hand"
"""


def test_only_what_is_read_is_decoded(define: Define) -> None:
    definition = define(COUNT)
    assert definition.typed is not None
    read = definition.typed.decode(
        b'{"sku": {"code": "A", "x": [1]}, "counts": [{"on_hand": 1, "x": 2}], "y": {"z": 1e999}}'
    )
    assert msgspec.to_builtins(read) == {"sku": {"code": "A"}, "counts": [{"on_hand": 1}]}
    assert "f1 = 'sku'" in definition.typed.code.readable()


@pytest.mark.parametrize(
    "text",
    [
        b'{"sku": {"code": "A"}, "counts": [{"on_hand": "7"}]}',
        b'{"s\\u006bu": {"c\\u006fde": "A"}, "counts": [{"on_hand": "7"}]}',
        b'{"sku": 1, "sku": {"code": "A"}, "counts": [{"on_hand": "7"}]}',
        b'{"sku": {"code": "A"}, "counts": [{"on_hand": "7"}, null, 3]}',
    ],
)
def test_another_spelling_of_a_payload_is_the_same_payload(define: Define, text: bytes) -> None:
    record = define(COUNT).apply(text).record
    assert (record.sku, record.on_hand) == ("A", 7)
