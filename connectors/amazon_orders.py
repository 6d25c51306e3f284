"""Searching Amazon's orders: the horizon, the overlap, and page tokens that outlive a restart.

Facts: orders_2026-01-01. The search shows nothing of the last two minutes and echoes the
``lastUpdatedBefore`` it used, so the horizon is known by Amazon's own clock. A page token lives 24
hours and is bound to the very parameters of its first call.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Self

import msgspec

from connectors.base import Clock, Cursor, Page, RawRecord
from connectors.errors import Rejected
from connectors.http import ApiClient, Reply
from connectors.paging import TokenGuard
from connectors.replies import UNREADABLE

HORIZON = timedelta(minutes=2)
OVERLAP = timedelta(minutes=5)
"""Read again before the watermark: some orders become visible later than the horizon says."""

TOKEN_LIFE = timedelta(hours=23)
"""An hour less than Amazon's, so that a token does not die on its way."""

PAGE_SIZE = 100

_DATA = (
    "BUYER,RECIPIENT,PROCEEDS,EXPENSE,PROMOTION,CANCELLATION,FULFILLMENT,PACKAGES,TAX,PAYMENT,"
    "FULFILLMENT_ORDERS"
)


class _Pagination(msgspec.Struct, rename="camel"):
    next_token: str | None = None


class _Found(msgspec.Struct, rename="camel"):
    """A page of the search, its orders as their texts."""

    orders: list[msgspec.Raw]
    last_updated_before: str | None = None
    pagination: _Pagination | None = None


class _Order(msgspec.Struct, rename="camel"):
    """What the connector itself looks at in an order."""

    order_id: str


_read_order = msgspec.json.Decoder(_Order).decode


class OrderSearch:
    """``searchOrders`` over the marketplaces of one account."""

    def __init__(self, api: ApiClient, clock: Clock, marketplace_ids: Sequence[str]) -> None:
        self._api = api
        self._clock = clock
        self._markets = ",".join(marketplace_ids)

    def pages(self, cursor: Cursor | None, since: datetime) -> Iterator[Page]:
        """Orders updated since the watermark, oldest update first, up to Amazon's horizon."""
        walk = _Walk.opened(cursor, since, self._clock.now())
        guard = TokenGuard("orders")
        while True:
            reply, walk = self._search(walk)
            found: _Found = reply.json()
            records = [_record(reply, bytes(order)) for order in found.orders]
            with reply.reading():
                walk = walk.reached(found.last_updated_before, self._clock.now())
            token = found.pagination.next_token if found.pagination else None
            walk = walk.turned(
                guard.follow(token, [record.text for record in records]), self._clock.now()
            )
            yield Page(records, walk.cursor())
            if walk.token is None:
                return

    def _search(self, walk: _Walk) -> tuple[Reply, _Walk]:
        params = {
            "marketplaceIds": self._markets,
            "lastUpdatedAfter": walk.after,
            "includedData": _DATA,
            "maxResultsPerPage": PAGE_SIZE,
            "paginationToken": walk.token,
        }
        try:
            path, op = "/orders/2026-01-01/orders", "searchOrders"
            reply = self._api.get(path, op=op, params=params, shape=_Found)
        except Rejected:
            if not walk.resumed:
                raise
            # The token is of an earlier run, which may have had other settings: start over.
            return self._search(_Walk.fresh(walk.watermark))
        return reply, replace(walk, resumed=False)


@dataclass(frozen=True, slots=True)
class _Walk:
    """Where a reading of orders stands. Times are kept as text: a token is bound to the letter."""

    watermark: str
    after: str
    until: str | None = None
    token: str | None = None
    token_at: str = ""
    resumed: bool = False

    @classmethod
    def opened(cls, cursor: Cursor | None, since: datetime, now: datetime) -> Self:
        if cursor is None:
            return cls(_text(since), _text(since))
        token = cursor.get("token")
        if token and now - datetime.fromisoformat(cursor["token_at"]) < TOKEN_LIFE:
            kept = {name: cursor[name] for name in ("watermark", "after", "until", "token_at")}
            return cls(**kept, token=token, resumed=True)
        return cls.fresh(cursor["watermark"])

    @classmethod
    def fresh(cls, watermark: str) -> Self:
        return cls(watermark, _text(datetime.fromisoformat(watermark) - OVERLAP))

    def reached(self, echoed: str | None, now: datetime) -> Self:
        """The horizon is that of the first page: later ones are read from the same snapshot."""
        horizon = echoed or _text(now - HORIZON)
        if datetime.fromisoformat(horizon).tzinfo is None:
            raise ValueError("a horizon without a time zone")
        return replace(self, until=self.until or horizon)

    def turned(self, token: str | None, now: datetime) -> Self:
        return replace(self, token=token, token_at=_text(now))

    def cursor(self) -> Cursor:
        if self.token is None:
            moments = [datetime.fromisoformat(text) for text in (self.watermark, self.until or "")]
            return {"v": 1, "watermark": _text(max(moments))}
        names = ("watermark", "after", "until", "token", "token_at")
        return {"v": 1, **{name: getattr(self, name) for name in names}}


def _record(reply: Reply, text: bytes) -> RawRecord:
    try:
        return RawRecord(_read_order(text).order_id, text)
    except UNREADABLE as error:
        raise reply.unclear(f"listed an order that is none ({error})") from None


def _text(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
