"""Listings that repeat themselves, never end, or change while they are read."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors import paging
from connectors.errors import Retryable
from connectors.paging import NumberedPages, TokenGuard


def test_tokens_are_followed_to_the_end() -> None:
    guard = TokenGuard("orders")
    tokens = ("a", "b", "", None)
    assert [guard.follow(token, [token]) for token in tokens] == ["a", "b", None, None]


def test_a_token_that_came_before_stops_the_walk() -> None:
    guard = TokenGuard("orders")
    guard.follow("a", [1])
    guard.follow("b", [2])
    with pytest.raises(Retryable, match="orders: the vendor repeats a page"):
        guard.follow("a", [3])


def test_fault_row_07_a_page_that_comes_again_under_a_new_token_stops_the_walk() -> None:
    guard = TokenGuard("orders")
    guard.follow("a", [1, 2])
    assert guard.follow("b", [2, 3]) == "b"
    with pytest.raises(Retryable, match="orders: the vendor repeats a page"):
        guard.follow("c", [1, 2])


def test_fault_row_07_numbered_pages_that_repeat_themselves_stop_the_walk() -> None:
    walk = NumberedPages("orders", size=10)
    for page in range(3):
        assert walk.take([str(page * 10 + number) for number in range(10)], 10**6)
    same = [str(20 + number) for number in range(10)]
    assert walk.take(same, 10**6)
    assert walk.take(same, 10**6)
    with pytest.raises(Retryable, match="orders: the vendor repeats a page"):
        walk.take(same, 10**6)


def test_some_empty_pages_with_a_token_are_put_up_with() -> None:
    guard = TokenGuard("orders", empty_pages=2)
    for number, rows in enumerate([0, 0, 5, 0, 0]):
        assert guard.follow(f"t{number}", list(range(rows)))
    with pytest.raises(Retryable, match="3 empty pages in a row"):
        guard.follow("t9", [])


def test_a_walk_along_ever_new_tokens_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paging, "MOST_PAGES", 50)
    guard = TokenGuard("orders")
    for number in range(50):
        guard.follow(str(number), [number])
    with pytest.raises(Retryable, match="more than 50 pages"):
        guard.follow("50", [50])


class Window:
    """Records of a closed window at a vendor that pages by number; they leave when edited."""

    def __init__(self, records: int) -> None:
        self.ids = [str(number) for number in range(1000, 1000 + records)]
        self.replies = 0

    def page(self, number: int, size: int) -> tuple[list[str], int]:
        self.replies += 1
        return self.ids[(number - 1) * size : number * size], len(self.ids)


def walked(window: Window, walk: NumberedPages, size: int, edits: random.Random | None) -> set[str]:
    """Every id of the pages that counted; between two pages records leave at random."""
    came: set[str] = set()
    while not walk.done:
        ids, total = window.page(walk.page, size)
        if walk.take(ids, total):
            came.update(ids)
        if edits is not None:
            for _ in range(edits.randrange(0, 2 * size)):
                if window.ids and edits.random() < 0.3:
                    window.ids.remove(edits.choice(window.ids))
    return came


@pytest.mark.parametrize("records", [0, 1, 9, 10, 11, 20, 95])
def test_a_quiet_window_is_read_once(records: int) -> None:
    window = Window(records)
    assert walked(window, NumberedPages("orders", size=10), 10, None) == set(window.ids)
    assert window.replies == max(1, -(-records // 10))


@settings(max_examples=300)
@given(records=st.integers(0, 120), size=st.integers(1, 20), seed=st.integers(0, 10**6))
def test_no_record_that_stays_is_ever_skipped(records: int, size: int, seed: int) -> None:
    window = Window(records)
    came = walked(window, NumberedPages("orders", size=size), size, random.Random(seed))
    assert came >= set(window.ids)


def test_the_order_at_the_edge_is_lost_without_stepping_back() -> None:
    window = Window(30)
    first, _ = window.page(1, 10)
    window.ids.remove(first[3])
    second, _ = window.page(2, 10)
    assert "1010" not in {*first, *second}, "the naive walk loses nothing, so this proves nothing"
    window = Window(30)
    walk = NumberedPages("orders", size=10)
    assert walk.take(*window.page(1, 10))
    window.ids.remove("1003")
    assert not walk.take(*window.page(2, 10))
    assert walk.page == 1


def test_an_interrupted_walk_goes_on_where_it_stopped() -> None:
    window = Window(45)
    walk = NumberedPages("orders", size=10)
    came = set()
    for _ in range(2):
        ids, total = window.page(walk.page, 10)
        assert walk.take(ids, total)
        came.update(ids)
    later = NumberedPages("orders", size=10, page=walk.page, total=walk.total)
    came |= walked(window, later, 10, None)
    assert (came, window.replies) == (set(window.ids), 5)


def test_records_that_left_during_the_interruption_do_not_hide_others() -> None:
    window = Window(45)
    del window.ids[:7]
    walk = NumberedPages("orders", size=10, page=3, total=45)
    came = walked(window, walk, 10, None)
    assert came >= set(window.ids[13:])


def test_a_cached_page_that_comes_twice_is_noticed() -> None:
    walk = NumberedPages("orders", size=10)
    same = [str(number) for number in range(10)]
    assert [walk.take(same, 30) for _ in range(5)] == [True, True, False, True, True]
    with pytest.raises(Retryable, match="only 10 of 30 records came, twice"):
        walk.take(same, 30)


def test_pages_that_turn_up_empty_too_early_are_noticed() -> None:
    walk = NumberedPages("orders", size=10)
    assert walk.take([str(number) for number in range(10)], 30)
    assert not walk.take([], 30)
    assert walk.page == 1
    assert walk.take([str(number) for number in range(10)], 30)
    with pytest.raises(Retryable):
        walk.take([], 30)


def test_a_window_that_never_ends_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paging, "MOST_PAGES", 50)
    walk = NumberedPages("orders", size=1)
    for number in range(50):
        assert walk.take([str(number)], 10**6)
    with pytest.raises(Retryable, match="more than 50 pages"):
        walk.take(["50"], 10**6)
