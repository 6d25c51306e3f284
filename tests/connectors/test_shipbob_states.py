"""What ShipBob's words for a shipment mean in ours."""

from __future__ import annotations

from decimal import Decimal

import pytest

from mappings import Definitions, MappingError
from mappings import canonical as c

ORDER = {"id": 1, "reference_id": "FO-1", "status": "Processing"}


@pytest.mark.parametrize(
    ("order", "shipment", "state"),
    [
        ("Cancelled", "Cancelled", "cancelled"),
        ("Processing", "Cancelled", "exception"),
        ("PartiallyFulfilled", "Completed", "shipped"),
        ("PartiallyFulfilled", "LabeledCreated", "processing"),
        ("Processing", "CleanSweeped", "exception"),
    ],
)
def test_the_state_of_a_shipment_is_not_that_of_its_order(
    definitions: Definitions, order: str, shipment: str, state: str
) -> None:
    body = {"order": ORDER | {"status": order}, "shipment": {"id": 5, "status": shipment}}
    assert definitions["shipbob.shipments"].apply(body).record.state == state


def test_an_unknown_status_is_a_problem_and_not_a_guess(definitions: Definitions) -> None:
    body = {"order": ORDER, "shipment": {"id": 5, "status": "Teleported"}}
    with pytest.raises(MappingError, match="Teleported"):
        definitions["shipbob.shipments"].apply(body)


def test_goods_that_left_without_tracking_are_a_package_all_the_same(
    definitions: Definitions,
) -> None:
    lots = [{"id": 1, "quantity": 2}, {"id": 1, "quantity": 1}]
    products = [{"reference_id": "A", "inventory_items": lots}]
    shipment = {"id": 5, "status": "Completed", "products": products, "tracking": None}
    mapped = definitions["shipbob.shipments"].apply({"order": ORDER, "shipment": shipment})
    assert mapped.record.packages == (
        c.Package(tracking_number="", lines=(c.ShippedLine(sku="A", quantity=Decimal(3)),)),
    )
