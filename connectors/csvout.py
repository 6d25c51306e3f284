"""Batches of rows for a partner to collect: what was handed over stays handed over."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from connectors.base import TAKEN, Outcome, Status
from connectors.csvtext import Dialect, write_rows
from connectors.dropoutbox import Outbox

_Row = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class CsvOut:
    """One ``out/<stream>/`` in one dialect."""

    outbox: Outbox
    dialect: Dialect

    def batch(self, done: Status) -> Batch:
        """A new batch; ``done`` is the status of what is in the partner's hands."""
        return Batch(self, done)


@dataclass(slots=True)
class Batch:
    """Collects items, publishes those never published before, and tells what became of each."""

    out: CsvOut
    done: Status
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    rows: list[_Row] = field(default_factory=list)
    digests: dict[str, str] = field(default_factory=dict)

    def refuse(self, key: str, why: str, code: str = "refused") -> None:
        self.outcomes[key] = Outcome(key, "rejected", code=code, message=why)

    def add(self, key: str, reference: str, rows: Sequence[_Row], substance: str) -> None:
        """Take one item. ``substance`` is what must be equal for a repeat to be a repeat."""
        digest = hashlib.sha256(substance.encode("utf-8", "backslashreplace")).hexdigest()
        receipt = self.out.outbox.receipt(reference)
        earlier = receipt.digest if receipt else self.digests.get(reference)
        if earlier is None:
            problem = self._problem(rows)
            if problem:
                return self.refuse(key, problem)
            self.rows += rows
            self.digests[reference] = digest
        elif earlier != digest:
            file = f", in {receipt.file}" if receipt else " in this batch"
            told = f"{reference} was handed over with other content{file}."
            return self.refuse(key, told, TAKEN)
        self.outcomes[key] = Outcome(key, self.done, remote_id=reference, handle=reference)
        return None

    def hand_over(self) -> list[Outcome]:
        """Publish one file, if anything is new; the outcomes in the order the items were given."""
        if self.digests:
            self.out.outbox.hand_over(write_rows(self.rows, self.out.dialect), self.digests)
        return list(self.outcomes.values())

    def _problem(self, rows: Sequence[_Row]) -> str:
        if not rows:
            return "It has no lines, so nothing would be written."
        try:
            write_rows(rows, self.out.dialect)
        except UnicodeEncodeError as error:
            found = error.object[error.start]
            return f"{found!r} cannot be written in {error.encoding}: set `encoding` to utf-8-sig."
        return ""
