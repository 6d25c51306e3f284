"""The files of a reconciliation, opened with what finance opens them with."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import signal
import subprocess
import sys
import textwrap
import zipfile
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from openpyxl.utils.escape import unescape

from mappings import canonical as c
from mappings.numbers import exponent
from sync.reconciliation import files, period
from sync.reconciliation.columns import AMOUNTS, UNITS, rate_column, tables
from sync.reconciliation.formats import frame
from sync.reconciliation.period import Reconciliation
from sync.reconciliation.rows import Batch
from sync.reconciliation.workbook import workbook
from sync.spreadsheets import neutral
from tests.conftest import REPOSITORY
from tests.sync.conftest import Bench, woo_order
from tests.sync.test_reconciliation import NOVEMBER, canonical_orders, put, take

NOW = datetime(2026, 12, 1, 6, tzinfo=UTC)
NAME = "reconciliation_2026-11-01_2026-11-30"
FORMULAS = [
    "=1+1",
    "=HYPERLINK(\"http://example.org\",\"x\")",
    "+1+1",
    "-1+1",
    "@SUM(A1)",
    "\t=1+1",
    "\r=1+1",
    "|calc",
    "＝1+1",
    "＋1",
    "－1",
    "＠SUM(A1)",
    " =1+1",
    "\u00a0=1+1",
    "\u200b=1+1",
    "\ufeff=1+1",
    "a;=1+1;b",
    "a\r\n=1+1",
    "a\t=1+1",
    '";=1+1;"',
    '"\r\n=1+1',
    "=cmd|' /C calc'!A0",
]  # fmt: skip

Row = dict[str, Any]


def export(bench: Bench, folder: Path, first: date, last: date) -> dict[str, Any]:
    with period.reconcile(bench.store, first, last) as found:
        return files.write(found, folder, NOW)


def given_rows(*orders: Row, tax: tuple[Row, ...] = ()) -> Reconciliation:
    """A reconciliation that is not from a store: what is written is up to the test."""
    batches = iter([Batch(list(orders), list(tax))])
    return Reconciliation(*NOVEMBER, (), 0, 0, batches)


def an_order(currency: str = "EUR", **given: Any) -> Row:
    row: Row = {
        "connection": "shop",
        "business_date": date(2026, 11, 2),
        "order": "1",
        "channel_order_id": "1",
        "placed_at": datetime(2026, 11, 2, 7, tzinfo=UTC),
        "state": "accepted",
        "channel_status": "ready",
        "currency": currency,
        **{name: Decimal(0).scaleb(-exponent(currency)) for name in AMOUNTS},
        **dict.fromkeys(UNITS, Decimal(0)),
    }
    return row | given


def csv_rows(path: Path) -> list[Row]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file, strict=True))


def parquet_rows(path: Path) -> list[Row]:
    found: list[Row] = pyarrow.parquet.read_table(path).to_pylist()
    return found


def sheet_cells(path: Path, sheet: str) -> list[list[Any]]:
    return [list(row) for row in openpyxl.load_workbook(path)[sheet].iter_rows()]


def xlsx_rows(path: Path, sheet: str) -> list[Row]:
    heads, *rows = sheet_cells(path, sheet)
    names = [cell.value for cell in heads]
    return [dict(zip(names, map(shown_in, row), strict=True)) for row in rows]


def shown_in(cell: Any) -> Any:
    """A cell as Excel shows it: openpyxl leaves ``_x000D_`` as it is in inline text."""
    return unescape(cell.value) if isinstance(cell.value, str) else cell.value


def money(cell: Any) -> Decimal:
    """A cell of any format as a decimal; a double by its shortest text, as people see it."""
    return Decimal(repr(cell)) if isinstance(cell, float) else Decimal(str(cell))


def visible(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(drawn=st.lists(canonical_orders(), max_size=5))
def test_all_formats_hold_the_same_to_the_minor_unit(
    bench: Bench, tmp_path: Path, drawn: list[c.Order]
) -> None:
    day, _ = put(bench, drawn)
    with period.reconcile(bench.store, day, day) as found:
        rates = found.rates
        manifest = files.write(found, tmp_path, NOW)
    stem = tmp_path / manifest["name"]
    read = {
        table: (
            csv_rows(Path(f"{stem}_{table}.csv")),
            parquet_rows(Path(f"{stem}_{table}.parquet")),
            xlsx_rows(Path(f"{stem}.xlsx"), table.capitalize()),
        )
        for table in ("orders", "tax", "summary")
    }
    for table, columns in tables(rates).items():
        as_csv, as_parquet, as_xlsx = read[table]
        assert len(as_csv) == len(as_parquet) == len(as_xlsx)
        for one, two, three in zip(as_csv, as_parquet, as_xlsx, strict=True):
            assert list(one) == list(two) == list(three) == [column.name for column in columns]
            for column in columns:
                if column.kind in ("amount", "units", "count"):
                    values = [money(row[column.name]) for row in (one, two, three)]
                    assert values[0] == values[1] == values[2], column.name
                if column.kind == "amount":
                    digits = exponent(one["currency"])
                    assert Decimal(one[column.name]).as_tuple().exponent == -digits
    orders, summary = read["orders"], read["summary"]
    for name in (*AMOUNTS, *map(rate_column, rates), *UNITS):
        for total in summary[0]:
            for rows in orders:
                mine = [row for row in rows if row["currency"] == total["currency"]]
                assert sum(money(row[name]) for row in mine) == money(total[name]), name
    told = [{name: str(value) for name, value in total.items()} for total in manifest["totals"]]
    assert told == summary[0]


def test_the_manifest_names_every_file_with_its_checksum(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "folder"
    order = an_order(gross=Decimal("10.00"), calculated_total=Decimal("10.00"))
    manifest = files.write(given_rows(order), folder, NOW)
    manifest_file = files.manifest_name(manifest)
    assert json.loads((folder / manifest_file).read_text()) == manifest
    assert visible(folder) == {*manifest["files"], manifest_file}
    assert len(manifest["files"]) == 7, "three tables as CSV and Parquet, and a workbook"
    for name, told in manifest["files"].items():
        data = (folder / name).read_bytes()
        assert told == {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
    assert manifest["orders"] == 1
    assert manifest["totals"][0]["gross"] == "10.00"
    assert manifest["unexplained"] == []


def test_files_are_readable_for_whom_the_umask_allows(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        manifest = files.write(given_rows(), tmp_path, NOW)
    finally:
        os.umask(before)
    modes = {(tmp_path / name).stat().st_mode & 0o777 for name in manifest["files"]}
    assert modes == {0o640}


def test_a_period_without_orders_gives_files_with_headings(tmp_path: Path) -> None:
    manifest = files.write(given_rows(), tmp_path, NOW)
    assert manifest["orders"] == 0
    for table, columns in tables(()).items():
        names = [column.name for column in columns]
        with (tmp_path / f"{NAME}_{table}.csv").open(encoding="utf-8-sig", newline="") as file:
            assert list(csv.reader(file)) == [names]
        parquet = pyarrow.parquet.read_table(tmp_path / f"{NAME}_{table}.parquet")
        assert (parquet.num_rows, parquet.column_names) == (0, names)
        cells = sheet_cells(tmp_path / f"{NAME}.xlsx", table.capitalize())
        assert [[cell.value for cell in row] for row in cells] == [names]


def test_parquet_types_are_the_same_with_and_without_orders(tmp_path: Path) -> None:
    files.write(given_rows(), tmp_path / "without", NOW)
    files.write(given_rows(an_order()), tmp_path / "with", NOW)
    for table in ("orders", "tax", "summary"):
        empty, full = (
            pyarrow.parquet.read_schema(tmp_path / which / f"{NAME}_{table}.parquet")
            for which in ("without", "with")
        )
        assert empty.equals(full)
    assert full.field("gross").type == pyarrow.decimal128(38, 4)


def test_amounts_in_the_workbook_show_the_currencys_decimals(tmp_path: Path) -> None:
    shown = {"EUR": "1234.50", "JPY": "1234", "KWD": "1234.567", "CLF": "0.0001"}
    rows = [an_order(currency, gross=Decimal(text)) for currency, text in shown.items()]
    files.write(given_rows(*rows), tmp_path, NOW)
    heads, *cells = sheet_cells(tmp_path / f"{NAME}.xlsx", "Orders")
    place = [cell.value for cell in heads].index("gross")
    assert [(row[place].value, row[place].number_format) for row in cells] == [
        (1234.5, "#,##0.00"),
        (1234, "#,##0"),
        (1234.567, "#,##0.000"),
        (0.0001, "#,##0.0000"),
    ]


def test_negative_amounts_stay_numbers(tmp_path: Path) -> None:
    files.write(given_rows(an_order(variance=Decimal("-0.05"))), tmp_path, NOW)
    assert csv_rows(tmp_path / f"{NAME}_orders.csv")[0]["variance"] == "-0.05"
    [row] = xlsx_rows(tmp_path / f"{NAME}.xlsx", "Orders")
    assert row["variance"] == -0.05
    assert parquet_rows(tmp_path / f"{NAME}_orders.parquet")[0]["variance"] == Decimal("-0.05")


@given(amount=st.integers(-(10**22), 10**22), currency=st.sampled_from(["EUR", "JPY", "CLF"]))
@example(amount=999_999_999_999_999, currency="EUR")
@example(amount=9_007_199_254_740_993, currency="EUR")
@example(amount=-(2**63), currency="CLF")
@settings(max_examples=20, deadline=None)
def test_a_double_never_changes_an_amount(
    tmp_path_factory: pytest.TempPathFactory, amount: int, currency: str
) -> None:
    exact = Decimal(amount).scaleb(-exponent(currency))
    columns = tables(())["orders"]
    path = tmp_path_factory.mktemp("workbook") / "amounts.xlsx"
    with workbook(path, {"orders": columns}, NOW) as sheets:
        sheets["orders"].add(frame(columns, [an_order(currency, gross=exact)]))
    [row] = xlsx_rows(path, "Orders")
    assert money(row["gross"]) == exact
    assert isinstance(row["gross"], str) == (len(str(abs(amount)).rstrip("0")) > 15)


def test_dates_and_times_are_dates_and_times(tmp_path: Path) -> None:
    files.write(given_rows(an_order()), tmp_path, NOW)
    [told] = csv_rows(tmp_path / f"{NAME}_orders.csv")
    assert (told["business_date"], told["placed_at"]) == ("2026-11-02", "2026-11-02T07:00:00Z")
    [kept] = parquet_rows(tmp_path / f"{NAME}_orders.parquet")
    assert kept["business_date"] == date(2026, 11, 2)
    assert kept["placed_at"] == datetime(2026, 11, 2, 7, tzinfo=UTC)
    [shown] = xlsx_rows(tmp_path / f"{NAME}.xlsx", "Orders")
    assert shown["business_date"] == datetime(2026, 11, 2)  # noqa: DTZ001
    assert shown["placed_at"] == datetime(2026, 11, 2, 7)  # noqa: DTZ001


def test_a_time_before_excels_first_day_is_text(tmp_path: Path) -> None:
    long_ago = an_order(business_date=date(1, 1, 1), placed_at=datetime(1, 1, 1, tzinfo=UTC))
    files.write(given_rows(long_ago), tmp_path, NOW)
    [row] = xlsx_rows(tmp_path / f"{NAME}.xlsx", "Orders")
    assert row["business_date"] == "0001-01-01"


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_no_separator_makes_a_formula_of_a_text_in_a_csv(tmp_path: Path, separator: str) -> None:
    rows = [an_order(order=text) for text in FORMULAS]
    files.write(given_rows(*rows), tmp_path, NOW)
    path = tmp_path / f"{NAME}_orders.csv"
    with path.open(encoding="utf-8-sig", newline="") as file:
        cells = [cell for row in csv.reader(file, delimiter=separator) for cell in row]
    lines = path.read_text(encoding="utf-8-sig").splitlines()
    cells += [cell for line in lines for cell in line.split(separator)]
    starts = {cell.lstrip(' "\t\r\n\u00a0\u200b\ufeff')[:1] for cell in cells}
    assert not starts & set("=+-@|＝＋－＠")
    told = [row["order"].replace("'", "") for row in csv_rows(path)]
    assert told == [text.replace("'", "") for text in FORMULAS], "nothing else is changed"


def test_no_text_is_a_formula_in_the_workbook_and_every_one_is_as_it_was(tmp_path: Path) -> None:
    rows = [an_order(order=text, channel_order_id=text) for text in FORMULAS]
    files.write(given_rows(*rows), tmp_path, NOW)
    path = tmp_path / f"{NAME}.xlsx"
    heads, *cells = sheet_cells(path, "Orders")
    place = [cell.value for cell in heads].index("order")
    assert [shown_in(row[place]) for row in cells] == FORMULAS
    assert {cell.data_type for row in cells for cell in row} == {"s", "n", "d"}
    assert all(row[place].style is not None and row[place].quotePrefix for row in cells)
    with zipfile.ZipFile(path) as archive:
        sheets = [archive.read(name) for name in archive.namelist() if "sheet" in name]
    assert not any(b"<f>" in sheet or b"hyperlink" in sheet for sheet in sheets)


@given(text=st.text(st.characters(codec="utf-8"), max_size=20))
@example(text="\x00\x01_x0041_")
@example(text="\ufffe\uffff\U0001ffff")
@example(text="العربية 👩‍👩‍👧 'quoted' \"twice\", x")
@settings(max_examples=12, deadline=None)
def test_any_text_survives_every_format(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    folder = tmp_path_factory.mktemp("text")
    files.write(given_rows(an_order(order=text)), folder, NOW)
    [as_csv] = csv_rows(folder / f"{NAME}_orders.csv")
    assert as_csv["order"] == neutral(text)
    assert parquet_rows(folder / f"{NAME}_orders.parquet")[0]["order"] == text
    assert (xlsx_rows(folder / f"{NAME}.xlsx", "Orders")[0]["order"] or "") == text


@given(text=st.text(st.sampled_from("=+-@|\t\r\n;' a1＝"), max_size=8))
def test_what_is_neutral_stays_as_it_is(text: str) -> None:
    once = neutral(text)
    assert neutral(once) == once
    assert not once.lstrip(" \t\r\n").startswith(("=", "+", "-", "@", "|", "＝"))


def test_more_rows_than_a_sheet_holds_go_on_the_next(tmp_path: Path) -> None:
    columns = tables(())["orders"]
    path = tmp_path / "many.xlsx"
    with workbook(path, {"orders": columns}, NOW, rows_max=3) as sheets:
        sheets["orders"].add(frame(columns, [an_order(order=str(n)) for n in range(5)]))
    book = openpyxl.load_workbook(path)
    assert book.sheetnames == ["Orders", "Orders 2", "Orders 3"]
    told = [row["order"] for name in book.sheetnames for row in xlsx_rows(path, name)]
    assert told == ["0", "1", "2", "3", "4"]


def test_a_text_longer_than_a_cell_is_cut_in_the_workbook_only(tmp_path: Path) -> None:
    name = "x" * 40_000
    files.write(given_rows(an_order(order=name)), tmp_path, NOW)
    assert csv_rows(tmp_path / f"{NAME}_orders.csv")[0]["order"] == name
    [row] = xlsx_rows(tmp_path / f"{NAME}.xlsx", "Orders")
    assert row["order"] == name[:32_767]


def test_the_same_store_at_the_same_moment_gives_the_same_bytes(
    bench: Bench, tmp_path: Path
) -> None:
    take(bench, woo_order(1, {"A": 1}), woo_order(2, {"B": 2}, currency="JPY"))
    first = export(bench, tmp_path / "one", *NOVEMBER)
    second = export(bench, tmp_path / "two", *NOVEMBER)
    for name in first["files"]:
        assert first["files"][name] == second["files"][name], name


class PowerCut(BaseException):
    """Not an error that anybody handles."""


def test_orders_that_break_off_leave_nothing(tmp_path: Path) -> None:
    def broken() -> Iterator[Batch]:
        yield Batch([an_order()], [])
        raise PowerCut

    with pytest.raises(PowerCut):
        files.write(Reconciliation(*NOVEMBER, (), 0, 0, broken()), tmp_path, NOW)
    assert visible(tmp_path) == set()


@pytest.mark.parametrize("moves", range(8))
def test_a_set_that_was_half_moved_has_no_manifest_and_no_half_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moves: int
) -> None:
    old = files.write(given_rows(an_order(order="old")), tmp_path, NOW)
    left, real = count(), Path.replace

    def replace(self: Path, target: Path) -> Path:
        if next(left) == moves:
            raise PowerCut
        return real(self, target)

    monkeypatch.setattr(Path, "replace", replace)
    with pytest.raises(PowerCut):
        files.write(given_rows(an_order(order="new")), tmp_path, NOW)
    monkeypatch.undo()
    assert visible(tmp_path) == set(old["files"]), "every file is there, and no manifest"
    names = [row["order"] for row in csv_rows(tmp_path / f"{NAME}_orders.csv")]
    assert names in (["old"], ["new"])
    again = files.write(given_rows(an_order(order="new")), tmp_path, NOW)
    assert visible(tmp_path) == {*again["files"], files.manifest_name(again)}


def test_a_killed_export_leaves_the_old_set_and_the_next_one_clears_up(tmp_path: Path) -> None:
    old = files.write(given_rows(an_order(order="old")), tmp_path, NOW)
    before = {name: (tmp_path / name).read_bytes() for name in visible(tmp_path)}
    program = """
        import os, signal, sys
        from datetime import UTC, date, datetime
        from decimal import Decimal
        from pathlib import Path
        from sync.reconciliation.period import Reconciliation
        from sync.reconciliation.columns import tables
        from sync.reconciliation.files import write
        from sync.reconciliation.rows import Batch

        first, last, now = date(2026, 11, 1), date(2026, 11, 30), datetime(2026, 12, 1, tzinfo=UTC)
        nothing = {"text": "", "date": first, "time": now}
        row = {c.name: nothing.get(c.kind, Decimal(0)) for c in tables(())["orders"]}

        def killed():
            yield Batch([row | {"currency": "EUR"}] * 500, [])
            os.kill(os.getpid(), signal.SIGKILL)

        write(Reconciliation(first, last, (), 0, 0, killed()), Path(sys.argv[1]), now)
    """
    died = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), str(tmp_path)], cwd=REPOSITORY, timeout=60
    )
    assert died.returncode == -signal.SIGKILL
    assert {name: (tmp_path / name).read_bytes() for name in before} == before
    [hidden] = visible(tmp_path) - set(before)
    assert hidden.startswith(f".{NAME}.")
    files.write(given_rows(an_order(order="new")), tmp_path, NOW)
    assert visible(tmp_path) == {*old["files"], files.manifest_name(old)}


def test_an_export_at_work_is_not_cleared_away_by_another(tmp_path: Path) -> None:
    def interrupted() -> Iterator[Batch]:
        yield Batch([an_order(order="first")], [])
        files.write(given_rows(an_order(order="second")), tmp_path, NOW)

    slow = Reconciliation(*NOVEMBER, (), 0, 0, interrupted())
    manifest = files.write(slow, tmp_path, NOW)
    assert [row["order"] for row in csv_rows(tmp_path / f"{NAME}_orders.csv")] == ["first"]
    assert visible(tmp_path) == {*manifest["files"], files.manifest_name(manifest)}
