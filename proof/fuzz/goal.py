"""G10: inputs over all parsers, calls and commands; every one ends in a result or in a refusal."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import httpx
import msgspec

from connectors import csvtext, dropinbox, replies, wire
from connectors.singer import messages
from jobs import cli
from mappings import toml_text
from proof.budget import Budget, reached
from proof.evidence import Evidence, Size
from proof.fuzz.arguments import Arguments
from proof.fuzz.clock import measured, peak_rss_mb
from proof.fuzz.files import DropFolder, DroppedFiles, Imports
from proof.fuzz.judge import Surface, Tally, throw
from proof.fuzz.mappings.run import fuzz
from proof.fuzz.replies import Replies
from proof.fuzz.settings import RuleFiles, SettingsFiles
from proof.fuzz.taps import TapMessages
from proof.planting import Planted

INPUTS: dict[Size, int] = {"pull-request": 50_000, "nightly": 1_000_000}

Make = Callable[[Path], Surface]
_SHARES: dict[Make, float] = {
    lambda _: Replies(): 0.24,
    lambda _: DroppedFiles(): 0.2,
    DropFolder: 0.01,
    Imports: 0.16,
    SettingsFiles: 0.03,
    RuleFiles: 0.04,
    lambda _: TapMessages(): 0.28,
    Arguments: 0.01,
}
"""Of the inputs; the rest is for mapping definitions. What costs most comes least often."""


def prove(size: Size, seed: int = 1, budget_s: float | None = None) -> Evidence:
    """The goal at one of its sizes. ``budget_s``: real seconds; null: all inputs. People's corpora
    are thrown in any case."""
    command = f"python -m proof G10 --size {size} --seed {seed}"
    found = thrown(INPUTS[size], seed, command, Budget(budget_s))
    return replace(found, figures={**found.figures, **reached(size, found.runs, INPUTS[size])})


def thrown(inputs: int, seed: int, command: str = "", budget: Budget | None = None) -> Evidence:
    """About so many inputs, then the planted bugs: they hold much memory, and what was held before
    must not hide what grows."""
    budget = budget or Budget()
    with tempfile.TemporaryDirectory() as name, measured() as cost:
        folder = Path(name)
        tally = Tally()
        for number, (make, share) in enumerate(_SHARES.items()):
            part = budget.part(len(_SHARES) + 1 - number)
            tally.add(throw(make(folder), int(inputs * share), seed, budget=part))
        pairs = inputs - int(inputs * sum(_SHARES.values()))
        _throw_definitions(pairs, seed, folder, tally, budget)
        planted = {bug.name: _noticed(bug, make, folder) for bug, make in _bugs().items()}
    return Evidence(
        claim="G10",
        title="Hostile input ends in a result or in a refusal",
        command=command,
        runs=tally.inputs.total(),
        unit="inputs",
        seeds=str(seed),
        injections=dict(sorted(tally.outcomes.items())),
        violations=tally.violations,
        planted=planted,
        figures={
            "slowest input, CPU ms": round(tally.slowest_s * 1000),
            "grown by MB": round(tally.grown_mb),
            "peak RSS MB": round(peak_rss_mb()),
        },
        cpu_s=cost.cpu_s,
    )


def _throw_definitions(pairs: int, seed: int, folder: Path, tally: Tally, budget: Budget) -> None:
    found = fuzz(max(pairs, 20), seed, folder, budget)
    name = "mapping definitions"
    tally.inputs[name] += found.pairs
    tally.violations += [f"{name} {failure}" for failure in found.failures]
    for outcome, times in found.outcomes.items():
        tally.outcomes[f"{name}: {outcome}"] += times


def _noticed(bug: Planted, make: Make, folder: Path) -> str | None:
    with bug.in_place():
        found = throw(make(folder), 400, 1, first=True).violations
    return found[0][:120] if found else None


def _bugs() -> dict[Planted, Make]:
    """Each bug, and the surface where it shows."""

    def every_byte(_: wire.Wire, response: httpx.Response, _deadline: float) -> bytes:
        coding = response.headers.get("content-encoding", "identity")
        return b"".join(wire._unpacked(response, coding)) if "," not in coding else b""

    def every_file(path: Path, _most: int) -> bytes:
        return path.read_bytes()

    return {
        _bug("a body has no cap", (wire.Wire, "_body", every_byte)): lambda _: Replies(),
        _bug(
            "nesting without end is not caught", (replies, "UNREADABLE", (msgspec.DecodeError,))
        ): lambda _: Replies(),
        _bug(
            "a reply is read without a look at its shape",
            (replies.Reply, "reading", lambda _: nullcontext()),
        ): lambda _: Replies(),
        _bug("columns have no bound", (csvtext, "MAX_COLUMNS", 10**9)): lambda _: DroppedFiles(),
        _bug("a file of rules has no bound", (toml_text, "content_of", every_file)): RuleFiles,
        _bug(
            "links in a drop folder are followed",
            (dropinbox, "_refusal", lambda *_: ""),
            (dropinbox, "_no_link", lambda path, flags: os.open(path, flags | os.O_NONBLOCK)),
        ): DropFolder,
        _bug("a tap's bytes are taken for text", (messages, "UNREADABLE", ())): lambda _: (
            TapMessages()
        ),
        _bug("errors of commands are not caught", (cli.Cli, "invoke", click.Group.invoke)): (
            Arguments
        ),
    }


def _bug(name: str, *changes: tuple[Any, str, Any]) -> Planted:
    return Planted(name, changes)
