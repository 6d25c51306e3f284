"""The commands beside the daemon, against the sandbox's shop over real sockets."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from connectors.registry import CONNECTORS
from jobs import app
from jobs.catalogue import JOBS
from jobs.cli import cli
from jobs.clock import SystemClock
from jobs.commands import COMMANDS
from sandbox.app import Sandbox
from sandbox.clock import ManualClock as SandboxClock
from sandbox.server import serve
from sandbox.vendors import woocommerce
from sandbox.world import World
from state import streams
from state.breakers import Breakers
from state.circuit import OPENS_AT
from state.store import Store
from tests.jobs.commands import Commands


@pytest.fixture
def today() -> datetime:
    return SystemClock().now()


@pytest.fixture
def shop_url(today: datetime) -> Iterator[str]:
    """A shop with a day's orders, whose clock agrees with this machine's."""
    day_start = today - timedelta(days=2)
    world = World(7, SandboxClock(today), orders_per_channel=20, day_start=day_start)
    sandbox = Sandbox(world)
    world.advance_to(today)
    with serve(sandbox) as url:
        yield f"{url}/woo"


@pytest.fixture
def crossdock(
    tmp_path: Path, shop_url: str, today: datetime, monkeypatch: pytest.MonkeyPatch
) -> Commands:
    monkeypatch.setenv("SHOP_KEY", woocommerce.CONSUMER_KEY)
    monkeypatch.setenv("SHOP_SECRET", woocommerce.CONSUMER_SECRET)
    (tmp_path / "drop").mkdir()
    (tmp_path / "settings.toml").write_text(f"""
[connections.shop-eu]
connector = "woocommerce"
timezone = "Europe/Berlin"
since = {today:%Y}-01-01
url = "{shop_url}"
consumer_key = "env:SHOP_KEY"
consumer_secret = "env:SHOP_SECRET"
[connections.files]
connector = "csvdrop"
folder = "drop"
[locations.berlin]
kind = "warehouse"
country = "DE"
[locations.partner]
kind = "three_pl"
connection = "files"
country = "FR"
""")
    return Commands(tmp_path)


def test_check_finds_all_well(crossdock: Commands) -> None:
    findings = crossdock.json("check")
    assert all(finding["ok"] for finding in findings), findings
    assert {finding["where"] for finding in findings} == {"installation", "shop-eu", "files"}
    assert any(finding["subject"] == "clock" for finding in findings)


def test_check_of_one_connection_with_a_wrong_secret_says_what_to_mend(
    crossdock: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_SECRET", "cs_wrong_0123456789")
    done = crossdock("check", "shop-eu")
    assert done.exit_code == 1
    assert "401" in done.stdout
    assert "MEND" in done.stdout
    assert "cs_wrong" not in done.output
    assert "Traceback" not in done.output


@pytest.mark.parametrize("number", ["0", str(2**63)])
@pytest.mark.parametrize(
    "command",
    [
        ["guard", "show"],
        ["guard", "show", "1", "--top"],
        ["guard", "list", "--limit"],
        ["once", "pull-orders", "shop-eu", "--approve"],
        ["route", "quotes", "--limit"],
        ["stock", "unhold"],
        ["strays", "void"],
    ],
)
def test_a_number_that_no_row_can_have_is_refused_as_typed_wrong(
    crossdock: Commands, command: list[str], number: str
) -> None:
    done = crossdock(*command, number)
    assert done.exit_code == 2, done.output
    assert isinstance(done.exception, SystemExit)


def test_a_dry_run_shows_the_counts_and_writes_nothing(crossdock: Commands) -> None:
    (dry,) = crossdock.json("once", "pull-orders", "shop-eu", "--dry-run")
    assert dry["result"] == "ok"
    assert sum(dry["counts"].values()) > 0
    for table in ("sales_order", "inbox", "run", "order_event"):
        assert crossdock.rows(f"SELECT count(*) FROM {table}") == [(0,)], table
    assert crossdock.rows("SELECT cursor FROM stream WHERE cursor IS NOT NULL") == []
    (real,) = crossdock.json("once", "pull-orders", "shop-eu")
    assert real["counts"] == dry["counts"]
    assert crossdock.rows("SELECT count(*) FROM inbox")[0][0] > 0


def test_since_reads_again_what_the_cursor_has_passed(crossdock: Commands) -> None:
    (first,) = crossdock.json("once", "pull-orders", "shop-eu")
    (again,) = crossdock.json("once", "pull-orders", "shop-eu", "--since", "2026-01-01")
    assert first["result"] == again["result"] == "ok"
    before = crossdock.rows("SELECT count(*) FROM sales_order")
    crossdock.json("once", "pull-orders", "shop-eu", "--since", "2026-01-01T00:00:00+01:00")
    assert crossdock.rows("SELECT count(*) FROM sales_order") == before


def test_without_a_connection_a_job_runs_for_all_that_can(crossdock: Commands) -> None:
    crossdock.json("check")
    rows = crossdock.json("once", "pull-orders")
    assert [row["stream"] for row in rows] == ["pull-orders:shop-eu", "pull-orders:files"]


def test_once_leaves_a_stream_that_the_daemon_runs_to_it(crossdock: Commands) -> None:
    crossdock.json("once", "pull-orders", "shop-eu")
    store = Store(f"sqlite:///{crossdock.folder / 'crossdock.db'}")
    with store.write() as conn:
        held = streams.claim(
            conn,
            "pull-orders:shop-eu",
            "run/here/1/a",
            SystemClock().now(),
            60,
            even_if_not_due=True,
        )
    store.close()
    assert held is not None
    (busy,) = crossdock.json("once", "pull-orders", "shop-eu", code=1)
    assert busy["result"] == "busy"
    assert "another process is running it" in busy["error"]
    states = {row["stream"]: row["state"] for row in crossdock.json("status")}
    assert states["pull-orders:shop-eu"] == "running"


def test_status_shows_every_stream(crossdock: Commands) -> None:
    assert "Nothing has run yet" in crossdock("status").stdout
    crossdock.json("once", "pull-orders", "shop-eu")
    rows = {row["stream"]: row for row in crossdock.json("status")}
    pulled = rows["pull-orders:shop-eu"]
    assert pulled["state"] == "well"
    assert pulled["cursor"] is not None
    assert pulled["lag_s"] < 60
    assert pulled["counts"]
    assert rows["push:shop-eu"]["last_success_at"] is None
    assert {row["connection"] for row in crossdock.json("status", "files")} == {"files"}
    table = crossdock("status").stdout
    assert "pull-orders" in table
    assert "shop-eu" in table


def test_status_tells_of_a_vendor_that_is_down(crossdock: Commands) -> None:
    crossdock.json("once", "pull-orders", "shop-eu")
    configuration = app.load(crossdock.settings)
    store, clock = app.store_of(configuration.settings), app.clock_of(configuration.settings)
    breaker = Breakers(store, clock)
    for _ in range(OPENS_AT):
        breaker.leave("shop-eu", "trouble", probe=False)
    store.close()
    rows = {row["stream"]: row for row in crossdock.json("status")}
    pulled = rows["pull-orders:shop-eu"]
    assert pulled["outage"].startswith(f"down since {clock.now():%Y-%m-%d}")
    assert ", next try in 1m" in pulled["outage"] or ", next try in 2m" in pulled["outage"]
    assert pulled["down_since"] < pulled["next_try_at"]
    assert rows["allocate"]["outage"] is None
    assert "down since" in crossdock("status").stdout
    # A person who asks is not kept out, and what is answered then counts for everybody.
    crossdock("check", "shop-eu")
    assert crossdock.json("status", "shop-eu")[0]["outage"] is None


def test_status_of_a_stream_that_fails_tells_why(
    crossdock: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_SECRET", "cs_wrong_0123456789")
    done = crossdock("once", "pull-orders", "shop-eu")
    assert done.exit_code == 1
    rows = {row["stream"]: row for row in crossdock.json("status", "shop-eu")}
    failed = rows["pull-orders:shop-eu"]
    assert failed["state"] == "needs mending"
    assert "401" in failed["last_error"]
    assert failed["problem"] == failed["last_error"]
    assert failed["next"].startswith("in 14m")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["check", "shop-us"], "There is no connection 'shop-us' in settings.toml: "
         "did you mean shop-eu?"),
        (["once", "pull-orders", "shp-eu"], "did you mean shop-eu?"),
        (["once", "pull-stock", "shop-eu"], "shop-eu cannot pull-stock"),
        (["once", "allocate", "shop-eu"], "allocate belongs to no connection"),
        (["once", "pull-orders", "shop-eu", "--since", "yesterday"], "'yesterday' is no time"),
        (["once", "track"], "No connection can track"),
        (["once", "pull-everything"], "'pull-everything' is not one of"),
        (["connections", "woocomerce"], "did you mean woocommerce?"),
        (["frobnicate"], "No such command 'frobnicate'"),
    ],
)  # fmt: skip
def test_wrong_usage_ends_with_two_and_a_sentence(
    crossdock: Commands, arguments: list[str], told: str
) -> None:
    done = crossdock(*arguments)
    assert done.exit_code == 2
    assert told in done.stderr
    assert done.stdout == ""


def test_settings_that_cannot_be_used_end_with_two(crossdock: Commands) -> None:
    settings = crossdock.folder / "settings.toml"
    settings.write_text(settings.read_text() + "\n[jobs]\nthreds = 3\n")
    for command in (["run"], ["check"], ["status"], ["once", "allocate"]):
        done = crossdock(*command)
        assert done.exit_code == 2
        assert "settings.toml: jobs.threds: unknown key: did you mean threads?" in done.stderr


def test_an_address_that_cannot_be_one_is_found_before_anything_runs(crossdock: Commands) -> None:
    settings = crossdock.folder / "settings.toml"
    settings.write_text(settings.read_text().replace("http://127.0.0.1", "ftp://shop"))
    done = crossdock("once", "pull-orders", "shop-eu")
    assert done.exit_code == 2
    assert "connections.shop-eu: url:" in done.stderr


def test_locations_and_who_they_serve_follow_the_settings(crossdock: Commands) -> None:
    query = """
        SELECT c.name, l.code FROM channel_location cl JOIN connection c
        ON c.id = cl.connection_id JOIN location l ON l.id = cl.location_id
        WHERE c.name = 'shop-eu' ORDER BY rank"""
    crossdock.json("once", "allocate")
    assert crossdock.rows(query) == [("shop-eu", "berlin"), ("shop-eu", "partner")]
    settings = crossdock.folder / "settings.toml"
    text = settings.read_text()
    settings.write_text(text.replace("timezone =", 'locations = ["partner"]\ntimezone ='))
    crossdock.json("once", "allocate")
    assert crossdock.rows(query) == [("shop-eu", "partner")]
    assert crossdock.rows("SELECT code, authority, active FROM location ORDER BY code") == [
        ("berlin", "hub", 1),
        ("partner", "external", 1),
    ]


def test_what_leaves_the_settings_is_retired_and_comes_back(crossdock: Commands) -> None:
    settings = crossdock.folder / "settings.toml"
    text = settings.read_text()
    crossdock.json("once", "allocate")
    files = text.index("[connections.files]")
    settings.write_text(text[:files] + '[locations.berlin]\nkind = "warehouse"\n')
    crossdock.json("once", "allocate")
    query = "SELECT name, status FROM connection ORDER BY name"
    assert crossdock.rows(query) == [("files", "retired"), ("shop-eu", "active")]
    assert crossdock.rows("SELECT code, active FROM location ORDER BY code") == [
        ("berlin", 1),
        ("partner", 0),
    ]
    settings.write_text(text)
    crossdock.json("once", "allocate")
    assert crossdock.rows(query) == [("files", "active"), ("shop-eu", "active")]


def test_connections_needs_no_settings_and_names_every_key(tmp_path: Path) -> None:
    commands = Commands(tmp_path)
    facts = {fact["connector"]: fact for fact in commands.json("connections")}
    assert set(facts) == set(CONNECTORS)
    assert facts["shipengine"]["jobs"] == ["track", "push", "sweep", "pull-rates"]
    keys = {fact["key"]: fact for fact in facts["woocommerce"]["settings"]}
    assert keys["consumer_key"]["secret"]
    assert keys["consumer_key"]["needed"]
    assert keys["consumer_key"]["help"]
    assert not keys["currency"]["needed"]
    assert "consumer_secret" in commands("connections", "woocommerce").stdout


def test_init_writes_a_starter_that_check_accepts_but_finds_empty(tmp_path: Path) -> None:
    commands = Commands(tmp_path / "new")
    done = commands("init", str(commands.folder))
    assert done.exit_code == 0
    assert (commands.folder / "connections.d" / "example.toml").is_file()
    again = commands("init", str(commands.folder))
    assert "nothing written" in again.stdout
    check = commands("check")
    assert check.exit_code == 1
    assert "crossdock connections" in check.stdout


def test_init_where_nothing_can_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = Commands(tmp_path)("init", str(tmp_path / "file" / "folder"))
    assert done.exit_code == 1
    assert "Choose a folder you may write to" in done.stderr


def test_every_command_has_help_with_an_example() -> None:
    context = click.Context(cli)
    for name in COMMANDS:
        command = cli.get_command(context, name)
        assert command is not None
        assert command.name == name
        commands = command.commands.values() if isinstance(command, click.Group) else [command]
        for leaf in commands:
            assert "crossdock" in (leaf.help or ""), f"{name} {leaf.name} shows no example"


def test_the_help_of_once_names_every_job() -> None:
    done = CliRunner().invoke(cli, ["once", "--help"])
    assert all(name in done.stdout for name in JOBS)


def test_a_refused_run_leaves_the_signals_as_they_were(crossdock: Commands) -> None:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    (crossdock.folder / "settings.toml").write_text("[store]\nurl = 'nonsense'\n")
    assert crossdock("run").exit_code == 2
    assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == before


def test_a_summary_begins_at_an_age_as_a_replay_does(crossdock: Commands) -> None:
    crossdock.well("once", "pull-orders", "shop-eu")
    for since, taken in (("30d", True), ("2020-01-01T08:30", True), ("0h", False)):
        channels = crossdock.json("summary", "--since", since)["channels"]
        assert any(row["orders"] for row in channels) is taken, since
    told = crossdock.well("summary", "--since", "lately", code=2)
    assert "--since 'lately' is no time.\nWrite 30d, 12h, 2026-11-01" in told
