"""Repairs of what the audit finds: from facts that are kept elsewhere, never from a guess.

What is derived (levels, counters) is derived anew. What is a fact itself (a reservation, a label, a
payment) is not touched: what is wrong with it is said, and what a person has to do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import BigInteger, Connection, func, select, type_coerce, update
from sqlalchemy.exc import IntegrityError

from state import fulfilment, history, intents, orders, stock
from state import tables as t
from sync import bundles, invariants
from sync.cancellation import HANDOVER_KINDS
from sync.invariants import Violation
from sync.invariants.stock import given_away

_ZERO = Decimal(0)
_STILL_HELD = t.reservation.c.qty - t.reservation.c.qty_consumed - t.reservation.c.qty_released
_COUNTERS = ("qty_allocated", "qty_released", "qty_shipped")


@dataclass(frozen=True, slots=True)
class Change:
    """One figure that a repair writes. ``subject``: (type, id) for the audit trail."""

    subject: tuple[str, int]
    what: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Repair:
    """``rules``: the invariants whose violations it may mend. In words: what is ``wrong``, what is
    ``written``, and why that is ``safe``. ``mend`` writes and answers the changes; it is run in a
    transaction, which a rehearsal rolls back. ``only_if``: invariants that must hold before, as
    what it writes is taken from what they are about.
    """

    name: str
    rules: frozenset[str]
    wrong: str
    written: str
    safe: str
    mend: Callable[[Connection, datetime, str], list[Change]]
    only_if: frozenset[str] = frozenset()


class CannotRepair(Exception):
    """It would write what is wrong, or what the database refuses; nothing was written."""


def needed(violations: Sequence[Violation]) -> list[Repair]:
    """The repairs that these violations call for; each builds on those before it."""
    broken = {violation.invariant for violation in violations}
    return [repair for repair in REPAIRS if repair.rules & broken]


def apply(conn: Connection, repair: Repair, now: datetime, actor: str, reason: str) -> list[Change]:
    """Mend, and write each change to the audit trail, all in the caller's transaction.

    Raises ``CannotRepair``.
    """
    for rule in invariants.RULES:
        if rule.name in repair.only_if and conn.execute(rule.broken).first() is not None:
            raise CannotRepair(f"{repair.name}: first mend {rule.name}: {FOR_A_PERSON[rule.name]}")
    try:
        with conn.begin_nested():
            changes = repair.mend(conn, now, actor)
    except IntegrityError as error:
        raise CannotRepair(
            f"{repair.name}: the database refuses it, so something else is wrong too: "
            f"{str(error.orig).strip().splitlines()[0]}"
        ) from error
    for change in changes:
        history.audit(
            conn,
            actor=actor,
            action=f"repair_{repair.name}",
            subject=change.subject,
            before={change.what: change.before},
            after={change.what: change.after},
            reason=reason,
            now=now,
        )
    return changes


def _stock(conn: Connection, now: datetime, actor: str) -> list[Change]:
    return [
        Change(
            ("sku", one.sku_id),
            f"{one.sku} at {one.location}{f' lot {one.lot}' if one.lot else ''}: {one.bucket}",
            str(one.level_says),
            str(one.other_says),
        )
        for one in stock.rebuild(conn, now, actor)
    ]


def _shipped(conn: Connection, _now: datetime, _actor: str) -> list[Change]:
    """Fulfilment lines, from what the packages hold, where the reservations agree with them."""
    line, inside, held = t.fulfilment_order_line.c, t.package_line.c, t.reservation.c
    packed = func.coalesce(func.sum(inside.qty - inside.qty_over), 0)
    query = (
        select(
            line.id,
            line.qty,
            line.qty_cancelled,
            line.qty_shipped,
            type_coerce(_STILL_HELD, line.qty.type).label("held"),
            type_coerce(packed, line.qty.type).label("packed"),
        )
        .join(t.reservation, held.id == line.reservation_id)
        .outerjoin(t.package_line, inside.ffo_line_id == line.id)
        .group_by(line.id, held.id)
        .having(type_coerce(packed, BigInteger) != type_coerce(line.qty_shipped, BigInteger))
    )
    changes = []
    for row in conn.execute(query).all():
        if row.qty - row.qty_cancelled - row.packed != row.held:
            continue  # the goods' own books say something else: that is for a person
        fulfilment.set_ffo_line(conn, row.id, qty_shipped=row.packed)
        changes.append(
            Change(
                ("fulfilment_order_line", row.id), "shipped", str(row.qty_shipped), str(row.packed)
            )
        )
    return changes


def _reservations(conn: Connection, _now: datetime, _actor: str) -> list[Change]:
    """Their state, from their quantities: what still holds goods is active."""
    held = t.reservation.c
    left = type_coerce(_STILL_HELD, BigInteger) > 0
    query = select(held.id, held.state).where(left, held.state != "active")
    changes = []
    for row in conn.execute(query).all():
        conn.execute(update(t.reservation).where(held.id == row.id).values(state="active"))
        changes.append(Change(("reservation", row.id), "state", row.state, "active"))
    return changes


def _departures(conn: Connection, now: datetime, actor: str) -> list[Change]:
    """Movements that the ledger has lost. Of goods in lots nobody knows any more which lot it was.

    The level is left as it is: whether it lost them as well its own repair finds out.
    """
    held, sku = t.reservation.c, t.sku.c
    lost = given_away().add_columns(held.sku_id, held.location_id, held.qty_consumed)
    changes = []
    for row in conn.execute(lost.join(t.sku, sku.id == held.sku_id).where(~sku.lot_tracked)).all():
        key = f"repair:departure:{row.id}:{now.isoformat()}"
        missing = row.qty_consumed - row.left
        leg = stock.Leg(row.sku_id, row.location_id, "on_hand", -missing)
        cause = stock.Cause("ship", ("reservation", row.id), key, now, actor=actor)
        stock.write_rows(conn, [leg], cause)
        changes.append(
            Change(("reservation", row.id), "left", str(row.left), str(row.qty_consumed))
        )
    return changes


def _counters(conn: Connection, _now: datetime, _actor: str) -> list[Change]:
    """Order lines, from their fulfilment orders."""
    broken = {
        row.order_id
        for rule in invariants.RULES
        if rule.name == "counters_match_work"
        for row in conn.execute(rule.broken)
    }
    changes = []
    for order_id in sorted(broken):
        right = _counted(conn, order_id)
        for line in orders.lines(conn, [order_id]).get(order_id, []):
            want = right.get(line.id, dict.fromkeys(_COUNTERS, _ZERO))
            wrong = {name: qty for name, qty in want.items() if getattr(line, name) != qty}
            if wrong:
                orders.set_line(conn, line.id, **wrong)
            changes += [
                Change(("order_line", line.id), name, str(getattr(line, name)), str(qty))
                for name, qty in wrong.items()
            ]
    return changes


def _counted(conn: Connection, order_id: int) -> dict[int, dict[str, Decimal]]:
    found: dict[int, dict[str, Decimal]] = {}
    work = fulfilment.of_order(conn, order_id)
    lines = fulfilment.lines_of(conn, [ffo.id for ffo in work])
    for ffo in work:
        in_hand = "qty_allocated" if ffo.work_state == "planned" else "qty_released"
        for order_line_id, (left, shipped) in bundles.counts(lines.get(ffo.id, [])).items():
            count = found.setdefault(order_line_id, dict.fromkeys(_COUNTERS, _ZERO))
            count[in_hand] += left
            count["qty_shipped"] += shipped
    return found


def _stranded(conn: Connection, now: datetime, _actor: str) -> list[Change]:
    """Work that was released to nobody, and certainly not sent to anybody, is released anew."""
    rule = next(rule for rule in invariants.RULES if rule.name == "nothing_stranded")
    changes = []
    for row in conn.execute(rule.broken).all():
        sent = [
            one
            for kind in HANDOVER_KINDS
            for one in intents.of_subject(conn, kind, row.id)
            if one.attempts or one.sent_at is not None
        ]
        if sent:
            continue  # somebody may have it: only they know
        counts = bundles.counts(fulfilment.lines_of(conn, [row.id]).get(row.id, []))
        for order_line_id, (left, _) in counts.items():
            orders.move_line(conn, order_line_id, qty_released=-left, qty_allocated=left)
        fulfilment.set_ffo(conn, row.id, work_state="planned")
        told = "handed over anew: nobody was ever told of it"
        history.event(conn, row.order_id, "hand_over_recalled", told, now)
        changes.append(Change(("fulfilment_order", row.id), "work_state", "open", "planned"))
    return changes


REPAIRS = (
    Repair(
        "shipped",
        frozenset({"packages_hold_what_shipped", "counters_match_work"}),
        "A fulfilment line counts as shipped something else than its parcels hold.",
        "It gets the sum of what its parcels hold.",
        "The parcels are what the location told; a line is only changed where its reservation "
        "says the same.",
        _shipped,
    ),
    Repair(
        "counters",
        frozenset({"counters_match_work", "order_counters"}),
        "An order line counts as allocated, released or shipped something else than the work that "
        "was made of it.",
        "Its counters become the sums of its fulfilment orders.",
        "Nothing is planned, sent or cancelled by it; the database refuses counters beyond what "
        "was ordered.",
        _counters,
    ),
    Repair(
        "stranded",
        frozenset({"nothing_stranded"}),
        "Work counts as handed over, and nothing is on its way to anybody.",
        "It is planned again, and the next run of allocate hands it over.",
        "Only where nothing was ever sent for it; its goods stay reserved.",
        _stranded,
    ),
    Repair(
        "reservations",
        frozenset({"reserved_is_reservations", "lot_reserved_is_reservations"}),
        "A reservation counts as over and still holds goods.",
        "It is active again.",
        "Its quantities say so, and goods that are set aside for an order cannot be sold twice.",
        _reservations,
    ),
    Repair(
        "departures",
        frozenset({"ledger_tells_what_left"}),
        "Goods were given away, and the ledger does not tell that they left.",
        "The missing movement is added to the ledger.",
        "How much was given away stands in the reservation; the ledger is only added to.",
        _departures,
    ),
    Repair(
        "stock",
        frozenset(
            {
                "level_is_sum_of_ledger",
                "ledger_has_its_level",
                "incoming_is_consignments",
                "lots_make_the_level",
                "lot_is_sum_of_ledger",
                "lot_reserved_is_reservations",
                "reserved_is_reservations",
                "nothing_oversold",
            }
        ),
        "A stock level differs from the ledger, the reservations or the deliveries on their way.",
        "The level becomes the sum of its ledger; where reservations or deliveries say otherwise, "
        "a correction is added to the ledger first.",
        "The ledger is never changed, only added to; the database refuses less on hand than is "
        "reserved.",
        _stock,
        only_if=frozenset({"ledger_tells_what_left"}),
    ),
)

FOR_A_PERSON = {
    "audit_trail": "compare with the newest backup that `crossdock restore --into` can show you; "
    "docs/operations.md says how",
    "one_label_per_work": "void the label that is too much at the carrier, then "
    "`crossdock explain ORDER`; which one is on the parcel only the warehouse knows",
    "handed_over_once": "cancel one of the two at the location",
    "returns_within_shipments": "see with the warehouse what came back; correct the return there",
    "refunds_within_payments": "look at the order's payments in the channel: money is never "
    "corrected here",
    "totals_are_of_their_parts": "read it again from its kept payload with `crossdock replay`, or "
    "restore a backup from before the damage",
    "ledger_tells_what_left": "rows of the ledger are gone, and of which lot is not known: restore "
    "a backup from before the damage",
    "totals_add_up": "correct the order in the channel, or accept it with "
    "`crossdock release ORDER`",
    "bundles_planned_whole": "ask the location what it packs, then `crossdock release ORDER`",
    "reservations_match_work": "a reservation is a fact, and so is its work: see which is right "
    "with `crossdock explain ORDER`, and restore a backup from before the damage",
    "references_hold": "rows are missing: restore a backup from before the damage",
    "decisions_can_be_remade": "a kept decision was changed, or the version: nothing depends on it",
    "vendors_hold_what_was_sent": "`crossdock strays list` tells the remedy of each",
    "nothing_stranded": "it was sent once: ask the location whether it has it, then "
    "`crossdock intents` or `crossdock release ORDER`",
    "packages_hold_what_shipped": "parcels and reservations disagree: ask the location what left, "
    "count there with `crossdock stock count`",
    "counters_match_work": "the work itself is damaged: restore a backup from before the damage",
    "order_counters": "more work was made than was ordered: stop it at the location, then "
    "`crossdock audit --repair` again",
}
"""What to do about what no repair can mend, or what is left after it."""

_COUNT = (
    "count the goods there (`crossdock stock count`; where an outside system counts, have it count "
    "again), then `crossdock audit --repair` again"
)


def advice(violation: Violation) -> str:
    return FOR_A_PERSON.get(violation.invariant, _COUNT)


def all_violations(conn: Connection, most: int | None) -> list[Violation]:
    """What the audit finds: every rule, and decisions made again."""
    return [*invariants.check(conn), *invariants.remake(conn, most).violations]
