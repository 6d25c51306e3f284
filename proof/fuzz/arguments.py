"""What is typed after ``crossdock``: every command, with arguments that nobody should type."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import click
from click.testing import CliRunner, Result

from jobs.cli import cli
from proof.fuzz.evil import TEXTS
from proof.fuzz.judge import Case, Unsound
from sandbox import installation
from sandbox.clock import ManualClock
from sandbox.world import World

_WRITES = ("init", "export")
"""Commands that write to wherever they are told: they are told nothing but to show their help."""
_ENDLESS = ("run", "simulate")
"""Commands that go on for long: they get an option that they do not have."""

_FILES = (
    "skus.csv",
    "counts.csv",
    "settings.toml",
    "nowhere.csv",
    ".",
    "no/such.csv",
    "x\u202e",
    "-",
)
"""What a file is named. A command may write where it is told, and whoever runs this must not lose
a file: no word leads out of the folder that is made for it."""

_WORDS = (
    # No system passes a NUL on to a program.
    *(text for text in TEXTS if not {"\x00", "/"} & set(text) and ".." not in text),
    *(
        "shop-eu",
        "amazon-eu",
        "berlin",
        "bob",
        "TEE-OLIVE-S",
        "1",
        "-1",
        "0",
        "1e9",
        "999999999999",
    ),
    *("9" * 30, "2026-11-01", "2026-02-30", "0001-01-01", "9999-12-31T23:59:59Z", "skus.csv"),
    *(*_FILES, "orders", "stock"),
    *("--", "-", "--json", "--help", "-h", "--no-such-option", "--=", "-\u202e", "pull-orders"),
)


class Arguments:
    """The surface; an installation that trades with nobody (its vendors do not answer)."""

    name = "command line"
    refusals = (click.ClickException,)

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "installation"
        world = World(7, ManualClock(datetime(2026, 11, 2, tzinfo=UTC)), orders_per_channel=0)
        installation.write(self._folder, "http://127.0.0.1:1", world)
        self._commands = list(_leaves(cli, click.Context(cli), ()))
        with _inside(self._folder):
            for first in (
                ["sku", "import", "skus.csv"],
                ["stock", "count", "berlin", "counts.csv"],
            ):
                self._invoke(first)

    def evil(self) -> Sequence[tuple[str, Case]]:
        """Every command bare, with help, with each kind of nonsense in its first argument, and with
        each number that it takes larger than any database's."""
        found: list[tuple[str, Case]] = []
        for path, command in self._commands:
            if path[0] not in _ENDLESS:
                found.append((" ".join(path), self._case([*path, "--help"])))
            words = ["\x1b[2J", "\udcff", "x" * 10_000, "' OR 1=1 --"]
            found.append((f"{' '.join(path)} nonsense", self._case([*path, *words, "--x"])))
            if path[0] not in _ENDLESS:
                found += [
                    (f"{' '.join(path)} {one.name}", self._case([*path, *_by(one), "9" * 30]))
                    for one in command.params
                    if isinstance(one.type, click.types.IntParamType)
                ]
        return found

    def random(self, rng: Random) -> Case:
        path, command = rng.choice(self._commands)
        given = list(path)
        for parameter in command.params:
            if isinstance(parameter, click.Option) and rng.random() < 0.4:
                given.append(rng.choice(parameter.opts))
                if not parameter.is_flag:
                    given.append(rng.choice(_words(parameter)))
            elif isinstance(parameter, click.Argument) and rng.random() < 0.9:
                words = _words(parameter)
                given += [rng.choice(words) for _ in range(rng.choice((1, 1, 1, 2)))]
        # Asking vendors that do not answer takes as long as their time-outs.
        if path[0] in (*_ENDLESS, *_WRITES, "once", "check"):
            given.append("--no-such-option")
        return self._case(given)

    def _case(self, arguments: list[str]) -> Case:
        def case() -> str:
            before = sorted(self._folder.parent.iterdir())
            with _inside(self._folder):
                done = self._invoke(arguments)
            if done.exception is not None and not isinstance(done.exception, SystemExit):
                raise done.exception
            if done.exit_code not in (0, 1, 2) or "Traceback" in done.output:
                raise Unsound(f"{arguments} ended with {done.exit_code}: {done.output[-200:]}")
            if sorted(self._folder.parent.iterdir()) != before:
                raise Unsound(f"{arguments} wrote outside of the folder")
            return f"ended with {done.exit_code}"

        return case

    @staticmethod
    def _invoke(arguments: list[str]) -> Result:
        return CliRunner().invoke(cli, arguments, prog_name="crossdock")


def _by(parameter: click.Parameter) -> list[str]:
    """What is typed before its value."""
    return parameter.opts[:1] if isinstance(parameter, click.Option) else []


def _words(parameter: click.Parameter) -> Sequence[str]:
    return _FILES if isinstance(parameter.type, click.Path) else _WORDS


def _leaves(
    group: click.Group, context: click.Context, path: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from _leaves(command, context, (*path, name))
        elif command is not None:
            yield (*path, name), command


@contextmanager
def _inside(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
