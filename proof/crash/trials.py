"""One trial: a story, one kill or a chain of them, and what it all came to."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field

from proof.crash import oracle
from proof.crash.disk import PAGE, Refusal, refusing
from proof.crash.flows import FLOWS
from proof.crash.oracle import Ending
from proof.crash.stage import BEGIN, PATIENCE, PATIENCE_TIMES, Death, SetUpFailed, Stage
from state.store import Store

KILLS_MAX = 40


@dataclass(frozen=True, slots=True)
class Trial:
    """Kill at ``first``; with ``gap``, kill every next life again after so many points."""

    flow: str
    first: int
    gap: int = 0


@dataclass(frozen=True, slots=True)
class DiskTrial:
    """The disk refuses from the page ``at`` on, until the daemon gets nowhere any more."""

    flow: str
    refusal: Refusal
    at: int


@dataclass(slots=True)
class Outcome:
    """``missed``: the life ended before its point came, so this was no trial. ``refused``: so
    many statements were. ``ended``: the exit code of the life that the disk refused."""

    trial: Trial | DiskTrial
    refused: int = 0
    ended: int = 0
    deaths: list[Death] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    restarts_s: list[float] = field(default_factory=list)
    repeated: int = 0

    @property
    def missed(self) -> bool:
        return not self.deaths and not self.refused


class Bench:
    """Runs trials on a stage, each flow against its undisturbed life on the same stage."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._undisturbed: dict[str, Ending] = {}
        self._points: dict[str, int] = {}

    def points(self, flow: str) -> int:
        """How many points the undisturbed flow has."""
        self._know(flow)
        return self._points[flow]

    def attempt(self, trial: Trial, prepare: Callable[[], object] | None = None) -> Outcome:
        """``prepare``: planted bugs, in every life of this trial and not in the undisturbed one."""
        self._know(trial.flow)
        stage, flow, found = self._stage, FLOWS[trial.flow], Outcome(trial)
        stage.reset(flow)
        until = BEGIN + flow.lasts
        point, draw = trial.first, random.Random(f"{trial}")
        while len(found.deaths) < KILLS_MAX:
            death = stage.kill_at(point, until, prepare)
            if death is None:
                break
            found.deaths.append(death)
            if not death.kept:
                found.violations.append(f"{_named(death)}: the store is not what was committed")
            if not trial.gap:
                break
            point = draw.randint(trial.gap // 2, trial.gap)
        if found.missed:
            return found
        where = ", ".join(map(_named, found.deaths[:3]))
        told = self._rest(trial.flow, found, prepare)
        found.violations += [f"{trial.flow} killed at {where}: {one}" for one in told]
        found.repeated = oracle.repeated(stage.world)
        return found

    def refuse(self, trial: DiskTrial, prepare: Callable[[], object] | None = None) -> Outcome:
        """The whole flow on a disk that refuses at some page and has room again later."""
        self._know(trial.flow)
        stage, found = self._stage, Outcome(trial)
        stage.reset(FLOWS[trial.flow])
        pages = stage.store.stat().st_size // PAGE
        limit = refusing(trial.refusal, trial.at, stage.shared, pages)

        def limited() -> None:
            if prepare is not None:
                prepare()
            limit()

        found.ended = stage.run(BEGIN + FLOWS[trial.flow].lasts, prepare=limited)
        found.refused = stage.shared.refused
        where = f"{trial.flow}, the disk refused ({trial.refusal}) from page {trial.at} on"
        log = stage.log()
        if found.ended not in (0, 1) or (found.ended and "Error: " not in log):
            found.violations.append(f"{where}: ended with {found.ended}: {log[-500:]}")
        if "Traceback" in log or "a bug in Crossdock" in log:
            found.violations.append(f"{where}: a traceback: {log[-1500:]}")
        found.violations += [f"{where}: {one}" for one in self._rest(trial.flow, found, prepare)]
        return found

    def _rest(self, flow: str, found: Outcome, prepare: Callable[[], object] | None) -> list[str]:
        """Live on without kills until all is as it would have been, or patience ends; answers
        what is different then, and what was wrong on the way."""
        until = BEGIN + FLOWS[flow].lasts
        wrong: dict[str, None] = {}
        different: list[str] = []
        for _ in range(PATIENCE_TIMES):
            began = time.perf_counter()
            self._stage.run_well(until, prepare)
            found.restarts_s.append(time.perf_counter() - began)
            ending = self._look()
            wrong.update(dict.fromkeys(ending.wrong))
            different = ending.against(self._undisturbed[flow])
            if wrong or not different:
                break
            until += PATIENCE
        return [*wrong, *(one for one in different if one not in wrong)]

    def _know(self, flow: str) -> None:
        if flow in self._undisturbed:
            return
        self._stage.reset(FLOWS[flow])
        self._stage.run_well(BEGIN + FLOWS[flow].lasts)
        self._points[flow] = len(self._stage.names())
        ending = self._look()
        if ending.wrong or ending.restless:
            raise SetUpFailed(f"{flow}, undisturbed: {ending.wrong} {ending.restless}")
        self._undisturbed[flow] = ending

    def _look(self) -> Ending:
        self._stage.world.advance_to(self._stage.clock.now())
        with closing(Store(f"sqlite:///{self._stage.store}")) as store:
            return oracle.look(store, self._stage.world)


def _named(death: Death) -> str:
    return f"{death.point} ({death.name})"
