"""Folders for the settings files of taps: private, and taken away whatever becomes of us.

A process that is killed cannot remove its own, and credentials are in there. So each folder holds a
file that its process has locked: where nobody holds that lock any more, nobody needs the folder.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_NAME = "crossdock-tap-"
_LOCK = ".in-use"


@contextmanager
def private_folder() -> Iterator[Path]:
    """A folder that only we can read, for as long as the block lasts."""
    with tempfile.TemporaryDirectory(prefix=_NAME) as name:
        lock = os.open(Path(name) / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield Path(name)
        finally:
            os.close(lock)


def clear() -> None:
    """Remove our user's folders that killed processes have left."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_NAME}*"):
        if _is_left(folder):
            shutil.rmtree(folder, ignore_errors=True)


def _is_left(folder: Path) -> bool:
    try:
        if folder.is_symlink() or folder.lstat().st_uid != os.getuid():
            return False
        # Without the file it is being made at this moment, and nothing is in it yet.
        lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(lock)
    return True
