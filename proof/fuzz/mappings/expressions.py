"""Random JMESPath: mostly of its grammar, sometimes past its limits, sometimes none at all."""

from __future__ import annotations

import json
from collections.abc import Callable
from random import Random

from mappings.jmespath_runtime import SIGNATURES
from proof.fuzz.mappings.payloads import KEYS

_NO_EXPRESSIONS = (
    *("", " ", "a[", "a.[", "a..b", "&a", "a b", "`", "'", "[?", "{", "a[::0]", "f(", "\x00"),
    *("a\u202eb", "\u0430", "a\u200b", "__import__('os').system('x')", "payload['a']", "k7"),
    *("$", "^", "$.a", "^.a", "$.^.a", "@.a", "1", "a-b", "é", "lambda: 0", "a; b", "a\nb"),
)

_TOO_MUCH = (
    "a" * 6_000,
    "(" * 3_000 + "a" + ")" * 3_000,
    "[" * 200 + "a" + "]" * 200,
    "!" * 200 + "a",
    ".".join("a" * 500),
    "a" + "[*]" * 200,
    "a || " * 2_000 + "b",
    "[" + ",".join("a" * 1_500) + "]",
    " | ".join(["[@, @]"] * 30),
    " | ".join(["[@, @][]"] * 40),
    "to_string(" + " | ".join(["[@, @]"] * 30) + ")",
    "sort_by(lines, &to_string(@))[].a | [0] || map(&[@, @, @], lines)",
)


def random_expression(rng: Random) -> str:
    """An expression, of 50 nodes or so at most where it is a reasonable one."""
    kind = rng.random()
    if kind < 0.02:
        return rng.choice(_TOO_MUCH)
    if kind < 0.05:
        return rng.choice(_NO_EXPRESSIONS)
    if kind < 0.45:
        start = rng.choice(("", "", "", "$.", "^."))
        return start + ".".join(_key(rng) for _ in range(rng.choice((1, 1, 1, 2, 3))))
    return _tree(rng, rng.choice((1, 2, 2, 3, 4)))


def _key(rng: Random) -> str:
    key = rng.choice(KEYS)
    if key.isidentifier() and key.isascii():
        return key
    return json.dumps(key)


def _literal(rng: Random) -> str:
    return rng.choice(
        ("`0`", "`1`", "`null`", "`true`", "`[]`", "`{}`", '`"EUR"`', "'EUR'", "''", "`1e5`")
    )


def _tree(rng: Random, depth: int) -> str:
    if depth == 0:
        return rng.choice((_key, _key, _key, _literal, lambda _: "@"))(rng)
    return rng.choice(_SHAPES)(rng, depth - 1)


def _multiselect(rng: Random, depth: int) -> str:
    parts = [_tree(rng, depth) for _ in range(rng.randrange(1, 4))]
    if rng.random() < 0.5:
        return f"[{', '.join(parts)}]"
    return "{" + ", ".join(f"{json.dumps(rng.choice(KEYS))}: {part}" for part in parts) + "}"


def _call(rng: Random, depth: int) -> str:
    name = rng.choice(sorted(SIGNATURES))
    arguments = [_tree(rng, depth) for _ in SIGNATURES[name]]
    by = {"map": 0, "sort_by": 1, "min_by": 1, "max_by": 1}.get(name)
    if by is not None:
        arguments[by] = f"&{arguments[by]}"
    if rng.random() < 0.03:
        arguments.append("@")
    return f"{name}({', '.join(arguments)})"


def _projection(rng: Random, _depth: int) -> str:
    inner = rng.choice(("[*]", "[]", ".*", "[0]", "[-1]", "[::2]", "[1:]"))
    return f"{_key(rng)}{inner}{rng.choice(('', f'.{_key(rng)}'))}"


def _binary(rng: Random, depth: int) -> str:
    mark = rng.choice(("||", "&&", "|", "==", "!=", "<", ">=", "|"))
    return f"({_tree(rng, depth)} {mark} {_tree(rng, depth)})"


def _filter(rng: Random, depth: int) -> str:
    return f"{_key(rng)}[?{_tree(rng, depth)}]{rng.choice(('', f'.{_key(rng)}', ' | [0]'))}"


def _negation(rng: Random, depth: int) -> str:
    return f"!({_tree(rng, depth)})"


_SHAPES: tuple[Callable[[Random, int], str], ...] = (
    *(_multiselect, _call, _projection, _projection, _binary, _binary, _filter, _negation),
)
