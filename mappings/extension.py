"""A definition over the one it extends: what it says itself, and else what that one says.

The rules are in ``mappings/README.md``. Whatever shall be changed must be there: a definition that
changes nothing because what it names is gone would fail silently, and months later.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from mappings.definition import HEAD, flat, is_removal, nearest, spelled, variants_of
from mappings.document import Complain, Table

_FIXED = ("target", "source")
_NESTED = ("one", "each")


def extended(base: Table, over: Table, complain: Complain) -> Table:
    """``over`` put over ``base``, which is whole. Complains of what does not fit, and goes on."""
    for key in _FIXED:
        if key in over and over[key] != base.get(key):
            told = f"{over['extends']} has {base[key]!r}" if key in base else "it has none"
            complain(over.at(key), f"cannot be changed by extending, and {told}: leave it out")
    made = base.copied(without=HEAD)
    made.spot = over.spot
    for key in over:
        if key in HEAD or key not in (*_FIXED, "fields", *_NESTED, "values"):
            made.take(key, over)
    _Merge(complain, dotted="source" in base).record(made, over)
    _each_table(made, over, "values", lambda old, new: _value_table(old, new, complain))
    return made


def _each_table(made: Table, over: Table, key: str, merge: Callable[[Table, Table], Table]) -> None:
    """Put the tables below ``key`` over those of the same name in ``made``."""
    given = over.get(key)
    if not isinstance(given, Table):
        if key in over:
            made.take(key, over)
        return
    merged = made[key].copied() if key in made else Table(given.spot)
    for name, new in given.items():
        if name in merged and isinstance(new, Table):
            merged.put(name, merge(merged[name], new), given.at(name))
        else:
            merged.take(name, given)
    made.put(key, merged, made.at(key))


class _Merge:
    """Puts records over records. ``dotted``: the keys of their fields are paths of a request."""

    def __init__(self, complain: Complain, *, dotted: bool) -> None:
        self._complain = complain
        self._dotted = dotted

    def record(self, made: Table, over: Table) -> None:
        """Put ``over``'s fields and nested records into ``made``, which is changed."""
        if "fields" in over:
            if isinstance(over["fields"], Table):
                self._fields(made, over["fields"])
            else:
                made.take("fields", over)
        for key in _NESTED:
            self._records(made, over, key)

    def _fields(self, made: Table, given: Table) -> None:
        fields = made["fields"].copied() if "fields" in made else Table(given.spot)
        if self._dotted:
            fields, given = flat(fields), flat(given)
        for name, rule in given.items():
            if not is_removal(rule):
                fields.take(name, given)
            elif len(rule) > 1:
                self._complain(given.at(name), "remove = true stands alone")
            elif name not in fields:
                near = nearest(name, fields)
                self._complain(given.at(name), f"there is no {name!r} to remove{near}")
            else:
                fields = fields.copied(without=(name,))
        made.put("fields", fields, given.spot)

    def _records(self, made: Table, over: Table, key: str) -> None:
        given = over.get(key)
        if not isinstance(given, Table):
            if key in over:
                made.take(key, over)
            return
        records = made[key].copied() if key in made else Table(given.spot)
        for name in given:
            old = variants_of(records, name, self._complain) if name in records else []
            merged = self._variants(old, given, name)
            if len(merged) == 1 and not isinstance(given[name], list):
                records.put(name, merged[0], given.at(name))
            elif merged:
                records.put(name, merged, given.at(name))
            else:
                records = records.copied(without=(name,))
        made.put(key, records, made.at(key))

    def _variants(self, old: list[Table], given: Table, name: str) -> list[Table]:
        """The records under one name: those there are, changed in their places, then new ones."""
        single = isinstance(given[name], Table)
        if single and old and is_removal(given[name]):
            return []
        found = list(old)
        for new in variants_of(given, name, self._complain):
            number = self._number(found, new, single=single)
            if number is None:
                continue
            if number == len(found):
                found.append(new)
            elif is_removal(new):
                if set(new) - {"remove", "extends"}:
                    self._complain(new.spot, "beside remove = true only extends may stand")
                del found[number]
            else:
                found[number] = self._variant(found[number], new)
        return found

    def _number(self, found: list[Table], new: Table, *, single: bool) -> int | None:
        """Which of those found is meant, or the number of a further one; complains: None."""
        sources = [one.get("from", "@") for one in found]
        choice = " or ".join(repr(source) for source in sources)
        if "extends" in new:
            if sources.count(new["extends"]) == 1:
                return sources.index(new["extends"])
            many = "several" if new["extends"] in sources else "none"
            told = f", they read {choice}" if many == "none" and found else ""
            self._complain(
                new.at("extends"), f"{many} of these records read {new['extends']!r}{told}"
            )
        elif single and len(found) > 1:
            told = f"there are {len(found)} of these: write [[{new.spot.where}]]"
            self._complain(new.spot, f"{told} with extends = {choice}")
        elif single and found:
            return 0
        elif is_removal(new):
            told = f": say which, extends = {choice}" if found else ""
            self._complain(new.spot, f"there is nothing to remove{told}")
        else:
            return len(found)
        return None

    def _variant(self, old: Table, new: Table) -> Table:
        made = old.copied()
        for key in new:
            if key not in ("fields", *_NESTED, "extends", "remove"):
                made.take(key, new)
        self.record(made, new)
        return made


def _value_table(old: Table, new: Table, complain: Complain) -> Table:
    """A spelling leads to the word that says it last; ``remove`` takes spellings away."""
    made = old.copied()
    for key in new:
        if key not in ("map", "remove"):
            made.take(key, new)
    words = old.get("map", Table(old.at("map")))
    added = new.get("map", Table(new.at("map")))
    removed = new.get("remove", [])
    if not isinstance(removed, list):
        complain(new.at("remove"), "must list spellings")
        removed = []
    known = {spelled(one) for _, spellings in _lists(words) for one in spellings}
    for one in removed:
        if spelled(one) not in known:
            complain(new.at("remove"), f"there is no spelling {one!r} to remove")
    gone = {spelled(one) for _, spellings in _lists(added) for one in spellings}
    gone |= {spelled(one) for one in removed}
    merged = Table(words.spot)
    for word, spellings in _lists(words):
        kept = [one for one in spellings if spelled(one) not in gone]
        if kept or word in added:
            merged.put(word, kept, words.at(word))
    for word, spellings in added.items():
        more = spellings if isinstance(spellings, list) else []
        well = more is spellings
        merged.put(word, [*merged.get(word, []), *more] if well else spellings, added.at(word))
    made.put("map", merged, new.at("map"))
    return made


def _lists(words: Any) -> list[tuple[str, list[Any]]]:
    """The words of a value table with their spellings; what has another shape is told elsewhere."""
    if not isinstance(words, Mapping):
        return []
    return [(word, spellings) for word, spellings in words.items() if isinstance(spellings, list)]
