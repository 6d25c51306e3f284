"""Cells of exports: what is a formula is text, and however long a text is, it is looked at once."""

from __future__ import annotations

import re
import time

from hypothesis import given
from hypothesis import strategies as st

from sync.spreadsheets import _SKIPPED, _STARTS, neutral
from sync.support.redaction import Redactor

RULE = re.compile(rf"(\A|[;\t\r\n])(?={_SKIPPED}{_STARTS})|\A(?= *[\t\r])")
"""What is meant, in one pattern; it takes the square of a run of tabs."""


@given(st.text("=+a1 ;\t\r\n\u200b-x", max_size=12))
def test_every_cell_that_could_be_a_formula_gets_its_apostrophe(value: str) -> None:
    assert neutral(value) == RULE.sub(r"\1'", value)


def test_threat_t20_a_note_of_tabs_holds_no_export_up() -> None:
    began = time.process_time()
    assert neutral("\t" * 1_000_000).startswith("'\t")
    assert time.process_time() - began < 2


def test_threat_t20_a_word_of_a_megabyte_holds_no_bundle_up() -> None:
    began = time.process_time()
    told = Redactor([]).sentence("x" * 1_000_000 + " ada@shop.example, bob@shop.example")
    assert time.process_time() - began < 2
    assert "ada@" not in told
    assert "bob@" not in told
