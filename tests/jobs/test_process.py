"""The real process: one per store, drained by SIGTERM, back at work soon after kill -9."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from state import migrate
from state.store import Store

COMMAND = [sys.executable, "-c", "from jobs.cli import main; main()"]
REPOSITORY = Path(__file__).parents[2]


class SlowShop:
    """A WooCommerce without orders, which can be told to leave callers waiting."""

    def __init__(self) -> None:
        self.asked = threading.Semaphore(0)
        self.open = threading.Event()
        self.open.set()
        shop = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                shop.asked.release()
                shop.open.wait(30)
                try:
                    self.send_response(200)
                    for name, value in (
                        ("Content-Type", "application/json"),
                        ("Content-Length", "2"),
                        ("X-WP-Total", "0"),
                        ("X-WP-TotalPages", "0"),
                    ):
                        self.send_header(name, value)
                    self.end_headers()
                    self.wfile.write(b"[]")
                except OSError:
                    self.close_connection = True  # the caller was killed while it waited

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                """Silence."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self.open.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class Installation:
    """A folder with settings, and the ``crossdock`` processes in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.daemons: list[subprocess.Popen[str]] = []
        self._env = {
            **{name: v for name, v in os.environ.items() if not name.startswith("CROSSDOCK_")},
            "PYTHONPATH": str(REPOSITORY),
            "SHOP_KEY": "ck_0123456789abcdef",
        }

    def setting(self, section: str, line: str) -> None:
        settings = self.folder / "settings.toml"
        settings.write_text(settings.read_text() + f"\n[{section}]\n{line}\n")

    def crossdock(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(
            [*COMMAND, *arguments],
            cwd=self.folder,
            env=self._env,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def start(self) -> subprocess.Popen[str]:
        """Start the daemon; it is at work when its log says so."""
        daemon = subprocess.Popen(
            [*COMMAND, "run"],
            cwd=self.folder,
            env=self._env,
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
        )
        self.daemons.append(daemon)
        assert daemon.stderr is not None
        first = json.loads(daemon.stderr.readline())
        assert first["event"] == "started", first
        return daemon

    def stream(self, key: str) -> Any:
        store = Store(f"sqlite:///{self.folder / 'crossdock.db'}")
        with store.read() as conn:
            found = conn.exec_driver_sql("SELECT * FROM stream WHERE key = ?", (key,)).one()
        store.close()
        return found


def ended(daemon: subprocess.Popen[str]) -> tuple[int, list[dict[str, Any]]]:
    """Wait for the daemon's end; its exit code and what it logged since ``started``."""
    code, log = last_words(daemon)
    return code, [json.loads(line) for line in log]


def last_words(daemon: subprocess.Popen[str]) -> tuple[int, list[str]]:
    """The same, with what it says to people."""
    _, log = daemon.communicate(timeout=30)
    return daemon.returncode, log.splitlines()


@pytest.fixture
def shop() -> Iterator[SlowShop]:
    made = SlowShop()
    yield made
    made.close()


@pytest.fixture
def installation(tmp_path: Path, shop: SlowShop) -> Iterator[Installation]:
    (tmp_path / "settings.toml").write_text(f"""
[jobs]
drain_s = 15
[connections.shop]
connector = "woocommerce"
url = "{shop.url}"
consumer_key = "env:SHOP_KEY"
consumer_secret = "env:SHOP_KEY"
every = {{ orders = "1h", listings = "1h" }}
""")
    made = Installation(tmp_path)
    yield made
    for daemon in made.daemons:
        if daemon.poll() is None:
            daemon.kill()
        daemon.communicate()


def test_a_second_daemon_is_refused_by_name_and_other_commands_work_beside_it(
    installation: Installation,
) -> None:
    daemon = installation.start()
    second = installation.crossdock("run")
    assert second.returncode == 1
    assert f"Crossdock already runs on this store, as process {daemon.pid}" in second.stderr
    assert "Stop that one first" in second.stderr
    assert "Traceback" not in second.stderr
    assert daemon.poll() is None
    once = installation.crossdock("once", "pull-orders", "shop", "--json")
    assert once.returncode == 0, once.stderr
    assert json.loads(once.stdout)[0]["result"] == "ok"
    status = installation.crossdock("status", "--json")
    streams = {row["stream"]: row for row in json.loads(status.stdout)}
    assert streams["pull-orders:shop"]["state"] == "well"
    assert streams["pull-orders:shop"]["trigger"] == "once"


@pytest.mark.parametrize("store_url", ["postgresql"], indirect=True)
def test_two_daemons_share_a_postgresql_store(
    installation: Installation, shop: SlowShop, store_url: str
) -> None:
    store = Store(store_url)
    with store.write() as conn:
        # The fixture's tables were made without steps; the daemons are to set the store up.
        conn.exec_driver_sql("DROP SCHEMA public CASCADE")
        conn.exec_driver_sql("CREATE SCHEMA public")
    store.close()
    installation.setting("store", f'url = "{store_url}"')
    daemons = [installation.start(), installation.start()]
    assert shop.asked.acquire(timeout=10)
    assert shop.asked.acquire(timeout=10)
    for daemon in daemons:
        daemon.send_signal(signal.SIGTERM)
    assert [ended(daemon)[0] for daemon in daemons] == [0, 0]
    # Orders and listings once each: the second daemon found both taken.
    assert not shop.asked.acquire(timeout=0.1)


def test_sigterm_during_a_call_waits_for_it(installation: Installation, shop: SlowShop) -> None:
    shop.open.clear()
    daemon = installation.start()
    assert shop.asked.acquire(timeout=10)
    daemon.send_signal(signal.SIGTERM)
    time.sleep(0.5)
    assert daemon.poll() is None
    shop.open.set()
    assert ended(daemon)[0] == 0
    assert installation.stream("pull-orders:shop").lease_until is None


def test_a_call_that_outlasts_the_grace_is_left_behind_and_said(
    installation: Installation, shop: SlowShop
) -> None:
    settings = installation.folder / "settings.toml"
    settings.write_text(settings.read_text().replace("drain_s = 15", "drain_s = 0.2"))
    shop.open.clear()
    daemon = installation.start()
    assert shop.asked.acquire(timeout=10)
    daemon.send_signal(signal.SIGTERM)
    code, log = ended(daemon)
    assert code == 1
    assert "pull-orders:shop" in log[-1]["streams"]


def test_after_kill_9_a_restart_is_back_at_work_within_three_seconds(
    installation: Installation, shop: SlowShop
) -> None:
    start_up = timed(lambda: installation.crossdock("--version"))
    shop.open.clear()
    daemon = installation.start()
    # Orders and listings: both are in the middle of a call.
    assert shop.asked.acquire(timeout=10)
    assert shop.asked.acquire(timeout=10)
    daemon.kill()
    daemon.wait()
    held = installation.stream("pull-orders:shop")
    assert held.lease_until is not None
    shop.open.set()

    def restart() -> None:
        installation.start()
        for _ in range(2):
            assert shop.asked.acquire(timeout=30)

    # Importing Python is not ours to answer for, and this machine may be busy: then all takes as
    # many times longer as it takes to say a version (half a second where nothing else runs).
    assert timed(restart) < start_up + 3 * max(1.0, start_up / 0.5)
    assert installation.stream("pull-orders:shop").fence == held.fence + 1


def test_a_second_ctrl_c_ends_at_once(installation: Installation, shop: SlowShop) -> None:
    shop.open.clear()
    daemon = installation.start()
    assert shop.asked.acquire(timeout=10)
    daemon.send_signal(signal.SIGINT)
    assert daemon.stderr is not None
    assert any("stopping" in line for line in daemon.stderr)
    # Between the log line and the first moment at which a second signal counts.
    assert timed(lambda: _interrupt_until_dead(daemon)) < 5
    assert daemon.returncode == -signal.SIGINT


def _interrupt_until_dead(daemon: subprocess.Popen[str]) -> None:
    while daemon.poll() is None:
        daemon.send_signal(signal.SIGINT)
        time.sleep(0.05)


def timed(work: Callable[[], object]) -> float:
    started = time.monotonic()
    work()
    return time.monotonic() - started


def test_sigterm_ends_an_idle_daemon_with_zero_and_json_logs_without_secrets(
    installation: Installation, shop: SlowShop
) -> None:
    installation.setting("log", 'level = "debug"')
    daemon = installation.start()
    assert shop.asked.acquire(timeout=10)
    daemon.send_signal(signal.SIGTERM)
    code, log = ended(daemon)
    assert code == 0
    assert [line["event"] for line in log if "stream" not in line] == ["stopping", "stopped"]
    runs = [line for line in log if "stream" in line]
    assert runs
    assert all({"counts", "calls", "level", "timestamp"} <= set(line) for line in runs)
    assert "ck_0123456789abcdef" not in json.dumps(log)


def test_the_daemon_refuses_the_store_of_a_newer_version_in_a_sentence(
    installation: Installation,
) -> None:
    store = Store(f"sqlite:///{installation.folder / 'crossdock.db'}")
    migrate.upgrade(store)
    with store.write() as conn:
        conn.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    store.close()
    done = installation.crossdock("run")
    assert done.returncode == 1
    assert done.stderr.startswith("Error: The store was last used by a newer Crossdock")
    assert "Traceback" not in done.stderr


def test_a_store_in_a_folder_that_is_missing_is_told_before_anything_is_locked(
    installation: Installation,
) -> None:
    url = f"sqlite:///{installation.folder}/no/where/crossdock.db"
    installation._env["CROSSDOCK_STORE__URL"] = url
    done = installation.crossdock("run")
    assert done.returncode == 1
    assert "where/crossdock.db.lock cannot be written" in done.stderr
    assert "See that the folder of [store] url exists" in done.stderr
    assert "bug" not in done.stderr


def broken_store(installation: Installation, damage: Callable[[bytearray], None]) -> bytes:
    """A store that was set up and closed, and then damaged; its bytes."""
    path = installation.folder / "crossdock.db"
    with closing(Store(f"sqlite:///{path}")) as store:
        migrate.upgrade(store)
    content = bytearray(path.read_bytes())
    damage(content)
    path.write_bytes(content)
    return bytes(content)


def test_fault_row_86_a_truncated_store_is_refused_and_left_as_it_is(
    installation: Installation,
) -> None:
    def truncate(content: bytearray) -> None:
        del content[len(content) // 2 :]

    content = broken_store(installation, truncate)
    for command in ("run", "status"):
        done = installation.crossdock(command)
        assert done.returncode == 1
        assert "is damaged" in done.stderr
        assert "restore the last backup" in done.stderr
    assert (installation.folder / "crossdock.db").read_bytes() == content


def test_fault_row_86_a_broken_page_ends_the_daemon_which_says_what_to_do(
    installation: Installation, shop: SlowShop
) -> None:
    def spoil(content: bytearray) -> None:
        path = installation.folder / "crossdock.db"
        with closing(sqlite3.connect(path)) as db:
            query = "SELECT rootpage FROM sqlite_master WHERE type = 'table' AND name = 'run'"
            [page] = db.execute(query).fetchone()
        size = int.from_bytes(content[16:18], "big")
        content[(page - 1) * size : page * size] = b"\x5a" * size

    broken_store(installation, spoil)
    daemon = installation.start()
    code, log = last_words(daemon)
    assert code == 1
    assert any("is damaged" in line and line.startswith("Error: ") for line in log), log
