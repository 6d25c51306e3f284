"""A parsed definition becomes a plan: names are resolved, types checked, faults collected."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec

from mappings import canonical, fieldtypes
from mappings.canonical import Record
from mappings.definition import (
    ABSENT,
    Complain,
    DefinitionSpec,
    FieldSpec,
    RecordSpec,
    TableSpec,
    nearest,
)
from mappings.expressions import Expression
from mappings.limits import SCOPES
from mappings.plan import OMIT, REQUIRED, FieldPlan, RecordPlan, ScopePlan
from mappings.problems import DefinitionProblem
from mappings.requests import request_maker
from mappings.steps import (
    UNKNOWN,
    RefuseBlank,
    RefuseUnsendable,
    Step,
    chain,
    expression,
    translation,
)

_PERSONAL = re.compile(
    r"ship_to|bill_to|ship_from|recipient|buyer|customer|address|street|phone|e-?mail|note",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Types:
    """The types of item, parent and root, where they are known: outbound, from the record."""

    item: Any = UNKNOWN
    parent: Any = UNKNOWN
    root: Any = UNKNOWN

    def below(self, item: Any) -> Types:
        return replace(self, item=item, parent=self.item)


def planned(spec: DefinitionSpec, problems: list[DefinitionProblem]) -> RecordPlan:
    """Plan a whole definition; add its faults to ``problems``."""

    def complain(where: str, message: str) -> None:
        problem = DefinitionProblem(spec.file, where, message)
        if problem not in problems:
            problems.append(problem)

    source = _record_class(spec.source, "source", complain) if spec.source else None
    if spec.source is None:
        target = _record_class(spec.target, "target", complain)
    else:
        target = None
        if spec.target != "request":
            complain("target", 'must be "request" where source is given')
    root = source or UNKNOWN
    planner = _Planner(spec.tables, spec.omit_empty, complain)
    if source is None and target is None:
        return RecordPlan(None, dict, {}, (), (), ())
    plan = planner.record(spec.record, target, Types(root, UNKNOWN, root))
    for name in spec.tables.keys() - planner.used_tables:
        complain(f"values.{name}", "no field uses this table")
    return plan


def _record_class(name: str, where: str, complain: Complain) -> type[Record] | None:
    found = getattr(canonical, name, None)
    if isinstance(found, type) and issubclass(found, Record):
        return found
    known = [key for key, value in vars(canonical).items() if isinstance(value, type)]
    complain(where, f"no canonical record {name!r}{nearest(name, known)}")
    return None


class _Planner:
    """Walks a definition. ``target`` is the canonical class, or None for a request."""

    def __init__(
        self, tables: Mapping[str, TableSpec], omit_empty: bool, complain: Complain
    ) -> None:
        self._tables = tables
        self._omit_empty = omit_empty
        self._complain = complain
        self._depth = 0
        self.used_tables: set[str] = set()

    def record(self, spec: RecordSpec, target: type[Record] | None, types: Types) -> RecordPlan:
        known = fieldtypes.record_fields(target) if target else None
        fields = [
            field for field in spec.fields if self._known(field.name, known, _place(spec.where))
        ]
        plan = RecordPlan(
            target=target,
            make=(lambda values: target(**values)) if target else request_maker(self._omit_empty),
            constants={
                field.name: self._constant(field, known, spec.where)
                for field in fields
                if field.source is None
            },
            fields=tuple(
                planned_field
                for field in fields
                if field.source is not None
                and (planned_field := self._field(field, field.source, target, types, spec.where))
            ),
            ones=tuple(
                (
                    name,
                    self._scopes(name, variants, target, types, many=False),
                    known is not None and known[name].required,
                )
                for name, variants in spec.ones.items()
                if self._known(name, known, variants[0].where)
            ),
            eaches=tuple(
                (name, self._scopes(name, variants, target, types, many=True))
                for name, variants in spec.eaches.items()
                if self._known(name, known, variants[0].where)
            ),
        )
        self._complete(spec, target)
        return plan

    def _known(self, name: str, known: Mapping[str, Any] | None, where: str) -> bool:
        if known is None or name in known:
            return True
        self._complain(where, f"unknown field {name!r}{nearest(name, known)}")
        return False

    def _complete(self, spec: RecordSpec, target: type[Record] | None) -> None:
        """Every canonical field without a default is filled, and none twice."""
        where = _place(spec.where)
        filled = [*(field.name for field in spec.fields), *spec.ones, *spec.eaches]
        for name in sorted({name for name in filled if filled.count(name) > 1}):
            self._complain(where, f"{name!r} is filled twice")
        if target is None:
            return
        for name, info in fieldtypes.record_fields(target).items():
            if info.required and name not in filled:
                self._complain(where, f"{target.__name__}.{name} is required, but not mapped")

    def _constant(
        self, field: FieldSpec, known: Mapping[str, msgspec.structs.FieldInfo] | None, where: str
    ) -> Any:
        if known is None:
            return field.constant
        return self._converted(field.constant, known[field.name].type, _place(where, field.name))

    def _converted(self, value: Any, wanted: Any, where: str) -> Any:
        try:
            return fieldtypes.converted(value, wanted)
        except msgspec.ValidationError:
            self._complain(where, f"{value!r} is not {fieldtypes.named(wanted)}")
            return None

    def _field(
        self,
        field: FieldSpec,
        source: str,
        target: type[Record] | None,
        types: Types,
        record_where: str,
    ) -> FieldPlan | None:
        where = _place(record_where, field.name)
        parsed = expression(source, where, self._complain)
        if parsed is None:
            return None
        found = self._type_at(parsed, types, where)
        info = fieldtypes.record_fields(target)[field.name] if target else None
        wanted = info.type if info else UNKNOWN
        if info and (fieldtypes.nested_record(wanted) or fieldtypes.repeated_record(wanted)):
            self._complain(where, "holds records: fill it with [one.…] or [each.…]")
            return None
        steps, given = chain(field, wanted, found, where, self._complain)
        if field.values is not None:
            steps, given = (*steps, self._translate(field.values, wanted, where)), wanted
        if info is None:
            steps = (*steps, RefuseUnsendable())
            self._refuse_unsendable_type(given, where)
        elif not fieldtypes.fits(given, wanted):
            self._complain(where, _mismatch(given, wanted))
        text = info is not None and str in fieldtypes.members(wanted)
        if info and info.required and text:
            steps = (*steps, RefuseBlank())
        return FieldPlan(
            name=field.name,
            expression=parsed,
            steps=steps,
            blank_is_null=info is not None and (info.required or not text),
            fallback=self._fallback(field, info, where),
            personal=_personal(target, field.name, source),
        )

    def _translate(self, name: str, wanted: Any, where: str) -> Step:
        self.used_tables.add(name)
        if name in self._tables:
            return translation(self._tables[name], name, wanted, self._complain)
        self._complain(where, f"no value table {name!r}{nearest(name, self._tables)}")
        return RefuseBlank()

    def _refuse_unsendable_type(self, given: Any, where: str) -> None:
        if given is not UNKNOWN and {Decimal, datetime} & set(fieldtypes.members(given)):
            self._complain(where, f"{fieldtypes.named(given)} needs a transform to be sent")

    def _fallback(
        self, field: FieldSpec, info: msgspec.structs.FieldInfo | None, where: str
    ) -> Any:
        if field.default is not ABSENT:
            if info is None:
                return field.default
            return self._converted(field.default, info.type, where)
        if info is None:
            return OMIT
        if field.optional and info.required:
            self._complain(where, "cannot be optional: the canonical field has no default")
        return OMIT if field.optional else REQUIRED

    def _scopes(
        self,
        name: str,
        variants: tuple[RecordSpec, ...],
        target: type[Record] | None,
        types: Types,
        *,
        many: bool,
    ) -> tuple[ScopePlan, ...]:
        nested: type[Record] | None = None
        if target is not None:
            hint = fieldtypes.record_fields(target)[name].type
            nested = (fieldtypes.repeated_record if many else fieldtypes.nested_record)(hint)
            if nested is None:
                kind = "[each.…] needs a list of records" if many else "[one.…] needs a record"
                self._complain(variants[0].where, f"{kind}, {name!r} is not")
                return ()
        return tuple(self._scope(variant, nested, types) for variant in variants)

    def _scope(self, spec: RecordSpec, nested: type[Record] | None, types: Types) -> ScopePlan:
        parsed = expression(spec.source, spec.where, self._complain) if spec.source else None
        when = expression(spec.when, spec.where, self._complain) if spec.when else None
        inner = types.item
        if parsed is not None:
            inner = _item_type(self._type_at(parsed, types, spec.where))
        below = types.below(inner)
        if when is not None:
            self._type_at(when, below, spec.where)
        if spec.at_fault == "item" and (nested is None or "." in spec.where.removeprefix("each.")):
            self._complain(spec.where, 'at_fault = "item" is for the outer lists of a record')
        if spec.unique is not None and nested is not None:
            self._known(spec.unique, fieldtypes.record_fields(nested), spec.where)
        if self._depth == SCOPES:
            self._complain(spec.where, f"records nested deeper than {SCOPES} levels")
            return ScopePlan(parsed, when, False, None, RecordPlan(None, dict, {}, (), (), ()))
        self._depth += 1
        record = self.record(spec, nested, below)
        self._depth -= 1
        return ScopePlan(
            source=parsed,
            when=when,
            spare_record=spec.at_fault == "item",
            unique=spec.unique,
            record=record,
        )

    def _type_at(self, parsed: Expression, types: Types, where: str) -> Any:
        """The type of what a plain path leads to; complains about a key the record lacks."""
        current = {"item": types.item, "parent": types.parent, "root": types.root}[parsed.origin]
        if parsed.path is None:
            return UNKNOWN
        for depth, key in enumerate(parsed.path):
            record = None if current is UNKNOWN else fieldtypes.nested_record(current)
            if record is None or (key == "context" and depth == 0 and current is types.root):
                return UNKNOWN
            fields = fieldtypes.record_fields(record)
            if key not in fields:
                self._complain(where, f"{record.__name__} has no {key!r}{nearest(key, fields)}")
                return UNKNOWN
            current = fields[key].type
        return current


def _item_type(hint: Any) -> Any:
    if hint is UNKNOWN:
        return UNKNOWN
    return fieldtypes.repeated_record(hint) or fieldtypes.nested_record(hint) or UNKNOWN


def _place(*parts: str) -> str:
    """Where in the file: the record's own place, then its fields, then one of them."""
    where, *names = parts
    return ".".join(filter(None, [where, "fields", *names]))


def _mismatch(given: Any, wanted: Any) -> str:
    needed = fieldtypes.named(wanted)
    if given is UNKNOWN:
        return f"must become {needed}: name a transform or a value table that gives it"
    return f"must be {needed}, but the transforms give {fieldtypes.named(given)}"


def _personal(target: type[Record] | None, name: str, source: str) -> bool:
    """Whether a value may be about a person, so that no message may quote it."""
    if target is None:
        return bool(_PERSONAL.search(name) or _PERSONAL.search(source))
    return target is canonical.Address or name == "note"
