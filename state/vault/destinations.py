"""Routing decisions: of what one was made from, the postcode is encrypted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, Row, select

from state import tables as t
from state import vault
from state.vault import fields, keys
from state.vault.fields import Opened


def seal(conn: Connection, order_id: int, inputs: dict[str, Any]) -> dict[str, Any]:
    """The inputs as they are to be stored; the same where the order's connection is not sealed."""
    if vault.of(conn) is None:
        return inputs
    order = t.sales_order.c
    query = select(order.connection_id, order.channel_order_id).where(order.id == order_id)
    row = conn.execute(query).one()
    if not vault.seals(conn, row.connection_id):
        return inputs
    owner = keys.of_order(row.connection_id, row.channel_order_id)
    return sealed(keys.for_writing(conn, [owner])[owner], order_id, inputs)


def sealed(key: keys.DataKey, order_id: int, inputs: Mapping[str, Any]) -> dict[str, Any]:
    order = inputs["order"]
    postcode = order.get("postcode", "")
    if fields.is_sealed(postcode):
        return dict(inputs)
    hidden = fields.seal(key, postcode, *_belongs_to(order_id))
    return {**inputs, "order": {**order, "postcode": hidden}}


def clear(conn: Connection, rows: Iterable[Row[Any]]) -> list[Any]:
    """Decisions with their inputs in clear. Raises ``VaultProblem``."""
    given = list(rows)
    hidden = [postcode_of(row.inputs) for row in given]
    wanted = {fields.key_id(text) for text in hidden if fields.is_sealed(text)}
    if not wanted:
        return given
    found = keys.by_id(conn, wanted)
    return [
        Opened(row, {"inputs": _opened(found, row, text)}) if fields.is_sealed(text) else row
        for row, text in zip(given, hidden, strict=True)
    ]


def postcode_of(inputs: Any) -> str:
    """As it is stored; empty where none is: decisions of early versions hold less."""
    order = inputs.get("order") if isinstance(inputs, dict) else None
    return str(order.get("postcode") or "") if isinstance(order, dict) else ""


def _opened(found: Mapping[int, keys.DataKey], row: Row[Any], text: str) -> dict[str, Any]:
    postcode = fields.unseal(found, text, *_belongs_to(row.order_id))
    return {**row.inputs, "order": {**row.inputs["order"], "postcode": postcode}}


def _belongs_to(order_id: int) -> tuple[str, ...]:
    return "routing_decision", "postcode", str(order_id)
