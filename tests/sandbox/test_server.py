"""The same sandbox over real sockets, and as a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from sandbox import truth
from sandbox.app import Sandbox
from sandbox.clock import ManualClock
from sandbox.server import serve
from sandbox.vendors import lwa, shipbob, shipengine, woocommerce

WOO = (woocommerce.CONSUMER_KEY, woocommerce.CONSUMER_SECRET)
BOB = {"Authorization": f"Bearer {shipbob.TOKEN}", "shipbob_channel_id": "105111"}
ENGINE = {"API-Key": shipengine.API_KEY}


@pytest.fixture
def client(sandbox: Sandbox, clock: ManualClock) -> Iterator[httpx.Client]:
    clock.advance(20 * 3600)
    with serve(sandbox) as base_url, httpx.Client(base_url=base_url, timeout=10) as opened:
        yield opened


def test_every_vendor_answers_over_a_socket(client: httpx.Client) -> None:
    orders = client.get("/woo/wp-json/wc/v3/orders", auth=WOO, params={"per_page": "100"})
    assert len(orders.json()) == 60
    form = {
        "grant_type": "refresh_token",
        "refresh_token": lwa.REFRESH_TOKEN,
        "client_id": lwa.CLIENT_ID,
        "client_secret": lwa.CLIENT_SECRET,
    }
    token = client.post("/lwa/auth/o2/token", data=form).json()["access_token"]
    header = {"x-amz-access-token": token}
    params = {"marketplaceIds": "A1PA6795UKMFR9", "createdAfter": "2026-11-01T00:00:00Z"}
    found = client.get("/amazon/orders/2026-01-01/orders", params=params, headers=header)
    assert found.json()["orders"]
    document = client.post(
        "/amazon/feeds/2021-06-30/documents", json={"contentType": "x"}, headers=header
    )
    assert document.json()["url"].startswith(str(client.base_url))
    assert client.put(document.json()["url"], content=b"{}").status_code == 200
    assert client.get("/shipbob/2026-01/channel", headers=BOB).json()["items"]
    assert client.get("/shipengine/v1/carriers", headers=ENGINE).json()["carriers"]
    assert client.get("/nowhere").status_code == 404


def test_connections_are_kept_alive(client: httpx.Client) -> None:
    replies = [client.get("/shipbob/2026-01/location", headers=BOB) for _ in range(3)]
    streams = {reply.extensions["network_stream"] for reply in replies}
    assert len(streams) == 1


@pytest.mark.parametrize(("kind", "orders"), [("timeout-before", 0), ("timeout-after", 1)])
def test_lost_calls_hang_up_without_a_reply(
    client: httpx.Client, sandbox: Sandbox, kind: str, orders: int
) -> None:
    sandbox.faults.add("shipbob:createOrder", kind, times=1)
    body = {
        "type": "DTC",
        "reference_id": "FO-1",
        "shipping_method": "Standard",
        "recipient": {"name": "A", "address": {"address1": "b", "city": "c", "country": "DE"}},
        "products": [{"reference_id": "TIN-250", "name": "Tin", "quantity": 1}],
    }
    with pytest.raises(httpx.RemoteProtocolError):
        client.post("/shipbob/2026-01/order", json=body, headers=BOB)
    assert len(truth.shipbob_orders(sandbox.world)) == orders
    assert client.get("/shipbob/2026-01/order", headers=BOB).status_code == 200


def test_many_clients_at_once_get_one_label_per_key(client: httpx.Client, sandbox: Sandbox) -> None:
    home = {
        "name": "Lager",
        "phone": "+49 221 5550100",
        "address_line1": "Hafenstraße 1",
        "city_locality": "Köln",
        "state_province": "NW",
        "postal_code": "50667",
        "country_code": "DE",
    }
    shipment = {
        "carrier_id": "se-287001",
        "service_code": "dpd_classic",
        "external_shipment_id": "FO-1",
        "ship_from": home,
        "ship_to": home,
        "packages": [{"weight": {"value": 1, "unit": "kilogram"}}],
    }

    def buy(_: int) -> int:
        body = {"shipment": shipment}
        return client.post("/shipengine/v1/labels", json=body, headers=ENGINE).status_code

    with ThreadPoolExecutor(8) as pool:
        statuses = sorted(pool.map(buy, range(24)))
    assert statuses == [200] + [400] * 23
    assert truth.labels(sandbox.world)["FO-1"]["bought"] == 1


def test_the_process_says_when_it_is_ready_runs_its_clock_and_ends_on_sigterm() -> None:
    command = [sys.executable, "-W", "error", "-m", "sandbox", "--port", "0", "--seed", "3"]
    command += ["--speed", "3600", "--start", "2026-11-02T06:00:00Z", "--orders-per-channel", "5"]
    process = subprocess.Popen(
        command,
        cwd=Path(__file__).parents[2],
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        assert ready["seed"] == 3
        with httpx.Client(base_url=f"{ready['base_url']}/_sandbox") as admin:
            first = admin.get("/clock").json()["now"]
            moved = admin.post("/clock", json={"advance": 86400, "speed": 0}).json()["now"]
            assert first[:10] == "2026-11-02"
            assert moved[:10] == "2026-11-03"
            assert admin.get("/clock").json()["now"] == moved
            assert len(admin.get("/truth").json()["orders"]["woocommerce"]) == 5
    finally:
        process.send_signal(signal.SIGTERM)
        output, errors = process.communicate(timeout=20)
    assert (process.returncode, output, errors) == (0, "", "")
