"""Claims proved one after the other, in the time there is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import URL

from proof import postgres, records
from proof.clock import stopwatch
from proof.evidence import Evidence, Size
from proof.goals import GOALS, proof_of
from proof.records import Record
from proof.world.simulation import silence

_LEAST_S = 20.0
"""Of a claim, however late it is: no figure at all says less."""


@dataclass(frozen=True, slots=True)
class Session:
    """``server``: the maintenance database of a PostgreSQL; null: on SQLite alone."""

    size: Size
    seed: int
    server: URL | None = None

    def proved(self, claim: str, to_come: Sequence[str], left_s: float | None) -> Record:
        """What a claim left behind; an error is a violation like any other.

        ``to_come``: the claims that are still to be proved, this one first. ``left_s``: seconds for
        all of them; null: each takes what it takes.
        """
        started = stopwatch()
        try:
            # Nobody reads what the product logs of so many lives.
            with silence():
                evidence = proof_of(claim)(
                    self.size, self.seed, **self._given(claim, to_come, left_s)
                )
        except Exception as error:  # noqa: BLE001  the other claims are to be looked at all the same
            evidence = self._failed(claim, error)
        took = round(stopwatch() - started, 1)
        share = self.share_s(claim, to_come, left_s)
        minutes = None if share is None else round(share / 60, 1)
        told = (records.commit(), records.machine(), took, minutes)
        return Record(evidence, self.size, self.seed, *told)

    def share_s(self, claim: str, to_come: Sequence[str], left_s: float | None) -> float | None:
        """Seconds for a claim, of those that are left for all that are to come; null: no end."""
        weight = GOALS[claim].weight
        if left_s is None or not weight:
            return None
        return max(_LEAST_S, left_s * weight / sum(GOALS[one].weight for one in to_come))

    def _given(self, claim: str, to_come: Sequence[str], left_s: float | None) -> dict[str, Any]:
        goal, given = GOALS[claim], dict[str, Any]()
        share = self.share_s(claim, to_come, left_s)
        if share is not None:
            given["budget_s"] = share
        if goal.on_postgres and self.server is not None:
            url = postgres.empty_database(self.server, f"crossdock_{claim.lower()}")
            given[goal.on_postgres] = ("sqlite", url) if goal.on_postgres == "databases" else url
        return given

    def _failed(self, claim: str, error: Exception) -> Evidence:
        return Evidence(
            claim=claim,
            title="could not be looked at",
            command=f"python -m proof {claim} --size {self.size} --seed {self.seed}",
            runs=0,
            unit="runs",
            violations=[f"{type(error).__name__}: {error}"],
        )
