"""Searching Amazon's listings, also beyond the 1,000 that one search can page through.

Facts: listingsItems_2021-08-01. The search is sorted by creation, and past its reach it starts
anew at the last date seen; the listings of that moment come twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from connectors.base import Page, RawRecord
from connectors.errors import Retryable
from connectors.http import ApiClient, segment
from connectors.paging import TokenGuard

REACH = 1000
PAGE_SIZE = 20
_DATA = "summaries,fulfillmentAvailability,productTypes"


class ListingSearch:
    """``searchListingsItems`` over the marketplaces of one account."""

    def __init__(self, api: ApiClient, seller_id: str, marketplace_ids: Sequence[str]) -> None:
        self._api = api
        self._path = f"/listings/2021-08-01/items/{segment(seller_id)}"
        self._markets = ",".join(marketplace_ids)

    def prove(self) -> None:
        """Ask for one listing. Raises unless token, seller id and marketplaces are right."""
        params = {"marketplaceIds": self._markets, "pageSize": 1}
        self._api.get(self._path, op="searchListingsItems", params=params).rows("items")

    def named(self, skus: Sequence[str]) -> list[RawRecord]:
        """The listings of these SKUs, twenty a call; one with a comma cannot be asked for."""
        skus = [sku for sku in skus if "," not in sku]
        found = []
        for first in range(0, len(skus), PAGE_SIZE):
            params = {
                "marketplaceIds": self._markets,
                "includedData": _DATA,
                "identifiers": ",".join(skus[first : first + PAGE_SIZE]),
                "identifiersType": "SKU",
                "pageSize": PAGE_SIZE,
            }
            reply = self._api.get(self._path, op="searchListingsItems", params=params)
            found += [_record(item) for item in reply.rows("items", having="sku")]
        return found

    def pages(self) -> Iterator[Page]:
        """Every listing, oldest first."""
        start: str | None = None
        while True:
            listed, last = 0, start
            for items in self._within_reach(start):
                listed += len(items)
                last = _created(items) or last
                yield Page([_record(item) for item in items], {})
            if listed < REACH:
                return
            if last == start:
                raise Retryable(
                    f"{listed} listings were created at {start}: Amazon lists no more than "
                    f"{REACH} of them, so the rest cannot be read"
                )
            start = last

    def _within_reach(self, created_after: str | None) -> Iterator[list[dict[str, Any]]]:
        guard, token, first = TokenGuard("listings"), None, True
        while token or first:
            first = False
            params = {
                "marketplaceIds": self._markets,
                "includedData": _DATA,
                "sortBy": "createdDate",
                "sortOrder": "ASC",
                "createdAfter": created_after,
                "pageSize": PAGE_SIZE,
                "pageToken": token,
            }
            reply = self._api.get(self._path, op="searchListingsItems", params=params)
            items = reply.rows("items", having="sku")
            with reply.reading():
                following = (reply.object().get("pagination") or {}).get("nextToken")
            yield items
            token = guard.follow(following, [str(item["sku"]) for item in items])


def _record(item: Mapping[str, Any]) -> RawRecord:
    return RawRecord.of(str(item["sku"]), item)


def _created(items: Sequence[Mapping[str, Any]]) -> str | None:
    """When the last of ``items`` was created, as Amazon wrote it."""
    summaries = items[-1].get("summaries") if items else None
    first = summaries[0] if isinstance(summaries, list) and summaries else None
    created = first.get("createdDate") if isinstance(first, Mapping) else None
    return created if isinstance(created, str) else None
