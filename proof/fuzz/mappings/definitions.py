"""Random definition files: mostly ones that could work, many with a fault, some hostile."""

from __future__ import annotations

import json
import typing
from datetime import datetime
from decimal import Decimal
from random import Random
from typing import Any, Literal

from mappings import fieldtypes
from mappings.canonical import Record
from mappings.steps import signature
from mappings.transforms import TRANSFORMS
from proof.fuzz.mappings.expressions import random_expression
from proof.fuzz.mappings.payloads import KEYS, RECORDS

_NAMES = sorted(TRANSFORMS)
_WRONG_NAMES = ("", "eval", "__class__", "text ", "mоney", "tеxt", "money\u200b", "TEXT", "exec")

_ARGUMENTS: dict[str, list[str]] = {
    "currency": ['{ value = "EUR" }', '"currency"', '"$.currency"', '{ value = "XXX" }'],
    "zone": ['{ value = "Europe/Berlin" }', '{ value = "../../etc/passwd" }', '"zone"'],
    "country": ['{ value = "DE" }', '"country"', '"$.country"', '{ value = "../us" }'],
    "table": ['"lines"', '"$.lines"', "{ value = [] }"],
    "among": ['{ value = ["ups", "fedex"] }', '"lines"', "{ value = [1] }"],
    "line": ["{ value = 1 }", "{ value = 0 }", '"n"'],
    "longest": ["{ value = 35 }", "{ value = -1 }", '"quantity"'],
}


_HEAD = 'schema = 1\nname = "{}"\nversion = 1'

_SURE = {
    str: "{ from = \"to_string(id) || 'x'\" }",
    int: '{ from = "`7`", default = 1 }',
    bool: '{ from = "`true`" }',
    Decimal: '{ from = "\'1.50\'", as = "decimal" }',
    datetime: '{ from = "\'2026-11-21\'", as = "utc" }',
}
"""Rules that map whatever the payload is, so that most records come to be."""


def random_definition(rng: Random) -> tuple[bytes, type[Record] | None]:
    """A file named ``fuzz.it.toml``, and what it renders if it is an outbound one."""
    kind = rng.choice(RECORDS)
    if rng.random() < 0.75:
        return _spoiled(rng, inbound_definition(rng, "fuzz.it", kind)), None
    maker = _Maker(rng)
    empty = ['empty = "omit"'] if rng.random() < 0.5 else []
    head = ['target = "request"', f'source = "{kind.__name__}"', *empty]
    content = "\n".join([_HEAD.format("fuzz.it"), *head, *maker.request("", 2), *maker.tables])
    return _spoiled(rng, content), kind


def inbound_definition(rng: Random, name: str, kind: type[Record]) -> str:
    """A definition of that name and target, with no other faults than wrong expressions."""
    maker = _Maker(rng)
    head = [_HEAD.format(name), f'target = "{kind.__name__}"']
    return "\n".join([*head, *maker.record(kind, "", 2), *maker.tables])


class _Maker:
    """Writes the parts of one file; ``tables`` are the value tables its fields use."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self.tables: list[str] = []

    def record(self, kind: type[Record], prefix: str, depth: int) -> list[str]:
        plain, nested = [], []
        for name, info in fieldtypes.record_fields(kind).items():
            if not info.required and self._rng.random() < 0.6:
                continue
            inner = fieldtypes.nested_record(info.type)
            many = fieldtypes.repeated_record(info.type)
            if inner or many:
                if depth:
                    nested += self._scope(inner or many, name, prefix, depth, bool(many))
            else:
                plain.append(f"{name} = {self._rule(info.type, info.required)}")
        return [f"[{prefix}fields]", *plain, *nested]

    def _scope(
        self, kind: type[Record] | None, name: str, prefix: str, depth: int, many: bool
    ) -> list[str]:
        rng = self._rng
        place = f"{prefix}{'each' if many else 'one'}.{name}"
        lines = [f"[{place}]"]
        if rng.random() < 0.8:
            lines.append(f"from = {_text(random_expression(rng))}")
        if rng.random() < 0.2:
            lines.append(f"when = {_text(random_expression(rng))}")
        if many and rng.random() < 0.3:
            lines.append('at_fault = "item"')
        if kind is None:
            return lines + self.request(f"{place}.", depth - 1)
        if many and rng.random() < 0.2:
            lines.append(f'unique = "{rng.choice(kind.__struct_fields__)}"')
        return lines + self.record(kind, f"{place}.", depth - 1)

    def request(self, prefix: str, depth: int) -> list[str]:
        rng = self._rng
        keys = rng.sample(KEYS, rng.randrange(1, 8))
        lines = [f"[{prefix}fields]", *(f"{_text(key)} = {self._sent()}" for key in keys)]
        if depth and rng.random() < 0.5:
            lines += self._scope(None, _text(rng.choice(KEYS)), prefix, depth, rng.random() < 0.6)
        return lines

    def _sent(self) -> str:
        return self._rule(self._rng.choice((str, int, bool)), self._rng.random() < 0.3)

    def _rule(self, wanted: Any, required: bool) -> str:
        rng = self._rng
        words = typing.get_args(fieldtypes.without_none(wanted))
        if typing.get_origin(fieldtypes.without_none(wanted)) is Literal:
            if rng.random() < 0.5:
                return f'{{ value = "{rng.choice(words)}" }}'
            return f'{{ from = {_text(random_expression(rng))}, values = "{self._table(words)}" }}'
        if rng.random() < (0.8 if required else 0.4):
            return _SURE[fieldtypes.without_none(wanted)]
        parts = [f"from = {_text(random_expression(rng))}"]
        parts += self._transforms(wanted)
        if not required and rng.random() < 0.6:
            parts.append("optional = true")
        elif rng.random() < 0.5:
            default = {str: '"EUR"', int: "1", bool: "true"}.get(fieldtypes.without_none(wanted))
            parts += [f"default = {default}"] if default else []
        return f"{{ {', '.join(parts)} }}"

    def _transforms(self, wanted: Any) -> list[str]:
        rng = self._rng
        kind = rng.random()
        if kind < 0.03:
            names = [rng.choice(_WRONG_NAMES)]
        elif kind < 0.1:
            names = rng.choices(_NAMES, k=rng.randrange(1, 4))
        else:
            fitting = [name for name in _NAMES if fieldtypes.fits(signature(name).gives, wanted)]
            names = [rng.choice(fitting)] if fitting and kind < 0.8 else []
        given = {
            argument: rng.choice(_ARGUMENTS.get(argument, ['{ value = "id" }', '"name"']))
            for name in names
            if name in TRANSFORMS
            for argument in signature(name).arguments
        }
        parts = [f"as = [{', '.join(map(_text, names))}]"] if names else []
        if given:
            parts.append(f"with = {{ {', '.join(f'{k} = {v}' for k, v in given.items())} }}")
        return parts

    def _table(self, words: tuple[Any, ...]) -> str:
        name = f"t{len(self.tables)}"
        rows = [
            f'{word} = [{_text(key)}, "x{word}"]'
            for word, key in zip(words[:3], self._rng.sample(KEYS, 3), strict=False)
        ]
        otherwise = f'otherwise = "{self._rng.choice(("park", words[0]))}"'
        self.tables.append(
            "\n".join([f"[values.{name}]", otherwise, f"[values.{name}.map]", *rows])
        )
        return name


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _spoiled(rng: Random, content: str) -> bytes:
    """One file in four has something odd in it."""
    if rng.random() < 0.75:
        return content.encode("utf-8", "surrogatepass")
    lines = content.split("\n")
    place = rng.randrange(len(lines))
    kind = rng.randrange(8)
    if kind == 0:
        lines.insert(place, lines[place])
    elif kind == 1:
        lines.pop(place)
    elif kind == 2:
        lines.insert(place, rng.choice(("[fields]", "x = 1", "= 1", "[[each.lines]]", "name = 3")))
    elif kind == 3:
        at = rng.randrange(len(lines[place]) + 1)
        odd = rng.choice(("\u202e", "\u200b", "\x00", '"', "'", "]", "#", "é", "\ufeff", "{"))
        lines[place] = lines[place][:at] + odd + lines[place][at:]
    elif kind == 4:
        lines[place] = lines[place].replace("from", "form").replace("fields", "feilds")
    elif kind == 5:
        return "\n".join(lines).encode(rng.choice(("utf-16", "utf-8-sig", "utf-32")), "replace")
    elif kind == 6:
        return "\n".join(lines).encode("utf-8", "surrogatepass")[: rng.randrange(len(content))]
    else:
        rng.shuffle(lines)
    return "\n".join(lines).encode("utf-8", "surrogatepass")
