"""``crossdock`` as a user has it: a folder with settings, commands and a daemon as processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from state.store import Store
from tests.conftest import REPOSITORY

COMMAND = (sys.executable, "-c", "from jobs.cli import main; main()")


@dataclass
class Installed:
    """``env``: what the operator's shell adds; of ours only what Python needs gets through."""

    folder: Path
    env: dict[str, str] = field(default_factory=dict)
    daemons: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def log(self) -> Path:
        return self.folder / "crossdock.log"

    def crossdock(self, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        """Run a command to its end, which must be ``code``, without ever showing a traceback."""
        done = subprocess.run(
            [*COMMAND, *arguments],
            cwd=self.folder,
            env=self._environment(),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        told = f"crossdock {' '.join(arguments)}: {done.returncode}\n{done.stdout}{done.stderr}"
        assert done.returncode == code, told
        assert "Traceback" not in told, told
        assert "a bug in Crossdock" not in told, told
        return done

    def asked(self, *arguments: str, code: int = 0) -> Any:
        return json.loads(self.crossdock(*arguments, "--json", code=code).stdout)

    def start(self) -> subprocess.Popen[bytes]:
        """Start the daemon; its log is added to ``crossdock.log``."""
        with self.log.open("ab") as log:
            daemon = subprocess.Popen(
                [*COMMAND, "run"],
                cwd=self.folder,
                env=self._environment(),
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self.daemons.append(daemon)
        return daemon

    def stop(self) -> None:
        """End every daemon that still runs, as an operator would."""
        for daemon in self.daemons:
            if daemon.poll() is None:
                daemon.send_signal(signal.SIGTERM)
                try:
                    daemon.wait(timeout=30)
                except subprocess.TimeoutExpired:
                    daemon.kill()
                    daemon.wait()

    def logged(self) -> list[dict[str, Any]]:
        """Every whole line of the log: a killed daemon may leave half a one."""
        lines = self.log.read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]

    def store(self) -> Store:
        return Store(f"sqlite:///{self.folder / 'crossdock.db'}")

    def _environment(self) -> dict[str, str]:
        kept = {name: v for name, v in os.environ.items() if not name.startswith("CROSSDOCK_")}
        return {**kept, "PYTHONPATH": str(REPOSITORY), **self.env}
