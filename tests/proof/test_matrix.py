"""The rows of the fault matrix and the threats name what there is, and say what is missing."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest

from proof import matrix, records
from tests.conftest import REPOSITORY


@cache
def functions(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def is_there(name: str) -> bool:
    """A test (``file::function``), a file or folder of tests, or the module of a proof."""
    path, _, function = name.partition("::")
    if path.startswith("proof."):
        path = f"{path.replace('.', '/')}.py"
    place = REPOSITORY / path
    return place.exists() and (not function or function.split("[")[0] in functions(place))


def test_every_row_is_told_once_and_names_only_what_is_there() -> None:
    rows = matrix.rows()
    faults = [str(n) for n in range(1, 101)]
    threats = [f"T{n}" for n in range(1, 33)]
    assert [row.number for row in rows] == [*faults, *threats]
    named = {name for row in rows for name in row.covered}
    assert len(named) > 100
    assert {name for name in named if not is_there(name)} == set()


def test_what_covers_a_row_says_how() -> None:
    assert [row.number for row in matrix.rows() if row.covered and not row.how] == []


def test_what_struck_is_called_as_in_the_evidence() -> None:
    known: dict[str, set[str]] = {}
    for size in ("pull-request", "nightly"):
        for record in records.read(REPOSITORY / "docs" / "evidence" / f"{size}.json"):
            known.setdefault(record.evidence.claim, set()).update(record.evidence.injections)
    in_worlds = set().union(*(known.get(claim, set()) for claim in matrix.WORLDS))
    for row in matrix.rows():
        assert not set(row.strikes) - in_worlds, row.number
        for claim, names in row.injected.items():
            assert not set(names) - known[claim], row.number


def test_every_test_named_after_a_row_stands_in_it() -> None:
    listed = {
        (row.number, name.partition("::")[2]) for row in matrix.rows() for name in row.covered
    }
    for path in sorted((REPOSITORY / "tests" / "faults").glob("test_*.py")):
        for name in functions(path):
            if name.startswith("test_fault_row_"):
                assert (str(int(name.split("_")[3])), name) in listed, name


def test_a_row_that_tells_nothing_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "one.toml").write_text('[[row]]\nnumber = "1"\ntitle = "a fault"\n')
    monkeypatch.setattr(matrix, "ROWS", tmp_path)
    with pytest.raises(ValueError, match="without tests or why"):
        matrix.rows()
