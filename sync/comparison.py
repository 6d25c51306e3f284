"""Two definitions side by side over what the inbox holds: what would change? Writes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec

from mappings import Definition, Definitions, Mapped, MappingError
from mappings.problems import shown
from state import inbox
from state.store import Store
from sync.context import Link

PAGE = 200
EXAMPLES = 3
_PERSONAL = ("bill_to", "ship_to", "note")
"""Canonical fields whose values are about people; what they hold is never shown."""
_NAMES = ("channel_line_id", "external_id")
"""Fields that name an item among its siblings, so that a new one does not shift the others."""


@dataclass(frozen=True, slots=True)
class Example:
    """One record and its values before and after, shortened and masked; empty: nothing there."""

    record: str
    before: str
    after: str


@dataclass(slots=True)
class FieldChange:
    """``records``: how many change in this field."""

    records: int = 0
    examples: list[Example] = field(default_factory=list)

    def note(self, example: Example) -> None:
        self.records += 1
        if len(self.examples) < EXAMPLES:
            self.examples.append(example)


@dataclass(slots=True)
class Comparison:
    """What became of every record. ``fields`` by canonical path without positions
    (``lines[].title``), ``parking`` by problem, with the value in the place of ``after``.
    ``erased``: records that have no payload any more."""

    records: int = 0
    unchanged: int = 0
    changed: int = 0
    newly_parked: int = 0
    unparked: int = 0
    still_parked: int = 0
    erased: int = 0
    fields: dict[str, FieldChange] = field(default_factory=dict)
    parking: dict[str, FieldChange] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Affected:
    """A stream of a connection that would be read with another definition than now."""

    link: Link
    topic: str
    in_force: Definition
    proposed: Definition


def affected(
    links: Iterable[Link], in_force: Definitions, proposed: Definitions, name: str
) -> list[Affected]:
    """The streams whose definition is the one of this name or extends it, now or as proposed."""
    found = []
    for link in links:
        now, then = in_force.for_connection(link.name), proposed.for_connection(link.name)
        for topic, role in link.connector.info.definitions.items():
            both = now[role], then[role]
            named = any(name in (one.name, *one.spec.chain) for one in both)
            if named and both[0].source is None:
                found.append(Affected(link, topic, *both))
    return found


def compare(
    store: Store,
    stream: Affected,
    *,
    since: datetime | None,
    into: Comparison,
    progress: Callable[[int], None],
) -> None:
    """Map the newest payload of each record with both; ``progress`` is told how many are done.

    Holds one page of payloads at a time, and no transaction while it maps.
    """
    after: int | None = 0
    while after is not None:
        with store.read() as conn:
            page, after = inbox.newest(
                conn, stream.link.id, stream.topic, since=since, after=after, limit=PAGE
            )
            texts = inbox.texts_by_id(conn, page)
        for row in page:
            if inbox.is_erased(row):
                into.erased += 1
                continue
            payload = texts[row.id]
            old, new = _mapped(stream.in_force, payload), _mapped(stream.proposed, payload)
            _note(into, row.external_id, old, new)
        progress(len(page))


def _mapped(definition: Definition, payload: bytes) -> Mapped | MappingError:
    try:
        return definition.apply(payload)
    except MappingError as error:
        return error


def _note(
    into: Comparison, record: str, old: Mapped | MappingError, new: Mapped | MappingError
) -> None:
    into.records += 1
    if isinstance(new, MappingError):
        if isinstance(old, MappingError):
            into.still_parked += 1
            return
        into.newly_parked += 1
        for problem in new.problems:
            key = f"{problem.field or 'record'}: {problem.message}"
            example = Example(record, "", problem.value)
            into.parking.setdefault(key, FieldChange()).note(example)
    elif isinstance(old, MappingError):
        into.unparked += 1
    elif changes := changes_of(old, new):
        into.changed += 1
        for path, (before, after) in changes.items():
            example = Example(record, _masked(path, before), _masked(path, after))
            into.fields.setdefault(path, FieldChange()).note(example)
    else:
        into.unchanged += 1


def _masked(path: str, value: Any) -> str:
    return shown(value, personal=path.split(".")[0] in _PERSONAL)


def changes_of(old: Mapped, new: Mapped) -> dict[str, tuple[Any, Any]]:
    """(before, after) by canonical path without positions: the first place where each changed."""
    found: dict[str, tuple[Any, Any]] = {}
    if old.record != new.record:
        before, after = dict(_leaves(old.record)), dict(_leaves(new.record))
        for path in {**before, **after}:
            if before.get(path) != after.get(path):
                change = (before.get(path), after.get(path))
                found.setdefault(".".join(_plain(part) for part in path), change)
    spared = _spared(old), _spared(new)
    for name in sorted(set(spared[0]) | set(spared[1])):
        change = (spared[0].count(name), spared[1].count(name))
        if change[0] != change[1]:
            found[f"{name}[] that cannot be read"] = change
    return found


def _spared(mapped: Mapped) -> list[str]:
    return [item.field for item in mapped.item_problems]


def _plain(part: str) -> str:
    name, bracket, _ = part.partition("[")
    return f"{name}[]" if bracket else name


def _leaves(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """(path, value) of everything in a record that is no record; absent ones are left out."""
    for name in value.__struct_fields__:
        found = getattr(value, name)
        if isinstance(found, msgspec.Struct):
            yield from _leaves(found, (*path, name))
        elif isinstance(found, tuple):
            for key, item in zip(_keys(found), found, strict=True):
                yield from _leaves(item, (*path, f"{name}[{key}]"))
        elif found is not None:
            yield (*path, name), found


def _keys(items: Sequence[Any]) -> list[str]:
    for name in _NAMES:
        keys = [str(getattr(item, name, "")) for item in items]
        if all(keys) and len(set(keys)) == len(keys):
            return keys
    return [str(number) for number in range(len(items))]
