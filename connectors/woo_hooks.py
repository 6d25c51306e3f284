"""WooCommerce's webhooks (woocommerce-rest-api-docs, ``_webhooks.md``).

Quirks: only the body is signed, so topic and delivery id prove nothing and the body itself names
the event; a webhook that is saved first tries its address with ``webhook_id=N``, unsigned, and
takes nothing but 200 for an answer; after five failures in a row a webhook is disabled for good.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from connectors.base import Delivery, Finding, Hook, Hooks
from connectors.hooks import hook, require_proof, signatures, subject_of
from connectors.woo_window import SHOWS_AFTER

SIGNATURE = "x-wc-webhook-signature"
TOPIC = "x-wc-webhook-topic"
TOPICS = ("order.created", "order.updated")
"""What has to be subscribed to: an order is created and updated, in any sequence."""

HOOKS = Hooks(
    # product.updated comes with every order, as stock falls: reading the whole catalogue for it
    # would be a hammer.
    topics={"order.*": ("orders",)},
    headers=(TOPIC, "x-wc-webhook-id", "x-wc-webhook-delivery-id", "x-wc-webhook-source"),
    enter="WooCommerce > Settings > Advanced > Webhooks: one each for order created and updated",
    shows_after_s=SHOWS_AFTER.total_seconds(),
)

_PING = re.compile(rb"webhook_id=[0-9]{1,20}")


def read(keys: Iterable[bytes], delivery: Delivery) -> Hook | None:
    """Null for a ping. Raises ``HookRefused``."""
    signature = delivery.headers.get(SIGNATURE, "")
    if not signature and _PING.fullmatch(delivery.body):
        return None
    require_proof([signature], signatures(keys, delivery.body))
    about = subject_of(delivery.body)
    event_id = hashlib.sha256(delivery.body).hexdigest()
    return hook(event_id, delivery.headers.get(TOPIC, ""), about.id, about.date_modified_gmt)


def findings(rows: Sequence[Mapping[str, Any]], url: str) -> list[Finding]:
    """Whether the shop still sends what we need to ``url``."""
    found = []
    for topic in TOPICS:
        states = [
            str(row.get("status"))
            for row in rows
            if row.get("topic") == topic and row.get("delivery_url") == url
        ]
        ok = "active" in states
        told = f"{topic} is {'active' if ok else ' and '.join(states) or 'not there'}"
        remedy = "" if ok else f"Add it, or activate it again, under {HOOKS.enter}: {url}"
        found.append(Finding("webhook", ok, told, remedy))
    return found
