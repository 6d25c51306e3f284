"""The drop folder: what goes out, once, whatever crashes; and text that a spreadsheet may open."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.csvdrop import CsvDrop, CsvDropConfig
from connectors.csvtext import Dialect, defused, read_rows, write_rows
from connectors.dropfolder import write_atomically
from connectors.errors import Ambiguous, Unreachable
from connectors.http import Door
from mappings import Definitions
from mappings import canonical as c

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)


class PowerCut(BaseException):
    """The process ends here."""


@pytest.fixture
def build(
    tmp_path: Path, definitions: Definitions, open_door: Callable[..., Door]
) -> Callable[..., CsvDrop]:
    def make(**settings: Any) -> CsvDrop:
        config = CsvDropConfig(folder=tmp_path / "share", **settings)
        config.folder.mkdir(exist_ok=True)
        connector = CsvDrop(config, open_door(), definitions)
        connector.check()
        return connector

    return make


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "share" / "out" / "fulfilment-orders"


def request(reference: str = "FO-1", **changes: Any) -> c.FulfilmentRequest:
    fields: dict[str, Any] = {
        "reference": reference,
        "order_name": "#1001",
        "placed_at": NOON,
        "currency": "EUR",
        "service_name": "Standard",
        "ship_to": c.Address(name="Ada", street="Weg 1", city="Bonn", country="DE"),
        "lines": (
            c.FulfilmentLine(line_reference="1", sku="MUG-1", quantity=Decimal(2), unit_price=1000),
            c.FulfilmentLine(line_reference="2", sku="CUP-2", quantity=Decimal("1.50")),
        ),
    }
    return c.FulfilmentRequest(**fields | changes)


def rows(folder: Path, encoding: str = "utf-8-sig") -> list[dict[str, str]]:
    found = []
    for path in sorted(folder.glob("*.csv")):
        with path.open(encoding=encoding, newline="") as file:
            found += list(csv.DictReader(file))
    return found


def test_a_batch_becomes_one_file_with_a_row_per_line(
    build: Callable[..., CsvDrop], out: Path
) -> None:
    outcomes = build().push_fulfilment_orders({"a": request("FO-1"), "b": request("FO-2")})

    assert [(o.key, o.status, o.remote_id) for o in outcomes] == [
        ("a", "applied", "FO-1"),
        ("b", "applied", "FO-2"),
    ]
    (path,) = out.iterdir()
    assert path.name.startswith("FO-1-2-")
    found = rows(out)
    assert [(row["reference"], row["sku"], row["quantity"]) for row in found] == [
        ("FO-1", "MUG-1", "2"),
        ("FO-1", "CUP-2", "1.5"),
        ("FO-2", "MUG-1", "2"),
        ("FO-2", "CUP-2", "1.5"),
    ]
    assert found[0] | {"ship_to_name": "Ada", "unit_price": "10.00"} == found[0]


def test_the_same_batch_twice_gives_one_file_also_after_it_was_collected(
    build: Callable[..., CsvDrop], out: Path
) -> None:
    first = build().push_fulfilment_orders({"a": request()})
    assert build().push_fulfilment_orders({"a": request()}) == first
    (path,) = out.iterdir()
    path.unlink()

    assert build().push_fulfilment_orders({"a": request()}) == first
    assert list(out.iterdir()) == [], "the partner has it; it is not put there again"
    assert build().find_fulfilment_order("FO-1") == "FO-1"
    assert build().find_fulfilment_order("FO-2") is None


def test_only_what_is_new_in_a_mixed_batch_is_written(
    build: Callable[..., CsvDrop], out: Path
) -> None:
    build().push_fulfilment_orders({"a": request("FO-1")})
    outcomes = build().push_fulfilment_orders({"a": request("FO-1"), "b": request("FO-2")})
    assert [o.status for o in outcomes] == ["applied", "applied"]
    assert [row["reference"] for row in rows(out)] == ["FO-1", "FO-1", "FO-2", "FO-2"]


def test_a_reference_with_other_content_is_refused(
    build: Callable[..., CsvDrop], out: Path
) -> None:
    other = request(lines=request().lines[:1])
    build().push_fulfilment_orders({"a": request()})
    (late,) = build().push_fulfilment_orders({"b": other})
    same_batch = build().push_fulfilment_orders(
        {"c": request("FO-9"), "d": request("FO-9", lines=other.lines)}
    )

    assert late.status == "rejected"
    assert "FO-1-1-" in late.message
    assert [o.status for o in same_batch] == ["applied", "rejected"]
    assert len(rows(out)) == 4


def test_one_unwritable_item_does_not_hold_up_the_batch(
    build: Callable[..., CsvDrop], out: Path
) -> None:
    connector = build(encoding="cp1252")
    outcomes = connector.push_fulfilment_orders(
        {
            "emoji": request("FO-1", ship_to=c.Address(name="🎁")),
            "empty": request("FO-2", lines=()),
            "money": request("FO-3", currency="XXX"),
            "good": request(
                "FO-4", ship_to=c.Address(name="Żółta".replace("Ż", "Z").replace("ł", "l"))
            ),
        }
    )
    told = {o.key: (o.status, o.message) for o in outcomes}
    assert [status for status, _ in told.values()] == [
        "rejected",
        "rejected",
        "rejected",
        "applied",
    ]
    assert "'🎁' cannot be written in" in told["emoji"][1]
    assert "no lines" in told["empty"][1]
    assert "currency" in told["money"][1]
    assert [row["ship_to_name"] for row in rows(out, "cp1252")] == ["Zólta", "Zólta"]


def test_a_cancellation_is_asked_for_once(build: Callable[..., CsvDrop], tmp_path: Path) -> None:
    folder = tmp_path / "share" / "out" / "cancellations"
    for _ in range(2):
        (outcome,) = build().cancel_fulfilment_orders({"k": "FO-1"})
        assert (outcome.status, outcome.handle) == ("accepted", "FO-1")
    assert rows(folder) == [{"reference": "FO-1"}]


def test_a_crash_after_any_write_loses_and_doubles_nothing(
    build: Callable[..., CsvDrop], out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writes = 0
    for survive in range(10):
        reference = f"FO-{survive}"
        monkeypatch.setattr(
            "connectors.dropoutbox.write_atomically", _failing_after(survive, PowerCut())
        )
        try:
            build().push_fulfilment_orders({"k": request(reference)})
        except PowerCut:
            writes += 1
        monkeypatch.undo()
        found = build().find_fulfilment_order(reference)
        if found is None:
            assert survive == 0, "once written down it is never forgotten"
        (outcome,) = build().push_fulfilment_orders({"k": request(reference)})
        assert outcome.status == "applied"
    sent = [row["reference"] for row in rows(out)]
    assert writes == 4, "journal, publication, archive, marker"
    assert {sent.count(f"FO-{number}") for number in range(10)} == {2}, "two lines each, once"


def test_a_file_collected_during_a_crash_is_not_put_there_again(
    build: Callable[..., CsvDrop], out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connectors.dropoutbox.write_atomically", _failing_after(3, PowerCut()))
    with pytest.raises(PowerCut):
        build().push_fulfilment_orders({"k": request()})
    monkeypatch.undo()
    (path,) = out.iterdir()
    path.unlink()
    assert build().find_fulfilment_order("FO-1") == "FO-1"
    assert list(out.iterdir()) == []


def test_a_full_disk_is_no_doubt_before_and_doubt_after_it_was_written_down(
    build: Callable[..., CsvDrop], monkeypatch: pytest.MonkeyPatch
) -> None:
    full = OSError(28, "No space left on device")
    monkeypatch.setattr("connectors.dropoutbox.write_atomically", _failing_after(0, full))
    with pytest.raises(Unreachable, match="No space left"):
        build().push_fulfilment_orders({"k": request()})
    monkeypatch.undo()
    assert build().find_fulfilment_order("FO-1") is None

    monkeypatch.setattr("connectors.dropoutbox.write_atomically", _failing_after(1, full))
    with pytest.raises(Ambiguous, match="written down"):
        build().push_fulfilment_orders({"k": request()})
    monkeypatch.undo()
    assert build().find_fulfilment_order("FO-1") == "FO-1"


def _failing_after(writes: int, error: BaseException) -> Callable[[Path, bytes], None]:
    left = iter(range(writes))

    def write(target: Path, content: bytes) -> None:
        if next(left, None) is None:
            raise error
        write_atomically(target, content)

    return write


# ---- text --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        *("=1+1", "+cmd|' /C calc'!A0", "-2+3+cmd|'x'!A", "@SUM(A1)", "\t=1", "\r=1", "\n=1"),
        *("  =1", "|calc", "＝1+1", "＋x", "－x", "＠x", "\x00=1", "+1e9x", "-A1"),
    ],
)
def test_what_a_spreadsheet_would_run_is_defused(text: str) -> None:
    assert defused(text) == f"'{text}"


@pytest.mark.parametrize(
    "value", ["-12.50", "+49 (228) 12-34/5", "O'Neil", "a=b", "", None, -3, "x@y"]
)
def test_amounts_phone_numbers_and_names_stay_what_they_are(value: object) -> None:
    assert defused(value) == ("" if value is None else str(value))


cells = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"))


@given(st.lists(st.fixed_dictionaries({"a": cells, "b": cells}), min_size=1))
def test_what_is_written_reads_back_as_it_was_but_for_the_apostrophe(
    table: list[Mapping[str, str]],
) -> None:
    found = read_rows(write_rows(table, Dialect()), Dialect(), required=["a", "b"])
    expected = [
        {name: defused(text).strip() or None for name, text in row.items()} for row in table
    ]
    assert found == [row for row in expected if any(row.values())]
