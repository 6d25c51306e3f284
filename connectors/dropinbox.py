"""Files that a partner drops: half-written, twice, in the wrong shape, or through a link."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from connectors.base import Cursor, Finding
from connectors.dropfolder import inside, move_aside, reachable, shown, write_atomically

STALE_S = 600.0
"""Seconds without any change after which an unfinished file is taken for a broken upload."""

MAX_FILES = 100
"""Files taken in one pull, and files waited for: bounds the cursor. The rest has its turn later."""

REASON = ".reason.txt"
"""Ending of the note beside a rejected file."""

_UNFINISHED = (".part", ".partial", ".tmp", ".filepart", ".crdownload")
_KEY = 16
"""Characters of a key in an archived name: 64 bits, enough for one partner's files."""


@dataclass(frozen=True, slots=True)
class Dropped:
    """A whole file. ``key`` stands for its content; ``modified_at`` is UTC."""

    name: str
    content: bytes = field(repr=False)
    key: str
    modified_at: datetime


@dataclass(slots=True)
class Notes:
    """What a cursor holds: keys handed over and not yet archived, and files we wait for.

    ``waiting``: name -> [size, mtime in ns, when it was first seen like that (ISO)].
    """

    done: list[str] = field(default_factory=list)
    waiting: dict[str, list[Any]] = field(default_factory=dict)

    @classmethod
    def of(cls, cursor: Cursor | None) -> Notes:
        known = cursor or {}
        return cls(list(known.get("done", ())), dict(known.get("waiting", {})))

    def cursor(self) -> Cursor:
        return {"v": 1, "done": list(self.done), "waiting": dict(self.waiting)}


class Inbox:
    """One pull from ``in/<stream>/``.

    ``before`` is what the last committed cursor says: those files' records are safe, so they are
    archived now and not earlier. ``notes`` becomes the next cursor, ``findings`` what people must
    hear. ``repeats``: equal bytes dropped later are news (a stock count), not a duplicate.
    """

    def __init__(
        self, root: Path, stream: str, *, before: Notes, now: datetime, repeats: bool = False
    ) -> None:
        self._folder = inside(root, "in", stream)
        self._archive = inside(root, "archive", stream)
        self._rejected = inside(root, "rejected", stream)
        self._before = before
        self._now = now
        self._repeats = repeats
        self.notes = Notes(done=list(before.done))
        self.findings: list[Finding] = []

    def whole_files(self, *, settle_s: float, max_bytes: int) -> Iterator[Dropped]:
        """Complete files that are new, oldest first; one at a time in memory."""
        taken: set[str] = set()
        for name, seen in self._settled(settle_s, max_bytes):
            content = self._read(name, seen)
            if content is None:
                continue
            key = self._key(content, seen.st_mtime_ns)
            if key in self.notes.done:
                move_aside(self._folder / name, self._archive, key[:_KEY])
                self.notes.done.remove(key)
            elif any(self._archive.glob(f"*.{key[:_KEY]}.*")):
                move_aside(self._folder / name, self._archive, f"{key[:_KEY]}.duplicate")
            elif key not in taken and len(taken) < MAX_FILES:
                taken.add(key)
                # A date in the future would make every later file look older.
                modified_at = min(seen.st_mtime, self._now.timestamp())
                yield Dropped(name, content, key, datetime.fromtimestamp(modified_at, UTC))
        # A file we wait for may be one of those handed over before (its time lies in the future):
        # it shows its key only when it is read.
        if not self.notes.waiting:
            self.notes.done = [key for key in self.notes.done if key in taken]

    def reject(self, name: str, reason: str) -> None:
        """Set a file aside with the reason beside it, and report it."""
        target = move_aside(self._folder / name, self._rejected)
        with reachable(self._rejected):
            write_atomically(target.with_name(f"{target.name}{REASON}"), f"{reason}\n".encode())
        remedy = f"Kept as {target.name} in {self._rejected}: mend it and drop it again."
        self.findings.append(
            Finding(f"in/{self._folder.name}/{shown(name)}", False, reason, remedy)
        )

    def _settled(self, settle_s: float, max_bytes: int) -> list[tuple[str, os.stat_result]]:
        """Names and states of the files nobody writes to any more; notes for the others."""
        settled = []
        for name, seen in self._listing():
            refusal = _refusal(seen, max_bytes)
            if refusal:
                self.reject(name, refusal)
                continue
            note = [seen.st_size, seen.st_mtime_ns, self._now.isoformat()]
            earlier = self._before.waiting.get(shown(name))
            if earlier and earlier[:2] == note[:2]:
                note = earlier
            still_s = (self._now - datetime.fromisoformat(str(note[2]))).total_seconds()
            # The partner's clock may be off: a file is settled by its age, or by having been
            # seen unchanged for so long on our own clock.
            young = max(self._now.timestamp() - seen.st_mtime, still_s) < settle_s
            unfinished = self._unfinished(name)
            if unfinished and still_s >= STALE_S:
                self.reject(name, unfinished)
            elif not (unfinished or young):
                settled.append((name, seen))
            elif len(self.notes.waiting) < MAX_FILES:
                self.notes.waiting[shown(name)] = note
        return settled

    def _listing(self) -> list[tuple[str, os.stat_result]]:
        """Everything but folders and hidden files, oldest first."""
        with reachable(self._folder), os.scandir(self._folder) as entries:
            found = [
                (entry.name, entry.stat(follow_symlinks=False))
                for entry in entries
                if not entry.name.startswith(".") and not entry.is_dir(follow_symlinks=False)
            ]
        return sorted(found, key=lambda one: (one[1].st_mtime_ns, one[0]))

    def _unfinished(self, name: str) -> str:
        """Why the file looks unfinished; empty when it does not."""
        if name.lower().endswith(_UNFINISHED):
            return "Its name is that of an unfinished upload: rename it to .csv when it is whole."
        if not name.lower().endswith(".csv"):
            return "Only .csv files are taken here."
        try:
            with open(self._folder / name, "rb", opener=_no_link) as file:
                file.seek(max(file.seek(0, os.SEEK_END) - 4, 0))
                tail = file.read()
        except OSError as error:
            return f"It cannot be read: {error.strerror}. Mend its permissions."
        # UTF-16 text ends in a zero byte after or before the line end.
        if not tail.rstrip(b"\x00").endswith((b"\n", b"\r")):
            return "Its last line has no line end, so it may be cut off: send it again, with one."
        return ""

    def _read(self, name: str, seen: os.stat_result) -> bytes | None:
        """The content, or null when the file is not the one that was looked at before."""
        try:
            with open(self._folder / name, "rb", opener=_no_link) as file:
                content = file.read(seen.st_size + 1)
                now = os.fstat(file.fileno())
        except OSError:
            # Gone, or a link by now: the next pull looks again.
            return None
        same = (now.st_size, now.st_mtime_ns) == (len(content), seen.st_mtime_ns)
        return content if same else None

    def _key(self, content: bytes, mtime_ns: int) -> str:
        digest = hashlib.sha256(content)
        if self._repeats:
            digest.update(str(mtime_ns).encode())
        return digest.hexdigest()


def _refusal(seen: os.stat_result, max_bytes: int) -> str:
    if not stat.S_ISREG(seen.st_mode):
        return "It is a link or a device, not a file, and links are never followed."
    if seen.st_size > max_bytes:
        return f"It has {seen.st_size} bytes and `max_bytes` allows {max_bytes}: split it."
    return ""


def _no_link(path: str, flags: int) -> int:
    """Opens what was listed, and not what somebody has put in its place since."""
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)
