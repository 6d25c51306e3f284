"""Which carrier a tracking number tells, and where a 3PL that names none is helped by it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings import Definitions
from mappings.problems import Unfit
from mappings.tracking_numbers import carrier_of
from mappings.transforms import TRANSFORMS


@pytest.mark.parametrize(
    ("number", "carrier"),
    [
        ("1Z5R89390357567127", "ups"),
        ("1z 879e93 03 4683 4440", "ups"),
        ("1Z410E7W0392751591", "ups"),
        ("1Z5R89390357567128", None),  # a wrong check digit
        ("9400 1112 0108 0805 4830 16", "usps"),
        ("92748931507708513018050063", "usps"),
        ("420 22153 9101026837331000039521", "usps"),
        ("4201002334249200190132607600833457", "usps"),
        ("9400 1112 0108 0805 4830 17", None),
        ("TBA502887274000", "amazon"),
        ("JVGL0999999990", "dhl_express"),
        ("RR123456785US", "usps"),
        ("CX123456785US", "usps"),
        ("EE123456785JP", "japan_post"),
        ("RB123456785GB", "royal_mail"),
        ("RB123456786GB", None),  # a wrong check digit
        ("CX123456785GB", None),  # Parcelforce, perhaps
        ("RB123456785ZZ", None),
        ("JJD0002257639032011", None),  # DHL or Yodel
        ("986578788855", None),  # FedEx, GLS, DPD ...
        ("", None),
        ("1Z" + "٣" * 16, None),
        ("9" * 10_000, None),
    ],
)
def test_a_number_tells_its_carrier_where_no_other_writes_such(
    number: str, carrier: str | None
) -> None:
    assert carrier_of(number) == carrier


@pytest.mark.parametrize(
    ("number", "carrier"),
    [
        ("986578788855", "fedex"),
        ("0414 4176 0228 964", "fedex"),
        ("3318810025", "dhl_express"),
        ("996578788855", None),
        ("3318810010", None),
        ("RB123456785GB", "royal_mail"),
    ],
)
def test_digits_count_only_among_known_carriers(number: str, carrier: str | None) -> None:
    assert carrier_of(number, ["fedex", "dhl_express", "ups"]) == carrier
    assert carrier_of(number, ["fedex", "dhl_express", "gls"]) in (None, "royal_mail")
    assert carrier_of(number, ["ups"]) in (None, "royal_mail")


@given(st.text(max_size=50), st.lists(st.sampled_from(["fedex", "ups", "gls"])))
def test_any_text_tells_a_carrier_or_nothing(number: str, among: list[str]) -> None:
    carrier = carrier_of(number, among)
    assert carrier is None or carrier.islower()


def test_a_carrier_that_is_named_is_believed() -> None:
    detect = TRANSFORMS["carrier_of_tracking"]
    assert detect("1Z5R89390357567127", named="Joe's Vans") == "Joe's Vans"
    assert detect("", named="Joe's Vans") == "Joe's Vans"
    with pytest.raises(Unfit, match="among must be a list of texts"):
        detect("1Z5R89390357567127", among=[["ups"]])


def _shipbob(tracking: Any) -> dict[str, Any]:
    shipment = {"id": 7, "reference_id": "FO-1", "status": "Completed", "tracking": tracking}
    return {"order": {"id": 1, "status": "Fulfilled"}, "shipment": {**shipment, "products": []}}


@pytest.mark.parametrize(
    ("tracking", "carrier"),
    [
        ({"tracking_number": "1Z5R89390357567127", "carrier": None}, "ups"),
        ({"tracking_number": "1Z5R89390357567127", "carrier": "UPS Mail"}, "UPS Mail"),
        ({"tracking_number": None, "carrier": "USPS"}, "USPS"),
        ({"tracking_number": "986578788855"}, ""),
        (None, ""),
    ],
)
def test_a_shipment_of_shipbob_without_a_carrier_has_that_of_its_number(
    definitions: Definitions, tracking: Any, carrier: str
) -> None:
    shipment = definitions["shipbob.shipments"].apply(_shipbob(tracking)).record
    assert shipment.carrier == carrier
    assert [package.carrier for package in shipment.packages] == [carrier]


@pytest.mark.parametrize(
    ("number", "named", "carrier"),
    [
        ("RB123456785GB", None, "royal_mail"),
        ("RB123456785GB", "Evri", "Evri"),
        (None, "Evri", "Evri"),
        ("12345", None, ""),
    ],
)
def test_a_row_of_a_file_without_a_carrier_has_that_of_its_number(
    definitions: Definitions, number: str | None, named: str | None, carrier: str
) -> None:
    line = {"carrier": named, "sku": "A", "quantity": "1"}
    payload = {
        "shipment_key": "1",
        "shipment": {"reference": "FO-1", "shipped_at": "2026-11-21T10:00:00", **line},
        "packages": [{"tracking_number": number, "lines": [line]}],
        "file": {"timezone": "UTC", "modified_at": "2026-11-21T10:00:00Z"},
    }
    shipment = definitions["csvdrop.shipments"].apply(payload).record
    assert shipment.carrier == carrier
    assert [package.carrier for package in shipment.packages] == [carrier]
