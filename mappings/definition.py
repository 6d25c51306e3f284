"""A definition file, parsed: what it says, before it is known whether that can work.

The language is described in ``mappings/README.md``. Parsing reports unknown keys and wrong shapes
and goes on, so that one run shows every fault; ``mappings.planner`` checks names and types.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from mappings.problems import DefinitionProblem

SCHEMA: Final = 1

ABSENT: Final = object()
"""Stands for "not given", where None would be a value."""

Complain = Callable[[str, str], None]
"""Called with (place in the file, what is wrong with it)."""

_TOP = ("schema", "name", "version", "target", "source", "empty", "fields", "one", "each", "values")
_BODY = ("fields", "one", "each")
_RULE = ("from", "value", "as", "with", "values", "default", "optional")
_RECORD = ("from", "when", "fields", "one", "each")
_EACH = (*_RECORD, "at_fault", "unique")


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """One line of ``[fields]``. ``source`` is an expression, else ``constant`` is given."""

    name: str
    source: str | None = None
    constant: Any = ABSENT
    transforms: tuple[str, ...] = ()
    arguments: Mapping[str, Any] = field(default_factory=dict)
    values: str | None = None
    default: Any = ABSENT
    optional: bool = False


@dataclass(frozen=True, slots=True)
class RecordSpec:
    """How one record is filled. ``where`` is its place in the file, for messages."""

    where: str
    source: str | None = None
    when: str | None = None
    at_fault: str = "record"
    unique: str | None = None
    fields: tuple[FieldSpec, ...] = ()
    ones: Mapping[str, tuple[RecordSpec, ...]] = field(default_factory=dict)
    eaches: Mapping[str, tuple[RecordSpec, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TableSpec:
    """A value table: ``results`` leads from a vendor's spelling to our word."""

    otherwise: str
    results: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class DefinitionSpec:
    """A whole file. ``source`` is set for outbound definitions only."""

    file: str
    name: str
    version: int
    target: str
    source: str | None
    omit_empty: bool
    record: RecordSpec
    tables: Mapping[str, TableSpec]


def read(path: Path, problems: list[DefinitionProblem]) -> DefinitionSpec | None:
    """Parse a file; add its faults to ``problems``. None where nothing can be made of it."""

    def complain(where: str, message: str) -> None:
        problems.append(DefinitionProblem(path.name, where, message))

    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        complain("", f"not TOML: {error}")
        return None
    return _definition(path, document, complain)


def _definition(path: Path, document: Mapping[str, Any], complain: Complain) -> DefinitionSpec:
    known_keys(document, _TOP, "", complain)
    if document.get("schema") != SCHEMA:
        complain("schema", f"this version reads schema {SCHEMA}, not {document.get('schema')!r}")
    name = _text(document, "name", "", complain) or ""
    if name != path.stem:
        complain("name", f"must equal the file's name, {path.stem!r}")
    source = _text(document, "source", "", complain) if "source" in document else None
    target = _text(document, "target", "", complain) or ""
    empty = document.get("empty", "keep")
    if empty not in ("keep", "omit"):
        complain("empty", 'must be "keep" or "omit"')
    version = document.get("version")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        complain("version", "must be a whole number from 1")
        version = 0
    body = {key: table for key, table in document.items() if key in _BODY}
    record = _record(body, "", _RECORD, complain, dotted=source is not None)
    tables = _tables(document.get("values", {}), complain)
    return DefinitionSpec(path.name, name, version, target, source, empty == "omit", record, tables)


def known_keys(
    table: Mapping[str, Any], known: Iterable[str], where: str, complain: Complain
) -> None:
    """Complain about every key that is not known, naming the nearest one."""
    for key in table:
        if key not in known:
            complain(where, f"unknown key {key!r}{nearest(key, known)}")


def nearest(word: str, known: Iterable[str]) -> str:
    """The known word that was perhaps meant, as the end of a sentence; or nothing."""
    close = difflib.get_close_matches(word, list(known), n=1)
    return f", did you mean {close[0]!r}?" if close else ""


def _record(
    table: Mapping[str, Any],
    where: str,
    known: Sequence[str],
    complain: Complain,
    *,
    dotted: bool,
) -> RecordSpec:
    known_keys(table, known, where, complain)
    at_fault = table.get("at_fault", "record")
    if at_fault not in ("record", "item"):
        complain(where, 'at_fault must be "record" or "item"')
    fields = _table(table, "fields", where, complain)
    if dotted:
        fields = dict(_flat(fields))
    return RecordSpec(
        where=where,
        source=_optional_text(table, "from", where, complain),
        when=_optional_text(table, "when", where, complain),
        at_fault=at_fault,
        unique=_optional_text(table, "unique", where, complain),
        fields=tuple(
            spec
            for name, rule in fields.items()
            if (spec := _field(name, rule, _at(where, f"fields.{name}"), complain)) is not None
        ),
        ones=_nested(table, "one", where, _RECORD, complain, dotted=dotted),
        eaches=_nested(table, "each", where, _EACH, complain, dotted=dotted),
    )


def _nested(
    table: Mapping[str, Any],
    key: str,
    where: str,
    known: Sequence[str],
    complain: Complain,
    *,
    dotted: bool,
) -> dict[str, tuple[RecordSpec, ...]]:
    found: dict[str, tuple[RecordSpec, ...]] = {}
    for name, given in _table(table, key, where, complain).items():
        place = _at(where, f"{key}.{name}")
        variants = given if isinstance(given, list) else [given]
        if not variants or not all(isinstance(variant, dict) for variant in variants):
            complain(place, "must be a table, or an array of tables")
            continue
        found[name] = tuple(
            _record(variant, place, known, complain, dotted=dotted) for variant in variants
        )
    return found


def _flat(fields: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, Any]]:
    """Outbound keys are paths: the bare TOML key ``a.b`` arrives as nested tables."""
    for name, rule in fields.items():
        is_rule = not isinstance(rule, dict) or ({"from", "value"} & set(rule))
        if is_rule:
            yield f"{prefix}{name}", rule
        else:
            yield from _flat(rule, f"{prefix}{name}.")


def _field(name: str, rule: Any, where: str, complain: Complain) -> FieldSpec | None:
    if isinstance(rule, str):
        return FieldSpec(name, source=rule)
    if not isinstance(rule, dict):
        complain(where, "must be an expression or a table such as { from = ... }")
        return None
    known_keys(rule, _RULE, where, complain)
    if ("from" in rule) == ("value" in rule):
        complain(where, "needs either from or value")
        return None
    optional = rule.get("optional", False)
    if not isinstance(optional, bool):
        complain(where, "optional must be true or false")
    if "value" in rule and len(rule) > 1:
        complain(where, "a constant takes nothing beside value")
    return FieldSpec(
        name,
        source=_optional_text(rule, "from", where, complain),
        constant=rule.get("value", ABSENT),
        transforms=_names(rule.get("as", []), where, complain),
        arguments=_table(rule, "with", where, complain),
        values=_optional_text(rule, "values", where, complain),
        default=rule.get("default", ABSENT),
        optional=optional is True,
    )


def _names(given: Any, where: str, complain: Complain) -> tuple[str, ...]:
    names = [given] if isinstance(given, str) else given
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        complain(where, "as must be a transform or a list of transforms")
        return ()
    return tuple(names)


def _tables(given: Any, complain: Complain) -> dict[str, TableSpec]:
    tables: dict[str, TableSpec] = {}
    for name, table in _table({"values": given}, "values", "", complain).items():
        where = f"values.{name}"
        if not isinstance(table, dict):
            complain(where, "must be a table")
            continue
        known_keys(table, ("otherwise", "map"), where, complain)
        otherwise = _optional_text(table, "otherwise", where, complain) or "park"
        tables[name] = TableSpec(otherwise, _results(table, where, complain))
    return tables


def _results(table: Mapping[str, Any], where: str, complain: Complain) -> dict[str, str]:
    results: dict[str, str] = {}
    for ours, spellings in _table(table, "map", where, complain).items():
        if not isinstance(spellings, list):
            complain(where, f"{ours} must list the spellings, as in {ours} = [...]")
            continue
        for spelling in map(spelled, spellings):
            if spelling in results:
                complain(where, f"{spelling!r} leads to both {results[spelling]!r} and {ours!r}")
            results[spelling] = ours
    return results


def spelled(value: Any) -> str:
    """A payload's value as a value table writes it: JSON's true and false, else plain text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _at(where: str, below: str) -> str:
    return f"{where}.{below}" if where else below


def _table(table: Mapping[str, Any], key: str, where: str, complain: Complain) -> dict[str, Any]:
    given = table.get(key, {})
    if isinstance(given, dict):
        return given
    complain(_at(where, key), "must be a table")
    return {}


def _text(table: Mapping[str, Any], key: str, where: str, complain: Complain) -> str | None:
    given = table.get(key)
    if isinstance(given, str) and given:
        return given
    complain(_at(where, key), "must be a text")
    return None


def _optional_text(
    table: Mapping[str, Any], key: str, where: str, complain: Complain
) -> str | None:
    return _text(table, key, where, complain) if key in table else None
