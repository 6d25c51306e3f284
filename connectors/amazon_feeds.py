"""JSON_LISTINGS_FEED: many SKUs in one document, and the report that tells what became of them.

Facts: feeds_2021-06-30 and listings-feed-schema-v2 (at most 25,000 messages; message numbers
1 to 2^31 - 1). "Accepted" is not success: a feed may end FATAL or CANCELLED, or refuse single
messages in its processing report.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from connectors.base import Outcome
from connectors.errors import Unreachable
from connectors.http import ApiClient, segment
from connectors.replies import UNREADABLE

FEED_MESSAGES = 25_000
_HIGHEST_MESSAGE_ID = 2**31 - 1
_FEEDS = "/feeds/2021-06-30"
_CONTENT_TYPE = "application/json; charset=UTF-8"
_REPORT_BYTES = 64 * 1024 * 1024
"""25,000 issues are some 8 MiB; past this a report is a decompression bomb."""


class ListingsFeed:
    """Submits listings feeds of one seller, and reads their reports."""

    def __init__(self, api: ApiClient, seller_id: str, marketplace_ids: Sequence[str]) -> None:
        self._api = api
        self._seller_id = seller_id
        self._markets = list(marketplace_ids)

    def submit(self, bodies: Mapping[str, Mapping[str, Any]]) -> list[Outcome]:
        """Send patches (``sku``, ``productType``, ``patches``) as one feed.

        ``accepted`` for all but the rare keys whose number is taken, which are ``retry``. Raises
        like any write: after ``Ambiguous`` the feed may be in Amazon's queue.
        """
        messages: dict[int, tuple[str, Mapping[str, Any]]] = {}
        for key, body in bodies.items():
            messages.setdefault(_message_id(key), (key, body))
        sent = {key for key, _ in messages.values()}
        handle = self._submit(
            [
                {"messageId": number, "operationType": "PATCH", **body}
                for number, (_, body) in messages.items()
            ]
        )
        return [
            Outcome(key, "accepted", handle=handle)
            if key in sent
            else Outcome(key, "retry", message="another item of the feed has its message number")
            for key in bodies
        ]

    def _submit(self, messages: list[dict[str, Any]]) -> str:
        document = self._api.post(
            f"{_FEEDS}/documents",
            op="createFeedDocument",
            json={"contentType": _CONTENT_TYPE},
            # A second document that nothing refers to does no harm.
            idempotent=True,
        ).object("feedDocumentId", "url")
        feed = {
            "header": {"sellerId": self._seller_id, "version": "2.0", "issueLocale": "en_US"},
            "messages": messages,
        }
        content = msgspec.json.encode(feed)
        self._api.upload(str(document["url"]), content, _CONTENT_TYPE, op="uploadDocument")
        created = self._api.post(
            f"{_FEEDS}/feeds",
            op="createFeed",
            json={
                "feedType": "JSON_LISTINGS_FEED",
                "marketplaceIds": self._markets,
                "inputFeedDocumentId": document["feedDocumentId"],
            },
        ).object("feedId")
        return str(created["feedId"])

    def result(self, feed_id: str, keys: Sequence[str]) -> list[Outcome] | None:
        """What became of the items of a feed; null while Amazon still works on it.

        An aborted feed is ``retry`` for all its items: quantities are absolute, so those that were
        applied before it broke off are set once more.
        """
        path = f"{_FEEDS}/feeds/{segment(feed_id)}"
        feed = self._api.get(path, op="getFeed").object("processingStatus")
        status = str(feed["processingStatus"])
        if status in ("IN_QUEUE", "IN_PROGRESS"):
            return None
        if status != "DONE":
            message = f"Amazon ended feed {feed_id} as {status}"
            return [Outcome(key, "retry", code=status, message=message) for key in keys]
        document_id = feed.get("resultFeedDocumentId")
        errors = _errors(self._report(str(document_id))) if document_id else {}
        # An issue of no message is one of the feed as a whole.
        general = errors.get(None)
        return [_outcome(key, errors.get(_message_id(key), general)) for key in keys]

    def _report(self, document_id: str) -> dict[str, Any]:
        path = f"{_FEEDS}/documents/{segment(document_id)}"
        document = self._api.get(path, op="getFeedDocument").object("url")
        content = self._api.download(str(document["url"]), op="downloadDocument").content
        if document.get("compressionAlgorithm") == "GZIP":
            content = _inflated(content)
        try:
            return msgspec.json.decode(content, type=dict[str, Any])
        except UNREADABLE:
            raise Unreachable("Amazon's processing report is cut off or not JSON") from None


def _message_id(key: str) -> int:
    """The number of an item's message, 1 to 2^31 - 1.

    Made from the key alone, so that a report can be read without any memory of the push.
    """
    return 1 + zlib.crc32(key.encode()) % _HIGHEST_MESSAGE_ID


def _errors(report: Mapping[str, Any]) -> dict[int | None, list[Mapping[str, Any]]]:
    """The issues of a report that refuse something, by message number."""
    found: dict[int | None, list[Mapping[str, Any]]] = {}
    try:
        for issue in report.get("issues") or []:
            if issue.get("severity") == "ERROR":
                found.setdefault(issue.get("messageId"), []).append(issue)
    except (AttributeError, TypeError):
        raise Unreachable("Amazon's processing report lists issues that are none") from None
    return found


def _outcome(key: str, issues: Sequence[Mapping[str, Any]] | None) -> Outcome:
    if not issues:
        return Outcome(key, "applied")
    message = "; ".join(str(issue.get("message", "")) for issue in issues)[:500]
    return Outcome(key, "rejected", code=str(issues[0].get("code", "")), message=message)


def _inflated(content: bytes) -> bytes:
    inflater = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    try:
        whole = inflater.decompress(content, _REPORT_BYTES)
    except zlib.error:
        whole = b""
    if not inflater.eof:
        raise Unreachable("Amazon's processing report is cut off, too large or not gzip")
    return whole
