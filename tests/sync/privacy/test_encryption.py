"""Orders of a channel whose buyers' data is encrypted: nothing shows in the store, all works."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from sqlalchemy import select, update

from state import inbox, intents, orders
from state import tables as t
from state.errors import Tampered
from state.personal import people
from state.vault import Vault, converting, keys
from state.vault.keyring import Keyring, MasterKey
from sync import allocation, drain, intake, invariants
from sync.privacy.dossier import dossier
from sync.privacy.erasure import Asked, erase
from sync.privacy.reapplying import Erasures, reapply, remembered
from sync.replay import Replay
from tests.sync.conftest import Bench
from tests.sync.privacy.buyers import address_of, canaries, email_of, order_of, ship, shipped, take

ON_SQLITE = pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)


@pytest.fixture
def sealed(bench: Bench) -> Bench:
    encrypt(bench)
    return bench


def encrypt(bench: Bench) -> None:
    everybody = frozenset(link.id for link in bench.hub.links.values())
    bench.store.vault.vault = Vault(Keyring([MasterKey.new()]), everybody)


def order(bench: Bench, number: int) -> Any:
    with bench.store.read() as conn:
        where = t.sales_order.c.channel_order_id == str(number)
        return conn.execute(select(t.sales_order).where(where)).one()


def erased(bench: Bench, number: int) -> None:
    asked = Asked(email_of(number), "ops", "asked by mail")
    with bench.store.write() as conn:
        erase(conn, people.find(conn, asked.email), asked, bench.clock.now())


def test_threat_t22_nothing_of_a_buyer_shows_and_the_parcel_still_arrives(sealed: Bench) -> None:
    shipped(sealed, 1)
    assert canaries(sealed.store, 1) == []
    [label] = sealed.carrier.labels_asked
    assert label.ship_to.name == "Canary1first Canary1last"
    assert label.ship_to.street == address_of(1)["address_1"]
    with sealed.store.read() as conn:
        known = orders.address(conn, order(sealed, 1).ship_to_id)
        assert known is not None
        assert known.city == "Canary1city"
        assert invariants.check(conn) == []


@ON_SQLITE
def test_a_later_report_changes_the_order_and_stays_encrypted(sealed: Bench) -> None:
    sealed.put("A", "berlin", 1)
    take(sealed, order_of(1, {"A": 1}))
    take(
        sealed,
        order_of(
            1,
            {"A": 1},
            customer_note="Canary1note: leave it",
            date_modified_gmt="2026-11-02T07:30:00",
            refunds=[{"id": 5, "reason": "Canary1reason", "total": "-1.00"}],
        ),
    )
    assert canaries(sealed.store, 1) == []
    with sealed.store.read() as conn:
        document = msgspec.json.encode(dossier(conn, email_of(1)), enc_hook=str)
    assert b"Canary1note: leave it" in document
    assert b"Canary1street 7" in document


@ON_SQLITE
def test_a_person_is_found_and_counted_by_the_address_they_gave(sealed: Bench) -> None:
    take(sealed, order_of(1, {"A": 1}), order_of(2, {"A": 1}))
    with sealed.store.read() as conn:
        assert [row.channel_order_id for row in people.find(conn, email_of(1)).orders] == ["1"]
        later = sealed.clock.now()
        assert orders.earlier_of(conn, email_of(1).upper(), later) == 1
        assert orders.earlier_of(conn, "nobody@example.org", later) == 0


def test_threat_t23_with_an_order_goes_the_key_that_every_backup_would_need(
    sealed: Bench,
) -> None:
    shipped(sealed, 1, 2)
    with sealed.store.read() as conn:
        kept = conn.execute(select(t.address)).all()
        held = sum(keys.count(conn).values())
    erased(sealed, 1)
    with sealed.store.read() as conn:
        assert sum(keys.count(conn).values()) == held - 1
        assert people.find(conn, email_of(1)).orders == []
        assert [row.channel_order_id for row in people.find(conn, email_of(2)).orders] == ["2"]
    [row, *_] = kept
    with sealed.store.write() as conn:
        # As a backup of the tables alone would bring it back.
        conn.execute(update(t.address).where(t.address.c.id == row.id).values(name=row.name))
        with pytest.raises(Tampered, match="destroyed"):
            orders.address(conn, row.id)


@ON_SQLITE
def test_mappings_are_replayed_over_encrypted_payloads(sealed: Bench) -> None:
    take(sealed, order_of(1, {"A": 1}))
    with sealed.store.write() as conn:
        conn.execute(update(t.order_line).values(title="mistyped"))
    replay = Replay(sealed.hub, sealed.hub.links["shop"], None, False, "ops")
    assert [done.result for done in replay.run()] == ["changed"]
    assert canaries(sealed.store, 1) == []


def test_what_was_stored_in_clear_is_encrypted_later_and_goes_on(bench: Bench) -> None:
    bench.put("A", "berlin", 2)
    take(bench, order_of(1, {"A": 1}), order_of(2, {"A": 1}))
    bench.run(allocation.allocate)
    assert canaries(bench.store, 1, 2)
    encrypt(bench)
    shop = bench.hub.links["shop"].id
    with bench.store.read() as conn:
        assert converting.plain_left(conn, [shop])[shop] > 0
    # 2 orders, and their payloads.
    assert converting.encrypt(bench.store, rest=bench.clock.sleep) == 4
    assert converting.encrypt(bench.store, rest=bench.clock.sleep) == 0
    assert bench.store.wipe_traces()
    assert canaries(bench.store, 1, 2) == []
    with bench.store.read() as conn:
        assert converting.plain_left(conn, [shop]) == {}
        assert [row.channel_order_id for row in people.find(conn, email_of(2)).orders] == ["2"]
        assert invariants.check(conn) == []
    for name in ("labels", "shop"):
        bench.run(drain.push, name)
    assert {label.ship_to.city for label in bench.carrier.labels_asked} == {
        "Canary1city",
        "Canary2city",
    }


@ON_SQLITE
def test_threat_t22_an_intent_with_another_s_address_is_not_sent(sealed: Bench) -> None:
    sealed.put("A", "berlin", 2)
    take(sealed, order_of(1, {"A": 1}), order_of(2, {"A": 1}))
    sealed.run(allocation.allocate)
    row = t.intent.c
    with sealed.store.write() as conn:
        first, second = conn.execute(select(t.intent).where(row.kind == "label")).all()
        swapped = {**first.body, "ship_to": second.body["ship_to"]}
        conn.execute(
            update(t.intent)
            .where(row.id == first.id)
            .values(body=swapped, body_sha256=intents.digest(swapped))
        )
    sealed.run(drain.push, "labels")
    assert [label.ship_to.city for label in sealed.carrier.labels_asked] == ["Canary2city"]
    with sealed.store.read() as conn:
        assert conn.scalar(select(row.state).where(row.id == first.id)) == "review"


@ON_SQLITE
def test_a_text_that_passes_itself_off_as_encrypted_parks_its_order(bench: Bench) -> None:
    fake = "\x021:1:" + "A" * 40
    take(bench, order_of(1, {"A": 1}, customer_note=fake), order_of(2, {"A": 1}))
    with bench.store.read() as conn:
        [row] = inbox.parked(conn)
        assert row.external_id == "1"
        assert "U+0002" in row.problems[0]["message"]
        assert conn.scalars(select(t.sales_order.c.channel_order_id)).all() == ["2"]


@ON_SQLITE
def test_an_erasure_takes_the_links_out_of_what_was_told(bench: Bench) -> None:
    """A tracking page may ask for or name the postcode: it goes from what was sent, too."""
    shipped(bench, 1)
    link = "https://track.example/canary1link"
    with bench.store.write() as conn:
        [told] = intents.of_subject(conn, "tracking", 1)
        body = {**told.body, "tracking_url": link}
        conn.execute(
            update(t.intent)
            .where(t.intent.c.id == told.id)
            .values(body=body, body_sha256=intents.digest(body))
        )
    erased(bench, 1)
    assert bench.store.wipe_traces()
    assert canaries(bench.store, 1) == []
    with bench.store.read() as conn:
        [told] = intents.of_subject(conn, "tracking", 1)
        assert told.body["tracking_url"] == ""
        assert intents.is_frozen(conn, told)


@pytest.mark.parametrize("hidden", [False, True])
def test_threat_t23_who_was_erased_after_the_backup_is_erased_again(
    bench: Bench, hidden: bool
) -> None:
    if hidden:
        encrypt(bench)
    shipped(bench, 1, 2)
    bench.put("B", "berlin", 1)
    take(bench, order_of(3, {"B": 1}))
    now = bench.clock.now()
    with bench.store.read() as conn:
        shop = bench.hub.links["shop"].name
        assert remembered(conn) == Erasures()
    since = remembered_of(shop, "1", "3")
    with bench.store.write() as conn:
        done = reapply(conn, since, now, "ops", "restored")
    assert bench.store.wipe_traces()
    assert canaries(bench.store, 1, 3) == []
    assert order(bench, 1).erased_at == order(bench, 3).erased_at == now
    assert done.open == [order(bench, 3).id], "it was still to be shipped"
    with bench.store.read() as conn:
        assert remembered(conn).orders == since.orders
        kept = orders.address(conn, order(bench, 2).ship_to_id)
        assert kept is not None
        assert kept.city == "Canary2city"
    ship(bench)
    assert bench.carrier.bought == 2, "nothing goes out without an address"
    with bench.store.write() as conn:
        assert not reapply(conn, since, now, "ops", "once more").erased.orders


def remembered_of(connection: str, *names: str) -> Erasures:
    records = frozenset((connection, intake.TOPIC, name) for name in names)
    return Erasures(frozenset((connection, name) for name in names), records)
