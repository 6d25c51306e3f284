"""Definitions for some connections only."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mappings import Definitions, DefinitionsInvalid

HEAD = 'schema = 1\nname = "{}"\nversion = 1\n'
SCOPED = 'extends = "woocommerce.orders"\nconnections = ["shop-eu"]\n'
Put = Callable[[str, str], None]


@pytest.fixture
def put(tmp_path: Path) -> Put:
    def written(name: str, body: str) -> None:
        (tmp_path / f"{name}.toml").write_text(HEAD.format(name) + body, encoding="utf-8")

    return written


def load(folder: Path) -> Definitions:
    return Definitions.load(folder, connections=["shop-eu", "shop-us", "wms"])


def faults(folder: Path) -> list[str]:
    with pytest.raises(DefinitionsInvalid) as caught:
        load(folder)
    return [str(problem) for problem in caught.value.problems]


def test_a_scoped_definition_is_in_force_for_its_connections_only(put: Put, tmp_path: Path) -> None:
    put("woocommerce.orders.eu", SCOPED)
    found = load(tmp_path)
    here = found.for_connection("shop-eu")
    assert here["woocommerce.orders"].name == "woocommerce.orders.eu"
    assert here["woocommerce.orders.eu"] is here["woocommerce.orders"]
    assert found["woocommerce.orders"].name == "woocommerce.orders"
    there = found.for_connection("shop-us")
    assert there["woocommerce.orders"] is found["woocommerce.orders"]
    assert "woocommerce.orders.eu" not in there
    assert here.for_connection("shop-us") is here


def test_without_scopes_every_connection_sees_the_same(tmp_path: Path) -> None:
    found = load(tmp_path)
    assert found.for_connection("shop-eu") is found


def test_several_connections_share_one_and_outbound_ones_are_scoped_too(
    put: Put, tmp_path: Path
) -> None:
    put(
        "woocommerce.stock.all",
        'extends = "woocommerce.stock"\nconnections = ["shop-eu", "shop-us"]\n',
    )
    found = load(tmp_path)
    names = [found.for_connection(name)["woocommerce.stock"].name for name in ("shop-us", "wms")]
    assert names == ["woocommerce.stock.all", "woocommerce.stock"]


def test_the_role_goes_with_what_is_extended_or_is_named(put: Put, tmp_path: Path) -> None:
    put("acme.base", 'extends = "woocommerce.orders"\n')
    put("acme.eu", 'extends = "acme.base"\nconnections = ["shop-eu"]\n')
    put(
        "acme.us",
        'role = "woocommerce.stock"\nconnections = ["shop-us"]\n'
        'target = "request"\nsource = "StockUpdate"\n[fields]\nqty = "quantity"\n',
    )
    found = load(tmp_path)
    assert found.for_connection("shop-eu")["woocommerce.orders"].name == "acme.eu"
    assert found.for_connection("shop-us")["woocommerce.stock"].name == "acme.us"
    assert found.for_connection("shop-us")["acme.base"].name == "acme.base"


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (
            'extends = "woocommerce.orders"\nconnections = ["shop-eux"]\n',
            "there is no connection 'shop-eux', did you mean 'shop-eu'?",
        ),
        ('extends = "woocommerce.orders"\nconnections = []\n', "must name connections"),
        ('extends = "woocommerce.orders"\nconnections = "shop-eu"\n', "must be a list of names"),
        (
            'target = "StockCount"\nconnections = ["wms"]\n[fields]\nsku = "s"\non_hand = "q"\n',
            "must stand in for another definition",
        ),
        ('extends = "woocommerce.orders"\nrole = "woocommerce.orders"\n', "with connections"),
        (SCOPED + 'role = "shop.orders"\n', "there is no definition 'shop.orders' to stand in"),
        (SCOPED + 'role = "woocommerce.listings"\n', "makes another record: Listing"),
        (SCOPED + 'role = "test.other"\n', "test.other is for some connections only"),
        (SCOPED + "role = 3\n", "role: must be a text"),
    ],
)
def test_a_scope_that_cannot_be_is_told(put: Put, tmp_path: Path, body: str, fault: str) -> None:
    put("test.other", SCOPED.replace("shop-eu", "shop-us"))
    put("test.it", body)
    told = faults(tmp_path)
    assert any(fault in one and one.startswith("test.it.toml:") for one in told), told


def test_a_scoped_definition_does_not_take_the_name_of_all_others(put: Put, tmp_path: Path) -> None:
    put("woocommerce.orders", SCOPED)
    (told,) = faults(tmp_path)
    assert told.startswith("woocommerce.orders.toml:5: connections: must stand in for another")
    assert "such as 'woocommerce.orders.shop-eu'" in told


def test_two_for_one_connection_and_role_are_refused(put: Put, tmp_path: Path) -> None:
    put("test.a", SCOPED)
    put("test.b", SCOPED)
    assert faults(tmp_path) == [
        "test.b.toml:5: connections: test.a is woocommerce.orders of shop-eu already"
    ]
