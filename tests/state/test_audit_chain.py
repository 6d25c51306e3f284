"""The audit trail's chain: whole whatever is written, and every tampering is named."""

from __future__ import annotations

import threading
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, delete, select, text, update
from sqlalchemy.exc import IntegrityError

from state import audit_chain, history, migration_steps
from state import tables as t
from state.audit_check import Witness, breaks, head
from state.store import Store

NOW = datetime(2026, 11, 2, 8, tzinfo=UTC)


def write(store: Store, *actions: str, now: datetime = NOW) -> None:
    """Each action as a transaction of its own."""
    for action in actions:
        with store.write() as conn:
            add(conn, action, now=now)


def add(conn: Connection, action: str, **more: Any) -> None:
    values = {"actor": "ada", "subject": ("sku", 1), "reason": "asked", "now": NOW, **more}
    history.audit(conn, action=action, **values)


def named(store: Store, witness: Witness | None = None) -> list[str]:
    with store.read() as conn:
        return [one.subject for one in breaks(conn, witness)]


def unguarded(conn: Connection) -> None:
    """As whoever owns the database: without the triggers that forbid it."""
    if conn.dialect.name == "sqlite":
        for name in ("audit_event_stays", "audit_event_as_sealed"):
            conn.execute(text(f"DROP TRIGGER {name}"))
    else:
        conn.execute(text("SET LOCAL session_replication_role = replica"))


_words = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=6)
_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | _words,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(_words, inner, max_size=2),
    max_leaves=4,
)
_row = st.fixed_dictionaries(
    {
        "actor": _words,
        "before": _json,
        "after": _json,
        "reason": _words,
        "subject": st.tuples(_words, st.integers(-(2**62), 2**62)),
        "now": st.timedeltas(timedelta(-700_000), timedelta(2_900_000)).map(lambda by: NOW + by),
    }
)


@given(st.lists(st.lists(_row, max_size=3), max_size=4))
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_is_written_the_chain_holds(
    store: Store, transactions: list[list[dict[str, Any]]]
) -> None:
    with store.read() as conn:
        before = head(conn).number
    for rows in transactions:
        with store.write() as conn:
            for values in rows:
                add(conn, "x", **values)
    assert named(store) == []
    with store.read() as conn:
        assert head(conn).number == before + sum(map(len, transactions))


def test_rolled_back_transactions_and_savepoints_leave_no_gap(store: Store) -> None:
    write(store, "a")
    with store.write() as conn:
        add(conn, "rehearsed")
        conn.rollback()
    with suppress(RuntimeError), store.write() as conn:
        add(conn, "failed")
        raise RuntimeError
    with store.write() as conn:
        with suppress(RuntimeError), conn.begin_nested():
            add(conn, "taken back")
            raise RuntimeError
        add(conn, "b")
    assert named(store) == []
    with store.read() as conn:
        found = conn.execute(select(t.audit_event.c.number, t.audit_event.c.action)).all()
    assert sorted(tuple(row) for row in found) == [(1, "a"), (2, "b")]


def test_several_writers_make_one_chain(store: Store) -> None:
    def many(name: str) -> None:
        for number in range(8):
            store.transact(partial(add, action=f"{name}{number}"))

    threads = [threading.Thread(target=many, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert named(store) == []
    with store.read() as conn:
        assert head(conn).number == 32


@pytest.mark.parametrize(
    "change",
    [
        delete(t.audit_event),
        update(t.audit_event).values(actor="eve"),
        update(t.audit_event).values(reason="another"),
        update(t.audit_event).values(salt="", seal="x"),
        update(t.audit_event).values(number=None),
    ],
)
def test_the_database_refuses_to_change_what_is_sealed(store: Store, change: Any) -> None:
    write(store, "a")
    with pytest.raises(IntegrityError, match="only ever added to"), store.write() as conn:
        conn.execute(change)
    assert named(store) == []


def test_postgres_refuses_to_truncate_it(store: Store) -> None:
    if store.is_sqlite:
        pytest.skip("SQLite has no such statement")
    write(store, "a")
    with pytest.raises(IntegrityError, match="only ever added to"), store.write() as conn:
        conn.execute(text("TRUNCATE audit_event"))


CHANGES = {
    "actor": "eve",
    "action": "other",
    "at": NOW + timedelta(seconds=1),
    "subject_type": "order",
    "subject_id": 2,
    "before": {"x": 1},
    "after": {"x": 2},
    "reason": "because",
    "salt": "",
    "words_sha256": "0" * 64,
    "seal": "0" * 64,
}


@pytest.mark.parametrize("column", CHANGES)
def test_threat_t25_a_changed_row_is_named(store: Store, column: str) -> None:
    write(store, *"abcde")
    with store.write() as conn:
        unguarded(conn)
        row = t.audit_event.c.number == 3
        conn.execute(update(t.audit_event).where(row).values({column: CHANGES[column]}))
    assert named(store)[0] == "audit row 3"


def test_threat_t25_a_missing_row_is_named(store: Store) -> None:
    write(store, *"abcde")
    with store.write() as conn:
        unguarded(conn)
        conn.execute(delete(t.audit_event).where(t.audit_event.c.number == 2))
    assert named(store)[0] == "audit row 2"


def test_threat_t25_rows_cut_off_at_the_end_are_named(store: Store) -> None:
    write(store, *"abcde")
    with store.write() as conn:
        unguarded(conn)
        conn.execute(delete(t.audit_event).where(t.audit_event.c.number >= 4))
    assert named(store) == ["audit row 4"]


def test_threat_t25_a_missing_beginning_or_a_missing_head_is_named(store: Store) -> None:
    write(store, *"abc")
    with store.write() as conn:
        unguarded(conn)
        conn.execute(delete(t.audit_event).where(t.audit_event.c.number == 1))
        conn.execute(delete(t.audit_head))
    assert named(store) == ["audit row 1", "audit row 2", "audit row 1"]


def test_threat_t25_a_row_put_in_is_named(store: Store) -> None:
    write(store, *"abc")
    values = {"at": NOW, "actor": "eve", "action": "b", "subject_type": "sku", "subject_id": 1}
    with store.write() as conn:
        conn.execute(t.audit_event.insert().values(**values))
    with store.read() as conn:
        (row_id,) = conn.scalars(select(t.audit_event.c.id).where(t.audit_event.c.seal == ""))
    assert named(store) == [f"audit row with id {row_id}"]
    write(store, "d")
    assert named(store) == [f"audit row with id {row_id}"], "no later transaction seals it"


def test_threat_t25_swapped_rows_are_named(store: Store) -> None:
    write(store, *"abcd")
    with store.write() as conn:
        unguarded(conn)
        number = t.audit_event.c.number
        for old, new in ((2, 90), (3, 2), (90, 3)):
            conn.execute(update(t.audit_event).where(number == old).values(number=new))
    assert named(store)[:2] == ["audit row 2", "audit row 3"]


def test_threat_t25_a_row_sealed_anew_does_not_fit_to_the_next(store: Store) -> None:
    write(store, *"abcd")
    with store.write() as conn:
        unguarded(conn)
        rows = {row.number: row for row in conn.execute(select(t.audit_event))}
        which = t.audit_event.c.number == 2
        conn.execute(update(t.audit_event).where(which).values(actor="eve"))
        fresh = conn.execute(select(t.audit_event).where(which)).one()
        seal = audit_chain.seal_of(rows[1].seal, 2, fresh.words_sha256, fresh)
        conn.execute(update(t.audit_event).where(which).values(seal=seal))
    assert named(store) == ["audit row 3"]


def test_threat_t25_only_a_witness_sees_a_whole_chain_that_was_forged(store: Store) -> None:
    write(store, *"abcd")
    with store.read() as conn:
        witness = head(conn)
    assert Witness.of(str(witness)) == witness
    write(store, "e")
    assert named(store, witness) == []
    with store.write() as conn:
        unguarded(conn)
        number = t.audit_event.c.number
        conn.execute(delete(t.audit_event).where(number >= 4))
        last = conn.scalar(select(t.audit_event.c.seal).where(number == 3))
        conn.execute(update(t.audit_head).values(number=3, seal=last))
    assert named(store) == [], "this is what a chain alone cannot see"
    assert named(store, witness) == ["audit row 4"]


@pytest.mark.parametrize("text_", ["", "5", "5:xyz", ":", "-1:" + "a" * 64])
def test_a_witness_that_is_none_is_refused(text_: str) -> None:
    with pytest.raises(ValueError, match="is not NUMBER:SEAL"):
        Witness.of(text_)


def test_an_erasure_keeps_the_chain_and_is_told_in_it(store: Store) -> None:
    write(store, *"abc")
    with store.write() as conn:
        audit_chain.scrub(conn, 2, {"reason": "(erased)"}, "job expire-personal", NOW)
    with store.write() as conn:
        audit_chain.scrub(conn, 2, {"after": {"x": "(erased)"}}, "ada", NOW)
    assert named(store) == []
    with store.read() as conn:
        rows = conn.execute(select(t.audit_event).order_by(t.audit_event.c.number)).all()
    assert [row.actor for row in rows[3:]] == ["job expire-personal", "ada"]
    assert (rows[1].salt, rows[1].reason) == ("", "(erased)"), "nothing to guess the words from"


@pytest.mark.parametrize("also", [{}, {"salt": ""}])
def test_threat_t25_words_changed_as_if_erased_are_named(
    store: Store, also: dict[str, str]
) -> None:
    write(store, *"abc")
    with store.write() as conn:
        audit_chain.scrub(conn, 2, {"reason": "(erased)"}, "ada", NOW)
    for number in (2, 3):
        with store.write() as conn:
            if not also or number == 2:
                conn.execute(
                    update(t.audit_event)
                    .where(t.audit_event.c.number == 2)
                    .values(reason=f"forged {number}", salt="")
                )
            else:
                which = t.audit_event.c.number == number
                conn.execute(update(t.audit_event).where(which).values(reason="forged", **also))
    assert named(store) == (["audit row 2", "audit row 3"] if also else ["audit row 2"])


def test_a_store_from_before_the_chain_is_sealed_by_the_step(tmp_path: Any) -> None:
    opened = Store(f"sqlite:///{tmp_path / 'old.db'}")
    row = (
        "INSERT INTO audit_event (at, actor, action, subject_type, subject_id, after) "
        "VALUES ('2026-11-01T08:00:00.000000Z', 'ada', 'x', 'sku', 1, '{\"a\": 1}')"
    )
    with opened.write() as conn:
        migration_steps.apply(conn, "0015")
        for _ in range(3):
            conn.execute(text(row))
    with opened.write() as conn:
        migration_steps.apply(conn)
    assert named(opened) == []
    with opened.read() as conn:
        assert head(conn).number == 3
    write(opened, "later")
    assert named(opened) == []
    opened.close()
