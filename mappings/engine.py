"""A definition at work: payloads in, canonical records out, or every problem of a payload."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from mappings.canonical import Record
from mappings.collector import Collector
from mappings.compiler import Compiled
from mappings.expressions import Scope
from mappings.generated import Source
from mappings.jmespath_runtime import FAILURES
from mappings.limits import Steps, TooManySteps
from mappings.plan import RecordPlan
from mappings.problems import ItemProblem, MappingError, Problem, shown


@dataclass(frozen=True, slots=True)
class Mapped:
    """A canonical record, and the items of it that did not map (``at_fault = "item"``)."""

    record: Any
    item_problems: tuple[ItemProblem, ...] = ()


@dataclass(frozen=True, slots=True)
class Definition:
    """One usable definition. ``source`` names the canonical record of an outbound one.

    ``compiled`` is the plan as one function, ``code`` what it was generated as.
    """

    name: str
    version: int
    target: str
    source: str | None
    file: str
    plan: RecordPlan
    compiled: Compiled
    code: Source

    def apply(self, payload: Mapping[str, Any] | bytes) -> Mapped:
        """Turn a vendor's payload, decoded or as JSON, into the canonical record.

        Raises ``MappingError`` with every problem of the payload, those of spared items included.
        """
        if isinstance(payload, bytes):
            payload = msgspec.json.decode(payload)
        if not isinstance(payload, Mapping):
            found = Problem("", "", shown(payload), "the payload is not an object", self.file)
            raise MappingError(self.name, [found])
        return self._run(payload)

    def render(self, record: Record, context: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Turn a canonical record into the body of a request; ``context`` is ``$.context``.

        Raises ``MappingError``.
        """
        body: dict[str, Any] = self._run({**plain(record), "context": dict(context or {})}).record
        return body

    def _run(self, payload: Mapping[str, Any]) -> Mapped:
        try:
            try:
                made = self.compiled(payload, Steps().spend)
            except FAILURES:
                made = None  # the collector finds the same fault, and has the words for it
            return self.collected(payload) if made is None else Mapped(made)
        except TooManySteps as error:
            problem = Problem("", "", "", str(error), self.file)
            raise MappingError(self.name, [problem]) from None

    def collected(self, payload: Mapping[str, Any]) -> Mapped:
        """Map a payload step by step, whatever is wrong with it.

        Raises ``MappingError`` and ``TooManySteps``.
        """
        run = Collector(self.file, inbound=self.source is None)
        values = run.filled(self.plan, Scope(payload, None, payload, Steps()))
        if run.problems:
            spared = (
                problem.under(f"{item.field}[{item.index}]")
                for item in run.item_problems
                for problem in item.problems
            )
            raise MappingError(self.name, _once([*run.problems, *spared]))
        return Mapped(self.plan.make(values), tuple(run.item_problems))

    def readable(self) -> str:
        """The generated function, each line with what its bound names stand for."""
        return self.code.readable()


def plain(value: Any) -> Any:
    """A record as JMESPath sees it: objects and lists. Decimal and datetime stay what they are."""
    if isinstance(value, msgspec.Struct):
        return {name: plain(getattr(value, name)) for name in value.__struct_fields__}
    if isinstance(value, tuple):
        return [plain(item) for item in value]
    return value


def _once(problems: list[Problem]) -> list[Problem]:
    """Without the echoes: an unknown currency is told once, not for every amount."""
    told = {problem.message for problem in problems if not problem.shared}
    kept = []
    for problem in problems:
        if not (problem.shared and problem.message in told):
            told.add(problem.message)
            kept.append(problem)
    return kept
