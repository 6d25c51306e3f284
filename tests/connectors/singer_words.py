"""What the tests of the ``singer`` connector say often: a connector of a tap that misbehaves."""

from __future__ import annotations

import os
import select
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from connectors.base import Cursor, Page
from connectors.errors import CrossdockError
from connectors.singer import Singer

FAKE = (sys.executable, str(Path(__file__).with_name("fake_tap.py")))
SINCE = datetime(2026, 11, 1, tzinfo=UTC)
Built = Callable[..., Singer]


def settings(*steps: list[Any], **changes: Any) -> dict[str, Any]:
    """A connection whose tap takes ``steps``; ``changes`` go to the connection's settings."""
    orders = {"stream": "orders", "definition": "woocommerce.orders"}
    given: dict[str, Any] = {
        "command": FAKE,
        "config": {"steps": list(steps)},
        "streams": {"orders": orders},
        "discover": False,
        "deadline_s": 30,
        "grace_s": 5,
    }
    own = changes.pop("config", {})
    return given | changes | {"config": {**given["config"], **own}}


def ids(pages: list[Page]) -> list[str]:
    return [record.external_id for page in pages for record in page.records]


def taken(tap: Singer, cursor: Cursor | None = None) -> tuple[list[Page], CrossdockError | None]:
    """The pages that came, and what ended them; null when all went well."""
    pages: list[Page] = []
    try:
        for page in tap.pull_orders(cursor, SINCE):
            pages.append(page)
    except CrossdockError as trouble:
        return pages, trouble
    return pages, None


def alive(pid: int) -> bool:
    """Whether a process runs; one that ended and is not yet buried does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def dies(pid: int, within_s: float = 10.0) -> bool:
    """Whether a process ends soon: what was killed dies when the system comes to it."""
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([process], [], [], within_s)[0])
    finally:
        os.close(process)


def running_taps(parent: int | None = None) -> list[int]:
    """The fake taps that a process, by default this one, has running."""
    return found("-P", str(parent or os.getpid()), "-f", "fake_tap.py")


def found(*wanted: str) -> list[int]:
    """The living processes that ``pgrep`` finds."""
    done = subprocess.run(["pgrep", *wanted], capture_output=True, text=True, check=False)
    return [int(line) for line in done.stdout.split() if alive(int(line))]
