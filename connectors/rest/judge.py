"""Reads out of a reply what became of every item of a ``rest`` push."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connectors.base import Outcome
from connectors.http import Reply
from connectors.payload_paths import id_text, reader
from connectors.rest.pushes import Judged, Listed, Push

_INCOMPUTABLE = "its result cannot be judged: correct `error`"


class Verdicts:
    """One result, as the settings say it is to be understood."""

    def __init__(self, judged: Judged) -> None:
        self._applied_when = judged.applied_when
        # What cannot be judged must not pass for done.
        self._error = reader(judged.error, _INCOMPUTABLE) if judged.error else None
        self._code = reader(judged.error_code) if judged.error_code else None
        self._message = reader(judged.error_message) if judged.error_message else None
        self._applied = reader(judged.applied_when) if judged.applied_when else None

    def of(self, key: str, result: Any, remote_id: str = "") -> Outcome:
        """``applied``, or ``rejected`` with the vendor's own code and words."""
        error = self._error(result) if self._error else None
        if error:
            code = id_text(self._code(result)) if self._code else ""
            message = id_text(self._message(result)) if self._message else id_text(error)
            return Outcome(key, "rejected", remote_id, code=code, message=message)
        if self._applied and not self._applied(result):
            message = f"Their reply says that it was not done: `{self._applied_when}` is not."
            return Outcome(key, "rejected", remote_id, code="not_applied", message=message)
        return Outcome(key, "applied", remote_id)


class Results:
    """A list of results, each of which names its item."""

    def __init__(self, listed: Listed) -> None:
        self._rows = reader(listed.results)
        self._name = reader(listed.result_key)

    def by_name(self, reply: Reply) -> dict[str, Any]:
        rows = self._rows(reply.json())
        if not isinstance(rows, list):
            raise reply.unclear("answered JSON, but no list of results where `results` points")
        return {id_text(self._name(row)): row for row in rows}


class Judge:
    """Reads the outcome of every item out of the reply to a push."""

    def __init__(self, push: Push) -> None:
        self._verdicts = Verdicts(push)
        self._results = Results(push) if push.results else None
        self._item_key = reader(push.item_key or push.result_key)
        self._remote_id = reader(push.remote_id) if push.remote_id else None

    def name(self, item: Mapping[str, Any]) -> str:
        """What results call an item by; empty where it cannot be told."""
        return id_text(self._item_key(item))

    def outcomes(self, reply: Reply, sent: Mapping[str, dict[str, Any]]) -> list[Outcome]:
        """One outcome per item that the reply speaks of."""
        if self._results is None:
            return [self._outcome(key, reply.json(), reply) for key in sent]
        by_name = self._results.by_name(reply)
        named = {key: self.name(item) for key, item in sent.items()}
        return [
            self._outcome(key, by_name[name], reply)
            for key, name in named.items()
            if name and name in by_name
        ]

    def _outcome(self, key: str, result: Any, reply: Reply) -> Outcome:
        remote_id = id_text(self._remote_id(result)) if self._remote_id else ""
        outcome = self._verdicts.of(key, result, remote_id)
        if self._remote_id and not remote_id and outcome.status == "applied":
            raise reply.unclear("answered JSON without an id where `remote_id` points")
        return outcome
