"""Asks the vendor of a ``rest`` connection to stop work that was handed over."""

from __future__ import annotations

from collections.abc import Mapping

from connectors.base import Outcome
from connectors.errors import Rejected
from connectors.http import ApiClient, segment
from connectors.outcomes import in_chunks, settle
from connectors.payload_paths import reader
from connectors.rest.judge import Verdicts
from connectors.rest.pushes import Cancellation
from connectors.rest.words import filled


class Canceller:
    """The cancellations of one connection, as its settings describe them."""

    def __init__(self, cancellation: Cancellation, api: ApiClient) -> None:
        self._cancellation = cancellation
        self._api = api
        self._verdicts = Verdicts(cancellation)
        confirm = cancellation.confirm
        self._cancelled = reader(confirm.cancelled) if confirm else None

    def send(self, remote_ids: Mapping[str, str]) -> list[Outcome]:
        """``rejected``: at least some of it can no longer be stopped."""
        return settle(in_chunks(remote_ids, 1), self._call)

    def _call(self, remote_ids: Mapping[str, str]) -> list[Outcome]:
        ((key, remote_id),) = remote_ids.items()
        asked = self._cancellation
        try:
            reply = self._api.request(
                asked.method,
                self._path(asked.path, remote_id),
                op="cancel_fulfilment_orders",
                json=dict(asked.body) or None,
                idempotent=asked.idempotency == "natural",
            )
        except Rejected:
            # A repeat is often refused as well, once there is nothing left to cancel.
            if not self._is_cancelled(remote_id):
                raise
            return [Outcome(key, "applied", remote_id)]
        if not (asked.error or asked.applied_when):
            # Such an answer may be empty: its status says all.
            return [Outcome(key, "applied", remote_id)]
        return [self._verdicts.of(key, reply.json(), remote_id)]

    def _is_cancelled(self, remote_id: str) -> bool:
        confirm = self._cancellation.confirm
        if confirm is None or self._cancelled is None:
            return False
        reply = self._api.get(self._path(confirm.path, remote_id), op="confirm_cancellation")
        return bool(self._cancelled(reply.json()))

    def _path(self, path: str, remote_id: str) -> str:
        return str(filled(path, {"remote_id": segment(remote_id)}))
