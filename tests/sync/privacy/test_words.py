"""What a person is known by is found in free text; what is about somebody else stays."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from state.personal.words import GONE, Words

ADA = {"name": "Ada Lovelace", "street": "Main Street 1", "country": "DE", "email": "ada@b.org"}


def test_whole_values_and_the_words_of_a_name_are_found_however_they_are_capitalised() -> None:
    words = Words.of([ADA], ["ring twice"])
    assert words.scrub("ADA LOVELACE, main street 1") == f"{GONE}, {GONE}"
    assert words.scrub("Mrs Lovelace: Ring Twice") == f"Mrs {GONE}: {GONE}"
    assert words.scrub("write to ada@b.org!") == f"write to {GONE}!"


def test_words_of_others_stay() -> None:
    words = Words.of([{**ADA, "name": "Al Li"}])
    for text in ("Main Street 12", "Adamant", "DE", "all of it", "Al"):
        assert words.scrub(text) == text
    assert Words.of([]).scrub("anything") == "anything"


def test_the_city_is_looked_for_only_where_the_person_is_named() -> None:
    words = Words.of([{**ADA, "city": "Berlin", "postcode": "10117"}])
    assert words.scrub("given to berlin") == "given to berlin"
    assert words.scrub_places("10117 Berlin") == f"{GONE} {GONE}"
    lines = "1;Bob;Main Street 1;Berlin\n2;Ada Lovelace;Main Street 1;Berlin\r\n"
    kept = f"1;Bob;Main Street 1;Berlin\n2;{GONE};{GONE};{GONE}\r\n"
    assert words.scrub_lines(lines) == kept


def test_a_note_of_several_lines_is_found_in_the_whole() -> None:
    words = Words.of([], ["ring\ntwice"])
    assert words.scrub_lines("a;ring\ntwice;b") == f"a;{GONE};b"


def test_a_document_keeps_its_keys_and_its_numbers() -> None:
    words = Words.of([{"name": "Ada"}])
    found = words.scrub_all({"Ada": ["Ada", 3, None, {"x": "to Ada"}]})
    assert found == {"Ada": [GONE, 3, None, {"x": f"to {GONE}"}]}


names = st.text(min_size=3, max_size=30).map(str.strip).filter(lambda name: len(name) >= 3)


@given(names, st.text(max_size=20), st.text(max_size=20))
def test_no_name_survives_between_blanks(name: str, before: str, after: str) -> None:
    words = Words.of([{"street": name}])
    assert name not in words.scrub(f"{before} {name} {after}").replace(GONE, "")
