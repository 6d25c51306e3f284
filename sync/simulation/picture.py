"""A simulation as one HTML page with a picture, complete in itself: no scripts, nothing fetched."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from typing import Any

from sync.simulation.outcome import Outcome
from sync.simulation.past import Compared, Simulated
from sync.simulation.report import parcels_by_location, totals

_MOVED_MAX = 500
"""Orders listed on the page; the CSV has all of them."""

_BAR_WIDTH, _BAR_HEIGHT, _LABEL_WIDTH, _ROW_HEIGHT = 520, 11, 170, 34

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #1c2430; max-width: 60rem; margin: 2rem auto;
  padding: 0 1rem }
h1 { font-size: 1.5rem } h2 { font-size: 1.1rem; margin-top: 2rem }
table { border-collapse: collapse; width: 100% }
th, td { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid #dde2ea }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums }
.before { fill: #9aa7b8 } .after { fill: #2563a8 }
svg text { font: 13px system-ui, sans-serif; fill: #1c2430 }
.note { color: #5b6675 }
"""


def page(found: Simulated) -> str:
    """The whole page. What comes from channels is escaped."""
    moved = [one for one in found.orders if one.moved]
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>Routing simulation: {escape(found.rules)}</title>",
            f"<style>{_STYLE}</style></head><body>",
            f"<h1>{escape(found.rules)} <small>{found.version}</small></h1>",
            f"<p>{len(found.orders)} orders since {found.since:%Y-%m-%d %H:%M} UTC, decided again; "
            f"{len(moved)} would ship from other locations.</p>",
            "<h2>In figures</h2>",
            *_table(("", "before", "after"), _figures(found), numbers=(1, 2)),
            "<h2>Parcels by location</h2>",
            *_bars(parcels_by_location(found)),
            "<h2>Orders that ship from other locations</h2>",
            *_moved(moved),
            f'<p class="note">Not compared: {found.older} orders decided before there were rule '
            f"files, {found.repeated} further decisions about orders that are compared.</p>",
            "</body></html>",
        ]
    )


def _figures(found: Simulated) -> Iterator[Sequence[Any]]:
    for row in totals(found):
        yield row["figure"], row["before"], row["after"]


def _table(
    headings: Sequence[str], rows: Iterator[Sequence[Any]], numbers: Sequence[int]
) -> Iterator[str]:
    def kind(place: int) -> str:
        return ' class="number"' if place in numbers else ""

    cells = (f"<th{kind(n)}>{escape(text)}</th>" for n, text in enumerate(headings))
    yield f"<table><thead><tr>{''.join(cells)}</tr></thead><tbody>"
    for row in rows:
        shown = ("-" if value is None else escape(str(value)) for value in row)
        cells = (f"<td{kind(n)}>{text}</td>" for n, text in enumerate(shown))
        yield f"<tr>{''.join(cells)}</tr>"
    yield "</tbody></table>"


def _bars(parcels: Sequence[tuple[str, int, int]]) -> Iterator[str]:
    """Two bars per location, before over after, on one scale."""
    if not parcels:
        yield '<p class="note">Nothing ships either way.</p>'
        return
    most = max(max(before, after) for _, before, after in parcels)
    height = len(parcels) * _ROW_HEIGHT + 30
    width = _LABEL_WIDTH + _BAR_WIDTH + 70
    yield (
        f'<svg viewBox="0 0 {width} {height}" width="100%" role="img" '
        'aria-label="Parcels by location, before and after">'
    )
    yield f'<rect class="before" x="{_LABEL_WIDTH}" y="4" width="12" height="12"/>'
    yield f'<text x="{_LABEL_WIDTH + 18}" y="15">before</text>'
    yield f'<rect class="after" x="{_LABEL_WIDTH + 90}" y="4" width="12" height="12"/>'
    yield f'<text x="{_LABEL_WIDTH + 108}" y="15">after</text>'
    for row, (code, *counts) in enumerate(parcels):
        top = 30 + row * _ROW_HEIGHT
        label = f'x="{_LABEL_WIDTH - 10}" y="{top + 17}" text-anchor="end"'
        yield f"<text {label}>{escape(code)}</text>"
        for which, (name, count) in enumerate(zip(("before", "after"), counts, strict=True)):
            y = top + which * (_BAR_HEIGHT + 1)
            length = _BAR_WIDTH * count / most if most else 0
            yield (
                f'<rect class="{name}" x="{_LABEL_WIDTH}" y="{y}" width="{length:.1f}" '
                f'height="{_BAR_HEIGHT}"/>'
            )
            yield f'<text x="{_LABEL_WIDTH + length + 6:.1f}" y="{y + 10}">{count}</text>'
    yield "</svg>"


def _moved(moved: Sequence[Compared]) -> Iterator[str]:
    if not moved:
        yield '<p class="note">None.</p>'
        return
    rows = (
        (one.order, f"{one.decided_at:%Y-%m-%d %H:%M}", _told(one.before), _told(one.after))
        for one in moved[:_MOVED_MAX]
    )
    yield from _table(("order", "decided", "before", "after"), rows, numbers=())
    if len(moved) > _MOVED_MAX:
        yield f'<p class="note">And {len(moved) - _MOVED_MAX} more: the CSV has all.</p>'


def _told(outcome: Outcome) -> str:
    if outcome.waits:
        return f"waits: {outcome.waits}"
    return " + ".join(outcome.locations) or "nothing ships"
