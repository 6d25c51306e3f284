"""What a definition reads, and how: whatever it is, the decoded part of a payload is enough."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from mappings import Definition, DefinitionsInvalid
from mappings.compiler import Typed, typed
from mappings.jmespath_runtime import FAILURES
from mappings.limits import DEPTH, Steps
from tests.mappings.test_expressions import DOCUMENTS, EXPRESSIONS

Define = Callable[[str], Definition]

_KEY = st.sampled_from(["a", "b", "c", '"a b"', '"é"', '"q\\"q"', '""'])
_PATHS = st.lists(_KEY, min_size=1, max_size=3).map(".".join)
_READS = st.one_of(
    _PATHS,
    _PATHS,
    st.tuples(_PATHS, st.sampled_from(["[0]", "[-1]", "[0].b", " | [0]", " | a", "[0] | c"])).map(
        "".join
    ),
    st.tuples(_PATHS, _PATHS).map(" || ".join),
    st.tuples(_PATHS, _PATHS).map(lambda two: f"[{two[0]}, {two[1]}]"),
    st.just("@"),
    EXPRESSIONS,
)
_FROM = st.one_of(
    _READS,
    _READS,
    _READS.map(lambda read: f"^.{read}"),
    _READS.map(lambda read: f"$.context.{read}"),
    st.sampled_from(["^", "$", "$.context"]),
)
Node = dict[str, Any]
_RECORD = st.recursive(
    st.fixed_dictionaries({"fields": st.lists(_FROM, min_size=1, max_size=3)}),
    lambda inner: st.fixed_dictionaries(
        {
            "fields": st.lists(_FROM, max_size=2),
            "below": st.lists(
                st.tuples(st.sampled_from(["one", "each"]), _FROM, st.none() | _FROM, inner),
                min_size=1,
                max_size=2,
            ),
        }
    ),
    max_leaves=4,
)
_OBJECTS = st.recursive(
    DOCUMENTS,
    lambda inner: st.one_of(
        st.dictionaries(st.sampled_from(["a", "b", "c", "a b", "é", 'q"q', ""]), inner, max_size=5),
        st.lists(inner, max_size=3),
    ),
    max_leaves=25,
)


def _lines(node: Node, at: str) -> Iterator[str]:
    yield f"[{at}.fields]"
    yield from (f"f{n} = {{ from = {json.dumps(read)} }}" for n, read in enumerate(node["fields"]))
    for n, (kind, source, when, below) in enumerate(node.get("below", ())):
        yield f"[{at}.{kind}.n{n}]"
        yield f"from = {json.dumps(source)}"
        if when is not None:
            yield f"when = {json.dumps(when)}"
        yield from _lines(below, f"{at}.{kind}.n{n}")


def _made(run: Callable[[], Any]) -> Any:
    try:
        return repr(run())
    except FAILURES:
        return None


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(node=_RECORD, document=_OBJECTS)
def test_any_definition_makes_the_same_of_json(define: Define, node: Node, document: Any) -> None:
    head = 'target = "request"\nsource = "StockUpdate"\n[one.x]\nfrom = "context"'
    try:
        definition = define("\n".join([head, *_lines(node, "one.x")]))
    except DefinitionsInvalid:
        assume(False)
    payload = {"context": document, "aside": [document]}
    plan = typed(definition.plan)
    if plan is None:
        return
    try:
        read = plan.decode(msgspec.json.encode(payload))
    except msgspec.ValidationError:
        return
    as_json = _made(lambda: plan.mapped(read, Steps().spend))
    assert as_json == _made(lambda: definition.compiled(payload, Steps().spend))


_HEAD = 'target = "request"\nsource = "StockUpdate"\n'
_THROUGH = """
[one.x]
from = "context.x"
[one.x.fields]
through = "{path}"
[[one.x.each.n]]
from = "{list}"
when = "{when}"
[one.x.each.n.fields]
z = "b.z"
parent = "{parent}"
[[one.x.each.n]]
from = "{each}"
[one.x.each.n.fields]
b = "b"
[[one.x.one.m]]
from = "{one}"
[one.x.one.m.fields]
b = "b"
root = "{root}"
"""
"""Reads through keys, with a place for an expression that looks at them in some other way."""
_HARMLESS = {"when": "b", "parent": "b", "each": "d", "one": "d", "root": "b"}
_KEY_BY_KEY = ({"path": "a.b", "list": "d"}, {"path": "c", "list": "a"})
_INNER: tuple[Any, ...] = ({}, {"b": 1}, {"b": {"z": 1}, "z": "2"}, None, "", 0, {"b": []})


def _with(place: str, expression: str) -> str:
    """A definition that has the expression in that place, beside objects and beside lists."""
    at = {"parent": f"^.@ | {expression}", "root": f"$.context.x | {expression}"}
    texts = [_HEAD]
    for reads, name in zip(_KEY_BY_KEY, "xy", strict=True):
        text = _THROUGH
        for part, found in {**_HARMLESS, **reads, place: at.get(place, expression)}.items():
            text = text.replace(f"{{{part}}}", found)
        texts.append(text.replace("one.x", f"one.{name}").replace("context.x", f"context.{name}"))
    return "".join(texts)


def _compared(definition: Definition, plan: Typed, payload: Any) -> bool:
    try:
        read = plan.decode(msgspec.json.encode(payload))
    except msgspec.ValidationError:
        return False
    made = _made(lambda: definition.compiled(payload, Steps().spend))
    assert _made(lambda: plan.mapped(read, Steps().spend)) == made
    return True


@pytest.mark.parametrize("place", list(_HARMLESS))
@pytest.mark.parametrize(
    "expression",
    [
        *("a", "@", "[a]", "{x: a}", "!a", "a == `{}`", "a == `[]`", "a && 'x'", "a || 'x'"),
        *("length(a)", "keys(a)", "to_string(@)", "not_null(a)", "a.*", "*", "a[*].z", "a[?z].z"),
        *("a[]", "a[0:1]", "a[::-1]", "map(&z, a)", "sort_by(a, &z)", "a | @", "a | keys(@)"),
        *("[a.b, a]", "(a || `1`).z", "a[0]", "a | [0]", "a[-1].z", "a[0] | z", "a[0].b", "a.z"),
        *("b", "b.z"),
    ],
)
def test_what_is_looked_at_as_a_whole_is_decoded_as_it_is(
    define: Define, expression: str, place: str
) -> None:
    definition = define(_with(place, expression))
    plan = typed(definition.plan)
    assert plan is not None
    compared = 0
    for one in _INNER:
        for a in (one, [one], [one, {"z": "1"}], []):
            for name in "xy":
                compared += _compared(definition, plan, {"context": {name: {"a": a, "c": 3}}})
    assert compared > 5


@pytest.mark.parametrize(
    ("path", "around"),
    [
        (".".join("a" * (DEPTH - 1)), '{"a":%s}'),
        ("[0]" * (DEPTH - 2), "[%s]"),
        ("[0].a" * (DEPTH // 3), '[{"a":%s}]'),
    ],
)
def test_a_path_as_deep_as_may_be_is_decoded_along(define: Define, path: str, around: str) -> None:
    body = f'target = "StockCount"\n[fields]\non_hand = {{ value = 1 }}\nsku = "a.{path}"'
    definition = define(body.replace(".[", "["))
    text = '"A"'
    for _ in range(path.count("a") or path.count("[")):
        text = around % text
    record = definition.apply(f'{{"a": {text}}}'.encode()).record
    assert record.sku == "A"
    assert definition.typed is not None
