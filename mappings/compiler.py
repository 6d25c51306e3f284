"""A plan becomes one Python function that maps a payload without a problem, or gives None.

It has no words for problems: at the first one it gives None or raises, and ``mappings.collector``
goes through the payload again to say all that is wrong with it. What both make of a payload
without a problem is the same record.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass
from typing import Any

import msgspec

from mappings.canonical import Record
from mappings.field_code import write_optional, write_required
from mappings.fieldtypes import record_fields
from mappings.generated import Source
from mappings.jmespath_code import is_true
from mappings.limits import Spend
from mappings.place import Place
from mappings.plan import OMIT, REQUIRED, RecordPlan, ScopePlan
from mappings.problems import Unfit
from mappings.reads import shape_of
from mappings.shapes import Shape

Compiled = Callable[[Any, Spend], Any]
"""Takes a payload and what counts the steps; gives the record, or None where it has a problem."""


def compiled(plan: RecordPlan) -> tuple[Compiled, Source]:
    """The function of decoded payloads, and its source for those who want to read it."""
    return _compiled(plan, None)


@dataclass(frozen=True, slots=True)
class Typed:
    """A plan that decodes for itself: ``decode`` makes of JSON what ``mapped`` reads.

    ``decode`` raises ``msgspec.DecodeError`` where the JSON has another shape than the plan reads,
    which says nothing of whether it maps.
    """

    decode: Callable[[bytes], Any]
    mapped: Compiled
    code: Source


def typed(plan: RecordPlan) -> Typed | None:
    """The function of payloads that are JSON; None where the plan reads no payload by its keys."""
    shape = shape_of(plan)
    if not shape.is_object:
        return None
    mapped, code = _compiled(plan, shape)
    return Typed(shape.decoder(code.attribute).decode, mapped, code)


def _compiled(plan: RecordPlan, shape: Shape | None) -> tuple[Compiled, Source]:
    source = Source()
    with source.function("mapped(payload, spend)"):
        source.present.add("payload")
        if shape is not None:
            source.shapes["payload"] = shape
        place = Place(source, "payload")
        place.enter(plan, None)
        source.line(f"return {_record(plan, place)}")
    return source.compiled("mapped"), source


def items_of(value: Any) -> list[Any]:
    """What a list of records is made of. A lone object is a list of one: some vendors unwrap
    lists of a single item. Raises ``Unfit``."""
    if isinstance(value, list):
        return value
    if isinstance(value, Mapping):
        return [value]
    raise Unfit("not a list")


def _record(plan: RecordPlan, place: Place) -> str:
    """Write what fills a record; gives the expression that makes it."""
    if plan.target is None:
        return _request(plan, place)
    source = place.source
    filled = {name: source.bind(value) for name, value in plan.constants.items()}
    for field in plan.fields:
        if field.fallback is REQUIRED:
            filled[field.name] = write_required(field, place)
        else:
            fallback = field.fallback
            if fallback is OMIT:
                fallback = _default(plan.target, field.name)
            filled[field.name] = write_optional(field, place, source.bind(fallback))
    for name, variants, must in plan.ones:
        filled[name] = _one(variants, must, place)
        default = None if must else _default(plan.target, name)
        if default is not None:
            with source.block(f"if {filled[name]} is None:"):
                source.line(f"{filled[name]} = {source.bind(default)}")
    for name, sources in plan.eaches:
        found = _each(sources, place, start="[]")
        filled[name] = f"{source.use(tuple)}({found})"
    # Names come from our class, not from the definition.
    given = (f"{name}={filled[name]}" for name in record_fields(plan.target) if name in filled)
    return f"{source.use(plan.target)}({', '.join(given)})"


def _default(target: type[Record], name: str) -> Any:
    info = record_fields(target)[name]
    if info.default_factory is not msgspec.NODEFAULT:
        return info.default_factory()
    return info.default


def _request(plan: RecordPlan, place: Place) -> str:
    source = place.source
    pairs = (f"{source.bind(name)}: {source.bind(v)}" for name, v in plan.constants.items())
    body = source.let(f"{{{', '.join(pairs)}}}")

    def put(name: str, value: str) -> None:
        with source.block(f"if {value} is not None:"):
            source.line(f"{body}[{source.bind(name)}] = {value}")

    for field in plan.fields:
        fallback = None if field.fallback is OMIT else field.fallback
        put(field.name, write_optional(field, place, source.bind(fallback)))
    for name, variants, must in plan.ones:
        put(name, _one(variants, must, place))
    for name, sources in plan.eaches:
        put(name, _each(sources, place, start="None"))
    return f"{source.bind(plan.make)}({body})"


def _one(variants: tuple[ScopePlan, ...], must: bool, place: Place) -> str:
    source = place.source
    made = source.let("None")
    for number, variant in enumerate(variants):
        with source.block(f"if {made} is None:") if number else nullcontext():
            found = place.read(variant.source) if variant.source else place.item
            item = source.let(found)
            with ExitStack() as blocks:
                blocks.enter_context(source.block(f"if {item} is not None:"))
                source.present.add(item)
                below = place.below(item, source.shapes.get(found))
                below.enter(variant.record, variant.when)
                if variant.when is not None:
                    applies = is_true(below.read(variant.when), source)
                    blocks.enter_context(source.block(f"if {applies}:"))
                source.line(f"{made} = {_record(variant.record, below)}")
    if must:
        with source.block(f"if {made} is None:"):
            source.line("return None")
    return made


def _each(sources: tuple[ScopePlan, ...], place: Place, *, start: str) -> str:
    """Write the items of all sources; ``start``: what there is where every source is null."""
    source = place.source
    found = source.let(start)
    for scope in sources:
        items = place.read(scope.source) if scope.source else place.item
        with source.block(f"if {items} is not None:"):
            items, shape = _listed(items, source)
            source.line(f"spend({source.use(len)}({items}))")
            if start == "None":
                with source.block(f"if {found} is None:"):
                    source.line(f"{found} = []")
            seen = source.let("{}") if scope.unique else ""
            item = source.fresh("item")
            with source.block(f"for {item} in {items}:"):
                if shape is not None:
                    source.present.add(item)
                _item(scope, place.below(item, shape), found, seen)
    return found


def _listed(items: str, source: Source) -> tuple[str, Shape | None]:
    """Write the list that something is; gives its variable and the shape of its elements."""
    shape = source.shapes.get(items)
    if shape is None:
        return source.once(f"{source.use(items_of)}({items})"), None
    if shape.is_object:
        return source.once(f"[{items}]"), shape
    # Typed as a list, it is none of the lone objects that stand for a list of one.
    return items, shape.elements()


def _item(scope: ScopePlan, below: Place, found: str, seen: str) -> None:
    source = below.source
    below.enter(scope.record, scope.when)
    if scope.when is not None:
        when = below.read(scope.when)
        with source.block(f"if not ({is_true(when, source)}):"):
            source.line("continue")
    made = source.once(_record(scope.record, below))
    if scope.unique:
        key = source.once(f"{source.use(getattr)}({made}, {source.bind(scope.unique)})")
        with source.block(f"if {key} in {seen}:"):
            with source.block(f"if {seen}[{key}] == {made}:"):
                source.line("continue")
            source.line("return None")
        source.line(f"{seen}[{key}] = {made}")
    source.line(f"{found}.append({made})")
