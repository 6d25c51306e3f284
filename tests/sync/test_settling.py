"""What follows from an outcome, and from none: owners, deadlines, frozen bodies, keys, refusals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import update

from connectors.base import TAKEN, Outcome, Push
from connectors.errors import Ambiguous
from mappings import canonical as c
from state import intents
from state import tables as t
from state.errors import LostLease
from sync import allocation, drain
from sync.context import Sender
from tests.sync.conftest import Bench, JobRun
from tests.sync.promise.setting import listed, promise
from tests.sync.routing.test_rerouting import jersey_first
from tests.sync.test_drain import rows


def declared(bench: Bench, monkeypatch: pytest.MonkeyPatch, rule: Push) -> None:
    info = bench.warehouse.info
    pushes = {**info.pushes, "push_fulfilment_orders": rule}
    monkeypatch.setattr(bench.warehouse, "info", replace(info, pushes=pushes))


def order(bench: Bench) -> Any:
    return rows(bench, "fulfilment_order")[-1]


def push(bench: Bench, sender: Sender | None = None) -> JobRun:
    run = JobRun(bench.store, "bob")
    drain.push(replace(bench.hub, sender=sender or Sender()), run)
    return run


def left_behind(bench: Bench) -> None:
    """A process ``a`` dies, or seems to, right after its claim."""
    now = bench.clock.now()
    with bench.store.write() as conn:
        row = intents.of_subject(conn, "fulfilment_order", 1)[-1]
        intents.claim(conn, [row], now, owner="a", send_by=now + timedelta(seconds=60))


def test_fault_row_60_what_a_living_process_sends_is_left_to_it(bench: Bench) -> None:
    jersey_first(bench)
    left_behind(bench)
    living = Sender(lives=lambda owner: owner == "a")
    assert push(bench, living).counts["recovered"] == 0
    assert order(bench).state == "sending"
    bench.clock.advance(181)
    assert push(bench, living).counts["recovered"] == 1


def test_fault_row_61_a_dead_process_is_followed_at_once_but_not_before_its_deadline(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its lock may have gone with a broken connection while it is about to send."""
    jersey_first(bench)
    declared(bench, monkeypatch, Push(1, "lookup", lookup_lag_s=30))
    began = bench.clock.now()
    left_behind(bench)
    assert push(bench).counts["recovered"] == 1
    assert order(bench).not_before == began + timedelta(seconds=90)


def test_fault_row_60_a_worker_that_wakes_after_its_deadline_sends_nothing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    jersey_first(bench)
    claim = intents.claim

    def stalled(*given: Any, **more: Any) -> Any:
        claimed = claim(*given, **more)
        bench.clock.advance(900)
        return claimed

    monkeypatch.setattr(intents, "claim", stalled)
    push(bench)
    assert bench.warehouse.taken == {}
    assert order(bench).state == "planned"
    assert "the right to send had run out" in order(bench).message


def test_fault_row_58_a_body_that_was_changed_is_not_sent(bench: Bench) -> None:
    jersey_first(bench)
    with bench.store.write() as conn:
        body = {**order(bench).body, "order_name": "another"}
        conn.execute(update(t.intent).where(t.intent.c.id == order(bench).id).values(body=body))
    push(bench)
    assert (order(bench).state, bench.warehouse.taken) == ("review", {})
    assert "not the one that was written down" in order(bench).message


def test_fault_row_57_a_key_is_used_within_half_its_window_and_then_looked_up(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    jersey_first(bench)
    declared(bench, monkeypatch, Push(1, "key", lookup_lag_s=60, key_window_s=7200))
    sent: list[str] = []

    def lost(requests: Mapping[str, c.FulfilmentRequest]) -> Sequence[Outcome]:
        sent.extend(requests)
        raise Ambiguous("lost")

    monkeypatch.setattr(bench.warehouse, "push_fulfilment_orders", lost)
    for _ in range(2):
        push(bench)
        bench.clock.advance(600)
    assert len(sent) == 2
    assert len(set(sent)) == 1
    # The hub was off for a while: the row still says "planned", and the key is too old by now. It
    # counts from the first call: the second was less than half the window ago.
    bench.clock.advance(2700)
    push(bench)
    assert order(bench).state == "unknown"
    assert len(sent) == 2
    bench.clock.advance(61)
    monkeypatch.setattr(bench.warehouse, "find_fulfilment_order", lambda reference: "R-1")
    push(bench)
    assert (order(bench).state, order(bench).remote_id) == ("done", "R-1")


def test_fault_row_55_a_refusal_after_a_lost_reply_waits_for_the_index(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The vendor refuses the second order, and cannot find the first one yet."""
    jersey_first(bench)
    declared(bench, monkeypatch, Push(1, "reference", lookup_lag_s=60))

    def applied_and_lost(requests: Any, taken: dict[str, Any]) -> None:
        taken.update({one.reference: one for one in requests.values()})
        raise Ambiguous("lost")

    refused = {"status": "rejected", "message": "no such order"}
    bench.warehouse.answers = [applied_and_lost, refused]
    push(bench)
    bench.clock.advance(5)
    push(bench)
    assert order(bench).state == "unknown"
    bench.clock.advance(61)
    push(bench)
    assert order(bench).state == "done"
    assert len(bench.warehouse.taken) == 1


def test_fault_row_54_another_object_under_our_reference_is_for_a_person(bench: Bench) -> None:
    jersey_first(bench)
    other = {"status": "rejected", "code": TAKEN, "message": "it has other goods."}
    bench.warehouse.answers = [other]
    push(bench)
    bench.run(allocation.allocate)
    assert order(bench).state == "review"
    assert len(rows(bench, "fulfilment_order")) == 1, "it is not sent anywhere else"


def test_who_has_lost_its_lease_cannot_settle(bench: Bench) -> None:
    """The fence of the run, which the stalled worker of the storm meets."""
    jersey_first(bench)

    class Fenced(JobRun):
        def commit(self) -> Any:
            if bench.warehouse.taken:
                raise LostLease("another run has taken over")
            return super().commit()

    with pytest.raises(LostLease):
        drain.push(bench.hub, Fenced(bench.store, "bob"))
    assert order(bench).state == "sending"


BODIES = st.dictionaries(
    st.text(max_size=5), st.one_of(st.integers(-9, 9), st.text(max_size=4)), max_size=4
)


@given(first=BODIES, second=BODIES)
def test_a_digest_tells_every_change_of_a_body_and_no_order_of_its_keys(
    first: dict[str, Any], second: dict[str, Any]
) -> None:
    def digest(body: dict[str, Any]) -> str:
        return intents.digest(body)

    assert digest(first) == digest(dict(reversed(list(first.items()))))
    assert (digest(first) == digest(second)) == (first == second)


def test_stock_keys_name_the_write_and_not_the_quantity(bench: Bench) -> None:
    """A sale and a restock give the same quantity twice (row 74)."""
    listed(bench, A=0)
    for quantity in (5, 4, 5):
        bench.put("A", "berlin", quantity)
        promise(bench)
        bench.clock.advance(60)
        bench.run(drain.push, "shop")
    keys = [(row.idempotency_key, row.body["quantity"]) for row in rows(bench)]
    assert [quantity for _, quantity in keys] == [5, 4, 5]
    assert len({key for key, _ in keys}) == 3
