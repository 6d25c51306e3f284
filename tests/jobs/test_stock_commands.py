"""``crossdock stock``, as ops type it: files taken once and whole, the past, and the proof."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from tests.jobs import commands


class Commands(commands.Commands):
    """An installation with SKUs A, B and KIT, two own locations, and a drop folder's."""

    def stock(self, *arguments: str, code: int = 0) -> str:
        return self.well("stock", *arguments, code=code)

    def json(self, *arguments: str, code: int | None = 0) -> Any:
        return super().json("stock", *arguments, code=code)

    def file(self, *lines: str, columns: str = "sku,qty") -> str:
        path = self.folder / "goods.csv"
        path.write_text("\n".join([columns, *lines]) + "\n")
        return str(path)

    def count_ourselves(self) -> None:
        """From now on we count at the drop folder's location, the last table of the settings."""
        self.settings.write_text(self.settings.read_text() + 'authority = "hub"\n')

    def level(self, sku: str, place: str, *names: str) -> list[str]:
        [row] = self.json("list", sku, "--location", place)
        return [row[name] for name in names]

    def write(self, statement: str) -> None:
        store = sqlite3.connect(self.folder / "crossdock.db")
        store.execute(statement)
        store.commit()
        store.close()


@pytest.fixture
def crossdock(tmp_path: Path) -> Commands:
    (tmp_path / "drop").mkdir()
    (tmp_path / "settings.toml").write_text("""
[connections.files]
connector = "csvdrop"
timezone = "Europe/Berlin"
folder = "drop"
[locations.berlin]
kind = "warehouse"
[locations.jersey]
kind = "warehouse"
[locations.partner]
kind = "three_pl"
connection = "files"
""")
    commands = Commands(tmp_path)
    skus = tmp_path / "skus.csv"
    skus.write_text("code,title\nA,Mug\nB,Tea\nKIT,Gift set\n")
    assert commands("sku", "import", str(skus)).exit_code == 0
    return commands


def test_the_same_delivery_note_twice_changes_nothing_and_says_so(crossdock: Commands) -> None:
    goods = crossdock.file("A,10", "B,2.5")
    receive = ("receive", "berlin", goods, "--reference", "DN-1")
    assert "DN-1: 2 lines received at berlin" in crossdock.stock(*receive)
    assert "DN-1 is booked already: nothing has changed" in crossdock.stock(*receive)
    assert crossdock.json(*receive) == {"reference": "DN-1", "moved": 0, "known": 2}
    assert crossdock.level("A", "berlin", "on_hand", "available") == ["10", "10"]
    refused = crossdock.stock(
        "receive", "berlin", crossdock.file("A,11"), "--reference", "DN-1", code=1
    )
    assert "line 2: A: the key" in refused


def test_all_of_a_file_is_taken_or_nothing(crossdock: Commands) -> None:
    crossdock.stock("receive", "berlin", crossdock.file("A,3", "B,3"), "--reference", "DN-1")
    too_much = crossdock.file("A,2", "B,4")
    answer = crossdock.stock("transfer", "berlin", "jersey", too_much, "--reference", "T1", code=1)
    assert "line 3: B: fewer are there than that" in answer
    assert crossdock.level("A", "berlin", "on_hand") == ["3"]
    wrong = crossdock.file("A,x", "B,0", "C,1", "A,1", "A,1")
    answer = crossdock.stock("receive", "berlin", wrong, "--reference", "DN-2", code=1)
    for told in ("line 2: 'x' is not a quantity", "line 3: qty is zero", "line 6: A stands"):
        assert told in answer
    answer = crossdock.stock(
        "receive", "berlin", crossdock.file("C,1"), "--reference", "DN-2", code=1
    )
    assert "line 2: unknown SKU C: import it first" in answer


def test_what_is_not_known_is_wrong_usage(crossdock: Commands) -> None:
    goods = crossdock.file("A,1")
    counts = str(crossdock.folder / "counts.csv")
    (crossdock.folder / "counts.csv").write_text("sku,on_hand\nA,5\n")
    crossdock.stock("count", "berlin", counts)
    for place in (
        ("count", "nowhere", counts),
        ("receive", "nowhere", goods, "--reference", "DN-2"),
        ("transfer", "berlin", "nowhere", goods, "--reference", "TR-1"),
    ):
        told = crossdock.stock(*place, code=2)
        assert "There is no location 'nowhere'.\nKnown: berlin, jersey, partner." in told
    for options in ([], ["--as-of", "2026-01-01"]):
        told = crossdock.stock("list", "NOSUCH", *options, code=2)
        assert "There is no SKU 'NOSUCH'." in told
    told = crossdock.stock("writeoff", "NOPE", code=2)
    assert "Nothing was announced or sent under 'NOPE'." in told
    assert "Nothing has been counted yet." in crossdock.stock("list", "B")


def test_all_faults_of_a_file_of_counts_are_told_at_once(crossdock: Commands) -> None:
    crossdock.stock("receive", "berlin", crossdock.file("A,10"), "--reference", "DN-1")
    crossdock.stock("hold", "A", "berlin", "4", "--for", "Q-1")
    counts = crossdock.file("A,3", "C,1", "B,x", ",1", "KIT,1", "KIT,2", columns="sku,on_hand")
    told = crossdock.stock("count", "berlin", counts, code=1)
    assert [line.strip()[:31] for line in told.splitlines()[1:]] == [
        "line 2: A: fewer than are reser",
        "line 3: unknown SKU C: import i",
        "line 4: on_hand 'x' is not a qu",
        "line 5: sku is empty",
        "lines 6 and 7: KIT and KIT are ",
    ]
    assert crossdock.level("A", "berlin", "on_hand") == ["10"]


def test_a_transfer_is_in_transit_until_it_is_received_or_written_off(crossdock: Commands) -> None:
    crossdock.stock("receive", "berlin", crossdock.file("A,10"), "--reference", "DN-1")
    refill = crossdock.file("A,4")
    crossdock.stock("transfer", "berlin", "jersey", refill, "--reference", "TR-1")
    [way] = crossdock.json("transit")
    assert (way["origin"], way["location"], way["open"]) == ("berlin", "jersey", "4")
    assert crossdock.level("A", "jersey", "on_hand", "incoming") == ["0", "4"]
    closing = ("--reference", "GR-1", "--closes", "TR-1")
    crossdock.stock("receive", "jersey", crossdock.file("A,3"), *closing)
    assert "booked already" in crossdock.stock("receive", "jersey", crossdock.file("A,3"), *closing)
    assert crossdock.level("A", "jersey", "on_hand", "incoming") == ["3", "1"]
    assert "TR-1: 1 units written off" in crossdock.stock("writeoff", "TR-1")
    assert "Nothing is on its way under TR-1" in crossdock.stock("writeoff", "TR-1", code=1)
    assert crossdock.json("transit") == []
    assert crossdock.json("rebuild", "--check")["differences"] == []


def test_announced_goods_are_incoming_and_only_closed_where_they_are_due(
    crossdock: Commands,
) -> None:
    goods = crossdock.file("A,4")
    crossdock.stock("expect", "berlin", goods, "--reference", "ASN-7", "--due", "2026-12-01")
    assert crossdock.level("A", "berlin", "incoming", "available") == ["4", "0"]
    closing = ("--reference", "GR-1", "--closes", "ASN-7")
    answer = crossdock.stock("receive", "jersey", goods, *closing, code=1)
    assert "nothing of it on the way to there under ASN-7" in answer
    crossdock.stock("receive", "berlin", goods, *closing)
    assert crossdock.level("A", "berlin", "incoming", "available") == ["0", "4"]
    answer = crossdock.stock("receive", "partner", goods, "--reference", "DN-9", code=1)
    assert "an outside system counts there" in answer


def test_damaged_goods_come_back_or_are_thrown_away(crossdock: Commands) -> None:
    crossdock.stock("receive", "berlin", crossdock.file("A,10"), "--reference", "DN-1")
    some = crossdock.file("A,4")
    crossdock.stock("move", "berlin", some, "--to", "damaged", "--reference", "R-1")
    assert crossdock.level("A", "berlin", "on_hand", "damaged", "available") == ["10", "4", "6"]
    one = crossdock.file("A,1")
    crossdock.stock("move", "berlin", one, "--from", "damaged", "--reference", "R-2")
    crossdock.stock("move", "berlin", one, "--from", "damaged", "--scrap", "--reference", "R-3")
    assert crossdock.level("A", "berlin", "on_hand", "damaged", "available") == ["9", "2", "7"]
    assert "Where to?" in crossdock.stock("move", "berlin", one, "--reference", "R-4", code=2)


def test_a_count_has_a_reason_and_a_moment(crossdock: Commands) -> None:
    counts = crossdock.file("A,7", columns="sku,on_hand")
    assert "1 SKUs counted, 1 changed" in crossdock.stock("count", "berlin", counts)
    broken = crossdock.file("A,5", columns="sku,on_hand")
    crossdock.stock("count", "berlin", broken, "--reason", "adjust_damage")
    crossdock.stock("receive", "berlin", crossdock.file("A,2"), "--reference", "DN-1")
    late = crossdock.file("A,6", columns="sku,on_hand")
    old = crossdock.json("count", "berlin", late, "--counted-at", "2020-01-01T00:00Z")
    assert old == {"location": "berlin", "skus": 1, "changed": 0}
    ahead = crossdock.stock("count", "berlin", late, "--counted-at", "2999-01-01T00:00Z", code=2)
    assert "still to come" in ahead
    assert crossdock.level("A", "berlin", "on_hand") == ["7"]


def test_what_an_outside_system_counts_is_not_counted_by_hand(crossdock: Commands) -> None:
    counts = crossdock.file("A,7", columns="sku,on_hand")
    told = crossdock.stock("count", "partner", counts, code=1)
    assert "an outside system counts at partner: its next count brings the figures" in told
    assert 'authority = "hub" under [locations.partner]' in told
    assert crossdock.json("list") == []
    crossdock.count_ourselves()
    assert "1 SKUs counted, 1 changed" in crossdock.stock("count", "partner", counts)


def test_a_count_is_dated_by_the_clock_of_its_location(crossdock: Commands) -> None:
    counts = crossdock.file("A,7", columns="sku,on_hand")
    asked = ("count", "berlin", counts, "--counted-at")
    told = crossdock.stock(*asked, "2026-07-01T18:00", code=2)
    assert "has no offset, and the location no time zone" in told
    assert "2026-07-01T18:00+01:00" in told
    assert "Say at what time: 2026-07-01T18:00" in crossdock.stock(*asked, "2026-07-01", code=2)
    crossdock.count_ourselves()
    there = ("count", "partner", counts, "--counted-at", "2026-07-01T18:00")
    assert crossdock.json(*there)["changed"] == 1
    [row] = crossdock.json("list", "A", "--location", "partner")
    assert row["observed_at"] == "2026-07-01T16:00:00Z"


def test_a_location_s_own_zone_comes_before_that_of_its_connection(crossdock: Commands) -> None:
    settings = crossdock.folder / "settings.toml"
    settings.write_text(settings.read_text() + 'timezone = "America/New_York"\n')
    crossdock.count_ourselves()
    crossdock.stock("count", "partner", crossdock.file("A,1", columns="sku,on_hand"))
    [row] = crossdock.json("list", "--location", "partner")
    crossdock.write("UPDATE inventory_ledger SET recorded_at = '2026-07-31T22:30:00.000000Z'")
    asked = ("list", "--location", "partner", "--as-of")
    assert crossdock.json(*asked, "2026-07-31T18:29") == []
    [then] = crossdock.json(*asked, "2026-07-31T18:30")
    assert then["on_hand"] == row["on_hand"]


def test_two_names_of_one_sku_are_received_together(crossdock: Commands) -> None:
    crossdock.write(
        "INSERT INTO sku_alias (sku_id, scheme, value) SELECT id, 'old_code', 'A-OLD' FROM sku"
        " WHERE code = 'A'"
    )
    receive = ("receive", "berlin", crossdock.file("A,5", "A-OLD,3", "B,1"), "--reference", "DN-1")
    assert "DN-1: 2 lines received at berlin" in crossdock.stock(*receive)
    assert crossdock.level("A", "berlin", "on_hand") == ["8"]
    assert "booked already" in crossdock.stock(*receive)
    counts = crossdock.file("A,5", "B,1", "A-OLD,3", columns="sku,on_hand")
    told = crossdock.stock("count", "berlin", counts, code=1)
    assert "lines 2 and 4: A and A-OLD are one pile at berlin, A" in told
    assert crossdock.level("A", "berlin", "on_hand") == ["8"]


def test_lots_of_a_sku_whose_goods_are_not_told_apart_are_one_pile(crossdock: Commands) -> None:
    counts = crossdock.file("A,10,L1", "A,5,L2", columns="sku,on_hand,lot")
    told = crossdock.stock("count", "berlin", counts, code=1)
    assert "lines 2 and 3: A lot L1 and A lot L2 are one pile at berlin, A" in told
    goods = crossdock.file("A,10,L1", "A,5,L2", columns="sku,qty,lot")
    for _ in range(2):
        crossdock.stock("receive", "berlin", goods, "--reference", "DN-1")
    assert crossdock.level("A", "berlin", "on_hand") == ["15"]
    crossdock.stock("transfer", "berlin", "jersey", goods, "--reference", "TR-1")
    assert crossdock.level("A", "jersey", "incoming") == ["15"]


def test_announced_lots_of_one_sku_are_announced_together(crossdock: Commands) -> None:
    crossdock.stock("track", "A", "--lots")
    goods = crossdock.file("A,10,L1", "A,5,L2", columns="sku,qty,lot")
    crossdock.stock("expect", "berlin", goods, "--reference", "ASN-1")
    assert crossdock.level("A", "berlin", "incoming") == ["15"]
    closing = ("--reference", "GR-1", "--closes", "ASN-1")
    crossdock.stock("receive", "berlin", goods, *closing)
    assert crossdock.level("A", "berlin", "on_hand", "incoming") == ["15", "0"]


def test_a_reference_used_for_other_quantities_says_what_was_booked(crossdock: Commands) -> None:
    goods = crossdock.file("A,10")
    crossdock.stock("expect", "berlin", goods, "--reference", "ASN-1")
    closing = ("--reference", "GR-1", "--closes", "ASN-1")
    crossdock.stock("receive", "berlin", crossdock.file("A,3"), *closing)
    told = crossdock.stock("receive", "berlin", crossdock.file("A,7"), *closing, code=1)
    assert "line 2: A: 3 of it were booked under this reference already, closing ASN-1" in told
    assert "now it says 7, closing ASN-1" in told
    assert crossdock.level("A", "berlin", "on_hand", "incoming") == ["3", "7"]
    crossdock.stock("expect", "berlin", goods, "--reference", "ASN-2")
    other = ("--reference", "GR-1", "--closes", "ASN-2")
    told = crossdock.stock("receive", "berlin", crossdock.file("A,3"), *other, code=1)
    assert "now it says 3, closing ASN-2" in told
    crossdock.stock("receive", "berlin", crossdock.file("B,2"), "--reference", "DN-1")
    told = crossdock.stock(
        "receive", "berlin", crossdock.file("B,4"), "--reference", "DN-1", code=1
    )
    assert "another movement of stock: 2 then, 4 now" in told


def test_more_than_was_on_its_way_to_an_outside_location_is_known_again(
    crossdock: Commands,
) -> None:
    crossdock.stock("expect", "partner", crossdock.file("A,10"), "--reference", "ASN-1")
    closing = ("--reference", "GR-1", "--closes", "ASN-1")
    crossdock.stock("receive", "partner", crossdock.file("A,4"), *closing)
    told = crossdock.stock("receive", "partner", crossdock.file("A,12"), *closing, code=1)
    assert "4 of it were booked" in told
    rest = ("--reference", "GR-2", "--closes", "ASN-1")
    for _ in range(2):
        crossdock.stock("receive", "partner", crossdock.file("A,12"), *rest)
    assert crossdock.level("A", "partner", "on_hand", "incoming") == ["0", "0"]


def test_the_past_is_shown_with_and_without_the_sub_command(crossdock: Commands) -> None:
    crossdock.stock("receive", "berlin", crossdock.file("A,10"), "--reference", "DN-1")
    crossdock.write("UPDATE inventory_ledger SET recorded_at = '2026-10-31T22:59:00.000000Z'")
    there = ("--location", "berlin", "--json")
    at = ["--as-of", "2026-10-31T23:59", "--zone", "Europe/Berlin", *there]
    [row] = json.loads(crossdock.stock(*at))
    assert (row["sku"], row["on_hand"], row["as_of"]) == ("A", "10", "2026-10-31T22:59:00Z")
    assert json.loads(crossdock.stock("list", *at)) == [row]
    assert json.loads(crossdock.stock("list", "--as-of", "2026-10-31T22:58", *there)) == []
    assert json.loads(crossdock.stock("--as-of", "2026-10-31", *there)) == [
        {**row, "as_of": "2026-10-31T23:59:59.999999Z"}
    ]
    occurred = crossdock.stock("list", "--as-of", "2026-10-31", "--by", "occurred", *there)
    assert json.loads(occurred) == []


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--as-of", "yesterday"], "is no moment"),
        (["--as-of", "2999-01-01T00:00"], "is still to come"),
        (["--as-of", "2026-10-31", "--zone", "Berlin"], "Unknown time zone"),
        (["--location", "paris"], "Known: berlin, jersey, partner"),
        (["--location", "berlin", "list"], "Write them after it"),
    ],
)
def test_what_cannot_be_shown_is_explained(
    crossdock: Commands, arguments: list[str], told: str
) -> None:
    crossdock.stock("count", "berlin", crossdock.file("A,1", columns="sku,on_hand"))
    assert told in crossdock.stock(*arguments, code=2)


def test_a_moment_without_an_offset_is_in_the_zone_of_the_location(crossdock: Commands) -> None:
    crossdock.count_ourselves()
    crossdock.stock("count", "partner", crossdock.file("A,1", columns="sku,on_hand"))
    crossdock.write("UPDATE inventory_ledger SET recorded_at = '2026-07-31T22:30:00.000000Z'")
    asked = ("list", "--location", "partner", "--as-of")
    assert crossdock.json(*asked, "2026-08-01T00:29") == []
    assert len(crossdock.json(*asked, "2026-08-01T00:30")) == 1


def test_the_proof_names_the_first_figure_that_does_not_agree(crossdock: Commands) -> None:
    crossdock.stock("receive", "berlin", crossdock.file("A,10", "B,1"), "--reference", "DN-1")
    assert "agree" in crossdock.stock("rebuild", "--check")
    crossdock.write("UPDATE inventory_level SET on_hand = on_hand + 5000000")
    answer = crossdock.stock("rebuild", "--check", code=1)
    assert "A at berlin: on_hand is 15 in the level, 10 in the ledger; its last" in answer
    assert "1 more differ" in answer
    assert len(crossdock.json("rebuild", "--check", code=1)["differences"]) == 2
    assert "Repaired, and 1 more" in crossdock.stock("rebuild")
    assert "agree" in crossdock.stock("rebuild", "--check")
    assert crossdock.level("A", "berlin", "on_hand") == ["10"]


def test_what_the_ledger_cannot_back_is_left_for_a_person(crossdock: Commands) -> None:
    crossdock.stock("receive", "berlin", crossdock.file("A,10"), "--reference", "DN-1")
    crossdock.stock("hold", "A", "berlin", "4", "--for", "Q-1")
    crossdock.write("DELETE FROM inventory_ledger WHERE bucket = 'on_hand'")
    assert "nothing was changed" in crossdock.stock("rebuild", code=1)
    assert crossdock.level("A", "berlin", "on_hand", "reserved") == ["10", "4"]


def test_goods_are_held_for_somebody_and_given_back(crossdock: Commands) -> None:
    crossdock.stock("receive", "berlin", crossdock.file("A,10"), "--reference", "DN-1")
    made = crossdock.json("hold", "A", "berlin", "4", "--for", "Q-1", "--minutes", "5")
    assert crossdock.level("A", "berlin", "reserved", "available") == ["4", "6"]
    [held] = crossdock.json("holds")
    assert (held["id"], held["holder"], held["qty"]) == (made["hold"], "Q-1", "4")
    answer = crossdock.stock("hold", "A", "berlin", "7", "--for", "Q-2", code=1)
    assert "There are not 7 of A available at berlin" in answer
    assert "4 given back" in crossdock.stock("unhold", str(made["hold"]))
    assert "Nothing is held" in crossdock.stock("holds")
    assert crossdock.level("A", "berlin", "reserved", "available") == ["0", "10"]
    for wrong in (("A", "berlin", "x"), ("A", "berlin", "0"), ("X", "berlin", "1")):
        crossdock.stock("hold", *wrong, "--for", "Q", code=2)
    crossdock.stock("unhold", "99", code=2)


def test_lots_are_received_shown_and_recalled(crossdock: Commands) -> None:
    crossdock.stock("track", "A", "--lots")
    columns = "sku,qty,lot,expires_on"
    goods = crossdock.file("A,5,L1,2999-01-01", "A,3,L2,2998-01-01", columns=columns)
    crossdock.stock("receive", "berlin", goods, "--reference", "DN-1")
    without = crossdock.stock(
        "receive", "berlin", crossdock.file("A,1"), "--reference", "X", code=1
    )
    assert "say which lot" in without
    crossdock.stock("hold", "A", "berlin", "4", "--for", "Q-1")
    rows = [(row["lot"], row["reserved"]) for row in crossdock.json("lots", "A")]
    assert rows == [("L2", "3"), ("L1", "1")]
    answer = crossdock.stock("recall", "A", "L1")
    assert "A lot L1: 4 withdrawn, 1 still reserved" in answer
    assert crossdock.level("A", "berlin", "available") == ["0"]
    crossdock.stock("recall", "A", "L9", code=2)
    counted = crossdock.file("A,2,L1", columns="sku,on_hand,lot")
    assert "fewer than are reserved" in crossdock.stock("count", "berlin", counted, code=1)
    assert "count that to zero first" in _tracked_late(crossdock)


def _tracked_late(crossdock: Commands) -> str:
    crossdock.stock("count", "berlin", crossdock.file("B,1", columns="sku,on_hand"))
    return crossdock.stock("track", "B", "--lots", code=1)


def test_a_serial_comes_in_once(crossdock: Commands) -> None:
    crossdock.stock("track", "B", "--serials")
    columns = "sku,qty,serials"
    goods = crossdock.file("B,2,S1 S2", columns=columns)
    crossdock.stock("receive", "berlin", goods, "--reference", "DN-1")
    again = crossdock.file("B,1,S1", columns=columns)
    answer = crossdock.stock("receive", "jersey", again, "--reference", "DN-2", code=1)
    assert "stands somewhere already" in answer
    crossdock.stock("transfer", "berlin", "jersey", again, "--reference", "TR-1")
    crossdock.stock("receive", "jersey", again, "--reference", "GR-1", "--closes", "TR-1")
    assert crossdock.level("B", "jersey", "on_hand") == ["1"]


def test_a_bundle_is_said_and_shown(crossdock: Commands) -> None:
    assert "KIT is no bundle" in crossdock.stock("bundle", "KIT")
    crossdock.stock("receive", "berlin", crossdock.file("A,5", "B,4"), "--reference", "DN-1")
    shown = crossdock.json("bundle", "KIT", "A=2", "B")
    assert [(row["component"], row["qty"]) for row in shown["parts"]] == [("A", "2"), ("B", "1")]
    assert shown["makeable"] == {"berlin": "2"}
    assert "Can be made: 2 at berlin." in crossdock.stock("bundle", "KIT")
    assert "not bundles" in crossdock.stock("bundle", "A", "KIT=1", code=1)
    assert "not a quantity" in crossdock.stock("bundle", "KIT", "A=x", code=2)
    assert "KIT is no bundle" in crossdock.stock("bundle", "KIT", "--none")


def test_the_audit_says_how_much_it_looked_at(crossdock: Commands) -> None:
    crossdock.stock("receive", "berlin", crossdock.file("A,3"), "--reference", "DN-1")
    done = crossdock("audit", "--all", "--json")
    told = json.loads(done.stdout)
    assert (done.exit_code, told["violations"]) == (0, [])
    assert (told["checked"]["ledger_rows"], told["checked"]["decisions_remade"]) == (1, 0)
