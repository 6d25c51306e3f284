"""What a killed process leaves of a tap: nothing that the next one does not take away."""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from connectors.singer import leftovers

LIVES = """
import time
from connectors.singer import leftovers
with leftovers.private_folder() as folder:
    (folder / "config.json").write_text("a-token")
    print(folder, flush=True)
    time.sleep(60)
"""


@pytest.fixture
def shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for temporary files."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return tmp_path


def test_settings_of_a_killed_process_are_gone_with_the_next_start(shared: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", LIVES], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process.stdout as said:
        folder = Path(said.readline().strip())
        assert folder.parent == shared
        leftovers.clear()
        assert (folder / "config.json").exists(), "it lives, and its tap reads that"
        process.send_signal(signal.SIGKILL)
        process.wait(10)
    assert (folder / "config.json").exists()
    leftovers.clear()
    assert not folder.exists()


def test_what_is_nobody_s_leftover_stays(shared: Path) -> None:
    being_made, other = shared / "crossdock-tap-new", shared / "something-else"
    being_made.mkdir()
    other.mkdir()
    (other / ".in-use").touch()
    (shared / "crossdock-tap-link").symlink_to(other)
    with leftovers.private_folder() as mine:
        leftovers.clear()
        assert mine.exists()
    assert not mine.exists()
    assert being_made.exists()
    assert (other / ".in-use").exists()
