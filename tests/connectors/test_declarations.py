"""What connectors declare of their pushes is enough for the engine to rely on."""

from __future__ import annotations

import pytest

from connectors.base import ListsEffects, Push
from connectors.registry import CONNECTORS
from proof.ambiguity.targets import TARGETS

PUSHES = [
    (name, method, rule)
    for name, connector in sorted(CONNECTORS.items())
    for method, rule in sorted(connector.info.pushes.items())
]
FOUND_BY = {
    "push_fulfilment_orders": "find_fulfilment_order",
    "buy_labels": "find_label",
}
AT_ONCE = {"csvdrop"}
"""Whose own records are the index: a folder with a receipt per reference."""


@pytest.mark.parametrize(("name", "method", "rule"), PUSHES)
def test_what_is_looked_up_can_be_and_has_a_lag(name: str, method: str, rule: Push) -> None:
    makes_something = method in FOUND_BY
    if makes_something:
        assert rule.idempotency in ("reference", "key", "lookup", "none"), "an object is no value"
    if makes_something and rule.idempotency in ("reference", "lookup"):
        assert hasattr(CONNECTORS[name], FOUND_BY[method])
        assert rule.lookup_lag_s > 0 or name in AT_ONCE
    if rule.idempotency == "key":
        assert rule.key_window_s > 0
    assert rule.batch_max >= 1


def test_vendors_whose_objects_cost_something_list_them() -> None:
    listing = {name for name, one in CONNECTORS.items() if issubclass(one, ListsEffects)}
    assert listing == {"shipbob", "shipengine"}


def test_every_push_of_every_connector_is_in_the_matrix() -> None:
    """Voiding is no intent: a person asks for it and sees the answer."""
    played = {target.kind for target in TARGETS}
    assert played == {"label", "fulfilment_order", "stock", "tracking", "cancel_fulfilment_order"}
    assert {target.vendor_class for target in TARGETS} == set("KRLANFSB")
