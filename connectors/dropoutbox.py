"""Files for a partner to collect: each hand-over happens once, whatever crashes in between.

A partner takes files away, so the folder does not tell what has been handed over; the archive
does. A batch is first written down (``sending/``), then published under a name made of its
references and its content, then marked per reference. A crash anywhere is healed by repeating
the rest from what was written down: at worst the partner sees the same bytes under the same name.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from connectors.deadline import require_time
from connectors.dropfolder import inside, plain, reachable, write_atomically
from connectors.errors import Ambiguous, Unreachable

_STEPS_LEFT = "sending"
"""Folder of batches that are written down and not known to be complete."""


class Receipt(msgspec.Struct, frozen=True):
    """What was handed over under a reference: the digest of its rows, and the file's name."""

    reference: str
    digest: str
    file: str


@dataclass(frozen=True, slots=True)
class Outbox:
    """``out/<stream>/`` and its archive."""

    root: Path
    stream: str

    def receipt(self, reference: str) -> Receipt | None:
        """What was handed over under ``reference``, if anything was."""
        self.finish_interrupted()
        marker = self._marker(reference)
        with reachable(self.root):
            # On a share that is not mounted nothing is found, and that would prove nothing.
            self._out.stat()
            known = marker.is_file()
            return msgspec.json.decode(marker.read_bytes(), type=Receipt) if known else None

    def hand_over(self, content: bytes, digests: Mapping[str, str]) -> str:
        """Publish ``content``, which holds the references of ``digests``; returns the file name.

        Raises ``Unreachable`` or ``TooLate`` when nothing was done, ``Ambiguous`` when it got
        stuck half-way; the next call on this outbox then completes it.
        """
        first = plain(next(iter(digests))).removesuffix(".bin")
        name = f"{first}-{len(digests)}-{hashlib.sha256(content).hexdigest()[:12]}.csv"
        receipts = [Receipt(reference, digest, name) for reference, digest in digests.items()]
        journal = self._archive / _STEPS_LEFT / name
        with reachable(self.root):
            self._out.stat()
            require_time()
            write_atomically(journal, msgspec.json.encode(_Journal(content, receipts)))
        try:
            self._finish(journal)
        except Unreachable as error:
            raise Ambiguous(f"{name} is written down but may not be published: {error}") from error
        return name

    def finish_interrupted(self) -> None:
        """Complete what a crash has cut short; nothing else may be asked before."""
        for journal in sorted((self._archive / _STEPS_LEFT).glob("*.csv")):
            self._finish(journal)

    @property
    def _out(self) -> Path:
        return inside(self.root, "out", self.stream)

    @property
    def _archive(self) -> Path:
        return inside(self.root, "archive", self.stream)

    def _marker(self, reference: str) -> Path:
        return self._archive / "sent" / hashlib.sha256(reference.encode()).hexdigest()

    def _finish(self, journal: Path) -> None:
        with reachable(self.root):
            batch = msgspec.json.decode(journal.read_bytes(), type=_Journal)
            kept = self._archive / journal.name
            # The copy in the archive proves that the file was published, so that one which the
            # partner has already taken away is not put there again.
            if not kept.exists():
                write_atomically(self._out / journal.name, batch.content)
                write_atomically(kept, batch.content)
            for receipt in batch.receipts:
                write_atomically(self._marker(receipt.reference), msgspec.json.encode(receipt))
            journal.unlink()


class _Journal(msgspec.Struct, frozen=True):
    content: bytes
    receipts: list[Receipt]
