"""Planted bugs of parsers, routes and commands: each surface is shown to be looked at."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import click
import httpx
import msgspec

from connectors import csvtext, dropinbox, hooks, replies, wire
from connectors.singer import messages
from jobs import cli, settings_loader
from mappings import engine, toml_text
from proof.fuzz.arguments import Arguments
from proof.fuzz.files import DropFolder, DroppedFiles, Imports
from proof.fuzz.judge import Surface, throw
from proof.fuzz.mappings.run import fuzz
from proof.fuzz.replies import Replies
from proof.fuzz.settings import RuleFiles, SettingsFiles
from proof.fuzz.taps import TapMessages
from proof.fuzz.web import WebRoutes
from proof.planting import Planted
from state import hook_events
from sync import imports

INPUTS = 400

Look = Callable[[Path], list[str]]
"""Throws at one surface, and says what it saw. The folder is the surface's to fill."""


def noticed(folder: Path) -> dict[str, str | None]:
    """Each bug, and what was said of it first; null: nobody noticed."""
    return {bug.name: _first(bug, look, folder) for bug, look in _bugs().items()}


def _first(bug: Planted, look: Look, folder: Path) -> str | None:
    with bug.in_place():
        found = look(folder)
    return found[0][:120] if found else None


def _at(make: Callable[[Path], Surface]) -> Look:
    return lambda folder: throw(make(folder), INPUTS, 1, first=True).violations


def _at_definitions(folder: Path) -> list[str]:
    found = fuzz(INPUTS, 1, folder).failures
    return [f"mapping definitions {failure.splitlines()[-1]}" for failure in found]


def _bugs() -> Mapping[Planted, Look]:
    """Each bug, and where it shows."""
    return {
        **_bugs_of_replies(),
        **_bugs_of_files(),
        _bug("a payload that is no JSON is not caught", (engine.Definition, "_decoded", _read)): (
            _at_definitions
        ),
        _bug("a tap's bytes are taken for text", (messages, "UNREADABLE", ())): _at(
            lambda _: TapMessages()
        ),
        _bug("a webhook's bytes are taken for text", (hooks, "UNREADABLE", ())): _at(WebRoutes),
        _bug("what cannot be kept is put off", (hook_events, "add", _not_kept)): _at(WebRoutes),
        _bug("errors of commands are not caught", (cli.Cli, "invoke", click.Group.invoke)): _at(
            Arguments
        ),
    }


def _bugs_of_replies() -> Mapping[Planted, Look]:
    look = _at(lambda _: Replies())
    return {
        _bug("a body has no cap", (wire.Wire, "_body", _every_byte)): look,
        _bug(
            "nesting without end is not caught", (replies, "UNREADABLE", (msgspec.DecodeError,))
        ): look,
        _bug(
            "a reply is read without a look at its shape",
            (replies.Reply, "reading", lambda _: nullcontext()),
        ): look,
    }


def _bugs_of_files() -> Mapping[Planted, Look]:
    return {
        _bug("columns have no bound", (csvtext, "MAX_COLUMNS", 10**9)): _at(
            lambda _: DroppedFiles()
        ),
        _bug("an import out of bounds is not told", (imports, "BadFile", _Never)): _at(Imports),
        _bug("settings out of bounds are not told", (settings_loader, "Refused", _Never)): _at(
            SettingsFiles
        ),
        _bug("a file of rules has no bound", (toml_text, "content_of", _every_file)): _at(
            RuleFiles
        ),
        _bug(
            "links in a drop folder are followed",
            (dropinbox, "_refusal", lambda *_: ""),
            (dropinbox, "_no_link", lambda path, flags: os.open(path, flags | os.O_NONBLOCK)),
        ): _at(DropFolder),
    }


class _Never(Exception):
    """What nobody raises."""


def _read(_: engine.Definition, payload: bytes) -> Any:
    return msgspec.json.decode(payload)


def _not_kept(*_: Any, **__: Any) -> bool:
    raise KeyError("topic")


def _every_byte(_: wire.Wire, response: httpx.Response, _deadline: float) -> bytes:
    coding = response.headers.get("content-encoding", "identity")
    return b"".join(wire._unpacked(response, coding)) if "," not in coding else b""


def _every_file(path: Path, _most: int) -> bytes:
    return path.read_bytes()


def _bug(name: str, *changes: tuple[Any, str, Any]) -> Planted:
    return Planted(name, changes)
