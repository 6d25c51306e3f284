"""A reconciliation as files: CSV, XLSX and Parquet, written atomically, with a manifest.

The manifest comes last and names every file with its checksum: a reader that finds it finds the
whole set, and one that does not knows that the set is not ready.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
import tempfile
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sync.reconciliation import Reconciliation, Row

if TYPE_CHECKING:
    import pandas

INSTALL = "pip install 'crossdock[finance]'"
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "|", "＝", "＋", "－", "＠")
AMOUNT_DECIMALS = 4
"""The largest exponent in ISO 4217 (CLF): every amount fits a Parquet decimal(38, 4)."""


class FinanceExtraMissing(Exception):
    """The libraries for finance files are an extra that is not installed."""


def neutral(value: str) -> str:
    """Text that no spreadsheet takes for a formula: a suspicious start gets an apostrophe.

    >>> neutral("=HYPERLINK(1)"), neutral(" -1+1"), neutral("Ada")
    ("'=HYPERLINK(1)", "' -1+1", 'Ada')
    """
    return f"'{value}" if value.lstrip(" \n").startswith(FORMULA_STARTS) else value


def write(found: Reconciliation, folder: Path, now: datetime) -> dict[str, Any]:
    """Write the files and return the manifest; existing ones are replaced as a set."""
    try:
        import pandas  # noqa: F401
        import pyarrow  # noqa: F401
        import xlsxwriter  # noqa: F401
    except ImportError as error:
        raise FinanceExtraMissing(f"finance files need more libraries: {INSTALL}") from error
    folder.mkdir(parents=True, exist_ok=True)
    stem = f"reconciliation_{found.first:%Y%m%d}_{found.last:%Y%m%d}"
    writers: dict[str, Callable[[Path], None]] = {
        f"{stem}.csv": lambda path: _csv(found.orders, path),
        f"{stem}_summary.csv": lambda path: _csv(found.summary, path),
        f"{stem}_tax.csv": lambda path: _csv(found.taxes, path),
        f"{stem}.xlsx": lambda path: _xlsx(found, path),
        f"{stem}.parquet": lambda path: _parquet(found.orders, path),
    }
    files = {name: _atomically(folder / name, writer) for name, writer in writers.items()}
    manifest = {
        "created_at": now.isoformat(),
        "from": found.first.isoformat(),
        "to": found.last.isoformat(),
        "orders": len(found.orders),
        "parked_records_not_included": found.parked_records,
        "totals": [{k: str(v) for k, v in row.items()} for row in found.summary],
        "files": files,
    }
    text = json.dumps(manifest, indent=2, ensure_ascii=False) + "\n"
    _atomically(folder / f"{stem}.manifest.json", lambda path: _text(path, text))
    return manifest


def _text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def _atomically(target: Path, writer: Callable[[Path], None]) -> dict[str, Any]:
    """Write beside the target, flush to disk, rename: nobody ever sees half a file."""
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=".", suffix=target.suffix)
    os.close(handle)
    temporary = Path(name)
    try:
        writer(temporary)
        data = temporary.read_bytes()
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.chmod(0o644)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
    return {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}


def _frame(rows: list[Row], guard: Callable[[str], str] = str) -> pandas.DataFrame:
    """Rows as a table of objects: decimals stay decimals, times become ISO text."""
    import pandas

    def cell(value: Any) -> Any:
        if isinstance(value, datetime):
            return value.isoformat()
        return guard(value) if isinstance(value, str) else value

    return pandas.DataFrame(
        [{name: cell(value) for name, value in row.items()} for row in rows], dtype=object
    )


def _csv(rows: list[Row], path: Path) -> None:
    # The byte order mark is what makes Excel read UTF-8.
    _frame(rows, neutral).to_csv(
        path, index=False, quoting=csv.QUOTE_NONNUMERIC, encoding="utf-8-sig", lineterminator="\r\n"
    )


def _xlsx(found: Reconciliation, path: Path) -> None:
    """Three sheets. Text cells are typed as text, so that no cell can become a formula."""
    import pandas

    options = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    with pandas.ExcelWriter(
        path, engine="xlsxwriter", engine_kwargs={"options": options}
    ) as writer:
        for name, rows in (
            ("Summary", found.summary),
            ("Orders", found.orders),
            ("Tax", found.taxes),
        ):
            frame = _frame(rows, neutral)
            frame.to_excel(writer, sheet_name=name, index=False, freeze_panes=(1, 0))
            sheet = writer.sheets[name]
            for index, column in enumerate(frame.columns):
                longest = max([len(str(v)) for v in frame[column].head(200)], default=0)
                sheet.set_column(index, index, min(40, max(len(str(column)), longest) + 2))


def _parquet(rows: list[Row], path: Path) -> None:
    """Amounts as decimal(38, 4), units as decimal(38, 6): exact, whatever the currency."""
    import pyarrow
    import pyarrow.parquet

    frame = _frame(rows)
    fields = []
    for column in frame.columns:
        sample = next((value for value in frame[column] if value is not None), None)
        if isinstance(sample, Decimal):
            scale = 6 if str(column).startswith("units_") else AMOUNT_DECIMALS
            fields.append(pyarrow.field(str(column), pyarrow.decimal128(38, scale)))
        elif sample is not None and not isinstance(sample, str):
            fields.append(pyarrow.field(str(column), pyarrow.date32()))
        else:
            fields.append(pyarrow.field(str(column), pyarrow.string()))
    table = pyarrow.Table.from_pandas(frame, schema=pyarrow.schema(fields), preserve_index=False)
    pyarrow.parquet.write_table(table, path)
