"""What was packed into the parcels of the own warehouse: nobody outside tells."""

from __future__ import annotations

from collections import Counter

from sqlalchemy import ColumnElement, Connection, select

from state import tables as t


def packing_lists(conn: Connection, labels: ColumnElement[bool]) -> dict[str, Counter[str]]:
    """Reference -> units by SKU that the work of these intents holds now, without what was
    cancelled. Asked when a label is asked for, it is what the hub printed."""
    work, line = t.fulfilment_order.c, t.fulfilment_order_line.c
    query = (
        select(work.reference, t.sku.c.code, line.qty, line.qty_cancelled)
        .join(t.intent, t.intent.c.subject_id == work.id)
        .join(t.fulfilment_order_line, line.ffo_id == work.id)
        .join(t.sku, t.sku.c.id == line.sku_id)
        .where(labels)
    )
    lists: dict[str, Counter[str]] = {}
    for row in conn.execute(query):
        units = lists.setdefault(row.reference, Counter())
        units[row.code] += int(row.qty - row.qty_cancelled)
    return lists
