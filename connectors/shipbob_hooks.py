"""ShipBob's webhooks: Standard Webhooks, signed over ``id.timestamp.body`` (OpenAPI 2026-01).

Quirks: the secret is base64 behind ``whsec_``; the topic stands in a header that is not signed;
after five days without an answer a subscription is disabled.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from connectors.base import Delivery, Finding, Hook, Hooks
from connectors.errors import HookRefused
from connectors.hooks import hook, require_fresh, require_proof, signatures, subject_of

ID, STAMP, SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"
TOPIC = "x-webhook-topic"
TOLERANCE_S = 300.0

HOOKS = Hooks(
    topics={"order.*": ("shipments",)},
    headers=(ID, STAMP, TOPIC),
    enter="ShipBob's API, POST /2026-01/webhook with the topics order.*",
)

# Without dots: they part what is signed, and the parts must not be able to move.
_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")
_SIGNED = "v1,"


def key_of(secret: str) -> bytes:
    """The key behind ``whsec_``. Raises ``ValueError`` with a sentence."""
    try:
        if not secret.startswith("whsec_"):
            raise ValueError
        return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except (ValueError, binascii.Error):
        raise ValueError("a ShipBob webhook secret is whsec_ and base64") from None


def read(keys: Iterable[bytes], delivery: Delivery, now: datetime) -> Hook:
    """Raises ``HookRefused``."""
    event_id, stamp = delivery.headers.get(ID, ""), delivery.headers.get(STAMP, "")
    if not _ID.fullmatch(event_id):
        raise HookRefused("unsigned")
    require_fresh(stamp, now, TOLERANCE_S)
    listed = delivery.headers.get(SIGNATURE, "").split(" ")
    given = [one.removeprefix(_SIGNED) for one in listed if one.startswith(_SIGNED)]
    content = f"{event_id}.{stamp}.".encode() + delivery.body
    require_proof(given, signatures(keys, content))
    about = subject_of(delivery.body)
    return hook(event_id, delivery.headers.get(TOPIC, ""), about.id, stamp)


def findings(rows: Sequence[Mapping[str, Any]], url: str) -> list[Finding]:
    """Whether the account still sends what we need to ``url``."""
    mine = [row for row in rows if row.get("url") == url]
    topics = sorted(
        {str(topic) for row in mine if row.get("enabled") for topic in row.get("topics") or ()}
    )
    ok = any(topic.startswith("order.") for topic in topics)
    told = ", ".join(topics) or ("disabled" if mine else "not there")
    remedy = "" if ok else f"Subscribe again through {HOOKS.enter}: {url}"
    return [Finding("webhook", ok, told, remedy)]
