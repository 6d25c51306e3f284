"""``crossdock export reconciliation``, on an installation with a real store."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import delete

from jobs.cli import cli
from state import tables as t
from state.store import Store

SETTINGS = """
[connections.shop]
connector = "csvdrop"
folder = "share"
timezone = "Europe/Berlin"
settle_s = 0
"""
ORDERS = """\
order_number,order_name,placed_at,currency,grand_total,shipping_total,sku,quantity,line_total,line_tax,line_tax_rate,ship_to_street,ship_to_city,ship_to_country
1,=1+1,2026-11-02 10:00,EUR,28.70,4.90,MUG,2,20.00,3.80,19,Weg 1,Bonn,DE
2,#2,2026-11-02 11:00,JPY,1200,,MUG,1,1200,,,Weg 1,Bonn,DE
3,#3,2026-11-03 11:00,EUR,10.00,,MUG,1,9.99,,,Weg 1,Bonn,DE
"""
NAME = "reconciliation_2026-11-01_2026-11-30"

Run = Callable[..., Result]


@pytest.fixture(scope="module")
def settings_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An installation whose shop has three orders in November 2026."""
    folder = tmp_path_factory.mktemp("installation")
    for name in ("orders", "stock", "shipments"):
        (folder / "share" / "in" / name).mkdir(parents=True)
    (folder / "share" / "in" / "orders" / "day.csv").write_text(ORDERS, encoding="utf-8")
    path = folder / "settings.toml"
    path.write_text(SETTINGS.replace('"share"', f'"{folder / "share"}"'), encoding="utf-8")
    pulled = _invoke(path, "once", "pull-orders", "shop", "--since", "2026-10-01")
    assert pulled.exit_code == 0, pulled.output
    return path


@pytest.fixture
def run(settings_file: Path) -> Run:
    return lambda *words: _invoke(settings_file, *words)


def _invoke(settings: Path, *words: str) -> Result:
    handlers = list(logging.getLogger().handlers)
    try:
        return CliRunner().invoke(cli, ["--config", str(settings), *words])
    finally:
        logging.getLogger().handlers = handlers


def november(*more: str) -> tuple[str, ...]:
    words = ("export", "reconciliation", "--from", "2026-11-01", "--to", "2026-11-30")
    return (*words, *more)


def test_it_shows_a_statement_that_adds_up_and_where_the_files_are(
    run: Run, tmp_path: Path
) -> None:
    done = run(*november("--out", str(tmp_path)))
    assert done.exit_code == 0, done.output
    lines = [line.split() for line in done.stdout.splitlines()]
    assert ["3", "orders", "from", "2026-11-01", "to", "2026-11-30"] in lines
    assert ["shop", "EUR", "shop", "JPY"] in lines
    assert ["gross", "29.99", "1,200"] in lines
    assert ["+", "shipping", "4.90", "0"] in lines
    assert ["+", "tax", "not", "included", "3.80", "0"] in lines
    assert ["=", "calculated", "total", "38.69", "1,200"] in lines
    assert ["=", "variance", "-0.01", "0"] in lines
    told = {Path(line) for line in done.stdout.splitlines() if line.startswith(str(tmp_path))}
    assert told == set(tmp_path.iterdir())
    assert tmp_path / f"{NAME}.manifest.json" in told


def test_json_is_the_manifest(run: Run, tmp_path: Path) -> None:
    done = run(*november("--out", str(tmp_path), "--json"))
    told = json.loads(done.stdout)
    assert told.pop("folder") == str(tmp_path)
    assert told == json.loads((tmp_path / f"{NAME}.manifest.json").read_text())
    assert [(total["currency"], total["parked"]) for total in told["totals"]] == [
        ("EUR", 1),
        ("JPY", 0),
    ]


def test_a_period_without_orders_says_so(run: Run, tmp_path: Path) -> None:
    words = ("--from", "2026-12-01", "--to", "2026-12-31", "--out", str(tmp_path))
    done = run("export", "reconciliation", *words)
    assert done.exit_code == 0
    assert done.stdout.startswith("No orders from 2026-12-01 to 2026-12-31")
    assert len(list(tmp_path.iterdir())) == 8


@pytest.mark.parametrize(
    ("first", "last", "said"),
    [
        ("2026-11-31", "2026-12-01", "--from '2026-11-31' is no date"),
        ("2026-11-01", "yesterday", "--to 'yesterday' is no date"),
        ("2026-11-30", "2026-11-01", "--from 2026-11-30 is after --to 2026-11-01"),
    ],
)
def test_a_wrong_date_is_named(run: Run, tmp_path: Path, first: str, last: str, said: str) -> None:
    words = ("--from", first, "--to", last, "--out", str(tmp_path))
    done = run("export", "reconciliation", *words)
    assert done.exit_code == 2
    assert said in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_without_the_extra_it_says_how_to_get_it(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What Python itself does for a module that must not be found.
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    done = run(*november("--out", str(tmp_path)))
    assert done.exit_code == 1
    assert "pyarrow" in done.stderr
    assert "pip install 'crossdock[finance]'" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_named(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = run(*november("--out", str(tmp_path / "file" / "folder")))
    assert done.exit_code == 1
    assert f"Could not write to {tmp_path / 'file' / 'folder'}: Not a directory." in done.stderr


@pytest.fixture
def without_shipping(settings_file: Path) -> Iterator[None]:
    """The store has lost the shipping charges; afterwards they are back."""
    store = Store(f"sqlite:///{settings_file.parent / 'crossdock.db'}")
    with store.read() as conn:
        kept = [row._asdict() for row in conn.execute(t.order_adjustment.select())]
    with store.write() as conn:
        conn.execute(delete(t.order_adjustment))
    yield
    with store.write() as conn:
        conn.execute(t.order_adjustment.insert(), kept)
    store.close()


@pytest.mark.usefixtures("without_shipping")
def test_an_order_that_does_not_add_up_is_named_and_ends_with_1(run: Run, tmp_path: Path) -> None:
    done = run(*november("--out", str(tmp_path)))
    assert done.exit_code == 1
    assert "Orders whose parts do not add up: 1" in done.stderr
    assert "=1+1 of shop by -4.90 EUR" in done.stderr
    manifest = json.loads((tmp_path / f"{NAME}.manifest.json").read_text())
    assert [one["channel_order_id"] for one in manifest["unexplained"]] == ["1"]


def test_the_help_has_examples() -> None:
    shown = CliRunner().invoke(cli, ["export", "reconciliation", "--help"]).stdout
    assert "crossdock export reconciliation --from 2026-11-01 --to 2026-11-30" in shown
