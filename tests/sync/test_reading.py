"""Pages on their way into the store."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.base import Finding, Page, RawRecord
from connectors.errors import Unreachable
from jobs.clock import ManualClock
from sync.reading import gathered

NOW = datetime(2026, 11, 2, 8, tzinfo=UTC)


def page(number: int, records: int) -> Page:
    found = [RawRecord(f"{number}.{n}", b"{}") for n in range(records)]
    return Page(found, {"page": number}, findings=[Finding(f"{number}", False, "")])


@given(st.lists(st.integers(0, 5), max_size=12), st.integers(1, 8))
def test_gathering_keeps_every_record_in_order_and_the_last_cursor(
    sizes: list[int], at_least: int
) -> None:
    pages = [page(number, records) for number, records in enumerate(sizes)]
    found = list(gathered(iter(pages), at_least, ManualClock(NOW)))
    assert [r for p in found for r in p.records] == [r for p in pages for r in p.records]
    assert [f for p in found for f in p.findings] == [f for p in pages for f in p.findings]
    ends = {p.cursor["page"] for p in pages if not p.records}
    assert all(len(p.records) >= at_least or p.cursor["page"] in ends for p in found[:-1])
    assert [p.cursor for p in found[-1:]] == [p.cursor for p in pages[-1:]]


def test_what_came_before_a_failure_is_not_lost() -> None:
    def breaking() -> Iterator[Page]:
        yield page(1, 2)
        yield page(2, 2)
        raise Unreachable("the shop is away")

    found = gathered(breaking(), 100, ManualClock(NOW))
    first = next(found)
    assert (len(first.records), first.cursor) == (4, {"page": 2})
    with pytest.raises(Unreachable, match="the shop is away"):
        next(found)


def test_a_slow_source_is_not_waited_for() -> None:
    clock = ManualClock(NOW)

    def slow() -> Iterator[Page]:
        for number in range(4):
            clock.advance(1)
            yield page(number, 1)

    assert [len(one.records) for one in gathered(slow(), 100, clock)] == [3, 1]
