"""House rules that no linter knows: sizes, names, one clock, one place that catches everything."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

PACKAGES = ("mappings", "connectors", "state", "sync", "web", "jobs")
EVERYWHERE = (*PACKAGES, "sandbox", "proof", "benchmarks", "tests")
GENERATED = "migrations/versions"
"""Steps of the store's tables: long lists of columns, written once and never edited."""

MAX_LINES = 500
MAX_FUNCTION = 80
NAMELESS = {"utils", "helpers", "common", "misc"}
CLOCK_CALLS = {
    ("datetime", "now"),
    ("datetime", "utcnow"),
    ("datetime", "today"),
    ("date", "today"),
    ("time", "time"),
    ("time", "time_ns"),
    ("time", "sleep"),
    ("time", "monotonic"),
    ("time", "perf_counter"),
}


def modules(*packages: str) -> list[Path]:
    found = [path for name in packages for path in sorted((REPOSITORY / name).rglob("*.py"))]
    assert len(found) > 5 * len(packages)
    return found


def shown(path: Path) -> str:
    return path.relative_to(REPOSITORY).as_posix()


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def functions(path: Path) -> Iterator[tuple[str, int]]:
    """(name, lines) of every function; the table of a parametrised test is not of its length."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            yield node.name, node.end_lineno - node.lineno + 1


def calls_of_the_clock(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Calls like ``time.sleep`` and ``datetime.now``, also when imported by their bare names."""
    bare = {
        alias.asname or alias.name: (node.module, alias.name)
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module is not None
        for alias in node.names
    }
    for node in ast.walk(tree):
        name = _called(node, bare)
        if name in CLOCK_CALLS:
            yield ".".join(name), node.lineno  # type: ignore[attr-defined]


def _called(node: ast.AST, bare: dict[str, tuple[str, str]]) -> tuple[str, str] | None:
    """The last two names of a call or of a mention; a mention is how a call is handed on."""
    if isinstance(node, ast.Attribute):
        holder = node.value
        if isinstance(holder, ast.Attribute):
            return holder.attr, node.attr
        return (holder.id, node.attr) if isinstance(holder, ast.Name) else None
    return bare.get(node.id) if isinstance(node, ast.Name) else None


def handlers_of_everything(tree: ast.Module) -> Iterator[int]:
    """Lines of ``except Exception``, ``except BaseException`` and bare ``except`` that swallow.

    One that ends in a bare ``raise`` only cleans up on the way.
    """
    for node in ast.walk(tree):
        if not isinstance(node, ast.ExceptHandler):
            continue
        names = {name.id for name in ast.walk(node.type or node) if isinstance(name, ast.Name)}
        if node.type is not None and not names & {"Exception", "BaseException"}:
            continue
        last = node.body[-1]
        if not (isinstance(last, ast.Raise) and last.exc is None):
            yield node.lineno


def test_no_file_and_no_function_is_too_long() -> None:
    long = []
    for path in modules(*EVERYWHERE):
        lines = len(path.read_text(encoding="utf-8").splitlines())
        if GENERATED in shown(path):
            continue
        if lines > MAX_LINES:
            long.append(f"{shown(path)}: {lines} lines")
        long += [
            f"{shown(path)}: {name} has {count} lines"
            for name, count in functions(path)
            if count > MAX_FUNCTION
        ]
    assert long == []


def test_every_module_has_a_name_that_says_something() -> None:
    nameless = [
        shown(path)
        for path in modules(*EVERYWHERE)
        if NAMELESS & {path.stem, *path.relative_to(REPOSITORY).parts[:-1]}
    ]
    assert nameless == []


def test_only_a_clock_asks_for_the_time_or_waits_for_it() -> None:
    asking = [
        f"{shown(path)}:{line}: {call}"
        for path in modules(*PACKAGES)
        if path.name != "clock.py"
        for call, line in calls_of_the_clock(tree_of(path))
    ]
    assert asking == []


def test_one_module_catches_everything() -> None:
    catching = [
        f"{shown(path)}:{line}"
        for path in modules(*PACKAGES)
        for line in handlers_of_everything(tree_of(path))
    ]
    assert [place.split(":")[0] for place in catching] == ["sync/outcomes.py"], catching


@pytest.mark.parametrize(
    "source",
    [
        "import time\ntime.sleep(1)",
        "import datetime\ndatetime.datetime.now()",
        "from datetime import datetime\nmake = datetime.utcnow",
        "from time import monotonic as clock\nclock()",
        "from datetime import date\ndate.today()",
    ],
)
def test_the_search_for_clocks_finds(source: str) -> None:
    assert len(list(calls_of_the_clock(ast.parse(source)))) == 1


@pytest.mark.parametrize(
    ("handler", "found"),
    [
        ("except Exception:\n    pass", 1),
        ("except (OSError, BaseException) as error:\n    print(error)", 1),
        ("except:\n    pass", 1),
        ("except OSError:\n    pass", 0),
        ("except BaseException:\n    print()\n    raise", 0),
    ],
)
def test_the_search_for_handlers_finds(handler: str, found: int) -> None:
    tree = ast.parse(f"try:\n    work()\n{handler}")
    assert len(list(handlers_of_everything(tree))) == found
