"""Vendors that the sandbox does not have: one that remembers keys, and a carrier that refuses
nothing.

Small and honest: what they hold is the truth that the matrix is judged by.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import httpx

from sandbox.clock import Clock
from sandbox.vendors.shipengine_account import Label, ShipEngineAccount

KEY_HOST = "keys.test"
WINDOW_S = 3600.0


class Forgetful(ShipEngineAccount):
    """A carrier of the class "look-up only": it sells a second label under the same reference, and
    looking the reference up answers the earliest."""

    def live_label(self, external_id: str) -> Label | None:
        return None

    def newest_label(self, external_id: str) -> Label | None:
        found = [label for label in self.labels.values() if label.external_id == external_id]
        return found[0] if found else None


@dataclass
class _Answered:
    at: datetime
    body: str
    order: int


@dataclass
class KeyVendor:
    """Takes orders and stock under ``Idempotency-Key`` and remembers a key for ``WINDOW_S``.

    The same key again answers what was done the first time; with another body 422.
    """

    clock: Clock
    orders: list[tuple[str, datetime]] = field(default_factory=list)
    """(reference, made at) of every order there is."""
    levels: list[tuple[str, int]] = field(default_factory=list)
    """(SKU, quantity) of every write that was taken."""
    _keys: dict[str, _Answered] = field(default_factory=dict)

    def answer(self, request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            asked = request.url.params.get("reference")
            rows = [
                {"id": number, "reference": reference, "created_date": at.isoformat()}
                for number, (reference, at) in enumerate(self.orders, start=1)
                if reference == asked
            ]
            return httpx.Response(200, json=rows)
        return self._written(request, json.loads(request.content))

    def _written(self, request: httpx.Request, body: dict[str, object]) -> httpx.Response:
        now, key = self.clock.now(), request.headers["Idempotency-Key"]
        digest = hashlib.sha256(request.content).hexdigest()
        known = self._keys.get(key)
        if known is None or now - known.at > timedelta(seconds=WINDOW_S):
            if request.url.path.endswith("/orders"):
                self.orders.append((str(body["reference_id"]), now))
            else:
                quantity = body["stock_quantity"]
                assert isinstance(quantity, int)
                self.levels.append((str(body.get("id")), quantity))
            known = self._keys[key] = _Answered(now, digest, len(self.orders))
        elif known.body != digest:
            return httpx.Response(422, json={"code": "key_reused", "message": "another body"})
        return httpx.Response(200, json={"id": known.order, "ok": True})
