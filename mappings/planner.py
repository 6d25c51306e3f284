"""A parsed definition becomes a plan: names are resolved, types checked, faults collected."""

from __future__ import annotations

import json
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
    DefinitionSpec,
    FieldSpec,
    RecordSpec,
    TableSpec,
    nearest,
)
from mappings.document import Complain, Spot
from mappings.expressions import Expression
from mappings.limits import SCOPES
from mappings.plan import OMIT, REQUIRED, FieldPlan, RecordPlan, ScopePlan
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


def planned(spec: DefinitionSpec, complain: Complain) -> RecordPlan:
    """Plan a whole definition; complain about every name, type and expression at fault."""
    head = spec.document
    source = _record_class(spec.source, head.at("source"), complain) if spec.source else None
    if spec.source is None:
        target = _record_class(spec.target, head.at("target"), complain)
    else:
        target = None
        if spec.target != "request":
            complain(head.at("target"), 'must be "request" where source is given')
    root = source or UNKNOWN
    planner = _Planner(spec.tables, spec.omit_empty, complain)
    if source is None and target is None:
        return RecordPlan(None, dict, {}, (), (), ())
    plan = planner.record(spec.record, target, Types(root, UNKNOWN, root))
    for name, table in spec.tables.items():
        # An extension may well have replaced the field that used an inherited one.
        if name not in planner.used_tables and not table.inherited:
            complain(table.spot, "no field uses this table")
    return plan


def _record_class(name: str, spot: Spot, complain: Complain) -> type[Record] | None:
    found = getattr(canonical, name, None)
    if isinstance(found, type) and issubclass(found, Record):
        return found
    known = [key for key, value in vars(canonical).items() if isinstance(value, type)]
    complain(spot, f"no canonical record {name!r}{nearest(name, known)}")
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
            field for field in spec.fields if self._known(field.name, known, _holder(field.spot))
        ]
        plan = RecordPlan(
            target=target,
            make=(lambda values: target(**values)) if target else request_maker(self._omit_empty),
            constants={
                field.name: self._constant(field, known) for field in fields if field.source is None
            },
            fields=tuple(
                planned_field
                for field in fields
                if field.source is not None
                and (planned_field := self._field(field, field.source, target, types))
            ),
            ones=tuple(
                (
                    name,
                    self._scopes(name, variants, target, types, many=False),
                    known is not None and known[name].required,
                )
                for name, variants in spec.ones.items()
                if self._known(name, known, variants[0].spot)
            ),
            eaches=tuple(
                (name, self._scopes(name, variants, target, types, many=True))
                for name, variants in spec.eaches.items()
                if self._known(name, known, variants[0].spot)
            ),
        )
        self._complete(spec, target)
        return plan

    def _known(self, name: str, known: Mapping[str, Any] | None, spot: Spot) -> bool:
        if known is None or name in known:
            return True
        self._complain(spot, f"unknown field {name!r}{nearest(name, known)}")
        return False

    def _complete(self, spec: RecordSpec, target: type[Record] | None) -> None:
        """Every canonical field without a default is filled, and none twice."""
        spot = spec.fields_spot
        filled = [*(field.name for field in spec.fields), *spec.ones, *spec.eaches]
        for name in sorted({name for name in filled if filled.count(name) > 1}):
            self._complain(spot, f"{name!r} is filled twice")
        if target is None:
            return
        for name, info in fieldtypes.record_fields(target).items():
            if info.required and name not in filled:
                self._complain(spot, f"{target.__name__}.{name} is required, but not mapped")

    def _constant(
        self, field: FieldSpec, known: Mapping[str, msgspec.structs.FieldInfo] | None
    ) -> Any:
        if known is None:
            return self._sendable(field.constant, field.spot)
        return self._converted(field.constant, known[field.name].type, field.spot)

    def _sendable(self, value: Any, spot: Spot) -> Any:
        try:
            json.dumps(value, allow_nan=False)
        except (TypeError, ValueError):
            self._complain(spot, f"{value!r} is nothing that JSON can say")
        return value

    def _converted(self, value: Any, wanted: Any, spot: Spot) -> Any:
        try:
            return fieldtypes.converted(value, wanted)
        except msgspec.ValidationError:
            self._complain(spot, f"{value!r} is not {fieldtypes.named(wanted)}")
            return None

    def _field(
        self,
        field: FieldSpec,
        source: str,
        target: type[Record] | None,
        types: Types,
    ) -> FieldPlan | None:
        spot = field.spot
        parsed = expression(source, spot, self._complain)
        if parsed is None:
            return None
        found = self._type_at(parsed, types, spot)
        info = fieldtypes.record_fields(target)[field.name] if target else None
        wanted = info.type if info else UNKNOWN
        if info and (fieldtypes.nested_record(wanted) or fieldtypes.repeated_record(wanted)):
            self._complain(spot, "holds records: fill it with [one.…] or [each.…]")
            return None
        steps, given = chain(field, wanted, found, self._complain)
        if field.values is not None:
            steps, given = (*steps, self._translate(field.values, wanted, spot)), wanted
        if info is None:
            steps = (*steps, RefuseUnsendable())
            self._refuse_unsendable_type(given, spot)
        elif not fieldtypes.fits(given, wanted):
            self._complain(spot, _mismatch(given, wanted))
        text = info is not None and str in fieldtypes.members(wanted)
        if info and info.required and text:
            steps = (*steps, RefuseBlank())
        return FieldPlan(
            name=field.name,
            expression=parsed,
            steps=steps,
            blank_is_null=info is not None and (info.required or not text),
            fallback=self._fallback(field, info),
            longest=fieldtypes.longest(wanted) if info else None,
            personal=_personal(target, field.name, source),
            spot=spot,
        )

    def _translate(self, name: str, wanted: Any, spot: Spot) -> Step:
        self.used_tables.add(name)
        if name in self._tables:
            return translation(self._tables[name], name, wanted, self._complain)
        self._complain(spot, f"no value table {name!r}{nearest(name, self._tables)}")
        return RefuseBlank()

    def _refuse_unsendable_type(self, given: Any, spot: Spot) -> None:
        if given is not UNKNOWN and {Decimal, datetime} & set(fieldtypes.members(given)):
            self._complain(spot, f"{fieldtypes.named(given)} needs a transform to be sent")

    def _fallback(self, field: FieldSpec, info: msgspec.structs.FieldInfo | None) -> Any:
        if field.default is not ABSENT:
            if info is None:
                return self._sendable(field.default, field.spot)
            return self._converted(field.default, info.type, field.spot)
        if info is None:
            return OMIT
        if field.optional and info.required:
            self._complain(field.spot, "cannot be optional: the canonical field has no default")
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
                self._complain(variants[0].spot, f"{kind}, {name!r} is not")
                return ()
        return tuple(self._scope(variant, nested, types) for variant in variants)

    def _scope(self, spec: RecordSpec, nested: type[Record] | None, types: Types) -> ScopePlan:
        parsed = expression(spec.source, spec.spot, self._complain) if spec.source else None
        when = expression(spec.when, spec.spots["when"], self._complain) if spec.when else None
        inner = types.item
        if parsed is not None:
            inner = _item_type(self._type_at(parsed, types, spec.spot))
        below = types.below(inner)
        if when is not None:
            self._type_at(when, below, spec.spots["when"])
        if spec.at_fault == "item" and (nested is None or self._depth > 0):
            told = 'at_fault = "item" is for the outer lists of a record'
            self._complain(spec.spots["at_fault"], told)
        if spec.unique is not None and nested is not None:
            self._known(spec.unique, fieldtypes.record_fields(nested), spec.spots["unique"])
        if self._depth == SCOPES:
            self._complain(spec.spot, f"records nested deeper than {SCOPES} levels")
            nothing = RecordPlan(None, dict, {}, (), (), ())
            return ScopePlan(parsed, when, False, None, nothing, spec.spot, spec.spot)
        self._depth += 1
        record = self.record(spec, nested, below)
        self._depth -= 1
        return ScopePlan(
            source=parsed,
            when=when,
            spare_record=spec.at_fault == "item",
            unique=spec.unique,
            record=record,
            spot=spec.spot,
            when_spot=spec.spots["when"],
        )

    def _type_at(self, parsed: Expression, types: Types, spot: Spot) -> Any:
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
                self._complain(spot, f"{record.__name__} has no {key!r}{nearest(key, fields)}")
                return UNKNOWN
            current = fields[key].type
        return current


def _item_type(hint: Any) -> Any:
    if hint is UNKNOWN:
        return UNKNOWN
    return fieldtypes.repeated_record(hint) or fieldtypes.nested_record(hint) or UNKNOWN


def _holder(spot: Spot) -> Spot:
    """A field's place, named by the ``fields`` that it stands in."""
    return replace(spot, where=spot.where.rpartition("fields")[0] + "fields")


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
