"""The kinds of intents: which capability sends each, how one is looked up, what settles it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row

from connectors import base
from sync import cancellation, handover, notices, rerouting
from sync.context import Hub
from sync.promise import writing

Body = dict[str, Any]
Send = Callable[[Any, dict[str, Body]], Sequence[base.Outcome]]
Find = Callable[[Any, Body], base.Outcome | None]
Settle = Callable[[Connection, Hub, Row[Any], base.Outcome], set[str]]


@dataclass(frozen=True, slots=True)
class Kind:
    """``method`` names the capability's entry in ``Info.pushes``; ``find`` looks our key up.

    ``newest``: only a subject's last intent counts, it replaces those that were not sent.
    """

    name: str
    capability: type
    method: str
    send: Send
    settle: Settle
    find: Find | None = None
    newest: bool = False


KINDS = (
    Kind(
        "fulfilment_order",
        base.PushesFulfilmentOrders,
        "push_fulfilment_orders",
        handover.send_orders,
        handover.settle_order,
        handover.find_order,
    ),
    Kind(
        "cancel_fulfilment_order",
        base.CancelsFulfilmentOrders,
        "cancel_fulfilment_orders",
        cancellation.send,
        rerouting.settle_stop,
    ),
    Kind(
        "label",
        base.BuysLabels,
        "buy_labels",
        handover.send_labels,
        handover.settle_label,
        handover.find_label,
    ),
    Kind("tracking", base.PushesTracking, "push_tracking", notices.send, notices.settle),
    Kind("stock", base.PushesStock, "push_stock", writing.send, writing.settle, newest=True),
)
"""In the order in which a drain sends them: what ships first, then what sells."""

BY_NAME = {kind.name: kind for kind in KINDS}
"""What an open intent of this name needs."""
