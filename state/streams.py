"""The row that decides: what a stream wants, when it is due, who runs it, how far it has read.

One run per stream at a time, on any number of processes. The engine only delivers hints; a lost,
doubled or late one changes nothing, because a run starts by winning the row here. Every claim
raises the *fence*, and every transaction of a run ends with a look at it (``seal``): a worker that
was paused past its lease and wakes up while another one runs can write nothing.

Times are aware UTC, given by the caller; lease lengths are seconds of that same clock.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    Row,
    Select,
    Update,
    and_,
    bindparam,
    case,
    func,
    insert,
    or_,
    select,
    update,
)

from state import tables as t
from state.batches import among
from state.dirty_marks import write_marks
from state.errors import LostLease
from state.types import Utc

_s = t.stream

DUE_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to run a stream, until the lease ends or somebody else claims it.

    ``want`` and ``done`` are the counters when the claim was won: a ``want`` raised later is left
    for another run. ``failures``: how many runs in a row have failed before this one.
    """

    key: str
    job: str
    connection_id: int | None
    owner: str
    fence: int
    lease_s: float
    want: int
    done: int
    every_s: int
    failures: int
    cursor: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Wanted:
    """A stream that shall exist, and how often it runs. Seconds."""

    key: str
    job: str
    connection_id: int | None
    every_s: int


def key_of(job: str, connection: str | None = None) -> str:
    """The stream's key: ``pull-orders:shop-eu``, or the job's name where it is global."""
    return job if connection is None else f"{job}:{connection}"


def ensure(
    conn: Connection, key: str, job: str, connection_id: int | None, every_s: int, now: datetime
) -> None:
    """Make the stream exist with this interval; a new one is due at once."""
    ensure_all(conn, [Wanted(key, job, connection_id, every_s)], now)


def ensure_all(conn: Connection, wanted: Iterable[Wanted], now: datetime) -> None:
    """Make every one of them exist with its interval; new ones are due at once."""
    known = set(conn.scalars(_KEYS))
    kept, new = [], []
    for one in wanted:
        if one.key in known:
            soonest = now + timedelta(seconds=one.every_s)
            kept.append({"of_key": one.key, "soonest": soonest, **_row(one)})
        else:
            new.append({"key": one.key, "due_at": now, **_row(one)})
    if kept:
        conn.execute(_KEEP, kept)
    if new:
        conn.execute(_NEW, new)


def _row(one: Wanted) -> dict[str, Any]:
    return {"job": one.job, "connection_id": one.connection_id, "every_s": one.every_s}


def request(conn: Connection, key: str, now: datetime) -> bool:
    """Want one more run; false when there is no such stream.

    A request during a run is kept: the stream is due again when the run ends. A failing stream
    keeps its backoff, or a busy caller would turn it into a hammer.
    """
    write_marks(conn)
    return bool(conn.execute(_WANT, {"keys": [key], "now": now}).rowcount)


def request_all(conn: Connection, job: str, now: datetime) -> None:
    """Want one more run of a job on every connection that has it."""
    write_marks(conn)
    conn.execute(_WANT_JOB, {"of_job": job, "now": now})


def due(conn: Connection, now: datetime) -> list[str]:
    """Keys that may run now, longest overdue first; none of a paused or retired connection."""
    return list(conn.scalars(_DUE, {"now": now}))


def bring_forward(conn: Connection, now: datetime) -> None:
    """Have everything run that waits for a later moment: the clock that set it was wrong."""
    conn.execute(update(_s).where(_s.c.due_at > now).values(due_at=now))


def claim(
    conn: Connection,
    key: str,
    owner: str,
    now: datetime,
    lease_s: float,
    *,
    even_if_not_due: bool = False,
) -> Claim | None:
    """Win the stream for ``lease_s`` seconds, or null: it is not due, or somebody runs it.

    One conditional update, so of any number of processes exactly one wins.
    """
    won = {"owner": owner, "lease_until": now + timedelta(seconds=lease_s)}
    statement = _CLAIM if even_if_not_due else _CLAIM_DUE
    row = conn.execute(statement, {"of_key": key, "now": now, **won}).first()
    if row is None:
        return None
    return Claim(
        key=row.key,
        job=row.job,
        connection_id=row.connection_id,
        owner=owner,
        fence=row.fence,
        lease_s=lease_s,
        want=row.want,
        done=row.done,
        every_s=row.every_s,
        failures=row.failures,
        cursor=row.cursor,
    )


def extend(conn: Connection, held: Claim, now: datetime) -> None:
    """Renew the lease; raises ``LostLease`` when another run has taken over."""
    _require_held(conn, held, _RENEW, {"new_lease_until": now + timedelta(seconds=held.lease_s)})


def look(conn: Connection, held: Claim) -> None:
    """Raise ``LostLease`` early when another run has already taken over. Locks nothing."""
    row = conn.execute(_LOOK, {"of_key": held.key}).first()
    if row is None or (row.fence, row.owner) != (held.fence, held.owner):
        raise _lost(held)


def seal(
    conn: Connection,
    held: Claim,
    now: datetime,
    *,
    cursor: dict[str, Any] | None = None,
    wanted: Collection[str] = (),
) -> None:
    """The last statements of a run's transaction: check the fence, and write what it decides.

    Renews the lease, stores ``cursor`` (null: leaves it) and raises the want of the streams in
    ``wanted``. Why last: the row stays locked from here to the commit, so no claim can slip in
    between check and commit, and yet heartbeats and requests do not wait for a page to be
    written. Why sorted: two runs that ask for each other would otherwise deadlock. Marks of dirty
    SKUs come before, as the promise job takes both in that order.
    """
    write_marks(conn)
    conn.execute(_LOCK, {"keys": [held.key, *wanted]}).all()
    renewed = {"new_lease_until": now + timedelta(seconds=held.lease_s)}
    if cursor is None:
        _require_held(conn, held, _RENEW, renewed)
    else:
        _require_held(conn, held, _RENEW_AND_READ, {**renewed, "new_cursor": cursor})
    if wanted:
        conn.execute(_WANT, {"keys": wanted, "now": now})


def finish(
    conn: Connection, held: Claim, now: datetime, *, again_at: datetime | None = None
) -> bool:
    """End a run that went well; true when the stream is wanted again at once.

    Whatever was requested since the claim is due now, the rest at the next interval, or already at
    ``again_at``.
    """
    again = now + timedelta(seconds=held.every_s)
    if again_at is not None:
        again = min(again, again_at)
    moments = {"last_success_at": now, "now": now, "again": again}
    ended = {"done": held.want, "failures": 0, "last_error": "", **_NOBODY}
    values = {**_named(held), "had_want": held.want, **moments, **ended}
    due_now = conn.execute(_FINISH, values).scalar()
    if due_now is None:
        raise _lost(held)
    if held.connection_id is not None:
        # A push with nothing to send succeeds without a call, and proves nothing about
        # credentials: one stream that works mends the connection only when none of them fails.
        conn.execute(_WELL, {"of_id": held.connection_id, "last_ok_at": now})
    return bool(due_now)


def last_success(conn: Connection, key: str) -> datetime | None:
    """When the stream last ran to its end; null when it never did."""
    return conn.scalar(select(_s.c.last_success_at).where(_s.c.key == key))


def fail(
    conn: Connection, held: Claim, error: str, retry_at: datetime, *, counts: bool = True
) -> None:
    """End a run that failed; what was wanted stays wanted.

    ``counts``: false where nothing was even tried. Then the number of failures does not grow, and
    the last error stays the one that was met.
    """
    failing = _s.c.failures > 0
    _update_held(
        conn,
        held,
        failures=_s.c.failures + 1 if counts else case((failing, _s.c.failures), else_=1),
        last_error=error if counts else case((failing, _s.c.last_error), else_=error),
        due_at=retry_at,
        **_NOBODY,
    )


def park_connection(conn: Connection, connection_id: int, problem: str) -> None:
    """Say that the connection needs mending. Its streams go on trying, slowly."""
    changes = {"status": "auth_failed", "problem": problem}
    conn.execute(
        update(t.connection)
        .where(t.connection.c.id == connection_id, t.connection.c.status.not_in(_NOT_RUNNING))
        .values(changes)
    )


def retry_parked_connections(conn: Connection, now: datetime) -> None:
    """Try the connections that needed mending at once: a restart may have brought new settings."""
    parked = select(t.connection.c.id).where(t.connection.c.status == "auth_failed")
    conn.execute(update(_s).where(_s.c.connection_id.in_(parked)).values(due_at=now))


def parked_connections(conn: Connection) -> list[Row[Any]]:
    """The connections that need mending, by name."""
    c = t.connection.c
    query = select(t.connection).where(c.status == "auth_failed").order_by(c.name)
    return list(conn.execute(query))


def release(conn: Connection, held: Claim) -> None:
    """Give the stream back as it was found: neither success nor failure."""
    _update_held(conn, held, **_NOBODY)


def lease_owners(conn: Connection) -> list[str]:
    """Who holds a lease, expired or not."""
    return list(conn.scalars(select(_s.c.owner).where(_s.c.owner != "").distinct()))


def expire_leases(conn: Connection, owner_prefix: str) -> int:
    """End the leases of an owner known to be dead; its streams may run at once."""
    held = _s.c.owner.startswith(owner_prefix, autoescape=True)
    return conn.execute(update(_s).where(held).values(_NOBODY)).rowcount


def overview(conn: Connection) -> Sequence[Row[Any]]:
    """Every stream with its connection's name, status and problem, for people to look at."""
    joined = _s.outerjoin(t.connection, _s.c.connection_id == t.connection.c.id)
    c = t.connection.c
    columns = (*_s.c, c.name.label("connection"), c.connector, c.status, c.problem)
    return conn.execute(select(*columns).select_from(joined).order_by(c.name, _s.c.job)).all()


def parked_counts(conn: Connection) -> dict[tuple[int, str], int]:
    """How many records are parked, by connection id and topic (``orders``, ``stock`` ...)."""
    c = t.inbox.c
    parked = select(c.connection_id, c.topic, func.count()).where(c.state == "parked")
    return {
        (row[0], row[1]): row[2] for row in conn.execute(parked.group_by(c.connection_id, c.topic))
    }


_NOT_RUNNING = ("paused", "retired")
_NOBODY: dict[str, Any] = {"lease_until": None, "owner": ""}


def _moment(name: str) -> BindParameter[datetime]:
    """Given with the statement. Untyped, SQLite would store it in another spelling."""
    return bindparam(name, type_=Utc())


def _raise_want(which: ColumnElement[bool]) -> Update:
    # Not later than it was: asking often must not push a stream to the end of the line.
    soon = case((or_(_s.c.failures > 0, _s.c.due_at < _NOW), _s.c.due_at), else_=_NOW)
    return update(_s).where(which).values(want=_s.c.want + 1, due_at=soon)


def _is_due() -> Select[Any]:
    joined = _s.outerjoin(t.connection, _s.c.connection_id == t.connection.c.id)
    status = t.connection.c.status
    runs = or_(status.is_(None), status.not_in(_NOT_RUNNING))
    found = select(_s.c.key).select_from(joined).where(_s.c.due_at <= _NOW, _FREE, runs)
    return found.order_by(_s.c.due_at, _s.c.key).limit(DUE_AT_ONCE)


def _keep() -> Update:
    # A shorter interval counts from now on, not after the longer one has run out.
    soonest = _moment("soonest")
    late = and_(_s.c.failures == 0, _s.c.due_at > soonest)
    known = update(_s).where(_s.c.key == bindparam("of_key"))
    return known.values(due_at=case((late, soonest), else_=_s.c.due_at))


def _well() -> Update:
    c = t.connection.c
    failing = select(_s.c.key).where(_s.c.connection_id == c.id, _s.c.failures > 0)
    mended = and_(c.status == "auth_failed", ~failing.exists())
    changes = {
        "status": case((mended, "active"), else_=c.status),
        "problem": case((mended, ""), else_=c.problem),
    }
    return update(t.connection).where(c.id == bindparam("of_id")).values(changes)


# Put together once: they run with every run and every page of every job, and what SQLAlchemy takes
# to put one together is more than what it takes to execute it. A column that is not named here is
# set to the value of its name.
_NOW = _moment("now")
_FREE = or_(_s.c.lease_until.is_(None), _s.c.lease_until <= _NOW)
_DUE = _is_due()
_KEYS = select(_s.c.key)
_KEEP = _keep()
_NEW = insert(_s)
_CLAIM = (
    update(_s)
    .where(_s.c.key == bindparam("of_key"), _FREE)
    .values(fence=_s.c.fence + 1)
    .returning(*_s.c)
)
_CLAIM_DUE = _CLAIM.where(_s.c.due_at <= _NOW)
_WELL = _well()
_LOOK = select(_s.c.fence, _s.c.owner).where(_s.c.key == bindparam("of_key"))
_LOCK = select(_s.c.key).where(among(_s.c.key, "keys")).order_by(_s.c.key).with_for_update()
_WANT = _raise_want(among(_s.c.key, "keys"))
_WANT_JOB = _raise_want(_s.c.job == bindparam("of_job"))
# The owner too: a heartbeat that comes just after the end of its run must not lease the stream to
# nobody, which would keep everybody out of it until that lease ends.
_HELD = update(_s).where(
    _s.c.key == bindparam("of_key"),
    _s.c.fence == bindparam("of_fence"),
    _s.c.owner == bindparam("of_owner"),
)
_RENEW = _HELD.values(lease_until=bindparam("new_lease_until"))
_RENEW_AND_READ = _RENEW.values(cursor=bindparam("new_cursor"))
_FINISH = _HELD.values(
    due_at=case((_s.c.want > bindparam("had_want"), _NOW), else_=_moment("again"))
).returning(_s.c.due_at <= _NOW)


def _update_held(conn: Connection, held: Claim, **changes: Any) -> None:
    _require_held(conn, held, _HELD.values(changes), {})


def _require_held(conn: Connection, held: Claim, change: Update, values: Mapping[str, Any]) -> None:
    if conn.execute(change, {**_named(held), **values}).rowcount == 0:
        raise _lost(held)


def _named(held: Claim) -> dict[str, Any]:
    return {"of_key": held.key, "of_fence": held.fence, "of_owner": held.owner}


def _lost(held: Claim) -> LostLease:
    return LostLease(f"{held.key}: another run has taken over from {held.owner}")
