"""Candidates for unknown SKU words: the right reason, the best first, lines freed by a link."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from state import catalogue
from sync import candidates, intake
from tests.sync.conftest import Bench, woo_order

GTIN = "4006381333931"


def add(bench: Bench, code: str, title: str, gtin: str = "") -> int:
    with bench.store.write() as conn:
        catalogue.upsert_sku(conn, code=code, title=title, gtin=gtin, weight_g=1)
        row = catalogue.by_code(conn, code)
        assert row is not None
        return int(row.id)


def take(bench: Bench, name: str, title: str = "", number: int = 1) -> None:
    order = woo_order(number, {name: 1})
    order["line_items"][0]["name"] = title
    bench.shop.pages = [[order]]
    bench.run(intake.pull_orders, "shop")


def found(bench: Bench, name: str | None = None) -> list[candidates.Unmapped]:
    with bench.store.read() as conn:
        return candidates.unmapped(conn, name)


def best(bench: Bench) -> tuple[str, str]:
    (one,) = found(bench)
    return one.candidates[0].code, one.candidates[0].reason


def test_without_parked_lines_there_is_nothing_to_propose(bench: Bench) -> None:
    take(bench, "A")
    assert found(bench) == []


@pytest.mark.parametrize("name", ["mug white 007", "MUG_WHITE_7", "Mug.White-0007"])
def test_a_code_but_for_case_separators_and_zeros(bench: Bench, name: str) -> None:
    add(bench, "MUG-WHITE-7", "Mug")
    take(bench, name)
    assert best(bench) == ("MUG-WHITE-7", "our code but for case, separators or leading zeros")


def test_a_code_imported_after_the_order(bench: Bench) -> None:
    take(bench, "NEW-1")
    add(bench, "NEW-1", "New")
    assert best(bench)[0] == "NEW-1"
    assert "crossdock retry" in best(bench)[1]


@pytest.mark.parametrize("held", [GTIN, f"0{GTIN}"])
def test_a_name_that_is_a_gtin(bench: Bench, held: str) -> None:
    add(bench, "PEN", "Pen", held)
    take(bench, GTIN)
    assert best(bench) == ("PEN", f"same GTIN {GTIN}")


def test_a_decision_on_another_connection(bench: Bench) -> None:
    sku_id = add(bench, "KETTLE", "Kettle")
    with bench.store.write() as conn:
        catalogue.add_alias(
            conn,
            sku_id=sku_id,
            value="OLD-KETTLE",
            connection_id=bench.hub.links["bob"].id,
            scheme="channel_sku",
        )
    take(bench, "OLD-KETTLE")
    assert best(bench) == ("KETTLE", "means this on bob, as decided before")
    take(bench, "old kettle", number=2)
    other = next(one for one in found(bench) if one.name == "old kettle")
    assert other.candidates[0].reason == "'OLD-KETTLE' means this on bob, as decided before"


def test_titles_alike_rank_below_numbers_and_unlike_ones_are_left_out(bench: Bench) -> None:
    add(bench, "TOWEL-R", "Bath towel, red, 70 x 140 cm")
    add(bench, "TOWEL-B", "Bath towel, blue, 70 x 140 cm")
    add(bench, "LAMP", "Desk lamp")
    add(bench, "PEN", "Ball pen", GTIN)
    take(bench, GTIN, "Red bath towel 70 x 140 cm")
    (one,) = found(bench)
    assert [c.code for c in one.candidates] == ["PEN", "TOWEL-R", "TOWEL-B"]
    scores = [c.score for c in one.candidates]
    assert scores == sorted(scores, reverse=True)
    assert one.candidates[1].reason.startswith("titles are ")


def test_lines_of_one_name_are_counted_together_and_a_name_can_be_asked_for(bench: Bench) -> None:
    take(bench, "ODD", number=1)
    take(bench, "ODD", number=2)
    take(bench, "EVEN", number=3)
    assert {one.name: one.lines for one in found(bench)} == {"ODD": 2, "EVEN": 1}
    assert [one.name for one in found(bench, "EVEN")] == ["EVEN"]
    rows = list(candidates.as_rows(found(bench, "EVEN")))
    assert [(row["name"], row["code"]) for row in rows] == [("EVEN", None)]


def test_a_name_that_no_line_has_is_compared_all_the_same(bench: Bench) -> None:
    add(bench, "MUG-WHITE-7", "White mug, 300 ml", GTIN)
    for name, told in (
        ("mug white 007", "our code but for case, separators or leading zeros"),
        ("MUG-WHITE-7", "it is our code"),
        (GTIN, f"same GTIN {GTIN}"),
        ("white mug 300 ml", "titles are 100 % alike"),
    ):
        [one] = found(bench, name)
        assert (one.lines, one.connection) == (0, "")
        assert [(c.code, c.reason) for c in one.candidates] == [("MUG-WHITE-7", told)], name
    [none] = found(bench, "ladder")
    assert none.candidates == ()


@given(st.text(st.characters(max_codepoint=127), max_size=30))
def test_case_and_separators_around_a_code_mean_nothing(name: str) -> None:
    assert candidates.normalised(f"  {name.lower()}--") == candidates.normalised(name.upper())


@given(st.integers(0, 10**12 - 1), st.integers(0, 9))
def test_one_check_digit_in_ten_makes_a_gtin(body: int, digit: int) -> None:
    numbers = [f"{body:012}{last}" for last in range(10)]
    assert sum(candidates.gtin14(number) is not None for number in numbers) == 1
    assert candidates.gtin14(f"{digit}") is None
