"""T25: whoever changes anything by a command leaves a name and a reason, in the same transaction.

Every command is either in ``READS`` or in ``WRITES``; there is no third kind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import click
import pytest
from sqlalchemy import Table, insert, select, update

from connectors.base import Outcome
from connectors.shipengine import ShipEngine
from jobs.cli import cli
from jobs.clock import SystemClock
from state import audit_check
from state import tables as t
from state.store import Store
from state.vault.keyring import MasterKey
from tests.jobs.commands import Commands

READS = {
    *("audit", "backup", "bundle", "check", "connections", "explain", "hooks", "init"),
    *("parked", "status", "summary", "intents list", "intents show", "strays list"),
    *("guard list", "guard show", "privacy export", "privacy status", "sku candidates"),
    *("stock list", "stock lots", "stock holds", "stock transit"),
    *("route simulate", "route quotes", "export reconciliation", "promise", "simulate"),
    *("mappings show", "mappings check", "mappings diff", "mappings try"),
    *("mappings functions", "mappings suggest", "keys new", "keys status"),
    # The daemon: what it takes over from the settings is below, what its jobs change stands in
    # the story of each order, in the ledger and in the runs.
    "run",
}
"""What changes nothing that is held; some write files."""

SETTINGS = """
[connections.files]
connector = "csvdrop"
folder = "drop"
settle_s = 0
since = 2026-01-01
[connections.labels]
connector = "shipengine"
api_key = "env:LABELS_KEY"
carrier_ids = ["se-1"]
[locations.berlin]
kind = "warehouse"
country = "DE"
[locations.jersey]
kind = "warehouse"
country = "US"
"""

HEAD = (
    "order_number,placed_at,currency,status,ship_to_name,ship_to_street,ship_to_city,"
    "ship_to_postcode,ship_to_country,ship_to_email,note,sku,quantity,unit_price,line_total,"
    "grand_total\n"
)


class Written(NamedTuple):
    """A command line, the action that its row has, and what the store needs before."""

    line: str
    action: str
    before: Callable[[Store, datetime], None] | None = None


def _put(table: Table, **values: Any) -> Callable[[Store, datetime], None]:
    """A row; ``...`` stands for the moment, and "@" and a name for a connection's id."""

    def write(store: Store, now: datetime) -> None:
        with store.write() as conn:
            connection = t.connection.c
            given: dict[str, Any] = {n: now if v is ... else v for n, v in values.items()}
            if name := values.get("connection_id"):
                found = select(connection.id).where(connection.name == name.removeprefix("@"))
                given["connection_id"] = conn.scalar(found)
            conn.execute(insert(table).values(**given))

    return write


def _change(table: Table, **values: Any) -> Callable[[Store, datetime], None]:
    def write(store: Store, _now: datetime) -> None:
        with store.write() as conn:
            conn.execute(update(table).values(**values))

    return write


_HELD = {"stream_key": "promise", "state": "held", "reason": "r", "measured": {}}
_STRAY = {"kind": "label", "external_id": "se-9", "reference": "1", "problem": "double"}
_REVIEW = {"kind": "tracking", "subject_type": "sales_order", "subject_id": 2, "state": "review"}
_MANUAL = {"order_id": 2, "kind": "manual", "reason": "r", "remedy": ""}


def _erased_elsewhere(store: Store, now: datetime) -> None:
    """A copy in which the buyer of order 3 was erased."""
    with store.engine.connect() as conn:
        conn.exec_driver_sql("COMMIT")
        conn.exec_driver_sql("VACUUM INTO 'other.db'")
    other = Store("sqlite:///other.db")
    with other.write() as conn:
        third = t.sales_order.c.channel_order_id == "3"
        conn.execute(update(t.sales_order).where(third).values(erased_at=now))
    other.close()


def _another_key(_store: Store, _now: datetime) -> None:
    """In use from now on; of a connection whose data is encrypted."""
    file, settings = Path("keys"), Path("settings.toml")
    before = file.read_text() if file.exists() else ""
    file.write_text(f"{before}{MasterKey.new().line()}\n")
    file.chmod(0o600)
    if not before:
        text = settings.read_text("utf-8").replace(
            'connector = "csvdrop"', 'connector = "csvdrop"\npersonal_data = { encrypt = true }'
        )
        settings.write_text(f'{text}\n[encryption]\nkeys = "file:keys"\n', "utf-8")


WRITES = (
    Written("sku import skus.csv", "import_skus"),
    Written("once pull-orders files", "run_once"),
    Written("sku alias OLD-A A", "add_alias"),
    Written("retry", "retry_parked"),
    Written("sku link OTHER-A A", "free_lines"),
    Written("replay --connection files", "replay_order", _change(t.order_line, title="x")),
    Written(
        "once promise --approve 1", "approve_held_run", _put(t.guard_hold, held_at=..., **_HELD)
    ),
    Written("release 2", "release_holds", _put(t.hold, placed_at=..., **_MANUAL)),
    Written(
        "intents resolve tracking:1 --not-done --reason looked",
        "resolve_intent",
        _put(
            t.intent,
            connection_id="@files",
            idempotency_key="tracking:1",
            body={},
            not_before=...,
            created_at=...,
            **_REVIEW,
        ),
    ),
    Written(
        "strays void 1",
        "stray_voided",
        _put(t.stray_effect, connection_id="@labels", placed_at=..., found_at=..., **_STRAY),
    ),
    Written("stock count berlin counts.csv", "import_counts"),
    Written("stock expect berlin goods.csv --reference E1", "stock_advise"),
    Written("stock receive berlin goods.csv --reference R1", "stock_receipt"),
    Written("stock transfer berlin jersey goods.csv --reference T1", "stock_transfer"),
    Written("stock writeoff T1", "stock_writeoff"),
    Written("stock move berlin goods.csv --to damaged --reference M1", "stock_adjust_damage"),
    Written("stock hold A berlin 1 --for quote", "stock_hold"),
    Written("stock unhold 1", "stock_unhold"),
    Written("stock track C --lots", "track_lots"),
    Written("stock receive berlin lots.csv --reference R2", "stock_receipt"),
    Written("stock recall C L1", "recall_lot"),
    Written("stock bundle B A=2", "set_bundle"),
    Written("stock rebuild", "rebuild_stock", _change(t.inventory_level, on_hand=99)),
    Written("audit --repair --yes", "repair_stock", _change(t.inventory_level, on_hand=99)),
    Written(
        "privacy reapply --from sqlite:///other.db", "erase_personal_data_again", _erased_elsewhere
    ),
    Written("privacy erase ada@canary.example --reason asked --yes", "erase_personal_data"),
    Written("keys encrypt", "encrypt_personal_data", _another_key),
    Written("keys rotate", "rotate_keys", _another_key),
    Written("restore all.crossdock --replace", "restore"),
)


@pytest.fixture
def crossdock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Commands:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LABELS_KEY", "secret")
    monkeypatch.setattr(ShipEngine, "void_label", lambda _, number: Outcome(number, "applied"))
    Path("settings.toml").write_text(SETTINGS, encoding="utf-8")
    Path("drop").mkdir()
    commands = Commands(tmp_path)
    commands.well("hooks")
    orders = HEAD + _order(1, "Ada", "cancelled", "A") + _order(2, "Bob", "ready", "OLD-A")
    folder = Path("drop/in/orders")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "day.csv").write_text(orders + _order(3, "Cem", "ready", "OTHER-A"), "utf-8")
    Path("skus.csv").write_text("code,title\nA,a\nB,b\nC,c\n", "utf-8")
    Path("counts.csv").write_text("sku,on_hand\nA,20\n", "utf-8")
    Path("lots.csv").write_text("sku,qty,lot,expires_on\nC,2,L1,2030-01-01\n", "utf-8")
    Path("goods.csv").write_text("sku,qty\nA,2\n", "utf-8")
    return commands


def _order(number: int, name: str, status: str, sku: str) -> str:
    return (
        f"{number},2026-01-05 10:00,EUR,{status},{name} Canary,Canarystreet 1,Berlin,10117,DE,"
        f"{name.lower()}@canary.example,,{sku},1,10.00,10.00,10.00\n"
    )


def test_threat_t25_whoever_changes_anything_leaves_a_name_and_a_reason(
    crossdock: Commands,
) -> None:
    said = ("--actor", "ada", "--because", "ticket 7")
    missing = []
    for one in WRITES:
        store = Store(f"sqlite:///{crossdock.folder}/crossdock.db")
        if one.before:
            one.before(store, SystemClock().now())
        if one.action == "restore":
            crossdock.well("backup", "all.crossdock")
        with store.read() as conn:
            before = audit_check.head(conn).number
        store.close()
        done = crossdock(*said, *one.line.split())
        rows = crossdock.rows(
            f"SELECT action, actor, reason FROM audit_event WHERE number > {before}"
        )
        named = [row for row in rows if row[1].startswith("ada (") and row[2]]
        if one.action not in [row[0] for row in named] or named != rows:
            missing.append((one.line, rows, done.output, done.exception))
    assert missing == [], missing
    assert crossdock.json("audit", code=None)["violations"] == []


def test_threat_t25_new_settings_are_told_under_the_name_of_who_runs_them(
    crossdock: Commands,
) -> None:
    changed = SETTINGS.replace('country = "DE"', 'country = "AT"')
    Path("settings.toml").write_text(changed, encoding="utf-8")
    for _ in range(2):
        crossdock.well("--actor", "ada", "hooks")
    query = "SELECT actor, before, after, reason FROM audit_event WHERE action = 'take_settings'"
    _first, (actor, before, after, reason) = crossdock.rows(query)
    assert actor.startswith("ada (")
    assert (before, after) == (
        '{"location berlin": {"country": "DE"}}',
        '{"location berlin": {"country": "AT"}}',
    )
    assert reason == "settings.toml as crossdock hooks found it"


def leaves(command: click.Command, path: str) -> Iterator[str]:
    if not isinstance(command, click.Group):
        yield path
        return
    for name in command.list_commands(click.Context(command)):
        found = command.get_command(click.Context(command), name)
        assert found is not None
        yield from leaves(found, f"{path} {name}".strip())


def test_threat_t25_every_command_is_known_to_read_or_to_write() -> None:
    every = set(leaves(cli, ""))
    writes = {
        path
        for path in every
        if any(one.line.startswith(f"{path} ") or one.line == path for one in WRITES)
    }
    assert every - writes == READS - {"audit"}
    assert "audit" in writes, "with --repair"
