"""The tree of a JMESPath expression becomes Python statements.

The generator of each kind of node writes the statements that compute it from the variable ``value``
and gives the variable, constant or literal that holds the result. It never assigns to a variable
that it did not make. ``spend`` is at hand in every function it writes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mappings import jmespath_runtime as runtime
from mappings.generated import Source
from mappings.shapes import Shape

Tree = dict[str, Any]

_DEEP = 6
"""Blocks within blocks before the rest moves to a function of its own: Python allows 20 loops."""


def written(tree: Tree, value: str, source: Source) -> str:
    """Write the statements of one expression; gives the name of its result."""
    if source.nesting >= _DEEP:
        return _written_aside(tree, value, source)
    return _WRITERS[tree["type"]](tree, value, source)


def write_function(tree: Tree, source: Source, shape: Shape | None = None) -> str:
    """Write an expression as a function of ``(value, spend)``; gives its name.

    ``shape``: that of the value, where it is typed.
    """
    name = source.fresh("part")
    with source.function(f"{name}(value, spend)"):
        if shape is not None:
            source.shapes["value"] = shape
        source.line(f"return {written(tree, 'value', source)}")
    return name


def _written_aside(tree: Tree, value: str, source: Source) -> str:
    name = write_function(tree, source, source.shapes.get(value))
    return source.once(f"{name}({value}, spend)")


def _field(tree: Tree, value: str, source: Source) -> str:
    shape = source.shapes.get(value)
    if shape is not None:
        return _attribute(tree["value"], value, shape, source)
    key = source.bind(tree["value"])
    if value in source.getters:
        return source.once(f"{source.getters[value]}({key})")
    is_object = f"{source.use(type)}({value}) is {source.use(dict)}"
    otherwise = f"{source.use(runtime.field)}({value}, {key})"
    return source.once(f"{value}.get({key}) if {is_object} else {otherwise}")


def _attribute(key: str, value: str, shape: Shape, source: Source) -> str:
    read = f"{value}.{source.attribute(key)}"
    if value not in source.present:
        read += f" if {value} is not None else None"
    return _typed(source.once(read), shape.keys[key], source)


def _typed(name: str, shape: Shape, source: Source) -> str:
    if shape.is_object or shape.is_list:
        source.shapes[name] = shape
    return name


def _chain(tree: Tree, value: str, source: Source) -> str:
    for child in tree["children"]:
        value = written(child, value, source)
    return value


def _value(_tree: Tree, value: str, _source: Source) -> str:
    return value


def _literal(tree: Tree, _value: str, source: Source) -> str:
    return source.bind(tree["value"])


def _index(tree: Tree, value: str, source: Source) -> str:
    shape = source.shapes.get(value)
    name = source.once(f"{source.use(runtime.index)}({value}, {source.bind(tree['value'])})")
    return name if shape is None else _typed(name, shape.elements(), source)


def _slice(tree: Tree, value: str, source: Source) -> str:
    part = source.bind(slice(*tree["children"]))
    return source.once(f"{source.use(runtime.sliced)}({value}, {part})")


def _flatten(tree: Tree, value: str, source: Source) -> str:
    base = written(tree["children"][0], value, source)
    return source.once(f"{source.use(runtime.flattened)}({base}, spend)")


def _projection(tree: Tree, value: str, source: Source) -> str:
    base, each = tree["children"]
    return _projected(written(base, value, source), None, each, source)


def _filter_projection(tree: Tree, value: str, source: Source) -> str:
    base, each, condition = tree["children"]
    return _projected(written(base, value, source), condition, each, source)


def _value_projection(tree: Tree, value: str, source: Source) -> str:
    base, each = tree["children"]
    values = f"{source.use(runtime.values_of)}({written(base, value, source)})"
    return _projected(source.once(values), None, each, source)


def _projected(base: str, condition: Tree | None, each: Tree, source: Source) -> str:
    found = source.let("None")
    with source.block(f"if {source.use(isinstance)}({base}, {source.use(list)}):"):
        source.line(f"spend({source.use(len)}({base}))")
        source.line(f"{found} = []")
        element = source.fresh("e")
        with source.block(f"for {element} in {base}:"):
            if condition is None:
                _collect(each, element, found, source)
            else:
                holds = written(condition, element, source)
                with source.block(f"if {is_true(holds, source)}:"):
                    _collect(each, element, found, source)
    return found


def _collect(each: Tree, element: str, found: str, source: Source) -> None:
    current = written(each, element, source)
    with source.block(f"if {current} is not None:"):
        source.line(f"{found}.append({current})")


def _multi_select_list(tree: Tree, value: str, source: Source) -> str:
    def members() -> str:
        return f"[{', '.join(written(child, value, source) for child in tree['children'])}]"

    return _unless_null(tree["children"], members, value, source)


def _multi_select_dict(tree: Tree, value: str, source: Source) -> str:
    def members() -> str:
        pairs = [
            f"{source.bind(pair['value'])}: {written(pair['children'][0], value, source)}"
            for pair in tree["children"]
        ]
        return f"{{{', '.join(pairs)}}}"

    return _unless_null([pair["children"][0] for pair in tree["children"]], members, value, source)


def _unless_null(parts: list[Tree], members: Callable[[], str], value: str, source: Source) -> str:
    if all(_never_fails(part) for part in parts):
        sure = "" if value in source.present else f" if {value} is not None else None"
        return source.once(f"{members()}{sure}")
    found = source.let("None")
    with source.block(f"if {value} is not None:"):
        source.line(f"{found} = {members()}")
    return found


def _never_fails(tree: Tree) -> bool:
    """Whether it may be computed of null as well, where nobody will look at the result."""
    harmless = ("field", "subexpression", "or_expression", "current", "literal")
    return tree["type"] in harmless and all(_never_fails(child) for child in tree["children"])


def _or(tree: Tree, value: str, source: Source) -> str:
    return _either(tree, value, source, "if not ({}):")


def _and(tree: Tree, value: str, source: Source) -> str:
    return _either(tree, value, source, "if {}:")


def _either(tree: Tree, value: str, source: Source, goes_on: str) -> str:
    left, right = tree["children"]
    found = source.let(written(left, value, source))
    with source.block(goes_on.format(is_true(found, source))):
        source.line(f"{found} = {written(right, value, source)}")
    return found


def is_true(name: str, source: Source) -> str:
    """A condition. What is true to Python is to JMESPath; of the rest, zeros are as well."""
    return f"{name} or {source.use(runtime.truthy)}({name})"


def _not(tree: Tree, value: str, source: Source) -> str:
    inner = written(tree["children"][0], value, source)
    return source.once(f"{source.use(runtime.negated)}({inner})")


def _comparator(tree: Tree, value: str, source: Source) -> str:
    kind = tree["value"]
    left, right = (written(child, value, source) for child in tree["children"])
    texts = any(
        child["type"] == "literal" and isinstance(child["value"], str) for child in tree["children"]
    )
    if texts and kind in ("eq", "ne"):
        return source.once(f"{left} {'==' if kind == 'eq' else '!='} {right}")
    compare = source.bind(runtime.COMPARISONS[kind])
    return source.once(f"{compare}({left}, {right}, spend)")


def _function(tree: Tree, value: str, source: Source) -> str:
    name, children = tree["value"], tree["children"]
    if name == "map":
        return _mapped(name, written(children[1], value, source), children[0], source)
    if name in runtime.BY_KEY:
        array = written(children[0], value, source)
        keys = _mapped(name, array, children[1], source)
        return source.once(f"{source.use(runtime.BY_KEY[name])}({array}, {keys})")
    arguments = ", ".join(written(child, value, source) for child in children)
    called = source.use(runtime.call)
    return source.once(f"{called}({source.bind(name)}, [{arguments}], spend)")


def _mapped(name: str, array: str, by: Tree, source: Source) -> str:
    """The results of an expression for every element of an array, nulls included."""
    found, element = source.let("[]"), source.fresh("e")
    checked = f"{source.use(runtime.an_array)}({source.bind(name)}, {array}, spend)"
    with source.block(f"for {element} in {checked}:"):
        source.line(f"{found}.append({written(by['children'][0], element, source)})")
    return found


_WRITERS: dict[str, Callable[[Tree, str, Source], str]] = {
    "and_expression": _and,
    "comparator": _comparator,
    "current": _value,
    "field": _field,
    "filter_projection": _filter_projection,
    "flatten": _flatten,
    "function_expression": _function,
    "identity": _value,
    "index": _index,
    "index_expression": _chain,
    "literal": _literal,
    "multi_select_dict": _multi_select_dict,
    "multi_select_list": _multi_select_list,
    "not_expression": _not,
    "or_expression": _or,
    "pipe": _chain,
    "projection": _projection,
    "slice": _slice,
    "subexpression": _chain,
    "value_projection": _value_projection,
}
"""By kind of node. An expression reference (``&``) is written by the function that takes it."""
