"""A definition at work: payloads in, canonical records out, or every problem of a payload."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import msgspec

from mappings import storable
from mappings.canonical import Record
from mappings.collector import Collector
from mappings.compiler import Compiled, Typed, typed
from mappings.definition import DefinitionSpec
from mappings.expressions import Scope
from mappings.generated import Source
from mappings.jmespath_runtime import FAILURES
from mappings.limits import Steps, TooManySteps
from mappings.plan import RecordPlan
from mappings.problems import ItemProblem, MappingError, Problem, shown


class Mapped(msgspec.Struct, frozen=True):
    """A canonical record, and the items of it that did not map (``at_fault = "item"``)."""

    record: Any
    item_problems: tuple[ItemProblem, ...] = ()


@dataclass(frozen=True)
class Definition:
    """One usable definition. ``source`` names the canonical record of an outbound one.

    ``compiled`` is the plan as one function of decoded payloads, ``code`` what it was generated as.
    """

    name: str
    version: str
    target: str
    source: str | None
    file: str
    plan: RecordPlan
    compiled: Compiled
    code: Source
    spec: DefinitionSpec

    def apply(self, payload: Mapping[str, Any] | bytes) -> Mapped:
        """Turn a vendor's payload, decoded or as JSON, into the canonical record.

        Of JSON only what the definition reads is decoded; the outcome is that of the whole.
        Raises ``MappingError`` with every problem of the payload, those of spared items included.
        """
        return self._of_text(payload) if isinstance(payload, bytes) else self._whole(payload)

    def _of_text(self, payload: bytes) -> Mapped:
        made = self._of_json(payload)
        mapped = Mapped(made) if made is not None else self._whole(self._decoded(payload))
        if storable.ESCAPED in payload:
            field = storable.field_with(mapped.record, storable.NUL)
            self._refuse(field, "holds U+0000, which no database keeps")
            field = storable.field_with(mapped.record, storable.SEAL)
            self._refuse(field, "holds U+0002, by which the store tells what is encrypted")
        return mapped

    def _whole(self, payload: Any) -> Mapped:
        if not isinstance(payload, Mapping):
            raise self._refused("the payload is not an object", shown(payload))
        return self._run(payload)

    def _refuse(self, field: str | None, why: str) -> None:
        if field is not None:
            problem = Problem(field, "", "", why, self.file)
            raise MappingError(self.name, [problem])

    @cached_property
    def typed(self) -> Typed | None:
        """The plan as a function that decodes for itself; made when the first JSON arrives."""
        try:
            return typed(self.plan)
        except RecursionError:
            return None  # a path of hundreds of keys: the whole payload is decoded for it

    def _of_json(self, payload: bytes) -> Any:
        """The record, or None where that takes the whole payload, decoded: to map it, or to say
        what is wrong with it."""
        if self.typed is None:
            return None
        try:
            # What is skipped is not looked at, and text that is no UTF-8 could not be shown later.
            payload.decode()
            return self.typed.mapped(self.typed.decode(payload), Steps().spend)
        except (msgspec.MsgspecError, *FAILURES):
            return None
        except TooManySteps as error:
            raise self._refused(str(error)) from None

    def _decoded(self, payload: bytes) -> Any:
        try:
            return msgspec.json.decode(payload)
        except RecursionError:
            raise self._refused("the payload is nested too deeply") from None
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            reason = "not UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)
            raise self._refused(f"the payload is not JSON: {reason}") from None

    def _refused(self, message: str, found: str = "") -> MappingError:
        return MappingError(self.name, [Problem("", "", found, message, self.file)])

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
            raise self._refused(str(error)) from None

    def collected(self, payload: Mapping[str, Any]) -> Mapped:
        """Map a payload step by step, whatever is wrong with it.

        Raises ``MappingError`` and ``TooManySteps``.
        """
        run = Collector(inbound=self.source is None)
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
