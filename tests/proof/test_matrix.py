"""The fault matrix names tests that there are, and says what is missing where there are none."""

from __future__ import annotations

import ast
import tomllib
from typing import Any

from tests.conftest import REPOSITORY


def rows() -> list[dict[str, Any]]:
    with (REPOSITORY / "proof" / "matrix.toml").open("rb") as file:
        found: list[dict[str, Any]] = tomllib.load(file)["row"]
    return found


def functions(path: str) -> set[str]:
    tree = ast.parse((REPOSITORY / path).read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_every_test_that_the_matrix_names_is_there() -> None:
    named = {test for row in rows() for test in row["covered"]}
    missing = {
        test
        for test in named
        for path, _, name in (test.partition("::"),)
        if name not in functions(path)
    }
    assert len(named) > 60
    assert missing == set()


def test_every_row_is_there_once_and_says_how_or_what_is_missing() -> None:
    numbers = [row["number"] for row in rows()]
    assert numbers == sorted(set(numbers))
    for row in rows():
        assert set(row) <= {"number", "title", "covered", "how", "gap"}
        assert 1 <= row["number"] <= 100
        assert row.get("how") if row["covered"] else row.get("gap"), row["number"]


def test_every_test_that_names_a_row_is_in_it() -> None:
    listed = {(row["number"], test.partition("::")[2]) for row in rows() for test in row["covered"]}
    folder = REPOSITORY / "tests" / "faults"
    for path in folder.glob("test_*.py"):
        for name in functions(f"tests/faults/{path.name}"):
            if name.startswith("test_fault_row_"):
                assert (int(name.split("_")[3]), name) in listed, name
