"""What proves a webhook: the vendors' recipes, the secrets in force, and every byte of the body."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from connectors import shipbob_hooks, woo_hooks
from connectors.base import Delivery, ListsSubscriptions
from connectors.errors import HookRefused
from connectors.hooks import signatures
from connectors.registry import CONNECTORS
from connectors.shipbob import ShipBob, ShipBobConfig
from connectors.shipengine import ShipEngine, ShipEngineConfig
from connectors.woo_window import Window
from connectors.woocommerce import WooCommerce, WooConfig
from mappings import Definitions
from sandbox.app import Sandbox
from sandbox.clock import ManualClock
from sandbox.hooks import Subscription
from sandbox.vendors import shipbob, woocommerce
from sandbox.world import World
from tests.connectors.conftest import START, OpenDoor

NOW = datetime.fromtimestamp(1_700_000_000, UTC)
WOO_KEY = b"a-secret-of-the-shop-and-long"
SHOP = {"url": "https://shop.example", "consumer_key": "k", "consumer_secret": "s"}
BOB = {"token": "t", "channel_id": 1}
LABELS = {"api_key": "k", "carrier_ids": ["se-1"]}


@pytest.fixture
def vectors(specs: Path) -> dict[str, Any]:
    """Signatures of the documented recipes, which are not part of this repository."""
    path = specs.parent / "docs" / "webhook_vectors.json"
    if not path.is_file():
        pytest.skip(f"the signature vectors are not here (looked for {path})")
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def test_the_documented_signatures_are_ours(vectors: Mapping[str, Any]) -> None:
    body = vectors["body_utf8"].encode()
    by_vendor = {one["vendor"].split(" ")[0]: one for one in vectors["vectors"]}
    woo = by_vendor["woocommerce"]
    read = woo_hooks.read(
        [vectors["secret"].encode()], Delivery({woo["header"].lower(): woo["value"]}, body)
    )
    assert read is not None
    assert read.external_id == "1001"
    standard = by_vendor["standard-webhooks"]
    hook = shipbob_hooks.read(
        [shipbob_hooks.key_of(standard["secret"])], Delivery(standard["headers"], body), NOW
    )
    assert hook.event_id == "msg_test_1"


@pytest.mark.parametrize(
    ("model", "given_", "secret"),
    [
        (WooConfig, SHOP, "only-23-bytes-long-----"),
        (ShipEngineConfig, LABELS, "short"),
        (ShipBobConfig, BOB, "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY="),
        (ShipBobConfig, BOB, "whsec_not*base64*at*all*00000000"),
        (ShipBobConfig, BOB, "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3"),
    ],
)
def test_a_secret_that_is_too_short_or_no_secret_is_refused_without_repeating_it(
    model: type[WooConfig], given_: dict[str, Any], secret: str
) -> None:
    with pytest.raises(ValidationError, match=r"webhook secret") as caught:
        model.model_validate({**given_, "webhook_secret": secret})
    assert secret not in str(caught.value.errors(include_input=False, include_context=False))


def test_fault_row_40_both_secrets_are_good_while_one_is_changed() -> None:
    new, old, body = "the-new-secret-of-this-shop", "the-old-secret-of-this-shop", b'{"id":1}'
    given_ = {**SHOP, "webhook_secret": new, "webhook_secret_before": old}
    config = WooConfig.model_validate(given_)
    for secret in (new, old):
        (signature,) = signatures([secret.encode()], body)
        delivery = Delivery({woo_hooks.SIGNATURE: signature.decode()}, body)
        assert woo_hooks.read(config.hook_keys(), delivery) is not None
    only_old = WooConfig.model_validate({**SHOP, "webhook_secret_before": old})
    assert only_old.hook_keys() == ()


@given(body=st.binary(min_size=1, max_size=200), at=st.integers(0, 10**6), bit=st.integers(0, 7))
def test_threat_t1_no_bit_of_the_body_can_be_changed(body: bytes, at: int, bit: int) -> None:
    (signature,) = signatures([WOO_KEY], body)
    headers = {woo_hooks.SIGNATURE: signature.decode()}
    assert woo_hooks.read([WOO_KEY], Delivery(headers, body)) is not None
    changed = bytearray(body)
    changed[at % len(body)] ^= 1 << bit
    with pytest.raises(HookRefused):
        woo_hooks.read([WOO_KEY], Delivery(headers, bytes(changed)))


@given(signature=st.text(max_size=60))
def test_threat_t1_no_text_that_is_guessed_is_a_signature(signature: str) -> None:
    with pytest.raises(HookRefused):
        woo_hooks.read([WOO_KEY], Delivery({woo_hooks.SIGNATURE: signature}, b"{}"))


@given(body=st.binary(max_size=300))
def test_a_proven_body_may_be_anything(body: bytes) -> None:
    (signature,) = signatures([WOO_KEY], body)
    hook = woo_hooks.read([WOO_KEY], Delivery({woo_hooks.SIGNATURE: signature.decode()}, body))
    assert hook is not None
    assert len(hook.event_id) == 64


@pytest.mark.parametrize("body", [b'{"id": "\xff"}', b'{"date_modified_gmt": "\xed\xa0\x80"}'])
def test_a_proven_body_that_is_no_utf_8_is_kept_and_says_nothing(body: bytes) -> None:
    (signature,) = signatures([WOO_KEY], body)
    hook = woo_hooks.read([WOO_KEY], Delivery({woo_hooks.SIGNATURE: signature.decode()}, body))
    assert hook is not None
    assert hook.external_id == ""


def test_a_body_that_is_nested_without_end_is_kept_and_says_nothing() -> None:
    body = b'{"id":' + b"[" * 200_000
    (signature,) = signatures([WOO_KEY], body)
    hook = woo_hooks.read([WOO_KEY], Delivery({woo_hooks.SIGNATURE: signature.decode()}, body))
    assert hook is not None
    assert hook.external_id == ""


def test_the_parts_of_a_signed_envelope_cannot_move() -> None:
    key = b"0123456789abcdef01234567"
    (signature,) = signatures([key], b"a.1700000000.1700000000.{}")
    for event_id, stamp, body in (
        ("a", "1700000000", b"1700000000.{}"),
        ("a.1700000000", "1700000000", b"{}"),
    ):
        headers = {
            "webhook-id": event_id,
            "webhook-timestamp": stamp,
            "webhook-signature": f"v1,{signature.decode()}",
        }
        if "." in event_id:
            with pytest.raises(HookRefused):
                shipbob_hooks.read([key], Delivery(headers, body), NOW)
        else:
            assert shipbob_hooks.read([key], Delivery(headers, body), NOW).event_id == "a"


def test_a_label_webhook_is_proven_by_the_header_that_ops_gave_it(open_door: OpenDoor) -> None:
    secret = "the-secret-of-the-label-account"
    config = ShipEngineConfig.model_validate({**LABELS, "webhook_secret": secret})
    made = ShipEngine(config, open_door(httpx.MockTransport(_nobody)), Definitions.load())
    body = b'{"resource_type":"API_TRACK","resource_url":"https://api.shipengine.com/v1/x"}'
    hook = made.read_hook(Delivery({"x-crossdock-token": secret}, body), NOW)
    assert hook is not None
    assert hook.topic == "API_TRACK"
    for token in ("", secret[:-1], secret.upper()):
        with pytest.raises(HookRefused):
            made.read_hook(Delivery({"x-crossdock-token": token}, body), NOW)
    made.close()


def _nobody(_request: httpx.Request) -> httpx.Response:
    raise AssertionError("a webhook makes no call")


def test_whoever_sends_webhooks_says_which_streams_they_are_about() -> None:
    sending = {
        name: made.info.hooks for name, made in CONNECTORS.items() if made.info.hooks is not None
    }
    assert set(sending) == {"woocommerce", "shipbob", "shipengine"}
    for name, hooks in sending.items():
        assert hasattr(CONNECTORS[name], "read_hook")
        assert hooks is not None
        assert hooks.topics
        assert all(header == header.lower() for header in hooks.headers)


_DAY = START.replace(tzinfo=None)


@given(st.datetimes(_DAY, _DAY + timedelta(days=1)), st.floats(0, 5), st.floats(-60, 1))
def test_a_shop_s_change_shows_so_long_after_its_webhook(
    webhook: datetime, delay_s: float, ahead_s: float
) -> None:
    """``ahead_s``: how far the shop's clock is ahead of ours."""
    webhook = webhook.replace(tzinfo=UTC)
    told = webhook + timedelta(seconds=ahead_s - delay_s)
    hooks = WooCommerce.info.hooks
    assert hooks is not None
    asked = webhook + timedelta(seconds=hooks.shows_after_s)
    cursor = {"watermark": webhook.isoformat()}
    window = Window.opened(cursor, webhook, asked)
    assert told.replace(microsecond=0) < window.until


@pytest.mark.parametrize("vendor", ["woocommerce", "shipbob"])
def test_fault_row_46_a_subscription_that_vanished_is_found(
    vendor: str, open_door: OpenDoor, definitions: Definitions
) -> None:
    sandbox = Sandbox(World(7, ManualClock(START), orders_per_channel=1))
    url, connector = "https://hooks.example/hooks/x", _connector(vendor, sandbox, open_door)
    assert issubclass(type(connector), ListsSubscriptions)
    assert not any(finding.ok for finding in connector.subscriptions(url))
    topics = woo_hooks.TOPICS if vendor == "woocommerce" else ("order.shipped",)
    made = []
    for topic in topics:
        secret = "s" * 30 if vendor == "woocommerce" else "whsec_" + "A" * 32
        kind: Any = vendor
        made.append(sandbox.world.hooks.subscribe(Subscription(kind, [topic], url, secret)))
    assert all(finding.ok for finding in connector.subscriptions(url))
    assert not any(finding.ok for finding in connector.subscriptions(f"{url}y"))
    made[0].enabled = False
    wrong = [finding for finding in connector.subscriptions(url) if not finding.ok]
    assert ["disabled" in finding.detail for finding in wrong] == [True]
    assert url in wrong[0].remedy
    connector.close()


def _connector(vendor: str, sandbox: Sandbox, open_door: Callable[..., Any]) -> Any:
    door = open_door(sandbox.transport())
    if vendor == "woocommerce":
        shop = {
            "url": "https://sandbox.test/woo",
            "consumer_key": woocommerce.CONSUMER_KEY,
            "consumer_secret": woocommerce.CONSUMER_SECRET,
        }
        return WooCommerce(WooConfig.model_validate(shop), door, Definitions.load())
    bob = {"url": "https://sandbox.test/shipbob", "token": shipbob.TOKEN, "channel_id": 1}
    return ShipBob(ShipBobConfig.model_validate(bob), door, Definitions.load())
