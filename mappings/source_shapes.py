"""What a source is said to send: from its JSON Schema or OpenAPI document, or from an example."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any, Final

_SCALARS: Final = {
    "string": "text",
    "number": "a number",
    "integer": "a number",
    "boolean": "true or false",
}
_NULL: Final = {"type": "null"}
_REFERENCES: Final = 50
"""How many references in a row are followed; more is a circle."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What may stand somewhere: all alternatives at once.

    ``scalar``: the name of its type. ``fields``: those of an object, each made when it is asked
    for, since schemas go round in circles; ``others``: what its unlisted ones hold. ``element``:
    what a list holds. ``anything``: nothing is said.
    """

    anything: bool = False
    scalar: str = ""
    fields: Mapping[str, Callable[[], Shape]] | None = None
    others: Callable[[], Shape] | None = None
    element: Callable[[], Shape] | None = None

    def field(self, name: str) -> Shape | None:
        """What a key holds, or None where the source has no such key."""
        if self.fields is not None and name in self.fields:
            return self.fields[name]()
        if self.others is not None:
            return self.others()
        return ANYTHING if self.anything else None

    def elements(self) -> Shape | None:
        """What a list holds, or None where the source has no list here."""
        if self.element is not None:
            return self.element()
        return ANYTHING if self.anything else None

    def flattened(self) -> Shape:
        """What it is in a list that is flattened: the elements of lists, anything else itself."""
        if self.element is None:
            return self
        return _either(self.element(), replace(self, element=None))

    def values(self) -> Shape | None:
        """What all keys together hold, or None where the source has no object here."""
        held = [*(self.fields or {}).values(), *([self.others] if self.others else [])]
        if held:
            return union(made() for made in held)
        return ANYTHING if self.anything or self.fields is not None else None

    def with_fields(self, fields: Mapping[str, Shape]) -> Shape:
        """The same object, some keys holding something else."""
        held = dict(self.fields or {}) | {key: _always(shape) for key, shape in fields.items()}
        return Shape(fields=held, others=self.others)

    @property
    def named(self) -> str:
        """What it is, for messages."""
        return "a list" if self.element else self.scalar or "an object"


ANYTHING: Final = Shape(anything=True)


def listed(element: Shape) -> Shape:
    """A list of it."""
    return Shape(element=_always(element))


def union(shapes: Iterable[Shape]) -> Shape:
    """Whatever is one of these."""
    return reduce(_either, shapes, Shape())


def _always(shape: Shape) -> Callable[[], Shape]:
    return lambda: shape


def _either(one: Shape, other: Shape) -> Shape:
    fields = one.fields if other.fields is None else other.fields
    if one.fields is not None and other.fields is not None:
        fields = dict(one.fields)
        for key, made in other.fields.items():
            fields[key] = _both(fields.get(key), made) or made
    return Shape(
        anything=one.anything or other.anything,
        scalar=one.scalar or other.scalar,
        fields=fields,
        others=_both(one.others, other.others),
        element=_both(one.element, other.element),
    )


def _both(
    one: Callable[[], Shape] | None, other: Callable[[], Shape] | None
) -> Callable[[], Shape] | None:
    if one is None or other is None:
        return one or other
    return lambda: _either(one(), other())


def of_examples(values: Iterable[Any]) -> Shape:
    """What examples hold. Null, an empty list and an empty object tell nothing of what may stand
    there."""
    given = [value for value in values if value not in (None, {})]
    if not given:
        return ANYTHING
    shape = Shape()
    objects = [value for value in given if isinstance(value, dict)]
    lists = [value for value in given if isinstance(value, list)]
    if objects:
        keys = {key: None for value in objects for key in value}
        shape = _either(shape, Shape(fields={key: _examples_at(objects, key) for key in keys}))
    if lists:
        shape = _either(shape, Shape(element=lambda: of_examples(i for one in lists for i in one)))
    for value in given:
        if isinstance(value, bool):
            shape = _either(shape, Shape(scalar="true or false"))
        elif not isinstance(value, dict | list):
            shape = _either(shape, Shape(scalar="text" if isinstance(value, str) else "a number"))
    return shape


def _examples_at(objects: list[dict[str, Any]], key: str) -> Callable[[], Shape]:
    return lambda: of_examples(value[key] for value in objects if key in value)


def of_schema(schema: Any, document: Any) -> Shape:
    """What a schema allows; ``document`` is what its references point into.

    ``additionalProperties`` that are merely allowed do not make a key known: a contract that does
    not name a key does not promise it.
    """
    for _ in range(_REFERENCES):
        if not isinstance(schema, dict) or "$ref" not in schema:
            break
        schema = resolved(document, schema["$ref"])
    if not isinstance(schema, dict) or "$ref" in schema:
        return ANYTHING
    told = [_own(schema, document)]
    told += [of_schema(part, document) for part in schema.get("allOf", ())]
    for key in ("anyOf", "oneOf"):
        if schema.get(key):
            told.append(union(of_schema(one, document) for one in schema[key] if one != _NULL))
    # Parts that must all hold: one that says nothing takes nothing back.
    said = union(shape for shape in told if not shape.anything)
    return ANYTHING if said == Shape() else said


def _own(schema: Mapping[str, Any], document: Any) -> Shape:
    """What a schema says beside its references and alternatives; null says nothing."""
    given = schema.get("type") or [
        kind for kind, key in (("object", "properties"), ("array", "items")) if key in schema
    ]
    found = []
    for kind in [given] if isinstance(given, str) else given:
        if kind == "object":
            found.append(_object(schema, document))
        elif kind == "array":
            found.append(Shape(element=_schema_later(schema.get("items"), document)))
        elif kind in _SCALARS:
            found.append(Shape(scalar=_SCALARS[kind]))
    return union(found) if given else ANYTHING


def _object(schema: Mapping[str, Any], document: Any) -> Shape:
    properties = schema.get("properties") or {}
    more = schema.get("additionalProperties", True)
    if not properties and more in (True, {}):
        return ANYTHING
    fields = {key: _schema_later(value, document) for key, value in properties.items()}
    others = _schema_later(more, document) if isinstance(more, dict) and more else None
    return Shape(fields=fields, others=others)


def _schema_later(schema: Any, document: Any) -> Callable[[], Shape]:
    return lambda: of_schema(schema, document)


def resolved(document: Any, pointer: str) -> Any:
    """What a JSON pointer into the same document (``#/definitions/Order``) means, or None."""
    if not pointer.startswith("#"):
        return None
    found = document
    for part in pointer.removeprefix("#").split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        if isinstance(found, list) and key.isdigit() and int(key) < len(found):
            found = found[int(key)]
        elif isinstance(found, dict) and key in found:
            found = found[key]
        else:
            return None
    return found
