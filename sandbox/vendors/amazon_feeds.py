"""SP-API Feeds 2021-06-30, for JSON_LISTINGS_FEED: document, feed, processing report.

A feed waits in the queue, is worked, and is done as the sandbox clock passes; its quantities are
applied at the end, so a PATCH sent meanwhile is overwritten: the two must not be mixed on a SKU.
"""

from __future__ import annotations

import gzip
import json
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from werkzeug.wrappers import Response

from sandbox.limits import Limit
from sandbox.vendors.amazon_listings import availability_of, quantity_of
from sandbox.vendors.amazon_problem import sp_problem
from sandbox.vendors.amazon_seller import SELLER_ID, Feed
from sandbox.wire import (
    Call,
    Json,
    Malformed,
    Route,
    Vendor,
    entries,
    open_to_all,
    part,
    reply,
    rows,
    stamp,
    unlimited,
)

if TYPE_CHECKING:
    from sandbox.world import World

QUEUED_FOR = timedelta(seconds=60)
WORKED_FOR = timedelta(seconds=120)
MESSAGES_MAX = 25_000

_FEED_TYPE = "JSON_LISTINGS_FEED"
# On top of the operation's own bucket: five submissions of listings feeds in five minutes.
_SUBMISSIONS = Limit("amazon:feed-submissions", burst=5, window=300.0)


def create_document(call: Call) -> Response:
    """A place to PUT the feed to, by a URL that needs no token."""
    if not call.json().get("contentType"):
        return sp_problem(400, "InvalidInput", "contentType is required.")
    document_id = f"amzn1.tortuga.4.eu.{call.world.seller.serial():08d}"
    call.world.seller.documents[document_id] = None
    return reply({"feedDocumentId": document_id, "url": _document_url(call, document_id)}, 201)


def _document_url(call: Call, document_id: str) -> str:
    return f"{call.origin}/amazon-documents/{document_id}"


def create_feed(call: Call) -> Response:
    body, seller = call.json(), call.world.seller
    if body.get("feedType") != _FEED_TYPE:
        return sp_problem(400, "InvalidInput", "The feed type is not supported.")
    if not body.get("marketplaceIds"):
        return sp_problem(400, "InvalidInput", "marketplaceIds is required.")
    document_id = str(body.get("inputFeedDocumentId"))
    if seller.documents.get(document_id) is None:
        return sp_problem(400, "InvalidInput", "inputFeedDocumentId has no uploaded document.")
    if call.world.limiter.draw(_SUBMISSIONS, call.now).wait:
        return sp_problem(429, "QuotaExceeded", "You exceeded your quota for feed submissions.")
    feed = Feed(
        feed_id=str(50_000_000_000 + seller.serial()),
        feed_type=_FEED_TYPE,
        marketplaces=tuple(entries(body, "marketplaceIds")),
        document_id=document_id,
        created=call.now,
    )
    seller.feeds[feed.feed_id] = feed
    call.world.schedule(call.now + QUEUED_FOR, lambda _, at: _start(feed, at))
    call.world.schedule(
        call.now + QUEUED_FOR + WORKED_FOR, lambda world, at: _finish(world, feed, at)
    )
    return reply({"feedId": feed.feed_id}, 202)


def _start(feed: Feed, at: datetime) -> None:
    feed.status, feed.started = "IN_PROGRESS", at


def _finish(world: World, feed: Feed, at: datetime) -> None:
    raw = world.seller.documents[feed.document_id] or b""
    try:
        messages = rows(json.loads(raw), "messages")
    except (ValueError, AttributeError, Malformed):
        feed.status, feed.ended = "FATAL", at
        return
    if not 1 <= len(messages) <= MESSAGES_MAX:
        feed.status, feed.ended = "FATAL", at
        return
    report = _process(world, feed, messages, at)
    feed.report_id = f"{feed.document_id}.report"
    world.seller.documents[feed.report_id] = json.dumps(report).encode()
    feed.status, feed.ended = "DONE", at


def _process(world: World, feed: Feed, messages: list[Json], at: datetime) -> Json:
    issues: list[Json] = []
    refused = 0
    for message in messages:
        problem = _apply(world, message, at)
        if problem is not None:
            refused += 1
            issues.append(
                {
                    "messageId": message.get("messageId"),
                    "sku": message.get("sku"),
                    "code": problem[0],
                    "severity": "ERROR",
                    "message": problem[1],
                }
            )
    return {
        "header": {"sellerId": SELLER_ID, "version": "2.0", "feedId": feed.feed_id},
        "issues": issues,
        "summary": {
            "errors": len(issues),
            "warnings": 0,
            "messagesProcessed": len(messages),
            "messagesAccepted": len(messages) - refused,
            "messagesInvalid": refused,
        },
    }


def _apply(world: World, message: Json, at: datetime) -> tuple[str, str] | None:
    sku = str(message.get("sku"))
    if sku not in world.seller.listings:
        return "13013", f"The SKU {sku} is not in your catalogue."
    if world.quirks.refuses(sku):
        return "8541", f"The SKU {sku} does not match the ASIN."
    try:
        quantity = _quantity(message)
    except Malformed:
        quantity = None
    if quantity is None:
        return "90004", "The message sets no whole quantity of the DEFAULT channel."
    world.seller.write_quantity(sku, quantity, at.replace(microsecond=0), "feed")
    return None


def _quantity(message: Json) -> int | None:
    if message.get("operationType") == "PATCH":
        found: list[Any] = [quantity_of(patch) for patch in rows(message, "patches")]
        return found[0] if len(found) == 1 else None
    if message.get("operationType") == "PARTIAL_UPDATE":
        return availability_of(part(message, "attributes").get("fulfillment_availability"))
    return None


def get_feed(call: Call) -> Response:
    feed = call.world.seller.feeds.get(call.path_args["feed_id"])
    if feed is None:
        return sp_problem(404, "NotFound", "The feed was not found.")
    body: Json = {
        "feedId": feed.feed_id,
        "feedType": feed.feed_type,
        "marketplaceIds": list(feed.marketplaces),
        "createdTime": stamp(feed.created),
        "processingStatus": feed.status,
    }
    if feed.started is not None:
        body["processingStartTime"] = stamp(feed.started)
    if feed.ended is not None:
        body["processingEndTime"] = stamp(feed.ended)
    if feed.report_id is not None:
        body["resultFeedDocumentId"] = feed.report_id
    return reply(body)


def get_document(call: Call) -> Response:
    document_id = call.path_args["document_id"]
    if document_id not in call.world.seller.documents:
        return sp_problem(404, "NotFound", "The feed document was not found.")
    body = {"feedDocumentId": document_id, "url": _document_url(call, document_id)}
    if document_id.endswith(".report"):
        body["compressionAlgorithm"] = "GZIP"
    return reply(body)


def upload(call: Call) -> Response:
    """PUT to a presigned URL: 200 without a body, as object stores answer."""
    document_id = call.path_args["document_id"]
    if document_id not in call.world.seller.documents:
        return Response(
            "<Error><Code>AccessDenied</Code></Error>", 403, content_type="application/xml"
        )
    call.world.seller.documents[document_id] = call.request.get_data()
    return Response(status=200)


def download(call: Call) -> Response:
    """GET of a presigned URL. Processing reports come gzipped, as the document says."""
    content = call.world.seller.documents.get(call.path_args["document_id"])
    if content is None:
        return Response(
            "<Error><Code>NoSuchKey</Code></Error>", 404, content_type="application/xml"
        )
    if call.path_args["document_id"].endswith(".report"):
        # mtime 0 keeps the bytes the same in every run.
        content = gzip.compress(content, mtime=0)
    return Response(content, content_type="application/octet-stream")


ROUTES = (
    Route("createFeedDocument", "POST", "/feeds/2021-06-30/documents", create_document),
    Route("getFeedDocument", "GET", "/feeds/2021-06-30/documents/<document_id>", get_document),
    Route("createFeed", "POST", "/feeds/2021-06-30/feeds", create_feed),
    Route("getFeed", "GET", "/feeds/2021-06-30/feeds/<feed_id>", get_feed),
)

DOCUMENTS = Vendor(
    name="amazon-documents",
    prefix="/amazon-documents",
    routes=(
        Route("uploadDocument", "PUT", "/<document_id>", upload),
        Route("downloadDocument", "GET", "/<document_id>", download),
    ),
    guard=open_to_all,
    limit=unlimited,
    problem=lambda status, message: Response(message, status, content_type="application/xml"),
)
