"""T12: expressions that want to be Python. Those that got out of other languages, those that grow
without end, and random ones by the hundred thousand.

Every line of the code that an expression becomes is held against a list of what may stand there:
nothing but a few kinds of nodes, our own names, and the two methods ``get`` and ``append``. Then it
runs on a payload, and what it gives must be JSON: a method or a class is none.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from random import Random
from typing import Any

from mappings import expressions, jmespath_code, jmespath_runtime
from mappings.expressions import BadExpression, Scope, parse
from mappings.generated import Source
from mappings.jmespath_code import Tree, write_function
from mappings.limits import Steps, TooManySteps
from mappings.problems import Unfit
from proof.budget import Budget
from proof.evidence import Size
from proof.fuzz.clock import Stuck, ended_after, measured
from proof.fuzz.mappings import expressions as grammar
from proof.fuzz.mappings.payloads import random_payload
from proof.planting import Planted
from proof.threats.check import Checked, verdict

PROGRAMS: dict[Size, int] = {"pull-request": 5_000, "nightly": 500_000}
AT_ONCE = 1_000
"""Programs between two looks at the clock."""
RANDOM_S, BOMB_S = 0.05, 2.0
"""CPU seconds to read, write and run a random program, and one that is meant to last."""
PAYLOAD_MAX = 100_000
"""Characters of what a random program runs on: steps are counted by the size of what is read."""
MOST_OUTPUT = 1_000_000
"""Characters of a text that a program gives."""
ENDS_S = 10
"""Real seconds until a program that hangs is ended."""

_PAYLOAD: dict[str, Any] = {"a": "x", "n": 7, "l": [1, "b", {"a": 1}], "o": {"a": None}}
ESCAPES = (
    *("__class__", '"__class__"', "a.__class__", "a.__class__.__mro__", "@.__dict__", "$.__init__"),
    *(
        "a.__class__.__base__.__subclasses__()",
        "''.__class__",
        "'{0.__class__}'.format",
        "a.format",
    ),
    *("a.upper", "a.upper()", "n.real", "n.bit_length", "l.append", "l.pop", "o.items", "o.get"),
    *("o.values", "o.__getitem__", "l[*].__class__", "l[?__class__]", "o.*.__class__", "l[].real"),
    *("map(&__class__, l)", "map(&upper, l)", "sort_by(l, &__class__)", "max_by(l, &real)"),
    *("keys(@).__self__", "to_string(@).__class__", "type(@).__name__", "values(o)[0].__class__"),
    *("__import__('os').system('id')", "__builtins__", "__globals__", "f_globals", "gi_frame"),
    *("payload", "value", "spend", "mapped", "k1", "v1", "e1", "part1", "field", "dict", "len"),
    *("eval(a)", "exec(a)", "open(a)", "getattr(a, '__class__')", "attr(a, '__class__')"),
    *("a|attr('__class__')", "constructor", "a.constructor.constructor", "o.constructor.prototype"),
    *("constructor.constructor('return process')()", "{{7*7}}", "{{a.__class__}}", "${7*7}"),
    *("#{7*7}", "<%= 7*7 %>", "%(a)s", "{a.__init__.__globals__}", "f'{a}'", "lambda: 0", "a; b"),
    *("[x for x in a]", "a if a else b", "a\nimport os", '"a\\") or (\\""', '"\'; import os #"'),
    *("'\\' + __import__(\"os\")'", '"\\n    import os"', "a#b", "a.b = 1", "del a", "@import os"),
)
BOMBS = ("to_string(" + " | ".join(["[@, @]"] * 20) + ")", *grammar._TOO_MUCH)

_METHODS = {"get", "append"}
_NAMES = {
    *("v", "k", "e", "part", "value", "spend", "type", "dict", "list", "len", "isinstance"),
    *("field", "index", "sliced", "values_of", "flattened", "truthy", "negated", "call"),
    *("an_array", "sort_by", "min_by", "max_by"),
}
"""Numbers at their ends left out: ``k7`` is a value of the definition, ``v7`` a variable."""
_NODES: tuple[type[ast.AST], ...] = (
    *(ast.Module, ast.FunctionDef, ast.arguments, ast.arg, ast.Return, ast.Assign, ast.Expr),
    *(ast.If, ast.IfExp, ast.For, ast.Pass, ast.Name, ast.Load, ast.Store, ast.Call, ast.Constant),
    *(ast.Attribute, ast.Compare, ast.Is, ast.IsNot, ast.Eq, ast.NotEq, ast.BoolOp, ast.Or),
    *(ast.UnaryOp, ast.Not, ast.List, ast.Dict),
)


@dataclass
class _Run:
    """Programs that were thrown, how many of them ran, and CPU seconds of the slowest one."""

    thrown: int = 0
    ran: int = 0
    slowest_s: float = 0.0
    violations: list[str] = field(default_factory=list)

    def throw(self, text: str, payload: Any, most_s: float = RANDOM_S) -> None:
        self.thrown += 1
        found, took_s = self._ended(text, payload)
        if took_s > most_s:
            # The garbage of everybody before is collected in somebody's time: once, not twice.
            took_s = min(took_s, self._ended(text, payload)[1])
        if took_s > most_s:
            found.append(f"took {took_s:.2f} s")
        self.slowest_s = max(self.slowest_s, took_s)
        self.violations += [f"{text[:60]!r}: {one}" for one in found]

    def _ended(self, text: str, payload: Any) -> tuple[list[str], float]:
        """What is wrong with a program, and CPU seconds."""
        found = list[str]()
        try:
            with measured() as cost, ended_after(ENDS_S):
                found += self._looked_at(text, payload)
        except (Exception, Stuck) as error:  # noqa: BLE001 - whatever it is, nobody catches it
            found.append(type(error).__name__)
        return found, cost.cpu_s

    def _looked_at(self, text: str, payload: Any) -> Iterator[str]:
        try:
            program = parse(text)
        except BadExpression:
            return
        source = Source()
        write_function(program.tree, source)
        yield from _faults(source)
        try:
            value = program.read(Scope(payload, None, payload, Steps()))
        except (TooManySteps, Unfit):
            return
        self.ran += 1
        yield from _no_output(value)


def t12() -> Checked:
    """What escapes elsewhere, and what grows without end."""
    known, planted = _known(), {}
    for bug in _bugs():
        with bug.in_place():
            planted[f"T12: {bug.name}"] = verdict(_known(first=True).violations)
    figure = (
        f"{len(ESCAPES)} escapes, 0 attributes but ours; {len(BOMBS)} bombs, each at its end within"
        f" {known.slowest_s * 1000:.0f} ms of CPU"
    )
    return Checked("T12", known.thrown, figure, known.violations, planted)


def at_random(programs: int, seed: int = 1, budget: Budget | None = None) -> Checked:
    """So many random programs, or as many as there is time for."""
    bug, run = _bugs()[0], _Run()
    with bug.in_place():
        _throw_random(run, AT_ONCE, Random(seed))
    planted = {f"T12 at random: {bug.name}": verdict(run.violations)}
    run = _Run()
    for number in (budget or Budget()).over(range(0, programs, AT_ONCE)):
        _throw_random(run, min(AT_ONCE, programs - number), Random(f"{seed}.{number}"))
    figure = (
        f"{run.thrown:,} of {PROGRAMS['nightly']:,} random programs, of which {run.ran:,} ran to"
        f" their end: 0 attributes but ours, the slowest {run.slowest_s * 1000:.0f} ms of CPU"
    )
    return Checked("T12", run.thrown, figure, run.violations, planted, "random programs")


def _known(*, first: bool = False) -> _Run:
    """``first``: no more than that."""
    run = _Run()
    thrown = [(text, _PAYLOAD, RANDOM_S) for text in ESCAPES]
    for text, payload, most_s in (*thrown, *((text, {}, BOMB_S) for text in BOMBS)):
        run.throw(text, payload, most_s)
        if first and run.violations:
            break
    return run


def _throw_random(run: _Run, programs: int, rng: Random) -> None:
    payload = random_payload(rng)
    while len(str(payload)) > PAYLOAD_MAX:
        payload = random_payload(rng)
    for _ in range(programs):
        text = grammar.random_expression(rng)
        # Those that are meant to last have been thrown, and their time is another one.
        while text in BOMBS:
            text = grammar.random_expression(rng)
        run.throw(text, payload)


# ---- what must hold of the code and of what it gives --------------------------------------------


def _faults(source: Source) -> Iterator[str]:
    for line in "\n".join(source._finished).splitlines():
        fault = _line_fault(re.sub(r"(?<=\w)\d+\b", "", line.strip()))
        if fault:
            yield f"its code holds {fault}"
            return


@lru_cache(maxsize=50_000)
def _line_fault(line: str) -> str:
    """What must not stand in a line, the numbers of its names left out: few lines are new."""
    try:
        tree = ast.parse(f"{line}\n    pass" if line.endswith(":") else line)
    except SyntaxError:
        return f"no Python: {line[:60]}"
    return next(filter(None, map(_node_fault, ast.walk(tree))), "")


def _node_fault(node: ast.AST) -> str:
    if not isinstance(node, _NODES):
        return f"a {type(node).__name__}"
    if isinstance(node, ast.Attribute) and node.attr not in _METHODS:
        return f"the attribute {node.attr}"
    if isinstance(node, ast.Name) and node.id not in _NAMES:
        return f"the name {node.id}"
    if isinstance(node, ast.Constant) and node.value is not None:
        return f"the constant {node.value!r}"
    return ""


def _no_output(value: Any) -> Iterator[str]:
    """Something that is no JSON, or a text without end. What is nested is looked at as far as it
    takes no longer than the program itself: one list may stand in a million places."""
    pending, parts = [value], 0
    while pending and parts < MOST_OUTPUT // 100:
        part = pending.pop()
        parts += 1
        if isinstance(part, str) and len(part) > MOST_OUTPUT:
            yield f"gives {len(part):,} characters"
        elif isinstance(part, list):
            pending += part
        elif isinstance(part, dict):
            pending += part.values()
        elif not isinstance(part, str | int | float | None):
            yield f"gives a {type(part).__name__}"
            return


# ---- planted bugs -----------------------------------------------------------------------------


def _bugs() -> tuple[Planted, ...]:
    def by_attribute(tree: Tree, value: str, source: Source) -> str:
        return source.once(f"{value}.{tree['value']}")

    def or_its_attribute(value: Any) -> Callable[[str], Any]:
        return lambda key: value.get(key) if isinstance(value, dict) else getattr(value, key, None)

    def for_nothing(_: Steps, _count: int) -> None:
        return

    writers = {**jmespath_code._WRITERS, "field": by_attribute}
    return (
        Planted("keys are written into the code", [(jmespath_code, "_WRITERS", writers)]),
        Planted("keys are attributes too", [(jmespath_runtime, "getter", or_its_attribute)]),
        Planted("steps are not counted", [(Steps, "spend", for_nothing)]),
        Planted(
            "expressions have no end",
            [(expressions, name, 10**9) for name in ("LENGTH", "NODES", "DEPTH")],
        ),
    )
