"""A report of an order whose personal data was erased: what of it may still be kept."""

from __future__ import annotations

from dataclasses import replace

import msgspec

from mappings import canonical as c
from state import inbox
from sync.reading import Reading


def stripped(reading: Reading) -> Reading:
    """The same without personal data: no payload, and of its addresses the country.

    One that does not map is not kept for anybody to read again.
    """
    bare = replace(reading.received, body=inbox.NO_CONTENT)
    if reading.record is None:
        bare.state, bare.problems = "ignored", None
        return replace(reading, received=bare)
    return replace(reading, received=bare, record=without_personal_data(reading.record))


def without_personal_data(order: c.Order) -> c.Order:
    """An order as it is kept after its erasure."""
    return msgspec.structs.replace(
        order,
        note="",
        bill_to=_country(order.bill_to),
        ship_to=_country(order.ship_to),
        refunds=tuple(msgspec.structs.replace(refund, reason="") for refund in order.refunds),
    )


def _country(address: c.Address | None) -> c.Address | None:
    return None if address is None else c.Address(country=address.country)
