"""Files that people name, read within bounds."""

from __future__ import annotations

from pathlib import Path


class Refused(ValueError):
    """A file that is not looked at any further; the message says why."""


def content_of(path: Path, most: int) -> bytes:
    """The bytes of a file that has at most ``most`` of them. Raises ``Refused`` and ``OSError``."""
    # A pipe would block, and a device never end.
    if not path.is_file() and (path.exists() or path.is_symlink()):
        raise Refused("not a file")
    with path.open("rb") as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise Refused(f"a file of more than {most:,} bytes")
    return content
