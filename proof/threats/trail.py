"""T25: whoever changes the audit trail behind the program's back is found out."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

from sqlalchemy import Connection, delete, insert, select, text, update

from proof.planting import Planted
from proof.threats.check import Checked, verdict
from state import audit_chain, audit_check, history
from state import tables as t
from state.audit_check import Witness
from state.store import Store

NOW = datetime(2026, 11, 2, tzinfo=UTC)
_ROWS = 12
_number = t.audit_event.c.number

Tampering = Callable[[Connection, int], int | None]
"""Done to the row with a number; answers the number that must be named first; null: one without."""


def _sets(column: str, value: Any) -> Tampering:
    def tamper(conn: Connection, number: int) -> int:
        conn.execute(update(t.audit_event).where(_number == number).values({column: value}))
        return number

    return tamper


def _removed(conn: Connection, number: int) -> int:
    conn.execute(delete(t.audit_event).where(_number == number))
    return number


def _cut_off(conn: Connection, number: int) -> int:
    conn.execute(delete(t.audit_event).where(_number >= number))
    return number


def _all_gone(conn: Connection, _number_of: int) -> int:
    conn.execute(delete(t.audit_event))
    return 1


def _inserted(conn: Connection, _number_of: int) -> None:
    values = {"at": NOW, "actor": "eve", "action": "x", "subject_type": "sku", "subject_id": 1}
    conn.execute(insert(t.audit_event).values(**values))


def _swapped(conn: Connection, number: int) -> int:
    for old, new in ((number, 99), (number + 1, number), (99, number + 1)):
        conn.execute(update(t.audit_event).where(_number == old).values(number=new))
    return number


def _sealed_anew(conn: Connection, number: int) -> int:
    """One row, with a right seal of its own: the next one does not follow it any more."""
    conn.execute(update(t.audit_event).where(_number == number).values(actor="eve"))
    row = conn.execute(select(t.audit_event).where(_number == number)).one()
    former = conn.scalar(select(t.audit_event.c.seal).where(_number == number - 1)) or ""
    seal = audit_chain.seal_of(former, number, row.words_sha256, row)
    conn.execute(update(t.audit_event).where(_number == number).values(seal=seal))
    return number + 1


def _as_if_erased(conn: Connection, number: int) -> int:
    values = {"reason": "(erased)", "salt": ""}
    conn.execute(update(t.audit_event).where(_number == number).values(values))
    return number


TAMPERINGS: Mapping[str, Tampering] = {
    "another actor": _sets("actor", "eve"),
    "another action": _sets("action", "nothing"),
    "another moment": _sets("at", datetime(2025, 1, 1, tzinfo=UTC)),
    "another subject": _sets("subject_id", 99),
    "another reason": _sets("reason", "none"),
    "another figure": _sets("after", {"qty": 0}),
    "another digest": _sets("words_sha256", "0" * 64),
    "removed": _removed,
    "put in": _inserted,
    "swapped": _swapped,
    "cut off": _cut_off,
    "all removed": _all_gone,
    "sealed anew": _sealed_anew,
    "changed as if erased": _as_if_erased,
}


def t25() -> Checked:
    """Every kind of tampering, at rows drawn at random; what is untouched, erasures among it, is
    found whole."""
    violations, tried = _t25()
    bugs = (
        Planted("a seal without its former", [(audit_chain, "seal_of", _alone), _checked(_alone)]),
        Planted(
            "words are in no seal",
            [(m, "words_digest", lambda *_: "") for m in (audit_chain, audit_check)],
        ),
        Planted("nobody looks at the head", [(audit_check, "head", _as_seen)]),
        Planted("rows without a number are passed over", [(audit_check, "_unsealed", _none)]),
        Planted("an erasure is not told to the chain", [(audit_chain, "scrub", _quietly)]),
    )
    planted = {}
    for bug in bugs:
        with bug.in_place():
            planted[f"T25: {bug.name}"] = verdict(_t25()[0])
    figure = f"{tried} tamperings of {len(TAMPERINGS)} kinds, each named; 1 kind needs a witness"
    return Checked("T25", tried, figure, violations, planted)


_seal_of = audit_chain.seal_of


def _alone(_former: str, *given: Any) -> str:
    return _seal_of("", *given)


def _checked(instead: Any) -> tuple[Any, str, Any]:
    return audit_check, "seal_of", instead


def _as_seen(conn: Connection) -> Witness:
    query = select(_number, t.audit_event.c.seal).where(_number.is_not(None))
    row = conn.execute(query.order_by(_number.desc())).first()
    return Witness(row.number, row.seal) if row else Witness(0, "")


def _none(_conn: Connection) -> Iterator[Any]:
    yield from ()


def _quietly(conn: Connection, row_id: int, words: Mapping[str, Any], *_: object) -> None:
    row = t.audit_event.c.id == row_id
    conn.execute(update(t.audit_event).where(row).values(**words, salt=""))


def _t25() -> tuple[list[str], int]:
    violations: list[str] = []
    with _trail() as store:
        with store.read() as conn:
            violations += [f"untouched: {one.subject}" for one in audit_check.breaks(conn)]
        for seed, (name, tamper) in enumerate(TAMPERINGS.items()):
            found = _found(store, tamper, Random(seed).randrange(4, _ROWS - 1))
            violations += [f"{name}: {found}"] if found else []
        violations += _with_a_witness(store)
    return violations, len(TAMPERINGS) + 1


def _found(store: Store, tamper: Tampering, number: int) -> str | None:
    """What is wrong with what is named; null: nothing is. The store is left as it was."""
    with store.write() as conn:
        wanted = tamper(conn, number)
        subjects = [one.subject for one in audit_check.breaks(conn)]
        conn.rollback()
    if not subjects:
        return "nobody noticed"
    right = f"audit row {wanted}" if wanted else "audit row with id"
    return None if subjects[0].startswith(right) else f"{subjects[0]} is named, not {right}"


def _with_a_witness(store: Store) -> list[str]:
    """The whole end made anew, head and all: only who kept the seal elsewhere sees it."""
    with store.write() as conn:
        witness = audit_check.head(conn)
        conn.execute(delete(t.audit_event).where(_number >= _ROWS))
        seal = conn.scalar(select(t.audit_event.c.seal).where(_number == _ROWS - 1))
        conn.execute(update(t.audit_head).values(number=_ROWS - 1, seal=seal))
        found = list(audit_check.breaks(conn, witness))
        conn.rollback()
    return [] if found else ["made anew: the witness saw nothing"]


@contextmanager
def _trail() -> Iterator[Store]:
    """A store with a trail, one of its rows scrubbed, and without the guards that forbid a slip."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store(f"sqlite:///{Path(folder) / 'crossdock.db'}")
        try:
            with store.write() as conn:
                t.metadata.create_all(conn)
                conn.execute(text("DROP TRIGGER audit_event_stays"))
                conn.execute(text("DROP TRIGGER audit_event_as_sealed"))
            for number in range(_ROWS):
                with store.write() as conn:
                    _add(conn, number)
                    if number == 1:
                        audit_chain.scrub(conn, 1, {"reason": "(erased)"}, "ada", NOW)
            yield store
        finally:
            store.close()


def _add(conn: Connection, number: int) -> None:
    history.audit(
        conn,
        actor="ada",
        action="count",
        subject=("sku", number),
        before={"qty": number},
        after={"qty": number + 1},
        reason=f"ticket {number}",
        now=NOW,
    )
