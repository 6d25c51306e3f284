"""Replacing what a process runs, in a process that was forked for it."""

from __future__ import annotations

from typing import Any


def hook(owner: Any, name: str, by: Any) -> Any:
    """Put ``by`` in the place of ``owner.name`` for the rest of this process.

    Answers what was there before.
    """
    before = getattr(owner, name)
    setattr(owner, name, by)
    return before
