"""Sends one kind of record for a ``rest`` connection, and gives every item its outcome."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID, uuid5

from connectors.base import TAKEN, Clock, Outcome
from connectors.errors import Ambiguous, Rejected, Unreadable
from connectors.http import ApiClient, segment
from connectors.outcomes import in_chunks, looking_up, settle
from connectors.payload_paths import id_text, reader
from connectors.rest.judge import Judge
from connectors.rest.pushes import Find, Push
from connectors.rest.queue import Handle, Queue
from connectors.rest.words import filled, parameters, placeholders
from mappings import Definition
from mappings import canonical as c
from mappings.engine import plain

_KEYS = UUID("5b0f7c3e-6f0b-5d0a-9a54-6f2f4f0f7a11")


class Sink:
    """One push of one connection, as its settings describe it."""

    def __init__(
        self, name: str, push: Push, api: ApiClient, clock: Clock, definition: Definition
    ) -> None:
        self._name = name
        self._push = push
        self._api = api
        self._definition = definition
        self._routes = [(reader(route.when), route.path) for route in push.routes]
        self._judge = Judge(push)
        self._queue = Queue(name, push, push.queued, api, clock) if push.queued else None
        self._lookup = _Lookup(f"find_{name}", push.find, api) if push.find else None

    def send(self, records: Mapping[str, c.Record]) -> list[Outcome]:
        """Send everything, items with one path together. Keys are the caller's."""
        outcomes: list[Outcome] = []
        by_path: dict[str, dict[str, c.Record]] = {}
        for key, record in records.items():
            try:
                by_path.setdefault(self._path(record), {})[key] = record
            except Rejected as refusal:
                outcomes.append(Outcome(key, "rejected", code=refusal.code, message=str(refusal)))
        size = self._push.batch_max
        chunks = [chunk for group in by_path.values() for chunk in in_chunks(group, size)]
        return outcomes + settle(chunks, self._call)

    def find(self, reference: str) -> str | None:
        """The vendor's id of the order with our reference, if there is one."""
        found = self._lookup.order(reference) if self._lookup else None
        return self._lookup.id_of(found) if self._lookup and found else None

    def result(self, handle: Handle, keys: Sequence[str]) -> list[Outcome] | None:
        """What became of an item that was accepted; null while the vendor works on it."""
        if self._queue is None:
            raise Rejected(f"pushes.{self._name} has no `queued` any more: {handle} is lost")
        return self._queue.result(handle, keys)

    def _path(self, record: c.Record) -> str:
        seen = plain(record)
        path = next((path for wants, path in self._routes if wants(seen)), self._push.path)
        values = {name: segment(str(seen[name])) for name in placeholders(path)}
        return filled(path, values) or path

    def _call(self, records: Mapping[str, c.Record]) -> Sequence[Outcome]:
        push = self._push
        sent = {
            key: self._definition.render(record, push.context) for key, record in records.items()
        }
        path = self._path(next(iter(records.values())))
        try:
            reply = self._api.request(
                push.method,
                path,
                op=f"push_{self._name}",
                json=_wrapped(list(sent.values()), push),
                headers={push.key_header: key_of(next(iter(records)))} if push.key_header else {},
                idempotent=push.repeatable,
            )
        except Rejected as refusal:
            if push.idempotency != "reference":
                raise
            adopted = self._adopted(records, sent, refusal)
            if adopted is None:
                raise
            return [adopted]
        if self._queue:
            return self._queue.accepted(reply, sent, self._judge)
        return self._judge.outcomes(reply, sent)

    def _adopted(
        self,
        records: Mapping[str, Any],
        sent: Mapping[str, dict[str, Any]],
        refusal: Rejected,
    ) -> Outcome | None:
        """What was refused may be there already, under our reference and with the same goods."""
        ((key, record),) = records.items()
        if self._lookup is None:
            return None
        with looking_up(refusal):
            found = self._lookup.order(record.reference)
        if found is None:
            return None
        number = self._lookup.id_of(found)
        if not self._lookup.same(found, sent[key]):
            sentence = f"Their order {number} has this reference and other goods."
            raise Rejected(sentence, TAKEN, 409) from None
        return Outcome(key, "applied", remote_id=number)


def key_of(intent: str) -> str:
    """What the vendor knows an intent by: made of the intent's name alone, and of a shape that
    every vendor takes."""
    return str(uuid5(_KEYS, intent))


class _Lookup:
    """Finds the order that carries our reference."""

    def __init__(self, op: str, find: Find, api: ApiClient) -> None:
        self._op = op
        self._find = find
        self._api = api
        self._rows = reader(find.records)
        self._reference = reader(find.reference)
        self._id = reader(find.id)
        self._same = reader(find.same) if find.same else None

    def order(self, reference: str) -> dict[str, Any] | None:
        """The order, cancelled or not. Raises ``Ambiguous`` when several carry the reference."""
        find = self._find
        path = filled(find.path, {"reference": segment(reference)})
        query = parameters(find.query, {"reference": reference})
        reply = self._api.get(str(path), op=self._op, params=query)
        rows = self._rows(reply.json())
        if not isinstance(rows, list):
            raise reply.unclear("answered JSON, but no list of orders where `records` points")
        found = [row for row in rows if id_text(self._reference(row)) == reference]
        if rows and not found:
            # A filter that was ignored, or an answer to another question: no proof of absence.
            raise Unreadable(f"Their look-up told of other orders than that of {reference}.")
        if not all(self.id_of(row) for row in found):
            raise reply.unclear("answered an order without an id where `id` points")
        if len(found) > 1:
            ids = ", ".join(self.id_of(row) for row in found)
            raise Ambiguous(f"Their orders {ids} all have the reference {reference}: keep one.")
        return found[0] if found else None

    def id_of(self, order: Mapping[str, Any]) -> str:
        return id_text(self._id(order))

    def same(self, found: Mapping[str, Any], sent: Mapping[str, Any]) -> bool:
        """Whether both hold the same goods, as far as the settings say how to tell."""
        return self._same is None or self._same(found) == self._same(sent)


def _wrapped(items: list[dict[str, Any]], push: Push) -> Any:
    body: Any = items if push.batch_max > 1 else items[0]
    for name in reversed(push.wrap.split(".")) if push.wrap else ():
        body = {name: body}
    return body
