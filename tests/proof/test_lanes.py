"""Work on every core: answers in order, and nothing lost without a word."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from proof.lanes import Lost, each


def test_answers_come_in_the_order_of_the_questions() -> None:
    # The first takes longest: it is answered last, and told first.
    asked = [range(6_000_000), range(3), range(2), range(1)]
    answers = list(each(sum, asked, lanes=2))
    assert [numbers for numbers, _ in answers] == asked
    assert [answer for _, answer in answers[1:]] == [3, 1, 0]


def test_what_is_raised_is_an_answer_and_the_next_one_goes_on() -> None:
    (one, lost), (other, found) = each(int, ["a", "7"], lanes=1)
    assert (one, other, found) == ("a", "7", 7)
    assert isinstance(lost, Lost)
    assert "ValueError" in lost.why


def test_a_process_that_ends_loses_its_own_work_alone() -> None:
    first, second = each(os._exit, [3, 4], lanes=1)
    assert first == (3, Lost("its process ended with 3"))
    assert second == (4, Lost("its process ended with 4"))


def test_an_item_is_taken_when_a_lane_is_free_for_it() -> None:
    taken = []

    def items() -> Iterator[int]:
        for number in range(5):
            taken.append(number)
            yield number

    answers = each(abs, items(), lanes=1)
    next(answers)
    assert taken == [0]
    assert [answer for _, answer in answers] == [1, 2, 3, 4]


def test_whoever_needs_no_more_ends_the_processes() -> None:
    answers = each(abs, [-1, -2, -3], lanes=1)
    assert next(answers) == (-1, 1)
    answers.close()  # type: ignore[attr-defined]
    with pytest.raises(StopIteration):
        next(answers)
