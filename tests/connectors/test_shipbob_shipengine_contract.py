"""Every request to ShipBob and ShipEngine is one that the vendor's published contract allows."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
import yaml
from openapi_core import Config, OpenAPI
from openapi_core.exceptions import OpenAPIError
from openapi_core.testing import MockRequest

from connectors.shipbob import ShipBob
from connectors.shipengine import ShipEngine
from mappings import Definitions
from mappings import canonical as c
from sandbox.app import Sandbox
from sandbox.catalogue import SKUS
from sandbox.clock import ManualClock
from sandbox.world import World

START = datetime(2026, 11, 2, 8, tzinfo=UTC)
BARE = c.Address(name="A", street="B", city="C", postcode="D", country="DE")
WAREHOUSE = msgspec.structs.replace(BARE, phone="1")
FULL = c.Address(
    name="Łucja 🎁 李",
    company="مها & Co",
    street="Straße 1",
    street2="Hinterhaus",
    street3="3. OG",
    city="Bonn",
    region="NW",
    postcode="53111",
    country="GB",
    phone="+49 228 1",
    email="lucja@example.com",
)
Check = Callable[[httpx.Request], None]


def _flat(node: Any, contract: dict[str, Any]) -> Any:
    """The schemas as they are meant.

    Members of ``allOf`` each forbid the properties of the others, so that literally no object
    fits: they are written into one. ``oneOf`` lists a type beside those that extend it, and what
    fits one fits several: it is read as ``anyOf``.
    """
    if isinstance(node, list):
        return [_flat(part, contract) for part in node]
    if not isinstance(node, dict) or "$ref" in node:
        return node if not isinstance(node, dict) else {"$ref": node["$ref"]}
    whole = {
        "anyOf" if key == "oneOf" else key: _flat(part, contract)
        for key, part in node.items()
        if key != "allOf"
    }
    for member in node["allOf"] if isinstance(node.get("allOf"), list) else ():
        part = _flat(_resolved(member, contract), contract)
        properties = part.get("properties", {}) | whole.get("properties", {})
        required = [*part.get("required", []), *whole.get("required", [])]
        whole = part | whole | {"properties": properties, "required": required}
    if isinstance(whole.get("anyOf"), list):
        whole.pop("additionalProperties", None)
    return {
        key: part for key, part in whole.items() if part or key not in ("properties", "required")
    }


def _resolved(member: dict[str, Any], contract: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in member:
        found: Any = contract
        for step in member["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        member = found
    return member


@cache
def _checker(file: Path, prefix: str) -> Check:
    text = file.read_text()
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    raw = json.loads(text) if file.suffix == ".json" else yaml.load(text, Loader=loader)
    # ShipEngine requires both of what its text calls alternatives, shipment and shipment_id.
    raw["components"]["schemas"].get("calculate_rates_request_body", {}).pop("required", None)
    contract = _flat(raw, raw)
    # The contracts break rules of OpenAPI itself; they are taken as they are.
    config = Config(spec_validator_cls=None)  # type: ignore[arg-type]
    openapi = OpenAPI.from_dict(contract, config=config)

    def check(request: httpx.Request) -> None:
        asked = MockRequest(
            raw["servers"][0]["url"],
            request.method.lower(),
            request.url.path.removeprefix(prefix),
            args=dict(request.url.params),
            headers=dict(request.headers),
            data=request.content or None,
            content_type=request.headers.get("content-type", "application/json"),
        )
        openapi.validate_request(asked)

    return check


@pytest.fixture
def shipbob_contract(specs: Path) -> Check:
    return _checker(specs / "shipbob" / "openapi" / "openapi-2026-01.json", "/shipbob")


@pytest.fixture
def shipengine_contract(specs: Path) -> Check:
    return _checker(specs / "shipengine" / "openapi.yaml", "/shipengine")


@pytest.fixture
def sandbox(clock: ManualClock) -> Sandbox:
    return Sandbox(World(7, clock, orders_per_channel=0))


def fulfilment(reference: str, to: c.Address) -> c.FulfilmentRequest:
    lines = tuple(
        c.FulfilmentLine(line_reference=str(n), sku=sku.code, quantity=Decimal("1.0"))
        for n, sku in enumerate(SKUS[:2])
    )
    return c.FulfilmentRequest(
        reference=reference,
        order_name="#1",
        placed_at=START,
        currency="KWD",
        ship_to=to,
        lines=lines,
    )


def operations(recorder: Any, prefix: str) -> set[str]:
    sent = [
        (request.method, request.url.path.removeprefix(prefix)) for request in recorder.requests
    ]
    return {f"{method} {path}" for method, path in sent}


def test_every_request_to_shipbob_is_in_its_contract(
    shipbob_contract: Check,
    recorder: Any,
    shipbob_account: Callable[..., ShipBob],
) -> None:
    for location_id in (None, 84):
        bob = shipbob_account(location_id=location_id)
        for number, address in enumerate((BARE, FULL)):
            reference = f"FO-{location_id}-{number}"
            for _ in range(2):
                (placed,) = bob.push_fulfilment_orders({"k": fulfilment(reference, address)})
                assert placed.status == "applied"
        assert bob.cancel_fulfilment_orders({"k": placed.remote_id})[0].status == "applied"
        assert all(finding.ok for finding in bob.check())
        assert list(bob.pull_shipments(None, START - timedelta(days=1)))
        assert list(bob.pull_stock())

    for request in recorder.requests:
        shipbob_contract(request)
    assert {
        re.sub(r"\d+:", "{id}:", name) for name in operations(recorder, "/shipbob/2026-01")
    } == {
        "POST /order",
        "GET /order",
        "POST /order/{id}:cancel",
        "GET /channel",
        "GET /location",
        "GET /inventory-level",
        "GET /inventory-level/locations",
    }


def test_every_request_to_shipengine_is_in_its_contract(
    shipengine_contract: Check,
    recorder: Any,
    shipengine_account: ShipEngine,
) -> None:
    for number, address in enumerate((BARE, FULL)):
        parcel = c.LabelRequest(
            reference=f"FO-{number}",
            ship_from=WAREHOUSE,
            ship_to=address,
            weight_g=1,
            currency="EUR",
            customs_value=1234,
        )
        for _ in range(2):
            (bought,) = shipengine_account.buy_labels({"k": parcel})
            assert bought.status == "applied"
        priced = c.RateRequest(
            ship_from=WAREHOUSE, ship_to=address, weight_g=2000, ship_at=START + timedelta(days=1)
        )
        assert shipengine_account.estimate_rates(priced)
    assert shipengine_account.track(bought.remote_id).events
    assert shipengine_account.void_label(bought.remote_id).status == "applied"
    assert shipengine_account.check()[0].ok

    for request in recorder.requests:
        shipengine_contract(request)
    assert operations(recorder, "/shipengine/v1") == {
        "POST /rates",
        "POST /rates/estimate",
        "POST /labels",
        "GET /labels",
        "GET /labels/external_shipment_id/FO-0",
        "GET /labels/external_shipment_id/FO-1",
        f"GET /labels/{bought.remote_id}/track",
        f"PUT /labels/{bought.remote_id}/void",
        "GET /carriers",
    }


@pytest.mark.parametrize(
    "spoil",
    [
        lambda body: body.pop("reference_id"),
        lambda body: body["products"][0].pop("quantity"),
        lambda body: body["recipient"]["address"].update(adress2="x"),
        lambda body: body.update(type="B2X"),
    ],
)
def test_the_check_would_notice(
    shipbob_contract: Check, definitions: Definitions, spoil: Callable[[dict[str, Any]], Any]
) -> None:
    context = {"shipping_method": "Standard", "location_id": None}
    body = definitions["shipbob.fulfilment_orders"].render(fulfilment("FO-1", FULL), context)
    url, headers = "https://sandbox.test/shipbob/2026-01/order", {"shipbob_channel_id": "1"}
    headers |= {"Authorization": "Bearer x"}
    shipbob_contract(httpx.Request("POST", url, json=body, headers=headers))
    spoil(body)
    with pytest.raises(OpenAPIError):
        shipbob_contract(httpx.Request("POST", url, json=body, headers=headers))
