"""``make demo``: a day of trade, from a WooCommerce shop and Amazon to the reconciliation file.

Starts the sandbox on loopback, sets up an installation as an operator would, runs the real daemon
as a process of its own until the day is through, and compares what it did with what the sandbox
knows to be true. Ends with 0 when nothing was lost, doubled or left undone.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from sandbox import demo_report, installation
from sandbox.app import Sandbox
from sandbox.clock import ScaledClock
from sandbox.server import serve
from sandbox.world import World

DAY = datetime(2026, 11, 2, 6, tzinfo=UTC)
QUIET_AFTER = timedelta(hours=5, minutes=30)
"""After the last order: the 3PL takes three hours, and the hub looks every fifteen minutes."""


@dataclass(frozen=True)
class Demo:
    """A running demo: the world outside, and the folder of the installation."""

    world: World
    sandbox: Sandbox
    folder: Path
    console: Console

    def crossdock(self, *arguments: str) -> str:
        """Run one command of the product and return what it prints; raises when it fails."""
        done = subprocess.run(
            [*_command(), "--config", str(self.folder / "settings.toml"), *arguments],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise SystemExit(
                f"crossdock {' '.join(arguments)} ended with {done.returncode}:\n"
                f"{done.stdout}{done.stderr}"
            )
        return done.stdout

    def asked(self, *arguments: str) -> Any:
        return json.loads(self.crossdock(*arguments, "--json"))


def _command() -> list[str]:
    return [sys.executable, "-c", "from jobs.cli import main; main()"]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m sandbox.demo", description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("demo"))
    parser.add_argument("--orders-per-channel", type=int, default=60)
    parser.add_argument("--hours", type=float, default=8.0, help="length of the day of trade")
    parser.add_argument("--speed", type=float, default=1500.0, help="sandbox seconds per second")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--keep", action="store_true", help="leave everything running afterwards")
    options = parser.parse_args()
    # Where no terminal says how wide it is (a log), wide enough not to cut a column.
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 130)
    started = time.monotonic()
    if options.folder.exists():
        shutil.rmtree(options.folder)
    options.folder.mkdir(parents=True)
    world = World(
        options.seed,
        ScaledClock(DAY, 0),
        orders_per_channel=options.orders_per_channel,
        day_start=DAY,
        day_hours=options.hours,
    )
    sandbox = Sandbox(world)
    with serve(sandbox, 0) as base_url:
        demo = Demo(world, sandbox, options.folder.resolve(), console)
        set_up(demo, base_url, options.speed)
        with _daemon(demo):
            _trade(demo)
            if options.keep:
                _keep(demo, base_url)
        well = _finish(demo)
    console.print(f"Took {time.monotonic() - started:.0f} seconds.")
    return 0 if well else 1


def set_up(demo: Demo, base_url: str, speed: float) -> None:
    """What the README tells an operator to do; the world's clock starts when it is done."""
    demo.console.print(f"Sandbox on {base_url}; installation in {demo.folder}")
    # The hub reads its clock from the settings: they are written twice, before and after set-up.
    installation.write(demo.folder, base_url, demo.world, _rehearsal(1e-6))
    demo.crossdock("sku", "import", str(demo.folder / "skus.csv"))
    demo.crossdock("stock", "count", "berlin", str(demo.folder / "counts.csv"))
    demo.crossdock("check")
    rehearsal = _rehearsal(speed)
    demo.world.clock.set_speed(speed)
    installation.write(demo.folder, base_url, demo.world, rehearsal)


def _rehearsal(speed: float) -> installation.Rehearsal:
    return installation.Rehearsal(DAY, speed, datetime.now(UTC))


@contextmanager
def _daemon(demo: Demo) -> Iterator[subprocess.Popen[bytes]]:
    """``crossdock run`` as a process of its own; told to stop at the end, and waited for."""
    log = (demo.folder / "crossdock.log").open("wb")
    process = subprocess.Popen(
        [*_command(), "--config", str(demo.folder / "settings.toml"), "run"],
        stdout=log,
        stderr=subprocess.STDOUT,
        # Ctrl-C at the terminal is for the demo: a daemon that got it too would take the demo's
        # SIGTERM for the second signal, which ends it at once.
        start_new_session=True,
    )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)
        log.close()


def _trade(demo: Demo) -> None:
    """Show the day go by until nothing more will happen."""
    begin, end = demo.world.opened, demo.world.day_ends + QUIET_AFTER
    total = (end - begin).total_seconds()
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[told]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=demo.console) as progress:
        task = progress.add_task("06:00", total=total, told="")
        while True:
            now = demo.world.clock.now()
            progress.update(
                task,
                completed=min(total, (now - begin).total_seconds()),
                description=f"{now:%H:%M}",
                told=demo_report.tally(demo.sandbox),
            )
            if now >= end and demo_report.is_quiet(demo.folder / "crossdock.db"):
                return
            if now >= end + timedelta(hours=12):
                raise SystemExit(
                    f"the day does not come to an end: see {demo.folder / 'crossdock.log'}"
                )
            time.sleep(0.25)


def _keep(demo: Demo, base_url: str) -> None:
    demo.console.print(
        f"Still running on {base_url}. Look around, for example:\n"
        f"  crossdock --config {demo.folder / 'settings.toml'} status\n"
        "Ctrl-C ends it."
    )
    try:
        while True:
            time.sleep(1)
    except KeyboardInterrupt:
        demo.console.print("Ending.")


def _finish(demo: Demo) -> bool:
    """Export, audit, and tell; true when everything is as it should be."""
    first = demo.world.opened.date().isoformat()
    last = (demo.world.day_ends + timedelta(days=1)).date().isoformat()
    out = demo.folder / "finance"
    manifest = demo.asked(
        "export", "reconciliation", "--from", first, "--to", last, "--out", str(out)
    )
    facts = demo_report.Facts(
        summary=demo.asked("summary"),
        parked=demo.asked("parked"),
        audit=demo.asked("audit"),
        manifest=manifest,
        store=demo.folder / "crossdock.db",
        out=out,
    )
    demo_report.tell(demo.console, demo.sandbox, facts)
    findings = demo_report.compare(demo.sandbox, facts)
    for finding in findings:
        demo.console.print(f"[red]WRONG[/red] {finding}")
    if not findings:
        demo.console.print(
            "Everything adds up: nothing lost, nothing doubled, nothing left undone."
        )
    return not findings


if __name__ == "__main__":
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    # Being told to end is like Ctrl-C: the daemon must not be left behind.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("Stopped before the end.")
