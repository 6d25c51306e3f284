"""A definition file, parsed: what it says, before it is known whether that can work.

The language is described in ``mappings/README.md``. Parsing reports unknown keys and wrong shapes
and goes on, so that one run shows every fault; ``mappings.planner`` checks names and types.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from mappings.document import Complain, Spot, Table

SCHEMA: Final = 1

ABSENT: Final = object()
"""Stands for "not given", where None would be a value."""

HEAD: Final = ("schema", "name", "version", "extends", "connections", "role")
"""What a file says of itself, and never takes over from the one it extends."""

_BODY = ("fields", "one", "each")
_TOP = (*HEAD, "target", "source", "empty", *_BODY, "values")
_RULE = ("from", "value", "as", "with", "values", "default", "optional")
_RECORD = ("from", "when", "fields", "one", "each")
_EACH = (*_RECORD, "at_fault", "unique")


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """One line of ``[fields]``. ``source`` is an expression, else ``constant`` is given."""

    name: str
    spot: Spot
    source: str | None = None
    constant: Any = ABSENT
    transforms: tuple[str, ...] = ()
    arguments: Mapping[str, Any] = field(default_factory=dict)
    values: str | None = None
    default: Any = ABSENT
    optional: bool = False


@dataclass(frozen=True, slots=True)
class RecordSpec:
    """How one record is filled. ``spot``: where it says what it reads, ``spots``: where each of
    its keys is, ``fields_spot``: where its fields are, or should be."""

    spot: Spot
    spots: Mapping[str, Spot]
    fields_spot: Spot
    source: str | None = None
    when: str | None = None
    at_fault: str = "record"
    unique: str | None = None
    fields: tuple[FieldSpec, ...] = ()
    ones: Mapping[str, tuple[RecordSpec, ...]] = field(default_factory=dict)
    eaches: Mapping[str, tuple[RecordSpec, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TableSpec:
    """A value table: ``results`` leads from a vendor's spelling to our word.

    ``words``: where each word of ours stands. ``inherited``: another file says all of it.
    """

    spot: Spot
    otherwise: str
    results: Mapping[str, str]
    words: Mapping[str, Spot]
    inherited: bool


@dataclass(frozen=True, slots=True)
class DefinitionSpec:
    """A whole definition, after what it extends was put under it.

    ``version``: its own and those of all it extends (``2+1``). ``source`` is set for outbound ones
    only. ``role``: what it stands in for, on ``connections`` only or, where there are none, by
    being ``role``. ``chain``: the names of all it extends. ``document``: what was parsed.
    """

    file: str
    name: str
    version: str
    target: str
    source: str | None
    omit_empty: bool
    record: RecordSpec
    tables: Mapping[str, TableSpec]
    role: str
    connections: tuple[str, ...]
    chain: tuple[str, ...]
    document: Table


def parsed(
    document: Table, version: str, role: str, chain: tuple[str, ...], complain: Complain
) -> DefinitionSpec:
    """What a document says. Complains about unknown keys and wrong shapes, and goes on."""
    known_keys(document, _TOP, complain)
    source = _text(document, "source", complain) if "source" in document else None
    target = _text(document, "target", complain) or ""
    empty = document.get("empty", "keep")
    if empty not in ("keep", "omit"):
        complain(document.at("empty"), 'must be "keep" or "omit"')
    body = document.copied(without=tuple(key for key in document if key not in _BODY))
    return DefinitionSpec(
        file=document.spot.file,
        name=_text(document, "name", complain) or "",
        version=version,
        target=target,
        source=source,
        omit_empty=empty == "omit",
        record=_record(body, _RECORD, complain, dotted=source is not None),
        tables=_tables(document, complain),
        role=role,
        connections=_names(document, "connections", complain),
        chain=chain,
        document=document,
    )


def check_head(document: Table, name: str, complain: Complain) -> None:
    """Complain about what a file says of itself. ``name``: the file's, without its ending."""
    if document.get("schema") != SCHEMA:
        given = document.get("schema")
        complain(document.at("schema"), f"this version reads schema {SCHEMA}, not {given!r}")
    if _text(document, "name", complain) not in (name, None):
        complain(document.at("name"), f"must equal the file's name, {name!r}")
    version = document.get("version")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        complain(document.at("version"), "must be a whole number from 1")
    for key in ("extends", "role"):
        if key in document:
            _text(document, key, complain)
    if document.get("connections", [""]) == []:
        complain(document.at("connections"), 'must name connections, as in ["shop-eu"]')


def known_keys(table: Table, known: Iterable[str], complain: Complain) -> None:
    """Complain about every key that is not known, naming the nearest one."""
    for key, spot in table.spots.items():
        if key not in known:
            holder = Spot(spot.file, spot.line, table.spot.where)
            complain(holder, f"unknown key {key!r}{nearest(key, known)}")


def nearest(word: str, known: Iterable[str]) -> str:
    """The known word that was perhaps meant, as the end of a sentence; or nothing."""
    close = difflib.get_close_matches(word, list(known), n=1)
    return f", did you mean {close[0]!r}?" if close else ""


def _record(table: Table, known: Sequence[str], complain: Complain, *, dotted: bool) -> RecordSpec:
    known_keys(table, known, complain)
    at_fault = table.get("at_fault", "record")
    if at_fault not in ("record", "item"):
        complain(table.at("at_fault"), 'at_fault must be "record" or "item"')
    fields = _table(table, "fields", complain)
    spots = {key: replace(table.at(key), where=table.spot.where) for key in _EACH}
    if dotted:
        fields = flat(fields)
    return RecordSpec(
        spot=spots["from"],
        spots=spots,
        fields_spot=table.at("fields"),
        source=_optional_text(table, "from", complain),
        when=_optional_text(table, "when", complain),
        at_fault=at_fault,
        unique=_optional_text(table, "unique", complain),
        fields=tuple(
            spec
            for name, rule in fields.items()
            if (spec := _field(name, rule, fields.at(name), complain)) is not None
        ),
        ones=_nested(table, "one", _RECORD, complain, dotted=dotted),
        eaches=_nested(table, "each", _EACH, complain, dotted=dotted),
    )


def _nested(
    table: Table, key: str, known: Sequence[str], complain: Complain, *, dotted: bool
) -> dict[str, tuple[RecordSpec, ...]]:
    found: dict[str, tuple[RecordSpec, ...]] = {}
    given = _table(table, key, complain)
    for name in given:
        variants = variants_of(given, name, complain)
        if variants:
            found[name] = tuple(
                _record(variant, known, complain, dotted=dotted) for variant in variants
            )
    return found


def variants_of(table: Table, name: str, complain: Complain) -> list[Table]:
    """The tables under a name, be it one or an array of them; complains and gives none else."""
    given = table[name]
    variants = given if isinstance(given, list) else [given]
    if variants and all(isinstance(variant, Table) for variant in variants):
        return variants
    complain(table.at(name), "must be a table, or an array of tables")
    return []


def flat(fields: Table) -> Table:
    """Outbound keys are paths: the bare TOML key ``a.b`` arrives as nested tables."""
    made = Table(fields.spot)
    for name, rule in fields.items():
        if not isinstance(rule, Table) or {"from", "value"} & set(rule) or is_removal(rule):
            made.put(name, rule, fields.at(name))
            continue
        for below, inner in (nested := flat(rule)).items():
            made.put(f"{name}.{below}", inner, nested.at(below))
    return made


def is_removal(rule: Any) -> bool:
    """Whether it is ``{ remove = true }``, which takes back what an extended definition says."""
    return isinstance(rule, Table) and rule.get("remove") is True


def _field(name: str, rule: Any, spot: Spot, complain: Complain) -> FieldSpec | None:
    if isinstance(rule, str):
        return FieldSpec(name, spot, source=rule)
    if not isinstance(rule, Table):
        complain(spot, "must be an expression or a table such as { from = ... }")
        return None
    if is_removal(rule):
        complain(spot, "there is nothing to remove: no definition that is extended fills it")
        return None
    known_keys(rule, _RULE, complain)
    if ("from" in rule) == ("value" in rule):
        complain(spot, "needs either from or value")
        return None
    optional = rule.get("optional", False)
    if not isinstance(optional, bool):
        complain(spot, "optional must be true or false")
    if "value" in rule and len(rule) > 1:
        complain(spot, "a constant takes nothing beside value")
    return FieldSpec(
        name,
        spot,
        source=_optional_text(rule, "from", complain),
        constant=rule.get("value", ABSENT),
        transforms=_transforms(rule.get("as", []), spot, complain),
        arguments=_table(rule, "with", complain),
        values=_optional_text(rule, "values", complain),
        default=rule.get("default", ABSENT),
        optional=optional is True,
    )


def _transforms(given: Any, spot: Spot, complain: Complain) -> tuple[str, ...]:
    names = [given] if isinstance(given, str) else given
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        complain(spot, "as must be a transform or a list of transforms")
        return ()
    return tuple(names)


def _names(table: Table, key: str, complain: Complain) -> tuple[str, ...]:
    names = table.get(key, [])
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        complain(table.at(key), 'must be a list of names, as in ["shop-eu"]')
        return ()
    return tuple(dict.fromkeys(names))


def _tables(document: Table, complain: Complain) -> dict[str, TableSpec]:
    tables: dict[str, TableSpec] = {}
    given = _table(document, "values", complain)
    for name, table in given.items():
        if not isinstance(table, Table):
            complain(given.at(name), "must be a table")
            continue
        known_keys(table, ("otherwise", "map"), complain)
        words = _table(table, "map", complain)
        spots = [table.spot, *table.spots.values(), *words.spots.values()]
        tables[name] = TableSpec(
            table.spot,
            _optional_text(table, "otherwise", complain) or "park",
            _results(words, complain),
            words.spots,
            all(spot.file != document.spot.file for spot in spots),
        )
    return tables


def _results(words: Table, complain: Complain) -> dict[str, str]:
    results: dict[str, str] = {}
    for ours, spellings in words.items():
        if not isinstance(spellings, list):
            complain(words.at(ours), f"{ours} must list the spellings, as in {ours} = [...]")
            continue
        for spelling in map(spelled, spellings):
            if spelling in results:
                both = f"{results[spelling]!r} and {ours!r}"
                complain(words.at(ours), f"{spelling!r} leads to both {both}")
            results[spelling] = ours
    return results


def spelled(value: Any) -> str:
    """A payload's value as a value table writes it: JSON's true and false, else plain text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | dict) and value:
        # Its text may be endless: a few `[@, @]` in a row double it every time.
        return "a list" if isinstance(value, list) else "an object"
    return str(value)


def _table(table: Table, key: str, complain: Complain) -> Table:
    given = table.get(key)
    if isinstance(given, Table):
        return given
    if given is not None:
        complain(table.at(key), "must be a table")
    return Table(table.at(key))


def _text(table: Table, key: str, complain: Complain) -> str | None:
    given = table.get(key)
    if isinstance(given, str) and given:
        return given
    complain(table.at(key), "must be a text")
    return None


def _optional_text(table: Table, key: str, complain: Complain) -> str | None:
    return _text(table, key, complain) if key in table else None
