"""Which of a tap's streams is read, and what is told when there is no such tap or stream."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from connectors.errors import ConfigProblem, Retryable
from connectors.http import Door
from connectors.singer import Singer
from connectors.singer.settings import SingerConfig
from mappings import Definitions
from tests.connectors.singer_words import FAKE, SINCE, Built, settings, taken

ROOT: tuple[str, ...] = ()


@pytest.fixture
def tap(
    open_door: Callable[..., Door], closing: Callable[[Any], Any], definitions: Definitions
) -> Built:
    """A connector whose tap shows what it was given, and is asked what it has."""

    def build(*steps: list[Any], **changes: Any) -> Singer:
        given = settings(*(steps or (["show", "options"],)), **{"discover": True, **changes})
        config = SingerConfig.model_validate(given)
        made: Singer = closing(Singer(config, open_door(), definitions))
        return made

    return build


def stream(name: str, **more: Any) -> dict[str, Any]:
    return {"orders": {"stream": name, "definition": "woocommerce.orders", **more}}


def seen(reading: Singer) -> dict[str, Any]:
    """What the tap was started with."""
    (page,) = reading.pull_orders(None, SINCE)
    return dict(page.records[0].body)


def chosen(catalog: Any) -> dict[str, dict[tuple[str, ...], Any]]:
    """The metadata of every stream, by where it stands."""
    return {
        one["stream"]: {tuple(row["breadcrumb"]): row["metadata"] for row in one["metadata"]}
        for one in catalog["streams"]
    }


# ---- what is selected --------------------------------------------------------------------------


def test_the_stream_and_its_fields_are_selected_in_every_way_taps_know(tap: Built) -> None:
    catalog = seen(tap())["catalog"]
    for one in catalog["streams"]:
        wanted = one["stream"] == "orders"
        assert one["selected"] is one["schema"]["selected"] is wanted
        assert chosen(catalog)[one["stream"]][ROOT]["selected"] is wanted
    fields = chosen(catalog)["orders"]
    assert all(fields["properties", name]["selected"] for name in ("id", "name"))
    assert "selected" not in chosen(catalog)["items"]["properties", "name"]


def test_the_column_to_read_on_from_may_be_said(tap: Built) -> None:
    root = chosen(seen(tap(streams=stream("orders", replication_key="at")))["catalog"])
    assert root["orders"][ROOT]["replication-key"] == "at"
    assert root["orders"][ROOT]["replication-method"] == "INCREMENTAL"
    assert "replication-key" not in root["items"][ROOT]


def test_a_catalog_of_ones_own_keeps_its_choice_of_fields(tap: Built, tmp_path: Path) -> None:
    file = tmp_path / "catalog.json"
    left_out = {"breadcrumb": ["properties", "secret"], "metadata": {"selected": False}}
    mine = {"stream": "orders", "tap_stream_id": "public-orders", "metadata": [left_out]}
    file.write_text(json.dumps({"streams": [mine, {"stream": "items"}]}))
    for name in ("orders", "public-orders"):
        catalog = seen(tap(catalog=file, streams=stream(name)))["catalog"]
        assert chosen(catalog)["orders"] == {
            ("properties", "secret"): {"selected": False},
            ROOT: {"selected": True},
        }
        assert chosen(catalog)["items"] == {ROOT: {"selected": False}}


def test_a_tap_without_discovery_gets_no_catalog(tap: Built) -> None:
    assert seen(tap(discover=False))["catalog"] is None


def test_where_everything_is_read_the_tap_still_gets_a_beginning(tap: Built) -> None:
    listings = {"listings": {"stream": "orders", "definition": "woocommerce.listings"}}
    (page,) = tap(streams=listings, since_key="start_date").pull_listings()
    assert page.records[0].body["settings"]["start_date"] == "1970-01-01T00:00:00Z"
    own = {"start_date": "2020-01-01"}
    (page,) = tap(streams=listings, since_key="start_date", config=own).pull_listings()
    assert page.records[0].body["settings"]["start_date"] == "2020-01-01"


# ---- check, and what is told -------------------------------------------------------------------


def test_check_has_the_tap_list_its_streams(tap: Built) -> None:
    found = [(f.subject, f.ok, f.detail) for f in tap().check()]
    assert found == [
        ("tap", True, "lists 3 streams"),
        ("orders", True, "are the tap's stream 'orders'"),
    ]
    (silent,) = tap(discover=False).check()
    assert "nothing was asked" in silent.detail


@pytest.mark.parametrize(
    ("name", "told"),
    [("order", "did you mean 'orders'"), ("zzz", "it has customers, items, orders")],
)
def test_a_stream_that_is_not_there_is_told_with_what_is(tap: Built, name: str, told: str) -> None:
    for ask in (lambda one: one.check(), seen):
        with pytest.raises(ConfigProblem, match=told):
            ask(tap(streams=stream(name)))


@pytest.mark.parametrize(("code", "asked"), [(0, 1), (1, 2)])
def test_what_was_discovered_is_asked_for_again_only_after_trouble(
    tap: Built, tmp_path: Path, code: int, asked: int
) -> None:
    count = tmp_path / "count"
    reading = tap(["records", 1, 1], ["exit", code], config={"asked": str(count)})
    for _ in range(2):
        _, trouble = taken(reading)
        assert (trouble is not None) == bool(code)
    assert count.read_text().count("discover") == asked


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Usage: tap", "is no JSON"),
        ("[]", "no list of streams"),
        ('{"streams": {}}', "no list of streams"),
        ('{"streams": [{"name": "orders"}]}', "no list of streams"),
    ],
)
def test_a_catalog_that_is_none_is_told(tap: Built, tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "catalog.json"
    file.write_text(text)
    with pytest.raises(ConfigProblem, match=told):
        tap(catalog=file).check()
    with pytest.raises(ConfigProblem, match="cannot be read"):
        tap(catalog=tmp_path / "gone.json").check()


def test_a_discovery_that_fails_is_told_by_the_tap_s_last_words(tap: Built) -> None:
    broken = {"broken": True, "schema": False}
    with pytest.raises(Retryable, match="exit code 1: no access"):
        tap(["stderr", "no access", 1], ["exit", 1], config=broken).check()


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (["no-such-tap-anywhere"], "no program 'no-such-tap-anywhere'"),
        (["/opt/nothing/tap"], "no file /opt/nothing/tap"),
        (["bin/tap"], "write the full path of 'bin/tap'"),
    ],
)
def test_a_tap_that_is_not_there_is_told(tap: Built, command: list[str], told: str) -> None:
    with pytest.raises(ConfigProblem, match=told):
        tap(command=command).check()


def test_a_program_that_the_system_cannot_run_is_told(tap: Built, tmp_path: Path) -> None:
    program = tmp_path / "tap"
    program.write_text("#!/no/such/python\n")
    program.chmod(0o600)
    with pytest.raises(ConfigProblem, match="tap is not executable"):
        tap(command=["./tap"], folder=tmp_path).check()
    program.chmod(0o700)
    with pytest.raises(ConfigProblem, match=r"exit code 126: .*No such file"):
        tap(command=["./tap"], folder=tmp_path).check()
    with pytest.raises(ConfigProblem, match="cannot be started in"):
        tap(folder=tmp_path / "gone", command=FAKE).check()


@pytest.mark.parametrize(
    ("text", "told"), [("", "not valid JSON"), ("[1]", "must hold an object"), (None, "be read")]
)
def test_a_settings_file_that_is_none_is_told(
    tap: Built, tmp_path: Path, text: str | None, told: str
) -> None:
    file = tmp_path / "tap.json"
    if text is not None:
        file.write_text(text)
    with pytest.raises(ConfigProblem, match=f"config_file: .*{told}"):
        tap(config_file=file).check()


def test_a_secret_cannot_stand_below_what_is_no_table(tap: Built) -> None:
    with pytest.raises(ConfigProblem, match="'steps' in the tap's settings is no table"):
        tap(secrets={"steps.key": "x"}).check()
