"""A reconciliation as files: CSV, XLSX and Parquet, written as a set, with a manifest.

The manifest comes last and names every file with its checksum: a reader that finds it finds the
whole set, and one that does not knows that the set is not ready.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sync.reconciliation.columns import tables
from sync.reconciliation.period import Reconciliation, Summary, unexplained
from sync.reconciliation.rows import Row

if TYPE_CHECKING:
    from sync.reconciliation.formats import Columns, Output

_PARTIAL = ".partial"
_NEEDED = ("pandas", "pyarrow", "xlsxwriter")


class FinanceExtraMissing(Exception):
    """The libraries for finance files are an extra that is not installed."""

    remedy = "pip install 'crossdock[finance]'"


def write(found: Reconciliation, folder: Path, now: datetime) -> dict[str, Any]:
    """Write the set into ``folder`` and return its manifest; raises ``OSError`` when it cannot.

    A set of the same period is replaced as a whole: until the new one is complete the old one
    stays, then its manifest goes first and the new one comes last. Amounts in the manifest are
    decimals as text; ``unexplained`` lists orders whose parts do not make their total.
    """
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        raise FinanceExtraMissing(f"Finance files need what is not here: {', '.join(missing)}.")
    # Sums of money and order numbers: for the owner, and for the group where the umask allows it.
    folder.mkdir(mode=0o770, parents=True, exist_ok=True)
    name = f"reconciliation_{found.first.isoformat()}_{found.last.isoformat()}"
    with _staging(folder, name) as staging:
        filled = _fill(found, staging, name, now)
        manifest = {
            "name": name,
            "created_at": now.isoformat(),
            "from": found.first.isoformat(),
            "to": found.last.isoformat(),
            "orders": filled.orders,
            "parked_records_not_included": found.parked_records,
            "ignored_orders_not_included": found.ignored_orders,
            "unexplained": filled.unexplained,
            "totals": [_as_text(row) for row in filled.summary.rows()],
            "files": {path.name: _sealed(path) for path in sorted(staging.iterdir())},
        }
        _publish(staging, folder, manifest)
    return manifest


def manifest_name(manifest: Mapping[str, Any]) -> str:
    """The file that a manifest is in."""
    return f"{manifest['name']}.manifest.json"


@dataclass(slots=True)
class _Filled:
    summary: Summary
    orders: int = 0
    unexplained: list[dict[str, str]] = field(default_factory=list)


def _fill(found: Reconciliation, staging: Path, name: str, now: datetime) -> _Filled:
    """Every file, in one pass over the orders."""
    from sync.reconciliation.formats import frame

    columns = tables(found.rates)
    filled = _Filled(Summary(found.rates))
    with _outputs(staging, name, columns, now) as outputs:

        def add(table: str, rows: list[Row]) -> None:
            rows_as_frame = frame(columns[table], rows)
            for output in outputs[table]:
                output.add(rows_as_frame)

        for batch in found.batches:
            add("orders", batch.orders)
            add("tax", batch.tax)
            filled.summary.add(batch.orders)
            filled.orders += len(batch.orders)
            filled.unexplained += [_named(row) for row in batch.orders if unexplained(row)]
        add("summary", filled.summary.rows())
    return filled


@contextmanager
def _outputs(
    staging: Path, name: str, columns: Mapping[str, Columns], now: datetime
) -> Iterator[dict[str, list[Output]]]:
    """Where the rows of each table go."""
    from sync.reconciliation.formats import Csv, Parquet
    from sync.reconciliation.workbook import workbook

    with ExitStack() as stack:
        sheets = stack.enter_context(workbook(staging / f"{name}.xlsx", columns, now))
        yield {
            table: [
                sheets[table],
                stack.enter_context(closing(Csv(staging / f"{name}_{table}.csv", of))),
                stack.enter_context(closing(Parquet(staging / f"{name}_{table}.parquet", of))),
            ]
            for table, of in columns.items()
        }


def _named(row: Row) -> dict[str, str]:
    """An order that does not add up, for the person who has to look at it."""
    names = ("connection", "order", "channel_order_id", "currency")
    return {name: row[name] for name in names} | {"amount": format(unexplained(row), "f")}


def _as_text(row: Row) -> dict[str, Any]:
    return {n: format(v, "f") if isinstance(v, Decimal) else v for n, v in row.items()}


def _sealed(path: Path) -> dict[str, Any]:
    """What the manifest says of a file, once its bytes are on the disk."""
    path.chmod(path.stat().st_mode & 0o770)
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        os.fsync(file.fileno())
        return {"sha256": digest, "bytes": file.tell()}


def _publish(staging: Path, folder: Path, manifest: Mapping[str, Any]) -> None:
    """Move the set to where it is looked for, the manifest last."""
    name = manifest_name(manifest)
    draft = staging / name
    draft.write_text(json.dumps(manifest, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    _sealed(draft)
    (folder / name).unlink(missing_ok=True)
    _sync(folder)
    for file in manifest["files"]:
        (staging / file).replace(folder / file)
    _sync(folder)
    draft.replace(folder / name)
    _sync(folder)


def _sync(folder: Path) -> None:
    """Names are on the disk only when their folder is."""
    with _handle(folder) as handle:
        os.fsync(handle)


@contextmanager
def _handle(folder: Path) -> Iterator[int]:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield handle
    finally:
        os.close(handle)


@contextmanager
def _staging(folder: Path, name: str) -> Iterator[Path]:
    """A hidden folder on the same disk, locked while it is in use and gone afterwards."""
    _sweep(folder, name)
    staging = Path(tempfile.mkdtemp(dir=folder, prefix=f".{name}.", suffix=_PARTIAL))
    try:
        with _handle(staging) as handle:
            # Some network disks know no locks: there a sweep cannot get one either.
            with suppress(OSError):
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield staging
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _sweep(folder: Path, name: str) -> None:
    """Remove what exports of this period left behind that were killed: nobody locks it."""
    for left in folder.glob(f".{name}.*{_PARTIAL}"):
        with suppress(OSError), _handle(left) as handle:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(left)
