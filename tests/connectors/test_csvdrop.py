"""The drop folder: what comes in, when it is taken, and where it ends up."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from connectors.base import (
    CancelsFulfilmentOrders,
    Connector,
    Cursor,
    Page,
    PullsOrders,
    PullsShipments,
    PullsStock,
    PushesFulfilmentOrders,
)
from connectors.csvdrop import CsvDrop, CsvDropConfig
from connectors.errors import ConfigProblem, Unreachable
from connectors.http import Door
from mappings import Definitions, MappingError
from mappings import canonical as c
from mappings.totals import calculated_total
from sandbox.clock import ManualClock

NOW = datetime(2026, 11, 2, 8, tzinfo=UTC)
LONG_AGO = NOW - timedelta(hours=1)
DAY_BEFORE = LONG_AGO - timedelta(days=1)
ORDERS = (
    "Order Number,placed_at,currency,grand_total,shipping_total,sku,quantity,unit_price,"
    "line_total,line_tax,ship_to_name,ship_to_street,ship_to_city,ship_to_country\n"
    "1001,2026-07-01 10:00,EUR,41.70,4.90,MUG-1,2,10.00,20.00,3.80,Żółta محل 🎁,Weg 1,Bonn,de\n"
    "1001,,,,,CUP-2,1,13.00,13.00,,,,,\n"
    '1002,2026-07-02T09:30:00Z,JPY,1200,,MUG-1,1,1200,1200,,"O\'Neil, Jo",Main St 2,Cork,IE\n'
)


Drop = Callable[..., Path]
Build = Callable[..., CsvDrop]


@pytest.fixture
def build(tmp_path: Path, definitions: Definitions, open_door: Callable[..., Door]) -> Build:
    def make(**settings: Any) -> CsvDrop:
        config = CsvDropConfig(folder=tmp_path / "share", **settings)
        config.folder.mkdir(exist_ok=True)
        connector = CsvDrop(config, open_door(), definitions)
        connector.check()
        return connector

    return make


@pytest.fixture
def drop(tmp_path: Path) -> Drop:
    def put(stream: str, name: str, content: str | bytes, at: datetime = LONG_AGO) -> Path:
        path = tmp_path / "share" / "in" / stream / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        os.utime(path, (at.timestamp(), at.timestamp()))
        return path

    return put


def pull(connector: CsvDrop, stream: str = "orders", cursor: Cursor | None = None) -> list[Page]:
    if stream == "orders":
        return list(connector.pull_orders(cursor, NOW))
    if stream == "stock":
        return list(connector.pull_stock(cursor))
    return list(connector.pull_shipments(cursor, NOW))


def bodies(pages: Sequence[Page]) -> dict[str, Mapping[str, Any]]:
    return {record.external_id: record.body for page in pages for record in page.records}


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_it_has_the_capabilities_it_names(build: Build) -> None:
    connector = build()
    for protocol in (
        Connector,
        PullsOrders,
        PullsStock,
        PullsShipments,
        PushesFulfilmentOrders,
        CancelsFulfilmentOrders,
    ):
        assert isinstance(connector, protocol), protocol


def test_rows_become_orders_whose_parts_add_up_to_the_total(
    build: Build, drop: Drop, definitions: Definitions
) -> None:
    connector = build(timezone="Europe/Berlin")
    drop("orders", "day.csv", ORDERS)

    found = bodies(pull(connector))
    orders = {key: definitions["csvdrop.orders"].apply(body).record for key, body in found.items()}

    assert list(orders) == ["1001", "1002"]
    first, second = orders["1001"], orders["1002"]
    assert [(line.channel_sku, line.quantity) for line in first.lines] == [
        ("MUG-1", Decimal(2)),
        ("CUP-2", Decimal(1)),
    ]
    assert first.ship_to == c.Address(
        name="Żółta محل 🎁", street="Weg 1", city="Bonn", country="DE"
    )
    assert first.placed_at == datetime(2026, 7, 1, 8, tzinfo=UTC), "Berlin is 2 h ahead in July"
    assert second.placed_at == datetime(2026, 7, 2, 9, 30, tzinfo=UTC), "an offset is obeyed"
    assert (first.grand_total, second.grand_total) == (4170, 1200)
    assert [calculated_total(order) for order in orders.values()] == [4170, 1200]
    assert first.source_version == "2026-11-02T07:00:00.000000Z", "the file's own time"
    assert [line.channel_line_id for line in first.lines] == ["1", "2"]


def test_order_columns_that_contradict_each_other_park_the_order(
    build: Build, drop: Drop, definitions: Definitions
) -> None:
    connector = build()
    row = "1001,,,,,CUP-2,1,13.00,13.00,,,,,"
    drop("orders", "a.csv", ORDERS.replace(row, f"{row[:-1]}Köln,"))

    body = bodies(pull(connector))["1001"]

    assert body["order"]["ship_to_city"] == ["Bonn", "Köln"]
    with pytest.raises(MappingError, match="city"):
        definitions["csvdrop.orders"].apply(body)


def test_rows_without_an_order_number_are_records_of_their_own(build: Build, drop: Drop) -> None:
    connector = build()
    header = ORDERS.splitlines()[0]
    row = ",2026-07-01,EUR,1,,A,1,1,1,,,,,"
    drop("orders", "a.csv", f"{header}\n{row}\n{row}\n")
    drop("orders", "b.csv", f"{header}\n{row}\n")

    assert len(bodies(pull(connector))) == 3, "none of them hides another"


def test_a_file_is_archived_only_after_its_cursor_is_committed(
    build: Build, drop: Drop, tmp_path: Path
) -> None:
    connector = build()
    path = drop("orders", "day.csv", ORDERS)

    pages = pull(connector)
    assert len(bodies(pages)) == 2
    assert path.exists()
    assert len(bodies(pull(connector))) == 2, "the commit failed: everything comes again"

    again = pull(connector, cursor=pages[-1].cursor)
    assert bodies(again) == {}
    assert not path.exists()
    (kept,) = (tmp_path / "share" / "archive" / "orders").iterdir()
    assert kept.read_text() == ORDERS
    assert pull(connector, cursor=again[-1].cursor)[-1].cursor["done"] == [], "and is forgotten"


def test_only_the_last_page_of_a_file_says_that_it_is_done(build: Build, drop: Drop) -> None:
    connector = build()
    rows = "".join(f"SKU-{number},{number}\n" for number in range(1200))
    drop("stock", "count.csv", "sku,on_hand\n" + rows)

    pages = pull(connector, "stock")

    assert [len(page.records) for page in pages] == [500, 500, 200, 0]
    assert [len(page.cursor["done"]) for page in pages] == [0, 0, 1, 1]
    assert all(page.total is None for page in pages), "a file says nothing of other SKUs"


def test_a_header_without_rows_is_read_and_archived(build: Build, drop: Drop) -> None:
    connector = build()
    path = drop("stock", "count.csv", "sku,on_hand\n")
    pages = pull(connector, "stock")
    pull(connector, "stock", pages[-1].cursor)
    assert not path.exists()
    assert pages[-1].findings == ()


def test_the_same_order_file_again_is_a_duplicate(build: Build, drop: Drop, tmp_path: Path) -> None:
    connector = build()
    drop("orders", "day.csv", ORDERS)
    drop("orders", "copy.csv", ORDERS, LONG_AGO + timedelta(minutes=1))
    pages = pull(connector)
    assert len([r for page in pages for r in page.records]) == 2, "taken once"

    cursor = pull(connector, cursor=pages[-1].cursor)[-1].cursor
    drop("orders", "day.csv", ORDERS, NOW - timedelta(minutes=1))
    pages = pull(connector, cursor=cursor)

    assert bodies(pages) == {}
    archived = names(tmp_path / "share" / "archive" / "orders")
    assert len(archived) == 3
    assert sum(".duplicate." in name for name in archived) == 2, archived


def test_the_same_stock_count_later_is_news(build: Build, drop: Drop) -> None:
    connector = build()
    count = "sku,on_hand\nMUG-1,10\n"
    drop("stock", "count.csv", count)
    first = pull(connector, "stock")
    cursor = pull(connector, "stock", first[-1].cursor)[-1].cursor
    drop("stock", "count.csv", count, NOW - timedelta(minutes=1))

    second = pull(connector, "stock", cursor)

    assert list(bodies(first)) == list(bodies(second)) == ["MUG-1@"]


def test_stock_rows_map_with_the_location_of_the_row_or_the_connection(
    build: Build, drop: Drop, definitions: Definitions
) -> None:
    connector = build(location_code="BONN", delimiter=";")
    drop(
        "stock",
        "count.csv",
        "SKU;On Hand;location_code;counted_at\nA;10;;\nB;-2.5;KOELN;2026-11-01T18:00:00+01:00\n",
    )
    counts = [
        definitions["csvdrop.stock"].apply(body).record
        for body in bodies(pull(connector, "stock")).values()
    ]
    assert counts == [
        c.StockCount(sku="A", on_hand=Decimal(10), location_code="BONN", observed_at=DAY_BEFORE),
        c.StockCount(
            sku="B",
            on_hand=Decimal("-2.5"),
            location_code="KOELN",
            observed_at=datetime(2026, 11, 1, 17, tzinfo=UTC),
        ),
    ]


def test_counts_without_a_time_are_as_old_as_they_can_be_and_told_of_once(
    build: Build, drop: Drop
) -> None:
    connector = build(counted_within_s=600)
    for name in ("one.csv", "two.csv"):
        drop("stock", name, f"sku,on_hand\n{name},5\n")
    pages = pull(connector, "stock")
    assert {body["file"]["counted_from"] for body in bodies(pages).values()} == {
        (LONG_AGO - timedelta(minutes=10)).isoformat()
    }
    [told] = pages[-1].findings
    assert (told.subject, told.ok) == ("in/stock/one.csv", True)
    assert pull(connector, "stock")[-1].findings == ()


def test_two_counts_of_one_sku_in_a_file_are_parked_not_guessed(
    build: Build, drop: Drop, definitions: Definitions
) -> None:
    connector = build()
    drop("stock", "count.csv", "sku,on_hand\nA,5\nA,5\nB,1\n")
    found = bodies(pull(connector, "stock"))
    with pytest.raises(MappingError, match="on_hand"):
        definitions["csvdrop.stock"].apply(found["A@"])
    assert definitions["csvdrop.stock"].apply(found["B@"]).record.on_hand == 1


def test_shipment_rows_are_grouped_into_shipments_and_packages(
    build: Build, drop: Drop, definitions: Definitions
) -> None:
    connector = build()
    drop(
        "shipments",
        "sent.csv",
        "reference,shipment_id,state,shipped_at,carrier,tracking_number,tracking_url,sku,quantity\n"
        "FO-1,S1,shipped,2026-11-02T10:00:00Z,DHL,T1,https://t/1,A,1\n"
        "FO-1,S1,shipped,2026-11-02T10:00:00Z,DHL,T2,,B,2\n"
        "FO-1,S1,shipped,2026-11-02T10:00:00Z,DHL,T1,https://t/1,B,1\n"
        "FO-2,,,,DPD,T3,,A,1\n"
        "FO-3,,Cancelled,,,,,,\n",
    )
    shipments = [
        definitions["csvdrop.shipments"].apply(body).record
        for body in bodies(pull(connector, "shipments")).values()
    ]
    one = c.ShippedLine(sku="A", quantity=Decimal(1))
    assert [(s.reference, s.external_id, s.state) for s in shipments] == [
        ("FO-1", "FO-1/S1", "shipped"),
        ("FO-2", "FO-2/T3", "shipped"),
        ("FO-3", "FO-3/", "cancelled"),
    ]
    assert shipments[0].packages[0] == c.Package(
        tracking_number="T1",
        carrier="DHL",
        tracking_url="https://t/1",
        lines=(one, c.ShippedLine(sku="B", quantity=Decimal(1))),
    )
    assert shipments[1].shipped_at == LONG_AGO, "no time given: it was sent before the file was"
    assert shipments[1].packages[0].lines == (one,)
    assert shipments[2].packages[0].lines == ()


# ---- half-written, broken and hostile files ----------------------------------------------------


@pytest.mark.parametrize("name", ["day.csv.part", "day.tmp", "day.csv.filepart", "day.csv.upload"])
def test_a_file_with_the_name_of_an_upload_waits(build: Build, drop: Drop, name: str) -> None:
    connector = build()
    path = drop("orders", name, ORDERS)
    pages = pull(connector)
    assert bodies(pages) == {}
    assert list(pages[-1].cursor["waiting"]) == [name]
    path.rename(path.with_name("day.csv"))
    assert len(bodies(pull(connector, cursor=pages[-1].cursor))) == 2


def test_a_young_file_waits_until_it_has_settled(
    build: Build, drop: Drop, clock: ManualClock
) -> None:
    connector = build(settle_s=10)
    drop("orders", "day.csv", ORDERS, NOW - timedelta(seconds=3))
    pages = pull(connector)
    assert bodies(pages) == {}
    clock.advance(10)
    assert len(bodies(pull(connector, cursor=pages[-1].cursor))) == 2


def test_a_file_from_the_future_is_settled_once_it_stood_still_on_our_clock(
    build: Build, drop: Drop, clock: ManualClock
) -> None:
    connector = build(settle_s=10)
    path = drop("orders", "day.csv", ORDERS[:200], NOW + timedelta(days=3))
    cursor = pull(connector)[-1].cursor
    clock.advance(11)
    drop("orders", "day.csv", ORDERS, NOW + timedelta(days=3, seconds=5))
    cursor = pull(connector, cursor=cursor)[-1].cursor
    assert path.name in cursor["waiting"], "it grew, so it starts to wait anew"
    clock.advance(11)
    assert len(bodies(pull(connector, cursor=cursor))) == 2


def test_a_file_cut_off_inside_a_line_waits_and_is_then_rejected_with_the_remedy(
    build: Build, drop: Drop, clock: ManualClock, tmp_path: Path
) -> None:
    connector = build()
    drop("orders", "day.csv", ORDERS.rstrip("\n"))
    pages = pull(connector)
    assert (bodies(pages), pages[-1].findings) == ({}, ())
    clock.advance(601)
    pages = pull(connector, cursor=pages[-1].cursor)
    (finding,) = pages[-1].findings
    assert "cut off" in finding.detail
    assert not finding.ok
    assert names(tmp_path / "share" / "rejected") == ["day.csv", "day.csv.reason.txt"]


REJECTED = [
    pytest.param(
        "Größe,x\n".encode("cp1252"), ["Line 1", "0xf6", "offset 2", "cp1252"], id="cp1252"
    ),
    pytest.param("sku,on_hand\n".encode("utf-16"), ["utf-16"], id="utf-16"),
    pytest.param("sku,on_hand\n".encode("utf-16-le"), ["NUL"], id="utf-16 without mark"),
    pytest.param(b"PK\x03\x04 zip\n", ["Excel"], id="workbook"),
    pytest.param(
        b"sku;on_hand\nA;1\n", ["';'", "delimiter", "missing: sku, on_hand"], id="semicolon"
    ),
    pytest.param(
        b"sku,SKU,,x\nA,1,2,3\n", ["missing: on_hand", "twice: sku", "column 3"], id="header"
    ),
    pytest.param(b"sku,on_hand\nA,1,2\nB\n", ["2, 3", "2 columns", "quotes"], id="ragged"),
    pytest.param(b'sku,on_hand\n"A"x,1\n', ["Line 2", "not CSV"], id="quotes"),
    pytest.param(b"\n\n", ["empty"], id="blank"),
]


@pytest.mark.parametrize(("content", "told"), REJECTED)
def test_a_file_that_cannot_be_read_is_kept_with_one_clear_reason(
    build: Build, drop: Drop, tmp_path: Path, content: bytes, told: list[str]
) -> None:
    connector = build()
    drop("stock", "bad.csv", content)
    drop("stock", "good.csv", "sku,on_hand\nA,1\n")

    pages = pull(connector, "stock")

    assert list(bodies(pages)) == ["A@"], "the file beside it is not held up"
    (finding,) = [one for one in pages[-1].findings if not one.ok]
    for word in told:
        assert word in finding.detail
    rejected = tmp_path / "share" / "rejected" / "stock"
    assert (rejected / "bad.csv").read_bytes() == content
    assert (rejected / "bad.csv.reason.txt").read_text().strip() == finding.detail
    assert any(not f.ok and "1 files" in f.detail for f in connector.check())


def test_rejected_files_of_one_name_do_not_replace_each_other(
    build: Build, drop: Drop, tmp_path: Path
) -> None:
    connector = build()
    for content in (b"a\n", b"b\n", b"c\n"):
        drop("stock", "bad.csv", content)
        pull(connector, "stock")
    kept = [p for p in (tmp_path / "share" / "rejected" / "stock").iterdir() if p.suffix == ".csv"]
    assert sorted(path.read_bytes() for path in kept) == [b"a\n", b"b\n", b"c\n"]


def test_links_are_never_followed(build: Build, drop: Drop, tmp_path: Path) -> None:
    connector = build()
    secret = tmp_path / "secret.csv"
    secret.write_text("sku,on_hand\nA,1\n")
    inbox = tmp_path / "share" / "in" / "stock"
    (inbox / "link.csv").symlink_to(secret)
    os.mkfifo(inbox / "pipe.csv")

    pages = pull(connector, "stock")

    assert bodies(pages) == {}
    assert ["link" in f.detail for f in pages[-1].findings] == [True, True]
    assert secret.read_text().startswith("sku")


def test_a_stream_folder_that_leads_elsewhere_is_refused(build: Build, tmp_path: Path) -> None:
    connector = build()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    inbox = tmp_path / "share" / "in" / "stock"
    inbox.rmdir()
    inbox.symlink_to(elsewhere)
    with pytest.raises(ConfigProblem, match="link"):
        pull(connector, "stock")


def test_a_file_beyond_the_cap_is_never_read(build: Build, drop: Drop) -> None:
    connector = build(max_bytes=20)
    drop("stock", "big.csv", "sku,on_hand\n" + "A,1\n" * 10)
    (finding,) = pull(connector, "stock")[-1].findings
    assert "max_bytes" in finding.detail


def test_a_file_of_too_many_rows_is_asked_to_be_split(build: Build, drop: Drop) -> None:
    connector = build()
    drop("stock", "big.csv", "sku,on_hand\n" + "A,1\n" * 100_001)
    (finding,) = pull(connector, "stock")[-1].findings
    assert "split" in finding.detail


def test_a_name_that_is_no_text_can_still_be_stored(
    build: Build, drop: Drop, tmp_path: Path
) -> None:
    connector = build()
    for name in (b"caf\xe9.csv", b"caf\xe9.part", b"bad\xe9.csv"):
        path = drop("stock", "x", b"sku\n" if name[:1] == b"b" else b"sku,on_hand\nA,1\n")
        path.rename(os.fsdecode(os.fsencode(path.parent) + b"/" + name))

    pages = pull(connector, "stock")
    (body,) = bodies(pages).values()
    told = json.dumps([body, pages[-1].cursor, pages[-1].findings[0].subject], ensure_ascii=False)
    assert told.encode().count(b"\\xe9") == 3
    pages = pull(connector, "stock", pages[-1].cursor)
    assert bodies(pages) == {}, "archived"


def test_names_are_made_plain_where_we_write_them(build: Build, drop: Drop, tmp_path: Path) -> None:
    connector = build()
    drop("stock", "Bestand ä\x07..%2e%2e " + "x" * 200 + ".CSV", "sku\nA\n")
    pull(connector, "stock")
    kept = names(tmp_path / "share" / "rejected")
    assert all(name.isascii() and name.isprintable() and len(name) < 110 for name in kept), kept


def test_a_missing_share_is_a_reason_to_try_again_not_an_empty_folder(
    build: Build, tmp_path: Path
) -> None:
    connector = build()
    (tmp_path / "share").rename(tmp_path / "unmounted")
    with pytest.raises(Unreachable, match="mounted"):
        pull(connector)
    with pytest.raises(Unreachable, match="mounted"):
        connector.find_fulfilment_order("FO-1")
    with pytest.raises(ConfigProblem, match="folder"):
        connector.check()


@pytest.mark.parametrize(
    ("setting", "value", "told"),
    [
        ("encoding", "utf8-bom", "no encoding"),
        ("timezone", "Berlin", "no time zone"),
        ("delimiter", ";;", "delimiter"),
        ("delimitter", ";", "delimitter"),
    ],
)
def test_settings_are_checked(tmp_path: Path, setting: str, value: str, told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        CsvDropConfig.model_validate({"folder": str(tmp_path), setting: value})
