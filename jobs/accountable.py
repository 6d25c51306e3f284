"""Who gives a command, and why: the name and the reason that the audit trail keeps."""

from __future__ import annotations

import getpass
import os
from dataclasses import dataclass

import click

_META = "crossdock.said"


@dataclass(frozen=True, slots=True)
class Said:
    """What was given to ``crossdock`` itself, before the command."""

    actor: str = ""
    reason: str = ""


def note(ctx: click.Context, actor: str, reason: str) -> None:
    """Keep what was said for whatever the command writes."""
    ctx.find_root().meta[_META] = Said(actor.strip(), reason.strip())


def actor() -> str:
    """Who does it: the system's user; where ``--actor`` names somebody, both."""
    user, named = _user(), _said().actor
    return f"{named} ({user})" if named and named != user else user


def reason(given: str = "") -> str:
    """Why: what the command was told, or ``--because``, or else the command that was given."""
    return given.strip() or _said().reason or _command()


def _said() -> Said:
    ctx = click.get_current_context(silent=True)
    said: Said = ctx.find_root().meta.get(_META, Said()) if ctx else Said()
    return said


def _command() -> str:
    ctx = click.get_current_context(silent=True)
    return ctx.command_path if ctx else "crossdock"


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        # A container may run as a number that no file gives a name to.
        return f"uid {os.getuid()}"
