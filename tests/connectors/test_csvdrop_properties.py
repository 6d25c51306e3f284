"""The drop folder under any bytes, and any order of drops, pulls, lost commits and crashes."""

from __future__ import annotations

import csv
import io
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from connectors.base import Cursor, Page, Rate
from connectors.csvdrop import CsvDrop, CsvDropConfig
from connectors.http import Door
from jobs.clock import ManualClock
from mappings import Definitions, MappingError

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
STREAMS = ("orders", "stock", "shipments")
HEADERS = {
    "orders": "order_number,placed_at,currency,grand_total,sku,quantity,line_total",
    "stock": "sku,on_hand,location_code",
    "shipments": "reference,shipment_id,tracking_number,sku,quantity",
}
DEFINITIONS = Definitions.load()


class NoLimit:
    """The folder is not rate limited."""

    def wait_s(self, key: str, rate: Rate, patience_s: float) -> float:
        return 0.0

    def block(self, key: str, seconds: float) -> None:
        raise AssertionError("nobody answers 429 here")


@contextmanager
def share() -> Iterator[tuple[Path, CsvDrop, ManualClock]]:
    with tempfile.TemporaryDirectory() as name:
        clock = ManualClock(NOON)
        door = Door("wms", clock, NoLimit())
        connector = CsvDrop(CsvDropConfig(folder=Path(name)), door, DEFINITIONS)
        connector.check()
        yield Path(name), connector, clock


def pull(connector: CsvDrop, stream: str, cursor: Cursor | None) -> Iterator[Page]:
    if stream == "stock":
        return connector.pull_stock(cursor)
    pull_any = connector.pull_orders if stream == "orders" else connector.pull_shipments
    return pull_any(cursor, NOON)


cells = st.text(st.characters(exclude_categories=["Cs"]), max_size=8) | st.sampled_from(
    ["1", "-1", "1.5", "2026-11-02", "EUR", '"', '""', "=1", "FO-1", "A", ""]
)


@st.composite
def csv_bytes(draw: st.DrawFn) -> tuple[str, bytes]:
    """A stream and a file that is near enough to CSV to get far."""
    stream = draw(st.sampled_from(STREAMS))
    width = HEADERS[stream].count(",") + 1
    table = draw(st.lists(st.lists(cells, min_size=width, max_size=width), max_size=8))
    text = io.StringIO(newline="")
    csv.writer(text).writerows(table)
    body = f"{HEADERS[stream]}\r\n{text.getvalue()}".encode()
    cut = draw(st.integers(0, len(body))) if draw(st.booleans()) else len(body)
    return stream, body[:cut] + draw(st.sampled_from([b"", b"\n", b"\xff", b",\n", b'"\n']))


any_file = csv_bytes() | st.tuples(st.sampled_from(STREAMS), st.binary(max_size=200))


@settings(max_examples=50, deadline=None)
@given(any_file)
@example(("orders", b"\xff\xfe\n"))
@example(("stock", b"\xef\xbb\xbfsku,on_hand\nA,1\n"))
@example(("stock", b"sku,on_hand\rA,1\r"))
def test_any_bytes_are_read_or_kept_with_a_reason_and_never_crash(case: tuple[str, bytes]) -> None:
    stream, content = case
    with share() as (root, connector, clock):
        path = root / "in" / stream / "any.csv"
        path.write_bytes(content)
        os.utime(path, (NOON.timestamp() - 60,) * 2)

        pages = list(pull(connector, stream, None))
        records = [record for page in pages for record in page.records]
        for record in records:
            with suppress(MappingError):
                DEFINITIONS[f"csvdrop.{stream}"].apply(record.body)
        cursor, findings = pages[-1].cursor, list(pages[-1].findings)
        clock.advance(601)
        findings += list(pull(connector, stream, cursor))[-1].findings

        kept = [file for file in root.rglob("*.csv") if file.is_file()]
        assert [file.read_bytes() for file in kept] == [content], "exactly one copy, unchanged"
        where = kept[0].relative_to(root).parts[0]
        # What was read with care is told of too, and read all the same.
        refused = any(not finding.ok for finding in findings)
        assert where == ("rejected" if refused else "archive")
        if where == "archive":
            text = content.decode("utf-8-sig")
            lines = [
                row for row in csv.reader(io.StringIO(text, newline="")) if any(map(str.strip, row))
            ]
            assert sum(_rows(stream, record.body) for record in records) == len(lines) - 1
        else:
            assert kept[0].with_name("any.csv.reason.txt").read_text().strip()


def _rows(stream: str, body: Mapping[str, Any]) -> int:
    if stream == "orders":
        return len(body["lines"])
    if stream == "shipments":
        return sum(len(package["lines"]) for package in body["packages"])
    figures = body["count"]["on_hand"]
    return len(figures) if isinstance(figures, list) else 1


steps = st.lists(
    st.one_of(
        st.tuples(st.just("drop"), st.integers(0, 5)),
        st.tuples(st.just("pull"), st.integers(0, 4)),
        st.tuples(st.just("wait"), st.integers(0, 700)),
    ),
    max_size=25,
)


@settings(max_examples=40, deadline=None)
@given(steps)
def test_every_order_is_committed_whatever_happens_between_drop_and_commit(
    script: list[tuple[str, int]],
) -> None:
    """A pull of n commits n pages and then loses its process; files come at any time."""
    with share() as (root, connector, clock):
        cursor: Cursor | None = None
        committed: set[str] = set()
        dropped: set[str] = set()

        def run(pages: int) -> None:
            nonlocal cursor
            for number, page in enumerate(connector.pull_orders(cursor, NOON)):
                if number >= pages:
                    return
                committed.update(record.external_id for record in page.records)
                cursor = page.cursor

        for step, number in script:
            if step == "drop":
                order = f"O-{number}"
                path = root / "in" / "orders" / f"{order}-{len(dropped)}.csv"
                row = f"{order},2026-11-02,EUR,1,A,1,1"
                path.write_text(f"{HEADERS['orders']}\n{row}\n")
                age = clock.now() - timedelta(seconds=number)
                os.utime(path, (age.timestamp(),) * 2)
                dropped.add(order)
            elif step == "pull":
                run(number)
            else:
                clock.advance(number)
        for _ in range(3):
            clock.advance(5)
            run(1000)

        assert committed == dropped
        assert list((root / "in" / "orders").iterdir()) == [], "all archived in the end"
        assert not list((root / "rejected" / "orders").iterdir())


def test_the_cursor_stays_small_however_many_files_lie_there() -> None:
    with share() as (root, connector, clock):
        for number in range(250):
            path = root / "in" / "stock" / f"{number}.csv"
            path.write_text(f"sku,on_hand\nS{number},1\n")
            os.utime(path, (NOON.timestamp() - 60,) * 2)
        for number in range(120):
            (root / "in" / "stock" / f"{number}.part").write_text("x")
        cursor: Cursor | None = None
        taken = []
        for _ in range(4):
            for page in connector.pull_stock(cursor):
                taken += [record.external_id for record in page.records]
                cursor = page.cursor
                assert len(cursor["done"]) <= 200
                assert len(cursor["waiting"]) <= 100
            clock.advance(1)
        assert len(taken) == len(set(taken)) == 250


@pytest.mark.parametrize("stream", STREAMS)
def test_an_empty_folder_gives_one_empty_page(stream: str) -> None:
    with share() as (_, connector, _clock):
        (page,) = pull(connector, stream, None)
        assert (page.records, page.findings) == ([], ())
