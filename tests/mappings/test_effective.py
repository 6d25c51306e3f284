"""A definition written out whole is that definition."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mappings import Definitions
from mappings.definition import FieldSpec, RecordSpec
from mappings.document import Spot
from mappings.effective import written

NOWHERE = Spot("", 0)


def without_places(spec: RecordSpec) -> RecordSpec:
    def field(one: FieldSpec) -> FieldSpec:
        return replace(one, spot=NOWHERE)

    def nested(given: Any) -> dict[str, tuple[RecordSpec, ...]]:
        return {name: tuple(map(without_places, variants)) for name, variants in given.items()}

    return replace(
        spec,
        spot=NOWHERE,
        spots={},
        fields_spot=NOWHERE,
        fields=tuple(map(field, spec.fields)),
        ones=nested(spec.ones),
        eaches=nested(spec.eaches),
    )


@pytest.mark.parametrize("name", sorted(Definitions.load()))
def test_a_shipped_definition_is_written_out_as_it_is(
    definitions: Definitions, tmp_path: Path, name: str
) -> None:
    spec = definitions[name].spec
    file = tmp_path / f"{name}.toml"
    file.write_text(written(spec), encoding="utf-8")
    again = Definitions.of([file])[name].spec
    assert without_places(again.record) == without_places(spec.record)
    results = {name: (table.otherwise, table.results) for name, table in spec.tables.items()}
    assert results == {name: (one.otherwise, one.results) for name, one in again.tables.items()}


def test_each_line_names_the_file_and_line_that_say_so(tmp_path: Path) -> None:
    (tmp_path / "woocommerce.orders.eu.toml").write_text("""schema = 1
name = "woocommerce.orders.eu"
version = 4
extends = "woocommerce.orders"
connections = ["shop-eu"]
[fields]
note = "gift_note"
""")
    text = written(Definitions.load(tmp_path)["woocommerce.orders.eu"].spec)
    lines = text.splitlines()
    base = Definitions.load()["woocommerce.orders"].version
    assert lines[0] == f"# woocommerce.orders.eu, version 4+{base}"
    assert 'role = "woocommerce.orders"' in lines
    assert 'note = "gift_note"  # woocommerce.orders.eu.toml:7' in lines
    assert any(line.startswith('currency = { from = "currency"') for line in lines)
    assert sum("# woocommerce.orders.toml:" in line for line in lines) > 50


ANY = st.text(st.characters(exclude_categories=["Cs"]))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(ANY, ANY)
def test_any_text_and_key_survive(tmp_path: Path, text: str, key: str) -> None:
    def quoted(value: str) -> str:
        return '"' + "".join(f"\\U{ord(one):08X}" for one in value) + '"'

    table = f"{{ {quoted('-' + key)} = {quoted(text)}, y = [1, true, {{}}] }}"
    body = f"[fields]\nx = {{ value = {table} }}\n"
    file = tmp_path / "test.it.toml"
    file.write_text(
        'schema = 1\nname = "test.it"\nversion = 1\ntarget = "request"\nsource = "StockUpdate"\n'
        + body,
        "utf-8",
    )
    first = Definitions.of([file])["test.it"].spec
    file.write_text(written(first), "utf-8")
    second = Definitions.of([file])["test.it"].spec
    assert second.record.fields[0].constant == first.record.fields[0].constant
    assert second.record.fields[0].constant == {f"-{key}": text, "y": [1, True, {}]}
