"""A definition written out after everything it extends was put under it.

What comes out is a definition file again, each line with the file and line that say so.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from mappings.definition import DefinitionSpec, flat
from mappings.document import Table, is_invisible

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_HEAD = ("schema", "name", "version", "target", "source", "empty")


def written(spec: DefinitionSpec) -> str:
    """The whole definition as TOML; the effective version is in its first comment."""
    lines = [f"# {spec.name}, version {spec.version}"]
    lines += [_line(key, spec.document) for key in _HEAD if key in spec.document]
    if spec.connections:
        lines += [f"role = {_value(spec.role)}", _line("connections", spec.document)]
    lines += _record(spec.document, (), dotted=spec.source is not None)
    for name, table in spec.document.get("values", {}).items():
        lines += ["", f"[{_path('values', name)}]"]
        lines += [_line(key, table) for key in table if key != "map"]
        lines += _section(table, "map", ("values", name, "map"))
    return "\n".join(lines) + "\n"


def _record(table: Table, path: tuple[str, ...], *, dotted: bool) -> Iterator[str]:
    if "fields" in table:
        if dotted:
            table = table.copied()
            table.put("fields", flat(table["fields"]), table.at("fields"))
        yield from _section(table, "fields", (*path, "fields"))
    for kind in ("one", "each"):
        for name, given in table.get(kind, {}).items():
            below = (*path, kind, name)
            header = f"[[{_path(*below)}]]" if isinstance(given, list) else f"[{_path(*below)}]"
            for variant in given if isinstance(given, list) else [given]:
                yield from ("", header)
                for key, value in variant.items():
                    if not isinstance(value, Table):
                        yield _line(key, variant)
                yield from _record(variant, below, dotted=dotted)


def _section(table: Table, key: str, path: tuple[str, ...]) -> Iterator[str]:
    if key in table:
        yield from ("", f"[{_path(*path)}]")
        for name in table[key]:
            yield _line(name, table[key])


def _line(key: str, table: Table) -> str:
    return f"{_key(key)} = {_value(table[key])}  # {table.at(key)}"


def _path(*keys: str) -> str:
    return ".".join(map(_key, keys))


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _text(name)


def _text(value: str) -> str:
    # JSON's escapes are TOML's too, but it leaves alone what only looks like nothing.
    quoted = json.dumps(value, ensure_ascii=False)
    return "".join(f"\\U{ord(one):08X}" if is_invisible(one) else one for one in quoted)


def _value(value: Any) -> str:
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, dict):
        pairs = ", ".join(f"{_key(key)} = {_value(inner)}" for key, inner in value.items())
        return f"{{ {pairs} }}" if pairs else "{}"
    return str(value)
