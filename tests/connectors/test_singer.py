"""Any Singer tap as a source: what it says becomes pages, whatever else it does meanwhile."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tracemalloc
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as trying
from hypothesis import strategies as st

from connectors.base import (
    Connector,
    Page,
    PullsListings,
    PullsOrders,
    PullsStock,
    PushesStock,
)
from connectors.errors import ConfigProblem, Retryable
from connectors.http import Door
from connectors.registry import CONNECTORS
from connectors.singer import Singer
from connectors.singer.settings import SingerConfig
from mappings import Definitions
from tests.connectors.singer_words import (
    FAKE,
    SINCE,
    Built,
    dies,
    found,
    ids,
    running_taps,
    settings,
    taken,
)

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def tap(
    open_door: Callable[..., Door], closing: Callable[[Any], Any], definitions: Definitions
) -> Built:
    """A connector whose tap takes the steps given."""

    def build(*steps: list[Any], **changes: Any) -> Singer:
        config = SingerConfig.model_validate(settings(*steps, **changes))
        made: Singer = closing(Singer(config, open_door(), definitions))
        return made

    return build


def give_up(walk: Iterator[Page]) -> None:
    """What happens to a walk that the engine leaves in the middle."""
    assert isinstance(walk, Generator)
    walk.close()


def ends(pid: int) -> bool:
    """Whether the process ends within seconds."""
    done = subprocess.run(
        ["timeout", "10", "tail", "-f", "/dev/null", f"--pid={pid}", "-s", "0.05"], check=False
    )
    return done.returncode == 0


# ---- what it can do ----------------------------------------------------------------------------


def test_it_reads_what_its_settings_describe_and_nothing_else(tap: Built) -> None:
    assert CONNECTORS["singer"] is Singer
    orders = tap()
    assert isinstance(orders, (Connector, PullsOrders))
    assert not isinstance(orders, (PullsListings, PullsStock, PushesStock))
    assert orders.info.definitions == {"orders": "woocommerce.orders"}
    both = {
        name: {"stream": name, "definition": f"woocommerce.{name}"}
        for name in ("orders", "listings")
    }
    assert isinstance(tap(streams=both), PullsListings)


def test_definitions_that_map_something_else_are_named(tap: Built) -> None:
    wrong = {
        "orders": {"stream": "orders", "definition": "woocommerce.listings"},
        "listings": {"stream": "items", "definition": "no.such"},
    }
    with pytest.raises(ConfigProblem, match=r"streams.orders.*Listing.*Order.*'no.such'"):
        tap(streams=wrong)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"streams": {}}, "at least one of"),
        ({"secrets": {"steps": "x"}}, "'steps' is set in `config` already"),
        ({"since_key": "key", "secrets": {"key": "x"}}, "a time is no secret"),
        ({"command": []}, "at least 1"),
        ({"comand": ["tap"]}, "Extra inputs"),
    ],
)
def test_settings_that_cannot_work_are_refused(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        SingerConfig.model_validate(settings(**changes))


# ---- pages, states, cursors --------------------------------------------------------------------


def test_records_come_in_pages_each_with_the_last_state_before_its_end(tap: Built) -> None:
    steps = [
        ["records", 1, 3],
        ["state", {"row": 3}],
        ["records", 4, 5],
        ["state", {"row": 5}],
        ["records", 6, 6],
    ]
    pages = list(tap(*steps, page_size=4).pull_orders(None, SINCE))
    assert [ids([page]) for page in pages] == [["1", "2", "3", "4"], ["5", "6"]]
    assert [json.loads(page.cursor["state"]) for page in pages] == [{"row": 3}, {"row": 5}]
    assert {page.cursor["since"] for page in pages} == {"2026-11-01T00:00:00Z"}


def test_a_page_without_a_new_state_keeps_the_earlier_cursor(tap: Built) -> None:
    before = {"v": 1, "since": "2026-10-01T00:00:00Z", "state": '{"row": 9}'}
    pages = list(tap(["records", 10, 12], page_size=2).pull_orders(before, SINCE))
    assert [page.cursor for page in pages] == [before, before]
    (none,) = tap().pull_orders(None, SINCE)
    assert none.cursor == {"v": 1, "since": "2026-11-01T00:00:00Z"}


def test_a_state_before_any_record_and_one_said_twice_are_harmless(tap: Built) -> None:
    steps = [["state", {"row": 0}], ["state", {"row": 0}], ["records", 1, 2], ["state", {"row": 2}]]
    (page,) = tap(*steps).pull_orders(None, SINCE)
    assert (ids([page]), page.cursor["state"]) == (["1", "2"], '{"row": 2}')


def test_a_state_alone_is_a_page_of_nothing_and_moves_the_cursor(tap: Built) -> None:
    (page,) = tap(["state", {"row": 7}]).pull_orders(None, SINCE)
    assert (page.records, page.cursor["state"]) == ([], '{"row": 7}')


def test_text_and_state_are_passed_on_to_the_digit(tap: Built) -> None:
    text = '{"id": 1, "price": 0.12345678901234567890123, "big": 123456789012345678901234567890}'
    state = '{"at": 1.10000000000000000000001}'
    steps = [
        ["say", f'{{"type": "RECORD", "stream": "orders", "record": {text}, "version": 1}}'],
        ["say", f'{{"type": "STATE", "value": {state}}}'],
    ]
    (page,) = tap(*steps).pull_orders(None, SINCE)
    assert page.records[0].text.decode() == text
    assert page.cursor["state"] == state


def test_the_tap_gets_its_settings_state_and_secrets_in_files_only_we_can_read(
    tap: Built, tmp_path: Path
) -> None:
    file = tmp_path / "tap.json"
    file.write_text('{"region": "eu", "auth": {"user": "me"}, "start_date": "1999-01-01"}')
    reading = tap(
        ["show", "options"],
        config_file=file,
        config={"region": "us"},
        secrets={"auth.key": "s3cret-key", "token": "t0ken-value"},
        since_key="start_date",
        discover=True,
    )
    before = {"v": 1, "since": "2026-10-01T00:00:00Z", "state": '{"row": 9}'}
    (page,) = reading.pull_orders(before, SINCE)
    seen = page.records[0].body
    assert seen["settings"]["auth"] == {"user": "me", "key": "s3cret-key"}
    assert seen["settings"] | {"steps": 0, "auth": 0} == {
        "steps": 0,
        "auth": 0,
        "region": "us",
        "token": "t0ken-value",
        "start_date": "2026-10-01T00:00:00Z",
    }
    assert seen["state"] == {"row": 9}
    assert set(seen["files"].values()) == {0o600}
    assert len(seen["files"]) == 3
    assert not any(Path(path).parent.exists() for path in seen["files"])
    selected = {one["stream"]: one for one in seen["catalog"]["streams"]}
    assert {name: one["selected"] for name, one in selected.items()} == {
        "orders": True,
        "customers": False,
        "items": False,
    }
    fields = {tuple(row["breadcrumb"]): row["metadata"] for row in selected["orders"]["metadata"]}
    assert fields[()]["selected"]
    assert fields["properties", "name"]["selected"]


def test_the_tap_sees_nothing_of_our_environment_but_what_is_named(
    tap: Built, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CROSSDOCK_OTHER_SECRET", "not for taps")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy")
    reading = tap(["show", "environment"], environment=("HTTPS_PROXY", "NOT_SET"))
    (page,) = reading.pull_orders(None, SINCE)
    seen = page.records[0].body["environment"]
    ours = {"PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "HOME", "HTTPS_PROXY"}
    assert set(seen) <= ours
    assert seen["HTTPS_PROXY"] == "http://proxy"
    assert seen["HOME"] != os.environ.get("HOME")


def test_ids_are_the_key_of_the_stream_or_what_the_settings_say(tap: Built) -> None:
    named = {"orders": {"stream": "orders", "definition": "woocommerce.orders", "id": "name"}}
    assert ids(list(tap(["records", 1, 1]).pull_orders(None, SINCE))) == ["1"]
    two = tap(["records", 1, 1], config={"key": ["id", "name"]})
    assert ids(list(two.pull_orders(None, SINCE))) == ["1/row 1"]
    own = tap(["records", 1, 1], streams=named, config={"schema": False})
    assert ids(list(own.pull_orders(None, SINCE))) == ["row 1"]


def test_listings_are_read_whole_every_time(tap: Built) -> None:
    items = {"stream": "orders", "definition": "woocommerce.listings"}
    reading = tap(
        ["rows", 5, 2, 0], streams={"listings": items}, page_size=2, since_key="start_date"
    )
    assert isinstance(reading, PullsListings)
    for _ in range(2):
        pages = list(reading.pull_listings())
        assert ids(pages) == ["1", "2", "3", "4", "5"]
        assert [page.cursor for page in pages] == [{}] * len(pages)


# ---- a tap that dies and one that is cut off ---------------------------------------------------


@trying(
    max_examples=8,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    last=st.integers(0, 12),
    every=st.integers(1, 5),
    cut=st.integers(1, 6),
    size=st.integers(1, 4),
    stored=st.integers(0, 4),
)
def test_however_it_dies_and_wherever_we_stop_no_record_is_lost(
    tap: Built, last: int, every: int, cut: int, size: int, stored: int
) -> None:
    """Pages are taken in order; ours dies after ``stored`` of them, once, and goes on."""
    dying = tap(["rows", last, every, max(cut, every)], page_size=size)
    got: list[str] = []
    cursor = None
    for page in list(taken(dying)[0])[:stored]:
        got += ids([page])
        cursor = page.cursor
    for _ in range(30):
        pages, trouble = taken(dying, cursor)
        got += ids(pages)
        cursor = pages[-1].cursor if pages else cursor
        if trouble is None:
            break
        assert isinstance(trouble, Retryable)
    assert trouble is None
    assert set(got) == {str(number) for number in range(1, last + 1)}
    assert cursor is not None
    assert json.loads(cursor["state"]) == {"row": last}


def test_what_came_before_a_bad_end_is_kept_with_its_state_and_the_end_is_told(tap: Built) -> None:
    steps = [
        ["records", 1, 2],
        ["state", {"row": 2}],
        ["records", 3, 3],
        ["stderr", "INFO reading", 3],
        ["stderr", "CRITICAL 401 for key s3cret-key", 1],
        ["exit", 1],
    ]
    pages, trouble = taken(tap(*steps, secrets={"password": "s3cret-key"}))
    assert ids(pages) == ["1", "2", "3"]
    assert pages[-1].cursor["state"] == '{"row": 2}'
    assert isinstance(trouble, Retryable)
    assert "exit code 1: INFO reading" in str(trouble)
    assert "CRITICAL 401 for key ***" in str(trouble)


def test_wrong_arguments_are_a_matter_of_configuration(tap: Built) -> None:
    pages, trouble = taken(tap(command=(*FAKE, "--no-such-option")))
    assert pages == []
    assert isinstance(trouble, ConfigProblem)
    assert "exit code 2" in str(trouble)
    assert "unrecognized arguments: --no-such-option" in str(trouble)


@pytest.mark.parametrize(
    ("steps", "told"),
    [
        ([["say", "Hello!"]], "no Singer message: 'Hello!'"),
        ([["say", '{"type": "RECORD", "stre']], "no Singer message"),
        ([["say", '{"rows": []}']], "no Singer message"),
        ([["say", '{"type": "BATCH", "stream": "orders"}']], "'BATCH' messages"),
        ([["say", '{"type": "RECORD", "stream": "orders", "record": {"x": 1}}']], "has no id"),
        ([["say", "x" * 9000]], "more than 4096 bytes"),
        ([["raw", "x" * 900_000], ["wait"]], "more than 4096 bytes"),
    ],
)
def test_what_is_no_singer_message_is_told_and_what_came_before_it_is_kept(
    tap: Built, steps: list[Any], told: str
) -> None:
    pages, trouble = taken(tap(["records", 1, 2], *steps, max_record_bytes=4096))
    assert ids(pages) == ["1", "2"]
    assert isinstance(trouble, ConfigProblem)
    assert told in str(trouble)
    assert len(str(trouble)) < 400


def test_half_a_line_at_the_end_of_a_dying_tap_is_its_death_and_no_nonsense(tap: Built) -> None:
    dying = [["records", 1, 1], ["raw", '{"type": "RECORD", "stre'], ["exit", 3]]
    pages, trouble = taken(tap(*dying))
    assert ids(pages) == ["1"]
    assert isinstance(trouble, Retryable)
    assert "exit code 3" in str(trouble)


def test_a_last_line_without_its_end_counts(tap: Built) -> None:
    line = '{"type": "RECORD", "stream": "orders", "record": {"id": 2}}'
    assert ids(taken(tap(["records", 1, 1], ["raw", line]))[0]) == ["1", "2"]


def test_a_record_that_is_none_is_told(tap: Built) -> None:
    line = '{"type": "RECORD", "stream": "orders", "record": [1]}'
    _, trouble = taken(tap(["say", line]))
    assert "RECORD that is no object" in str(trouble)


def test_a_stream_without_a_key_needs_an_id(tap: Built) -> None:
    _, trouble = taken(tap(["records", 1, 1], config={"key": []}))
    assert isinstance(trouble, ConfigProblem)
    assert "say with `id`" in str(trouble)


def test_other_streams_are_passed_over_but_must_not_be_all_there_is(tap: Built) -> None:
    other = ["say", '{"type": "RECORD", "stream": "customers", "record": {"id": 1}}']
    whole = ["say", '{"type": "ACTIVATE_VERSION", "stream": "orders", "version": 1}']
    assert ids(taken(tap(other, whole, ["records", 7, 7]))[0]) == ["7"]
    _, trouble = taken(tap(other, config={"schema": False}))
    assert isinstance(trouble, ConfigProblem)
    assert "never spoke of stream 'orders', but of customers" in str(trouble)


# ---- bounds ------------------------------------------------------------------------------------


def test_a_flood_on_stderr_stops_nothing_and_is_not_kept(tap: Built) -> None:
    flood = [["stderr", "x" * 5000, 400], ["records", 1, 3], ["stderr", "y" * 5000, 400]]
    pages, trouble = taken(tap(*flood, ["exit", 1]))
    assert ids(pages) == ["1", "2", "3"]
    assert len(str(trouble)) < 1200


def test_an_endless_tap_is_ended_after_what_one_run_takes(tap: Built) -> None:
    pages, trouble = taken(tap(["endless"], max_records=1000, page_size=300))
    assert [len(page.records) for page in pages] == [300, 300, 300, 101]
    assert isinstance(trouble, Retryable)
    assert "1001 records" in str(trouble)
    pages, trouble = taken(tap(["endless"], max_bytes=2048))
    assert sum(len(record.text) for page in pages for record in page.records) < 2100
    assert isinstance(trouble, Retryable)


def test_more_than_a_page_is_never_held(tap: Built) -> None:
    """A page of records this heavy would be 250 MB."""
    reading = tap(["heavy", 100, 500_000], page_size=500)
    tracemalloc.start()
    try:
        sizes = [
            sum(len(r.text) for r in page.records) for page in reading.pull_orders(None, SINCE)
        ]
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert sum(sizes) > 50_000_000
    assert max(sizes) < 9_000_000
    assert peak < 30_000_000


def test_a_tap_that_never_says_anything_is_ended_at_its_deadline(tap: Built) -> None:
    pages, trouble = taken(tap(["records", 1, 2], ["deaf"], ["wait"], deadline_s=2, grace_s=0.2))
    assert ids(pages) == ["1", "2"]
    assert isinstance(trouble, Retryable)
    assert "still running after 2 s" in str(trouble)


def test_a_silent_tap_lets_the_engine_look_up(tap: Built, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectors.singer.connector.PAGE_S", 0.05)
    walk = tap(["records", 1, 1], ["wait"]).pull_orders(None, SINCE)
    pages: list[Page] = []
    while ids(pages) == [] or pages[-1].records:
        pages.append(next(walk))
    give_up(walk)
    assert ids(pages) == ["1"]


@pytest.mark.parametrize("deaf", [[], [["deaf"]]])
def test_a_walk_that_is_given_up_leaves_no_process_behind(
    tap: Built, tmp_path: Path, deaf: list[Any]
) -> None:
    steps = [*deaf, ["show", "options"], ["child"], ["records", 1, 5], ["wait"]]
    walk = tap(*steps, page_size=2, folder=tmp_path, grace_s=0.2).pull_orders(None, SINCE)
    page = next(walk)
    (pid,) = running_taps()
    group = found("-g", str(pid))
    assert len(group) == 2, "the tap, and what it has started"
    give_up(walk)
    assert all(dies(one) for one in group)
    files = page.records[0].body["files"]
    assert not any(Path(path).exists() for path in files)


def test_closing_the_connector_ends_what_another_thread_reads(tap: Built) -> None:
    reading = tap(["records", 1, 2], ["deaf"], ["wait"], page_size=2)
    walk = reading.pull_orders(None, SINCE)
    next(walk)
    reading.close()
    with pytest.raises(Retryable, match="SIGKILL"):
        list(walk)
    assert running_taps() == []


def test_a_tap_that_hangs_up_and_stays_is_ended(tap: Built) -> None:
    pages, trouble = taken(tap(["records", 1, 1], ["hang up"], ["wait"], grace_s=0.2))
    assert ids(pages) == ["1"]
    assert "closed its output and did not end" in str(trouble)


def test_a_tap_dies_with_us(tmp_path: Path) -> None:
    """Also one that writes nothing, which no closed pipe would tell."""
    text = f"""
import json, random, sys
sys.path.insert(0, {str(REPOSITORY)!r})
from connectors.http import Door
from connectors.singer import Singer
from connectors.singer.settings import SingerConfig
from mappings import Definitions
config = SingerConfig.model_validate(json.loads({json.dumps(json.dumps(_deaf()))}))
walk = Singer(config, Door("x", None, None), Definitions.load()).pull_orders(None, __import__(
    "datetime").datetime(2026, 11, 1, tzinfo=__import__("datetime").UTC))
page = next(walk)
print(page.records[0].external_id, flush=True)
next(walk)
"""
    ours = subprocess.Popen([sys.executable, "-c", text], stdout=subprocess.PIPE, cwd=tmp_path)
    assert ours.stdout is not None
    assert ours.stdout.readline() == b"1\n"
    (pid,) = running_taps(ours.pid)
    ours.send_signal(signal.SIGKILL)
    ours.wait()
    ours.stdout.close()
    assert ends(pid)


def _deaf() -> dict[str, Any]:
    return settings(["records", 1, 1], ["deaf"], ["wait"], page_size=1)
