"""Everything a tap is started with: program, environment, and files that only we can read."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from connectors.errors import ConfigProblem
from connectors.singer import leftovers
from connectors.singer.process import Limits, Tap
from connectors.singer.settings import SingerConfig

_INHERITED = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR")
"""What any program needs. All else in our environment may be a secret of another connection."""

_EVER = "1970-01-01T00:00:00Z"
"""Where everything is to be read and the tap insists on a beginning."""


class Starter:
    """Starts one connection's tap, and remembers those that run."""

    def __init__(self, config: SingerConfig, stopwatch: Callable[[], float]) -> None:
        self._config = config
        self._limits = Limits(config.deadline_s, config.grace_s, config.max_record_bytes)
        self._stopwatch = stopwatch
        self._running: set[Tap] = set()
        leftovers.clear()

    @contextmanager
    def running(
        self, *flags: str, since: str | None = None, **files: bytes | None
    ) -> Iterator[Tap]:
        """A started tap, ended with the block. ``files`` are given as options: ``--state FILE``.

        ``since``: what the setting ``since_key`` gets. The files are gone with the block, too.
        """
        program, environment = self._program(), self.environment()
        given = {"config": self._settings(since), **files}
        with leftovers.private_folder() as private:
            options = [
                part
                for name, content in given.items()
                if content is not None
                for part in (f"--{name}", _written(private / f"{name}.json", content))
            ]
            folder = self._config.folder or private
            # A home of its own: no dot-files of ours, and none of the tap's left behind.
            environment.setdefault("HOME", str(folder))
            arguments = [*program, *options, *flags]
            tap = Tap(arguments, environment, folder, self._limits, self._stopwatch)
            self._running.add(tap)
            try:
                yield tap
            finally:
                self._running.discard(tap)
                tap.stop()

    def kill(self) -> None:
        """End what runs in other threads: their readers see the end of their tap."""
        for tap in tuple(self._running):
            tap.kill()

    def environment(self) -> dict[str, str]:
        """What the tap sees of ours."""
        names = (*_INHERITED, *self._config.environment)
        return {name: os.environ[name] for name in names if name in os.environ}

    def _program(self) -> list[str]:
        name, *arguments = self._config.command
        path = Path(name).expanduser()
        if "/" not in name:
            found = shutil.which(name, path=os.environ.get("PATH"))
            if found is None:
                raise ConfigProblem(
                    f"command: there is no program {name!r}: install the tap in an environment of "
                    "its own and write its full path"
                )
            return [found, *arguments]
        if self._config.folder:
            path = self._config.folder / path
        elif not path.is_absolute():
            raise ConfigProblem(f"command: write the full path of {name!r}, or set `folder`")
        if not path.is_file():
            raise ConfigProblem(f"command: there is no file {path}: is the tap installed there?")
        if not os.access(path, os.X_OK):
            raise ConfigProblem(f"command: {path} is not executable: chmod +x, or name the program")
        return [str(path), *arguments]

    def _settings(self, since: str | None) -> bytes:
        config = self._config
        settings = {**_from_file(config.config_file), **config.config}
        if config.since_key and since is not None:
            settings[config.since_key] = since
        elif config.since_key:
            settings.setdefault(config.since_key, _EVER)
        for key, value in config.secrets.items():
            _lay(settings, key, value.get_secret_value())
        return msgspec.json.encode(settings)


def _from_file(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        settings = msgspec.json.decode(path.read_bytes())
    except OSError as error:
        raise ConfigProblem(f"config_file: {path} cannot be read: {error.strerror}") from None
    except ValueError:
        raise ConfigProblem(f"config_file: {path} is not valid JSON") from None
    if not isinstance(settings, dict):
        raise ConfigProblem(f"config_file: {path} must hold an object")
    return settings


def _lay(settings: dict[str, Any], key: str, value: str) -> None:
    """Set what ``key`` names, with dots between tables. The tables on the way are copied."""
    head, _, rest = key.partition(".")
    if not rest:
        settings[head] = value
        return
    below = settings.get(head, {})
    if not isinstance(below, Mapping):
        raise ConfigProblem(f"secrets.{key}: {head!r} in the tap's settings is no table")
    settings[head] = dict(below)
    _lay(settings[head], rest, value)


def _written(path: Path, content: bytes) -> str:
    """Write a file that nobody else can read; answers its path."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
    return str(path)
