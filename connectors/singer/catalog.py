"""The catalog of a tap: which streams it has, and how it is told which to read.

Singer has had three ways of selecting, and taps of every age are in use: ``metadata`` (today's),
``schema.selected`` and ``selected`` of the stream. All three are set.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Any

import msgspec

from connectors.errors import ConfigProblem
from connectors.singer.settings import TapStream

Catalog = dict[str, Any]


def parsed(text: bytes, where: str) -> Catalog:
    """A catalog that has been written; ``where`` names it in errors."""
    try:
        catalog = msgspec.json.decode(text)
    except (ValueError, RecursionError):
        raise ConfigProblem(f"{where} is no JSON: {text[:80]!r}") from None
    streams = catalog.get("streams") if isinstance(catalog, dict) else None
    if not isinstance(streams, list) or not all(_is_stream(one) for one in streams):
        raise ConfigProblem(f"{where} is no Singer catalog: it has no list of streams with names")
    return dict(catalog)


def names(catalog: Catalog) -> list[str]:
    """What the streams are chosen by."""
    return [str(entry.get("tap_stream_id") or entry["stream"]) for entry in catalog["streams"]]


def message_names(catalog: Catalog, wanted: TapStream) -> set[str]:
    """What the chosen stream may be called in messages: taps write its name or its id there.

    Raises ``ConfigProblem`` when there is no such stream.
    """
    entry = catalog["streams"][_position(catalog, wanted)]
    return {str(entry[key]) for key in ("tap_stream_id", "stream") if entry.get(key)}


def selecting(catalog: Catalog, wanted: TapStream, *, all_fields: bool) -> Catalog:
    """The catalog with only ``wanted`` selected.

    ``all_fields``: each of its fields too, since taps leave out what nobody asked for.
    """
    chosen = _position(catalog, wanted)
    streams = [
        _marked(entry, wanted, number == chosen, all_fields)
        for number, entry in enumerate(catalog["streams"])
    ]
    return {**catalog, "streams": streams}


def _position(catalog: Catalog, wanted: TapStream) -> int:
    known = names(catalog)
    if wanted.stream in known:
        return known.index(wanted.stream)
    titles = [entry.get("stream") for entry in catalog["streams"]]
    if titles.count(wanted.stream) == 1:
        return titles.index(wanted.stream)
    raise ConfigProblem(f"the tap has no stream {wanted.stream!r}{_near(wanted.stream, known)}")


def _near(word: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    if close:
        return f": did you mean {close[0]!r}?"
    return f": it has {', '.join(sorted(known)[:20])}" if known else ": it has none at all"


def _marked(entry: Catalog, wanted: TapStream, selected: bool, all_fields: bool) -> Catalog:
    rows = [dict(row) for row in entry.get("metadata") or []]
    if not any(list(row.get("breadcrumb") or ()) == [] for row in rows):
        rows.append({"breadcrumb": [], "metadata": {}})
    for row in rows:
        own = dict(row.get("metadata") or {})
        if not row.get("breadcrumb"):
            own["selected"] = selected
            if selected and wanted.replication_key:
                own["replication-method"] = "INCREMENTAL"
                own["replication-key"] = wanted.replication_key
        elif selected and all_fields and own.get("inclusion") != "unsupported":
            own["selected"] = True
        row["metadata"] = own
    marked = {**entry, "metadata": rows, "selected": selected}
    if selected and wanted.replication_key:
        marked["replication_method"] = "INCREMENTAL"
        marked["replication_key"] = wanted.replication_key
    if isinstance(entry.get("schema"), dict):
        marked["schema"] = {**entry["schema"], "selected": selected}
    return marked


def _is_stream(entry: Any) -> bool:
    return (
        isinstance(entry, dict)
        and isinstance(entry.get("stream"), str)
        and isinstance(entry.get("metadata") or [], list)
        and all(_is_row(row) for row in entry.get("metadata") or [])
    )


def _is_row(row: Any) -> bool:
    return (
        isinstance(row, dict)
        and isinstance(row.get("breadcrumb") or [], list)
        and isinstance(row.get("metadata") or {}, dict)
    )
