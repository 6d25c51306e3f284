"""Lines of keys, against what ``tomllib`` makes of the same text."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, reject
from hypothesis import strategies as st

from mappings.library import SHIPPED
from mappings.toml_lines import Path, lines_of

TEXTS = (
    '"a # b"',
    "'[x]'",
    r'"q\" = \\"',
    '"""\nk = 1\n[t]\n"quoted" \\""" ] """""',
    "'''\n[[x]]\n'' '''''",
    "1979-05-27 07:32:00Z",
    "-1_000.5e3",
    "true",
    "inf",
)
GAPS = ("", " ", "\n", " # ] } = [\n", "\n\n\t")


@st.composite
def names(draw: st.DrawFn) -> str:
    """A part of a key, hardly ever like another."""
    name = draw(st.sampled_from(["k", "K-", "_9", "ß", "a.b", "# no", 'q"', "]"]))
    return name + str(draw(st.integers(0, 10**9)))


def written(name: str) -> str:
    plain = name.replace("-", "").replace("_", "")
    return name if plain.isalnum() and plain.isascii() else json.dumps(name)


@st.composite
def values(draw: st.DrawFn, depth: int = 2) -> str:
    kind = draw(st.sampled_from(["text", "text", "array", "table"])) if depth else "text"
    if kind == "array":
        gap = st.sampled_from(GAPS)
        items = draw(st.lists(values(depth - 1), max_size=3))
        trailing = draw(st.booleans())
        comma = "," if items and trailing else ""
        inner = ",".join(f"{draw(gap)}{item}{draw(gap)}" for item in items)
        return f"[{inner}{comma}{draw(gap)}]"
    if kind == "table":
        pairs = draw(st.lists(pair(depth - 1), max_size=3))
        return f"{{ {', '.join(pairs)} }}"
    return draw(st.sampled_from(TEXTS))


@st.composite
def pair(draw: st.DrawFn, depth: int = 2) -> str:
    key = draw(st.lists(names(), min_size=1, max_size=3))
    dot = draw(st.sampled_from([".", " . "]))
    return (
        f"{dot.join(map(written, key))}{draw(st.sampled_from(['=', ' = ']))}{draw(values(depth))}"
    )


@st.composite
def documents(draw: st.DrawFn) -> str:
    lines = draw(st.lists(pair(), max_size=3))
    for _ in range(draw(st.integers(0, 4))):
        key = ".".join(map(written, draw(st.lists(names(), min_size=1, max_size=3))))
        header = draw(st.sampled_from(["[{}]", "[[{}]]", "[ {} ] # it"]))
        repeated = draw(st.integers(1, 3)) if header == "[[{}]]" else 1
        for _ in range(repeated):
            lines += [header.format(key), *draw(st.lists(pair(), max_size=3))]
            if header == "[[{}]]" and draw(st.booleans()):
                lines += [f"[{key}.inner]", *draw(st.lists(pair(), max_size=2))]
    gaps = [draw(st.sampled_from(["\n", "\n\n", " # c = [\n", "\n  # [x]\n  "])) for _ in lines]
    return "".join(f"{line}{gap}" for line, gap in zip(lines, gaps, strict=True))


def paths(value: Any, path: Path = ()) -> Iterator[Path]:
    if path:
        yield path
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from paths(inner, (*path, key))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from paths(inner, (*path, number))


def named(text: str, line: int) -> str:
    return text.split("\n")[line - 1]


@given(documents())
def test_every_key_is_found_on_a_line_that_names_it(text: str) -> None:
    try:
        tree = tomllib.loads(text)
    except tomllib.TOMLDecodeError:  # the same key twice
        reject()
    found = lines_of(text)
    assert set(found) == set(paths(tree))
    for path, line in found.items():
        if isinstance(path[-1], str):
            assert written(path[-1]) in named(text, line), (path, line)


@pytest.mark.parametrize("file", sorted(SHIPPED.glob("*.toml")), ids=lambda file: file.stem)
def test_every_key_of_a_shipped_definition_is_found_on_its_line(file: Any) -> None:
    text = file.read_text(encoding="utf-8")
    found = lines_of(text)
    assert set(found) == set(paths(tomllib.loads(text)))
    keys = [(path[-1], line) for path, line in found.items() if isinstance(path[-1], str)]
    assert [key for key, line in keys if key not in named(text, line)] == []


def test_lines_are_told_across_texts_arrays_and_quoted_keys() -> None:
    text = '''# head
"a.b".c = """
k = 1
"""
d = [
  1, # one
  { e = 2, f.g = 3 },
]
[[x.y]]
z = 1
[[x.y]]
[x.y.'q"']
z = 2
[x]
'''
    assert lines_of(text) == {
        ("a.b",): 2,
        ("a.b", "c"): 2,
        ("d",): 5,
        ("d", 0): 6,
        ("d", 1): 7,
        ("d", 1, "e"): 7,
        ("d", 1, "f"): 7,
        ("d", 1, "f", "g"): 7,
        ("x",): 14,
        ("x", "y"): 9,
        ("x", "y", 0): 9,
        ("x", "y", 0, "z"): 10,
        ("x", "y", 1): 11,
        ("x", "y", 1, 'q"'): 12,
        ("x", "y", 1, 'q"', "z"): 13,
    }
