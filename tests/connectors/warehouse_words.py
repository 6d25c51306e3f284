"""What the tests of connectors to a 3PL say often: work that it is asked to do."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from mappings import canonical as c
from sandbox.catalogue import SKUS

START = datetime(2026, 11, 2, 8, tzinfo=UTC)


def ordered(reference: str = "FO-1", **changes: Any) -> c.FulfilmentRequest:
    """Two lines for Bonn, the second in a quantity with decimals that mean nothing."""
    fields: dict[str, Any] = {
        "reference": reference,
        "order_name": "#1001",
        "placed_at": START,
        "currency": "EUR",
        "ship_to": c.Address(
            name="مها 🎁",
            street="Weg 1",
            street2="c/o",
            city="Bonn",
            postcode="53111",
            country="DE",
        ),
        "lines": (
            c.FulfilmentLine(line_reference="1", sku=SKUS[0].code, quantity=Decimal(2)),
            c.FulfilmentLine(
                line_reference="2", sku=SKUS[1].code, title="Cup", quantity=Decimal("1.00")
            ),
        ),
    }
    return c.FulfilmentRequest(**fields | changes)
