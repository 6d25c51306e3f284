"""Settings: everything wrong at once, with the place and the remedy, and no secret in a file."""

from __future__ import annotations

import tomllib
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import TypeAdapter, ValidationError

from connectors.registry import CONNECTORS
from jobs import starter
from jobs.problems import UsageProblem
from jobs.settings import Duration, Settings, duration_text
from jobs.settings_loader import Configuration, SettingsProblem, find, load

SHOP = """
[connections.shop-eu]
connector = "woocommerce"
timezone = "Europe/Berlin"
url = "https://shop.example"
consumer_key = "env:SHOP_KEY"
consumer_secret = "file:secret.txt"
"""


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SHOP_KEY", "ck_from_the_environment")
    monkeypatch.delenv("CROSSDOCK_CONFIG", raising=False)
    (tmp_path / "secret.txt").write_text("cs_from_a_file\n")


def loaded(tmp_path: Path, text: str, **more: str) -> Configuration:
    """Load ``text`` as settings.toml, and ``more`` as files of connections.d."""
    (tmp_path / "settings.toml").write_text(text)
    for name, content in more.items():
        (tmp_path / "connections.d").mkdir(exist_ok=True)
        (tmp_path / "connections.d" / f"{name}.toml").write_text(content)
    return load(tmp_path / "settings.toml", CONNECTORS)


def problems(tmp_path: Path, text: str, **more: str) -> list[str]:
    with pytest.raises(SettingsProblem) as caught:
        loaded(tmp_path, text, **more)
    return caught.value.problems


def test_an_empty_file_means_every_default(tmp_path: Path) -> None:
    settings = loaded(tmp_path, "").settings
    assert settings.store.url == f"sqlite:///{tmp_path}/crossdock.db"
    assert (settings.jobs.threads, settings.jobs.every.allocate) == (8, 60)
    assert settings.clock is None
    assert settings.connections == {}


def test_a_connection_gets_its_connector_s_settings_and_secrets(tmp_path: Path) -> None:
    found = loaded(tmp_path, SHOP)
    config = found.configs["shop-eu"].model_dump()
    assert config["consumer_key"].get_secret_value() == "ck_from_the_environment"
    assert config["consumer_secret"].get_secret_value() == "cs_from_a_file"
    assert "ck_from" not in repr(found)
    assert found.settings.connections["shop-eu"].every.orders == 300


def test_connections_may_have_files_of_their_own(tmp_path: Path) -> None:
    place = '[locations.berlin]\nkind = "warehouse"\n'
    found = loaded(tmp_path, "", shop=SHOP, places=place)
    assert list(found.settings.connections) == ["shop-eu"]
    assert found.settings.locations["berlin"].stock_authority() == "hub"


def test_every_problem_is_listed_at_once_with_file_key_and_what_was_meant(tmp_path: Path) -> None:
    text = """
    [jobs]
    threds = 4
    lease_s = 0
    [stor]
    [connections.a]
    connector = "woocomerce"
    [locations.bob]
    kind = "tree_pl"
    connection = "bbo"
    """
    shop = SHOP + 'curency = "EUR"\nevery = { order = "5m" }\nlocations = ["bobb"]\n'
    found = sorted(problems(tmp_path, text, shop=shop))
    assert found == sorted(
        [
            "settings.toml: jobs.threds: unknown key: did you mean threads?",
            "settings.toml: jobs.lease_s: Input should be greater than or equal to 1",
            "settings.toml: stor: unknown key: did you mean store?",
            "settings.toml: connections.a.connector: there is no connector 'woocomerce': "
            "did you mean woocommerce?",
            "settings.toml: locations.bob.kind: Input should be 'warehouse', 'store', "
            "'three_pl' or 'vendor'",
            "settings.toml: locations.bob.connection: there is no [connections.bbo]: "
            "known are a, shop-eu",
            "connections.d/shop.toml: connections.shop-eu.curency: unknown key: "
            "did you mean currency?",
            "connections.d/shop.toml: connections.shop-eu.every.order: unknown key: "
            "did you mean orders?",
            "connections.d/shop.toml: connections.shop-eu.locations: "
            "there is no [locations.bobb]: did you mean bob?",
        ]
    )


def test_how_a_text_is_written_is_told_in_words_and_once(tmp_path: Path) -> None:
    text = """
    [encryption]
    keys = "crossdock.keys"
    [connections.Shop]
    connector = "csvdrop"
    folder = "drop"
    [locations.x]
    kind = "warehouse"
    country = "de"
    cutoff = "25:00"
    [locations.y]
    kind = "warehouse"
    cutoff = { monday = "14:00" }
    """
    day = 'write "14:00", or a table by day: { mon = "14:00", sat = "11:00" }'
    assert problems(tmp_path, text) == [
        "settings.toml: encryption.keys: write env:NAME or file:PATH",
        "settings.toml: connections.Shop: a name is of lower-case letters, digits and dashes: "
        "shop-eu",
        "settings.toml: locations.x.country: write its two letters: DE",
        f"settings.toml: locations.x.cutoff: {day}",
        f"settings.toml: locations.y.cutoff: {day}",
    ]


def test_a_missing_setting_of_the_connector_is_named(tmp_path: Path) -> None:
    text = '[connections.shop]\nconnector = "woocommerce"\nconsumer_key = "env:SHOP_KEY"\n'
    assert problems(tmp_path, text) == [
        "settings.toml: connections.shop.url: is missing",
        "settings.toml: connections.shop.consumer_secret: is missing",
    ]


def test_a_secret_in_the_file_is_refused_and_not_repeated(tmp_path: Path) -> None:
    (found,) = problems(tmp_path, SHOP.replace("env:SHOP_KEY", "ck_live_1234567890"))
    assert found == (
        "settings.toml: connections.shop-eu.consumer_key: a secret does not belong in the "
        "settings: write env:NAME (an environment variable) or file:PATH (a file that holds "
        "only it)"
    )


@pytest.mark.parametrize(
    ("reference", "told"),
    [
        ("env:NOT_SET", "the environment variable NOT_SET is not set"),
        ("file:nowhere.txt", "nowhere.txt cannot be read: No such file or directory"),
        ("file:empty.txt", "empty.txt is empty"),
        ("file:binary.bin", "binary.bin is not text"),
        ("file:large.txt", "large.txt is too large to be a secret"),
        ("env:", "a secret does not belong in the settings"),
    ],
)
def test_a_reference_that_leads_nowhere_says_so(tmp_path: Path, reference: str, told: str) -> None:
    (tmp_path / "empty.txt").write_text(" \n")
    (tmp_path / "binary.bin").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "large.txt").write_text("x" * 70_000)
    (found,) = problems(tmp_path, SHOP.replace("env:SHOP_KEY", reference))
    assert told in found
    assert found.startswith("settings.toml: connections.shop-eu.consumer_key: ")


def test_one_name_in_two_files_is_refused(tmp_path: Path) -> None:
    found = problems(tmp_path, SHOP, again=SHOP, third=SHOP)
    assert found == [
        f"connections.d/{name}.toml: connections.shop-eu is already in settings.toml: "
        "rename one of them"
        for name in ("again", "third")
    ]


def test_only_connections_and_locations_belong_into_their_folder(tmp_path: Path) -> None:
    (found,) = problems(tmp_path, "", shop="[jobs]\nthreads = 1\n")
    assert found == (
        "connections.d/shop.toml: jobs: only [connections.NAME] and [locations.NAME] belong in here"
    )


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"[jobs\n", "not TOML"),
        (b'[jobs]\nx = "\xff"\n', "not UTF-8 text: save it as UTF-8"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, content: bytes, told: str) -> None:
    (tmp_path / "settings.toml").write_bytes(content)
    with pytest.raises(SettingsProblem, match=told):
        load(tmp_path / "settings.toml", CONNECTORS)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[[connections]]\nurl = 1\n", "connections"),
        ("connections = []\n", "connections"),
        ('[store]\nurl = "a b://c"\n', "store.url"),
    ],
)
def test_what_is_no_table_or_no_url_is_told_beside_files_of_connections(
    tmp_path: Path, text: str, told: str
) -> None:
    """The fuzzer's find: the loader fell over them before the settings were checked."""
    (tmp_path / "connections.d").mkdir()
    (tmp_path / "connections.d" / "shop.toml").write_text(
        '[connections.shop]\nconnector = "csvdrop"\n'
    )
    assert any(told in problem for problem in problems(tmp_path, text))


def test_the_environment_overrides_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROSSDOCK_JOBS__THREADS", "3")
    monkeypatch.setenv("CROSSDOCK_CONNECTIONS__SHOP_EU__URL", "https://other.example")
    monkeypatch.setenv("CROSSDOCK_CONNECTIONS__SHOP_EU__EVERY__ORDERS", "1m")
    found = loaded(tmp_path, "[jobs]\nthreads = 5\nlease_s = 30\n" + SHOP)
    assert (found.settings.jobs.threads, found.settings.jobs.lease_s) == (3, 30)
    assert found.configs["shop-eu"].model_dump()["url"] == "https://other.example"
    assert found.settings.connections["shop-eu"].every.orders == 60


def test_a_typo_in_the_environment_is_refused_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CROSSDOCK_JOB__THREADS", "3")
    monkeypatch.setenv("CROSSDOCK_JOBS__THREDS", "3")
    monkeypatch.setenv("CROSSDOCK_SPECS", "not ours to judge: it has no section")
    assert problems(tmp_path, "") == [
        "environment variable CROSSDOCK_JOB__THREADS: unknown section JOB: did you mean JOBS?",
        "environment variable CROSSDOCK_JOBS__THREDS: jobs.threds: unknown key: "
        "did you mean threads?",
    ]


def test_the_store_s_url_may_be_a_secret_but_not_show_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = "postgresql://hub:swordfish@db/hub"
    monkeypatch.setenv("HUB_DB", url)
    found = loaded(tmp_path, '[store]\nurl = "env:HUB_DB"\n')
    assert found.settings.store.url == "postgresql+psycopg://hub:swordfish@db/hub"
    assert found.store_password == "swordfish"
    (told,) = problems(tmp_path, f'[store]\nurl = "{url}"\n')
    assert told.startswith("settings.toml: store.url holds a password: write env:NAME")
    assert "swordfish" not in told


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("mysql://db/hub", "mysql is not supported"),
        ("sqlite://", "the store has to be a file"),
        ("crossdock.db", "not a database URL"),
    ],
)
def test_a_store_that_cannot_work_is_refused(tmp_path: Path, url: str, told: str) -> None:
    (found,) = problems(tmp_path, f'[store]\nurl = "{url}"\n')
    assert found.startswith("settings.toml: store.url: ")
    assert told in found


def test_a_folder_in_the_settings_lies_beside_them(tmp_path: Path) -> None:
    (tmp_path / "drop").mkdir()
    text = '[connections.files]\nconnector = "csvdrop"\nfolder = "drop"\n'
    found = loaded(tmp_path, text)
    assert found.configs["files"].model_dump()["folder"] == tmp_path / "drop"


@pytest.mark.parametrize(
    ("text", "seconds"), [("30s", 30), ("5m", 300), ("1h", 3600), ("2d", 172_800)]
)
def test_durations_are_written_with_a_unit(text: str, seconds: int) -> None:
    assert TypeAdapter(Duration).validate_python(text) == seconds
    assert duration_text(seconds) == text


@pytest.mark.parametrize("text", ["5", "5 minutes", "", "-5m", "1.5h", 5])
def test_a_duration_without_a_unit_is_refused(text: object) -> None:
    with pytest.raises(ValidationError, match="a number and a unit: 30s, 5m, 1h or 1d"):
        TypeAdapter(Duration).validate_python(text)


def test_since_is_midnight_where_the_connection_lives(tmp_path: Path) -> None:
    now = datetime(2026, 11, 2, 23, 30, tzinfo=UTC)
    connections = loaded(tmp_path, SHOP + "since = 2026-07-01\n").settings.connections
    assert connections["shop-eu"].since_at(now) == datetime(2026, 6, 30, 22, tzinfo=UTC)
    text = SHOP + 'since = "2026-07-01T06:00:00+02:00"\n'
    exact = loaded(tmp_path, text).settings.connections
    assert exact["shop-eu"].since_at(now) == datetime(2026, 7, 1, 4, tzinfo=UTC)
    # Half past midnight in Berlin: yesterday began there at 23:00 UTC.
    default = loaded(tmp_path, SHOP).settings.connections
    assert default["shop-eu"].since_at(now) == datetime(2026, 11, 1, 23, tzinfo=UTC)


def test_an_unknown_time_zone_is_refused(tmp_path: Path) -> None:
    (found,) = problems(tmp_path, SHOP.replace("Europe/Berlin", "Berlin"))
    assert found.startswith(
        "settings.toml: connections.shop-eu.timezone: unknown time zone 'Berlin'"
    )


def test_a_missing_settings_file_names_the_command_that_writes_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageProblem, match=r"There is no settings file settings\.toml") as caught:
        find()
    assert "crossdock init" in caught.value.remedy
    (tmp_path / "other.toml").write_text("")
    monkeypatch.setenv("CROSSDOCK_CONFIG", str(tmp_path / "other.toml"))
    assert find() == tmp_path / "other.toml"


def test_the_starter_loads_as_it_is_and_uncommented(tmp_path: Path) -> None:
    written = starter.write(tmp_path, CONNECTORS)
    assert [path.name for path in written] == ["settings.toml", "example.toml"]
    defaults = load(tmp_path / "settings.toml", CONNECTORS).settings
    text = written[0].read_text()
    shown = "\n".join(
        line.removeprefix("# ")
        for line in text.splitlines()
        if (line.startswith("[") or " = " in line) and "(not set)" not in line
    )
    assert tomllib.loads(shown)["jobs"]["every"] == {
        "allocate": "1m",
        "promise": "1m",
        "holds": "5m",
        "prune": "1h",
        "personal": "1d",
    }
    (tmp_path / "settings.toml").write_text(shown)
    assert load(tmp_path / "settings.toml", CONNECTORS).settings == defaults


def test_the_starter_leaves_what_exists(tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text("# mine\n")
    assert [path.name for path in starter.write(tmp_path, CONNECTORS)] == ["example.toml"]
    assert (tmp_path / "settings.toml").read_text() == "# mine\n"


@pytest.mark.parametrize("connector", sorted(CONNECTORS))
def test_the_example_of_every_connector_lacks_only_what_ops_must_fill_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, connector: str
) -> None:
    text = starter.example_file(CONNECTORS)
    start = text.index(f"# [connections.my-{connector}]")
    block = text[start:].split("\n\n")[0]
    lines = [line.removeprefix("# ") for line in block.splitlines()]
    tree = tomllib.loads("\n".join(line for line in lines if not line.startswith("optional:")))
    given = tree["connections"][f"my-{connector}"]
    assert given["connector"] == connector
    for value in given.values():
        if isinstance(value, str) and value.startswith("env:"):
            monkeypatch.setenv(value.removeprefix("env:"), "set by ops")
    (tmp_path / "settings.toml").write_text("\n".join(lines).replace("optional:", "# optional:"))
    try:
        found = list(load(tmp_path / "settings.toml", CONNECTORS).configs)
    except SettingsProblem as unfinished:
        found = unfinished.problems
    assert all("is missing" not in told and "unknown" not in told for told in found)


def test_every_setting_of_a_section_but_locations_says_what_it_means() -> None:
    silent = [
        f"{name}.{key}"
        for name, section in Settings.model_fields.items()
        if hasattr(section.default, "model_dump")
        for key, field in type(section.default).model_fields.items()
        if not field.description
    ]
    assert silent == ["jobs.every", "log.level"]
