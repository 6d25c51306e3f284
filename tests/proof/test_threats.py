"""Each fast check of a threat holds, and notices the bug that was planted for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from proof.threats import (
    cards,
    hostile,
    leaks,
    paths,
    programs,
    questions,
    requests,
    settings,
    texts,
    trail,
)
from proof.threats.check import Checked

REPOSITORY = Path(__file__).parents[2]


def assert_holds(checked: Checked, at_least: int) -> None:
    assert list(checked.violations) == []
    assert checked.tried >= at_least
    assert checked.planted
    assert None not in checked.planted.values(), checked.planted


def test_threat_t10_no_address_leads_into_our_network() -> None:
    assert_holds(requests.t10(), 200)


def test_threat_t11_no_header_leaves_its_host() -> None:
    assert_holds(requests.t11(), 30)


def test_threat_t12_no_expression_gets_at_python() -> None:
    assert_holds(programs.t12(), 90)
    assert_holds(programs.at_random(2_000), 2_000)


def test_threat_t13_no_settings_hang_swell_or_say_another_thing() -> None:
    assert_holds(settings.t13(), 150)


def test_threat_t14_no_text_becomes_a_formula() -> None:
    assert_holds(texts.t14(), 60 * 3)


def test_threat_t15_no_query_is_made_of_text() -> None:
    assert_holds(texts.t15(), 100)


def test_threat_t17_no_name_leads_out_of_its_folder() -> None:
    assert_holds(paths.t17(), 150)


def test_threat_t18_no_bomb_is_read_to_its_end() -> None:
    assert_holds(paths.t18(), 12)


@pytest.mark.slow
def test_threat_t20_no_text_and_no_question_takes_for_ever() -> None:
    assert_holds(questions.t20(300), 1_000)


def test_threat_t21_no_credential_shows() -> None:
    assert_holds(texts.t21(150), 150)


def test_threat_t21_no_buyer_shows_in_what_operators_read() -> None:
    assert_holds(leaks.t21(3), 3)


@pytest.mark.slow
def test_threat_t21_no_buyer_shows_whatever_the_fault() -> None:
    assert_holds(leaks.t21(), 35)


def test_threat_t24_no_number_of_a_card_is_kept() -> None:
    assert_holds(cards.t24(1_000), 1_000)


def test_threat_t25_every_tampering_is_named() -> None:
    assert_holds(trail.t25(), 14)


def test_threat_t26_a_hostile_vendor_stops_nobody() -> None:
    assert_holds(hostile.t26(), 30)


def test_threat_t27_no_name_in_the_settings_is_imported() -> None:
    assert_holds(settings.t27(), 30)


def test_threat_t29_only_the_owner_reads_the_store() -> None:
    assert_holds(paths.t29(), 1)


def test_threat_t31_no_name_commands_the_terminal() -> None:
    assert_holds(texts.t31(), 50)
