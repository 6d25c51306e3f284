"""Which small mistakes can be made in a module, and the module with one of them in it."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass

_COMPARED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
_COMPUTED: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult,
}


@dataclass(frozen=True, slots=True)
class Mistake:
    """``number``: of this module's mistakes; ``line``: where; ``what``: in a few words."""

    number: int
    line: int
    what: str


def mistakes(source: str) -> list[Mistake]:
    """All that can be made in a module, in the order of its text."""
    found = _changes(ast.parse(source))
    return [Mistake(number, line, what) for number, (line, what, _) in enumerate(found)]


def with_mistake(source: str, number: int) -> str:
    """The module with that one of its mistakes."""
    tree = ast.parse(source)
    _, _, change = list(_changes(tree))[number]
    change()
    return ast.unparse(tree)


def _changes(tree: ast.Module) -> Iterator[tuple[int, str, Callable[[], None]]]:
    for function in _functions(tree):
        for statement in function.body:
            for node in ast.walk(statement):
                for what, change in _of(node):
                    yield getattr(node, "lineno", function.lineno), what, change


def _functions(tree: ast.Module) -> Iterator[ast.FunctionDef]:
    """Functions of the module and methods of its classes: what is in them is seen once."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            yield node
        elif isinstance(node, ast.ClassDef):
            yield from (one for one in node.body if isinstance(one, ast.FunctionDef))


def _of(node: ast.AST) -> Iterator[tuple[str, Callable[[], None]]]:
    if isinstance(node, ast.Compare) and type(node.ops[0]) in _COMPARED:
        other = _COMPARED[type(node.ops[0])]
        yield f"{_name(node.ops[0])} is {other.__name__}", _setter(node.ops, 0, other())
    elif isinstance(node, ast.BoolOp):
        opposite: ast.boolop = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        yield f"{_name(node.op)} is {_name(opposite)}", lambda: setattr(node, "op", opposite)
    elif isinstance(node, ast.BinOp) and type(node.op) in _COMPUTED:
        swapped = _COMPUTED[type(node.op)]()
        yield f"{_name(node.op)} is {_name(swapped)}", lambda: setattr(node, "op", swapped)
    elif isinstance(node, ast.Constant) and isinstance(node.value, int):
        value = not node.value if isinstance(node.value, bool) else node.value + 1
        yield f"{node.value} is {value}", lambda: setattr(node, "value", value)
    elif isinstance(node, ast.If | ast.IfExp | ast.While):
        turned = ast.UnaryOp(ast.Not(), node.test)
        yield "a condition is its opposite", lambda: setattr(node, "test", turned)
    elif isinstance(node, ast.Return) and node.value and ast.unparse(node.value) != "None":
        nothing = ast.Constant(None)
        yield "nothing is returned", lambda: setattr(node, "value", nothing)


def _setter(ops: list[ast.cmpop], place: int, other: ast.cmpop) -> Callable[[], None]:
    def change() -> None:
        ops[place] = other

    return change


def _name(node: ast.AST) -> str:
    return type(node).__name__
