"""Expressions run as generated Python, which must answer what the reference answers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jmespath
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jmespath.exceptions import JMESPathError

from mappings.expressions import BadExpression, Scope, parse
from mappings.jmespath_runtime import truthy
from mappings.problems import Unfit

_KEYS = st.sampled_from(["a", "b", "c", '"a b"', '"def"'])
DOCUMENTS = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-2, 2)
    | st.sampled_from(["", "x", "ab", 0.0, -0.5, 1.0, "1"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["a", "b", "c", "a b", "def"]), inner, max_size=4)
    ),
    max_leaves=20,
)
_LITERALS = DOCUMENTS.map(lambda value: f"`{json.dumps(value)}`") | st.just("'x'") | st.just("''")
_ONE = [
    "length",
    "abs",
    "avg",
    "ceil",
    "floor",
    "keys",
    "values",
    "max",
    "min",
    "reverse",
    "sort",
    "sum",
    "to_array",
    "to_string",
    "to_number",
    "type",
    "not_null",
    "merge",
]
_TWO = ["contains", "ends_with", "starts_with", "join", "not_null", "merge"]
_BY = ["sort_by", "min_by", "max_by"]


def _composed(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    one = inner.map(lambda part: f"({part})")
    pair = st.tuples(one, one)
    comparison = st.sampled_from(["==", "!=", "<", "<=", ">", ">="])
    several = st.lists(inner, min_size=1, max_size=3)
    bounds = st.sampled_from(["0", "-1", "5", "*", "", "1:", ":2", "::-1", "::2", "-2::", "::0"])
    return st.one_of(
        st.tuples(inner, _KEYS).map(".".join),
        pair.map(" || ".join),
        pair.map(" && ".join),
        pair.map(" | ".join),
        st.tuples(one, comparison, one).map(" ".join),
        one.map(lambda part: f"!{part}"),
        several.map(lambda parts: f"[{', '.join(parts)}]"),
        several.map(lambda parts: f"{{{', '.join(f'k{n}: {p}' for n, p in enumerate(parts))}}}"),
        st.tuples(one, bounds, st.just("") | _KEYS.map(lambda key: f".{key}")).map(
            lambda parts: f"{parts[0]}[{parts[1]}]{parts[2]}"
        ),
        st.tuples(one, inner, st.just("") | _KEYS.map(lambda key: f".{key}")).map(
            lambda parts: f"{parts[0]}[?{parts[1]}]{parts[2]}"
        ),
        st.tuples(one, _KEYS).map(lambda parts: f"{parts[0]}.*.{parts[1]}"),
        st.tuples(st.sampled_from(_ONE), inner).map(lambda parts: f"{parts[0]}({parts[1]})"),
        st.tuples(st.sampled_from(_TWO), pair).map(lambda p: f"{p[0]}({p[1][0]}, {p[1][1]})"),
        st.tuples(st.sampled_from(_BY), pair).map(lambda p: f"{p[0]}({p[1][0]}, &{p[1][1]})"),
        pair.map(lambda parts: f"map(&{parts[0]}, {parts[1]})"),
    )


EXPRESSIONS = st.recursive(_KEYS | st.just("@") | _LITERALS, _composed, max_leaves=8)


def read(expression: str, item: Any, parent: Any = None, root: Any = None) -> Any:
    return parse(expression).read(Scope(item, parent, root))


def answer(search: Callable[[str, Any], Any], expression: str, document: Any) -> Any:
    """What comes out, exactly: 1, 1.0 and true differ. Errors are all alike."""
    try:
        return repr(search(expression, document))
    except (Unfit, JMESPathError, ArithmeticError, AttributeError, TypeError, ValueError):
        return "an error"


@settings(max_examples=600)
@given(EXPRESSIONS, DOCUMENTS)
def test_generated_code_answers_what_the_reference_answers(expression: str, document: Any) -> None:
    assert answer(read, expression, document) == answer(jmespath.search, expression, document)


@given(DOCUMENTS)
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
                expression, document = case["expression"], suite["given"]
                if "error" in case:
                    with pytest.raises((BadExpression, Unfit)):
                        read(expression, document)
                else:
                    # Those of benchmarks.json say no result: there, the reference does.
                    found = read(expression, document)
                    expected = case.get("result", jmespath.search(expression, document))
                    assert found == expected, (file.name, expression)
                ran += 1
    assert ran == 908


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
