"""G7: the power goes while a commit is being written.

What a disk holds after a power cut is what was synced, and any part of what was written since.
The files are copied after every commit of a story; from two copies in a row comes what a disk may
hold in between: the frames of the later commit there or not, in any order, one of them torn, and
the pages of a checkpoint there or not. Each must open, be whole, and hold exactly the last commit
that was acknowledged as durable.

It rests on two things that it cannot show: that SQLite syncs where its documentation says so
(``synchronous = FULL``: the log at every commit), and that the disk does not lie about it.
"""

from __future__ import annotations

import random
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.exc import DatabaseError
from structlog.testing import capture_logs

import state.store
from jobs import app
from proof.crash import daemon
from proof.crash.disk import FRAME, PAGE, WAL_HEADER
from proof.crash.flows import FLOWS
from proof.crash.hooks import hook
from proof.crash.points import digest_of
from proof.crash.stage import BEGIN, Stage
from state.store import Store
from sync import invariants

HASTY = frozenset({"rate_bucket"})
"""What may be undone by a power cut: how long a vendor wants to be left alone."""


CHECKPOINT_PAGES = 60
"""SQLite's own 1000 are more than a story writes."""


@dataclass(frozen=True, slots=True)
class Moment:
    """The files right after a commit. ``synced``: it was acknowledged as safe from power cuts.
    ``lasting``: the digest of all that must not be undone, as the committing connection saw it."""

    database: bytes
    log: bytes
    synced: bool
    lasting: bytes


@dataclass(frozen=True, slots=True)
class Cut:
    """What a disk holds after a power cut, and what that may come to."""

    what: str
    database: bytes
    log: bytes
    allowed: Collection[bytes]


@contextmanager
def recorded(path: Path, moments: list[Moment]) -> Iterator[None]:
    """Copy the files of the store at ``path`` after every commit of this process."""

    def do_commit(dialect: Any, connection: Any) -> None:
        commit(dialect, connection)
        keep(connection.cursor())

    def at_once(store: Store, *given: Any) -> Any:
        # Past SQLAlchemy, and yet it may write a checkpoint or begin the log anew.
        row = statement(store, *given)
        raw = store._hasty_engine.raw_connection()
        try:
            keep(raw.cursor())
        finally:
            raw.close()
        return row

    def keep(view: Any) -> None:
        if not view.execute("SELECT 1 FROM sqlite_master WHERE name = 'intent'").fetchone():
            return
        [synchronous] = view.execute("PRAGMA synchronous").fetchone()
        log = path.with_name(f"{path.name}-wal")
        moments.append(
            Moment(
                path.read_bytes(),
                log.read_bytes() if log.exists() else b"",
                synchronous >= 2,
                digest_of(view, HASTY),
            )
        )

    commit = hook(DefaultDialect, "do_commit", do_commit)
    statement = hook(Store, "at_once", at_once)
    pages = hook(state.store, "LOG_KEPT_PAGES", CHECKPOINT_PAGES)
    try:
        yield
    finally:
        hook(state.store, "LOG_KEPT_PAGES", pages)
        hook(DefaultDialect, "do_commit", commit)
        hook(Store, "at_once", statement)


def cuts(moments: Sequence[Moment], draw: random.Random, number: int) -> Iterator[Cut]:
    """So many states of the disk in the middle of commits and of checkpoints.

    Only what was acknowledged is owed: while a commit is written, the one before it; where all of
    it reached the disk after all, it is there as a whole.
    """
    synced = _last_synced(moments)
    grown = [
        n for n in range(1, len(moments)) if _database(moments, n) != _database(moments, n - 1)
    ]
    for _ in range(number):
        at = draw.choice(grown) if grown and draw.random() < 0.25 else 0
        if at:
            before, after = moments[at - 1], moments[at]
            pages = _changed(before.database, after.database, 0, PAGE)
            database = _written(before.database, after.database, pages, PAGE, draw)
            yield Cut(f"in the checkpoint of {at}", database, after.log, {after.lasting})
            continue
        at = draw.randrange(1, len(moments))
        safe, after = moments[synced[at - 1]], moments[at]
        frames = _changed(safe.log, after.log, WAL_HEADER, FRAME)
        if frames:
            log = _written(safe.log, after.log, frames, FRAME, draw)
            # SQLite syncs a new header before the frames that follow it.
            header = after.log[:WAL_HEADER]
            yield Cut(
                f"in commit {at}",
                safe.database,
                header + log[WAL_HEADER:],
                {moments[at - 1].lasting, after.lasting},
            )


def _database(moments: Sequence[Moment], at: int) -> bytes:
    return moments[at].database


def _last_synced(moments: Sequence[Moment]) -> list[int]:
    """By moment: the last one whose files were safe then. A checkpoint syncs the log first,
    whoever committed."""
    found = [0]
    for at in range(1, len(moments)):
        grew = moments[at].database != moments[at - 1].database
        found.append(at if moments[at].synced or grew else found[-1])
    return found


def _changed(before: bytes, after: bytes, start: int, size: int) -> list[int]:
    places = range(start, len(after), size)
    return [at for at in places if before[at : at + size] != after[at : at + size]]


def _written(
    before: bytes, after: bytes, places: Sequence[int], size: int, draw: random.Random
) -> bytes:
    """``before`` with some of these ``places`` of ``after``, in no order, one of them torn."""
    torn, *kept = draw.sample(places, draw.randint(1, len(places)))
    disk = bytearray(before)
    for at in sorted([*kept, torn]):
        part = after[at : at + (size if at != torn else draw.randrange(1, size))]
        disk.extend(bytes(max(0, at + len(part) - len(disk))))
        disk[at : at + len(part)] = part
    return bytes(disk)


def endure(stage: Stage, flow: str, seed: int, number: int) -> tuple[dict[str, int], list[str]]:
    """Live through the flow in this process and cut the power all along.

    Answers how many cuts there were by kind, and what was wrong after them.
    """
    stage.reset(FLOWS[flow])
    moments: list[Moment] = []
    configuration = app.load(stage.folder / "settings.toml")
    with (
        capture_logs(),
        closing(Store(f"sqlite:///{stage.store}")) as store,
        recorded(stage.store, moments),
    ):
        while stage.clock.now() < BEGIN + FLOWS[flow].lasts:
            stage.clock.advance(600)
            daemon.rehearse(configuration, store, stage.clock, stage.sandbox.transport())
    draw = random.Random(f"{seed}:{flow}")
    kinds: Counter[str] = Counter()
    wrong = []
    with tempfile.TemporaryDirectory(dir=stage.folder) as folder:
        path = Path(folder) / "crossdock.db"
        with closing(Store(f"sqlite:///{path}")) as again:
            for cut in cuts(moments, draw, number):
                kinds[" ".join(cut.what.split()[:-1])] += 1
                wrong += restored(cut, path, again)
    synced = {"commits that were synced": sum(one.synced for one in moments)}
    return {**kinds, **synced, "commits": len(moments)}, wrong


def restored(cut: Cut, path: Path, again: Store) -> list[str]:
    """What is wrong with the store that a power cut left, when it is opened ``again``."""
    for ending in ("-wal", "-shm"):
        path.with_name(f"{path.name}{ending}").unlink(missing_ok=True)
    path.write_bytes(cut.database)
    path.with_name(f"{path.name}-wal").write_bytes(cut.log)
    try:
        with closing(sqlite3.connect(path, isolation_level=None)) as db:
            [whole] = db.execute("PRAGMA quick_check").fetchone()
            held = digest_of(db.cursor(), HASTY)
            with again.read() as conn:
                broken = [str(one) for one in invariants.check(conn)]
            again.engine.dispose()
    except (sqlite3.DatabaseError, DatabaseError) as error:
        return [f"{cut.what}: cannot be read: {error}"]
    found = [f"{cut.what}: audit {one}" for one in broken]
    if whole != "ok":
        found.append(f"{cut.what}: {whole}")
    if held not in cut.allowed:
        found.append(f"{cut.what}: not what was acknowledged")
    return found
