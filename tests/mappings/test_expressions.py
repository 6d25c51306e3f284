"""Plain paths run as closures: they must say what the reference implementation says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jmespath
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jmespath.exceptions import JMESPathError

from mappings.expressions import BadExpression, Scope, parse, truthy
from mappings.problems import Unfit

_KEYS = st.sampled_from(["a", "b", "c"])
_DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2) | st.sampled_from(["", "x"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=3),
    max_leaves=12,
)
_EXPRESSIONS = st.recursive(
    _KEYS | st.just("@"),
    lambda inner: (
        st.tuples(inner, _KEYS).map(".".join)
        | st.tuples(inner, inner).map(lambda pair: f"({pair[0]} || {pair[1]})")
        | st.lists(inner, min_size=1, max_size=3).map(lambda parts: f"[{', '.join(parts)}]")
        | inner.map(lambda part: f"({part})[0]")
        | inner.map(lambda part: f"({part})[?a]")
        | inner.map(lambda part: f"!({part})")
    ),
    max_leaves=5,
)


def read(expression: str, item: Any, parent: Any = None, root: Any = None) -> Any:
    return parse(expression).read(Scope(item, parent, root))


@given(_EXPRESSIONS, _DOCUMENTS)
def test_a_closure_answers_what_jmespath_answers(expression: str, document: Any) -> None:
    assert read(expression, document) == jmespath.search(expression, document)


@given(_DOCUMENTS)
def test_truth_is_the_truth_of_jmespath(document: Any) -> None:
    assert truthy(document) is bool(jmespath.search("@ && `true`", document))


@pytest.mark.filterwarnings("ignore:deprecated string literal:PendingDeprecationWarning")
def test_the_official_compliance_suite_passes(specs: Path) -> None:
    ran = 0
    for file in sorted((specs / "jmespath").glob("*.json")):
        if file.name == "SOURCE.json":
            continue
        for suite in json.loads(file.read_text(encoding="utf-8")):
            for case in suite["cases"]:
                if "result" in case:
                    found = read(case["expression"], suite["given"])
                    assert found == case["result"], (file.name, case["expression"])
                    ran += 1
                elif "error" in case:
                    with pytest.raises((BadExpression, Unfit)):
                        read(case["expression"], suite["given"])
                    ran += 1
    assert ran > 800


@pytest.mark.parametrize(
    ("expression", "found"),
    [("x", "item"), ("^.x", "parent"), ("$.x", "root"), ("$", {"x": "root"}), ("@.x", "item")],
)
def test_the_prefix_says_where_an_expression_looks(expression: str, found: Any) -> None:
    assert read(expression, {"x": "item"}, {"x": "parent"}, {"x": "root"}) == found


@pytest.mark.parametrize("expression", ["a.", "a[", "a || $.b", "sum(", "a.{b}"])
def test_what_is_no_expression_is_refused_with_its_text(expression: str) -> None:
    with pytest.raises(BadExpression, match="not an expression") as caught:
        parse(expression)
    assert repr(expression) in str(caught.value)


def test_a_failure_of_the_interpreter_is_a_problem_of_the_payload() -> None:
    with pytest.raises(JMESPathError):
        jmespath.search("length(a)", {"a": 1})
    with pytest.raises(Unfit, match="JMESPathTypeError"):
        read("length(a)", {"a": 1})


def test_only_plain_paths_have_a_path() -> None:
    assert parse("a.b.c").path == ("a", "b", "c")
    assert parse("$.a").path == ("a",)
    assert parse("a || b").path is None
    assert parse("a[0].b").path is None
