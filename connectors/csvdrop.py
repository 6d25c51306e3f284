"""CSV files in a shared folder: a warehouse or a shop without an API.

``in/{orders,stock,shipments}/*.csv`` are read, ``out/{fulfilment-orders,cancellations}/*.csv`` are
written; the columns are those of the mapping definitions ``csvdrop.*``. A file is archived by the
pull *after* the one that handed its records over, because only a committed cursor proves that
they are safe. A cancellation is a request: the answer is a shipment row with its ``state``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field

from connectors.base import Config, Cursor, Finding, Info, Outcome, Page, Push, RawRecord, Shelves
from connectors.csvout import CsvOut
from connectors.csvrecords import STREAMS, Stream
from connectors.csvtext import BadFile, Dialect, Row, read_rows
from connectors.dropfolder import inside, reachable, rewrite_texts, shown
from connectors.dropinbox import REASON, Dropped, Inbox, Notes
from connectors.dropoutbox import Outbox
from connectors.errors import ConfigProblem
from connectors.http import Door
from mappings import Definitions, MappingError
from mappings import canonical as c

_PAGE = 500
_OUT = ("fulfilment-orders", "cancellations")


def _known_encoding(name: str) -> str:
    try:
        "a".encode(name)
    except LookupError:
        raise ValueError(f"no encoding is called {name!r}: try utf-8-sig or cp1252") from None
    return name


def _known_zone(name: str) -> str:
    try:
        return ZoneInfo(name).key
    except (LookupError, ValueError, OSError):
        raise ValueError(f"no time zone is called {name!r}: try Europe/Berlin") from None


class CsvDropConfig(Config):
    """Settings of a ``csvdrop`` connection. ``settle_s`` is in seconds, ``max_bytes`` per file.

    ``counted_within_s``: how many seconds before its file was written a count may have been taken
    that does not say when.
    """

    folder: Path
    encoding: Annotated[str, AfterValidator(_known_encoding)] = "utf-8-sig"
    delimiter: str = Field(default=",", min_length=1, max_length=1)
    timezone: Annotated[str, AfterValidator(_known_zone)] = "UTC"
    """Zone of times that are written without one."""
    location_code: str = ""
    settle_s: float = Field(default=2.0, ge=0)
    max_bytes: int = Field(default=16 * 1024 * 1024, gt=0)
    counted_within_s: float = Field(default=86_400.0, ge=0, le=31_536_000)

    def shelves(self) -> Shelves:
        return Shelves(("csvdrop", self.folder))


class CsvDrop:
    """Orders, stock counts and shipments in; fulfilment orders and cancellations out."""

    info = Info(
        name="csvdrop",
        title="CSV files in a folder",
        kind="files",
        pushes={
            "push_fulfilment_orders": Push(batch_max=500, idempotency="reference"),
            "cancel_fulfilment_orders": Push(batch_max=500, idempotency="reference"),
        },
        definitions={
            "orders": "csvdrop.orders",
            "stock": "csvdrop.stock",
            "shipments": "csvdrop.shipments",
            "push_fulfilment_orders": "csvdrop.fulfilment_orders",
        },
    )
    config_model: type[Config] = CsvDropConfig

    def __init__(self, config: CsvDropConfig, door: Door, definitions: Definitions) -> None:
        self._config = config
        self._clock = door.clock
        self._request = definitions[self.info.definitions["push_fulfilment_orders"]]
        self._dialect = Dialect(config.encoding, config.delimiter)
        self._orders = CsvOut(Outbox(config.folder, _OUT[0]), self._dialect)
        self._cancellations = CsvOut(Outbox(config.folder, _OUT[1]), self._dialect)
        self._told_undated = False

    def check(self) -> Sequence[Finding]:
        """Make the folders that are missing, and count what has been set aside."""
        root = self._config.folder
        if not root.is_dir():
            raise ConfigProblem(f"`folder` {root} is no folder: make or mount it, or correct it.")
        wanted = [("in", stream) for stream in STREAMS] + [("out", stream) for stream in _OUT]
        wanted += [(place, stream) for place in ("archive", "rejected") for stream in STREAMS]
        with reachable(root):
            for parts in wanted:
                inside(root, *parts).mkdir(parents=True, exist_ok=True)
        findings = [Finding(str(root), True, "readable and writable")]
        count = len(self.set_aside())
        if count:
            remedy = "Read the .reason.txt files, mend and drop again, or move them elsewhere."
            findings.append(Finding("rejected", False, f"{count} files set aside", remedy))
        return findings

    def rewrite_kept(self, change: Callable[[str], str]) -> int:
        """Change the text of archived and rejected files; see ``KeepsFiles``."""
        folders = [inside(self._config.folder, place) for place in ("archive", "rejected")]
        return rewrite_texts(folders, self._config.encoding, change)

    def set_aside(self) -> Sequence[Finding]:
        """Every file in ``rejected/``, with the reason that was put beside it."""
        folder = inside(self._config.folder, "rejected")
        with reachable(folder):
            notes = {note: note.read_text("utf-8") for note in folder.glob(f"*/*{REASON}")}
        return [
            Finding(
                f"{note.parent.name}/{note.name.removesuffix(REASON)}",
                False,
                notes[note].strip(),
                f"mend it and drop it again, then take it and its note out of {note.parent}",
            )
            for note in sorted(notes)
        ]

    def pull_orders(self, cursor: Cursor | None, since: datetime) -> Iterator[Page]:
        """One record per order number; ``since`` means nothing, a dropped file is always news."""
        return self._pull("orders", cursor)

    def pull_stock(self, cursor: Cursor | None = None) -> Iterator[Page]:
        """One record per row. A file counts the SKUs it names and says nothing of the others."""
        return self._pull("stock", cursor)

    def pull_shipments(self, cursor: Cursor | None, since: datetime) -> Iterator[Page]:
        """One record per shipment; its rows are grouped into packages by tracking number."""
        return self._pull("shipments", cursor)

    def push_fulfilment_orders(
        self, requests: Mapping[str, c.FulfilmentRequest]
    ) -> Sequence[Outcome]:
        """Write one file for all that has not been handed over before.

        ``remote_id`` is our own reference, the only name the partner knows the order by.
        """
        batch = self._orders.batch("applied")
        for key, request in requests.items():
            try:
                document = self._request.render(request)
            except MappingError as error:
                batch.refuse(key, str(error))
                continue
            lines = document.pop("lines", [])
            rows = [{**document, **line} for line in lines]
            batch.add(key, request.reference, rows, _substance(request))
        return batch.hand_over()

    def find_fulfilment_order(self, reference: str) -> str | None:
        """Our reference again, when a file with it has been handed over."""
        return reference if self._orders.outbox.receipt(reference) else None

    def cancel_fulfilment_orders(self, remote_ids: Mapping[str, str]) -> Sequence[Outcome]:
        """Write one file of references; ``accepted``, since only a shipment row tells the end."""
        batch = self._cancellations.batch("accepted")
        for key, reference in remote_ids.items():
            batch.add(key, reference, [{"reference": reference}], "cancel")
        return batch.hand_over()

    def _pull(self, stream: str, cursor: Cursor | None) -> Iterator[Page]:
        kind, config = STREAMS[stream], self._config
        before, now = Notes.of(cursor), self._clock.now()
        inbox = Inbox(config.folder, stream, before=before, now=now, repeats=kind.repeats)
        for file in inbox.whole_files(settle_s=config.settle_s, max_bytes=config.max_bytes):
            try:
                rows = read_rows(file.content, self._dialect, required=kind.required)
                records = self._records(kind, file, rows)
            except BadFile as problem:
                inbox.reject(file.name, str(problem))
                continue
            inbox.findings += self._undated(stream, file, rows)
            for start in range(0, max(len(records), 1), _PAGE):
                if start + _PAGE >= len(records):
                    inbox.notes.done.append(file.key)
                yield Page(records[start : start + _PAGE], inbox.notes.cursor())
        yield Page([], inbox.notes.cursor(), findings=tuple(inbox.findings))

    def _records(self, kind: Stream, file: Dropped, rows: Sequence[Row]) -> list[RawRecord]:
        source = {
            "name": shown(file.name),
            "key": file.key,
            "modified_at": file.modified_at.isoformat(),
            "counted_from": self._counted_from(file).isoformat(),
            "timezone": self._config.timezone,
        }
        return kind.records(rows, {"file": source, "location_code": self._config.location_code})

    def _counted_from(self, file: Dropped) -> datetime:
        """The earliest moment of its counts: taken for as new as the file they would bring goods
        back that have left between the count and the file.
        """
        return file.modified_at - timedelta(seconds=self._config.counted_within_s)

    def _undated(self, stream: str, file: Dropped, rows: Sequence[Row]) -> list[Finding]:
        """A word about the first file of counts that do not say when they were taken."""
        dated = all(row.get("counted_at") for row in rows)
        if stream != "stock" or dated or self._told_undated:
            return []
        self._told_undated = True
        told = f"counts without counted_at: taken for those of {self._counted_from(file)}"
        remedy = (
            "What has left since then is taken off them. Add the column, or say in "
            "counted_within_s how old counts can be when a file is written."
        )
        return [Finding(f"in/stock/{shown(file.name)}", True, told, remedy)]


def _substance(request: c.FulfilmentRequest) -> str:
    """What makes a repeat another order: the goods and where they go."""
    to = request.ship_to
    goods = sorted(f"{line.line_reference} {line.sku} {line.quantity}" for line in request.lines)
    return "\n".join([to.name, to.street, to.postcode, to.city, to.country, *goods])
