"""The commands about definitions that extend others, are for some connections, or are checked
against what a source sends."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import select

from jobs.cli import cli
from jobs.commands.options import opened
from mappings import Definitions
from mappings.canonical import StockUpdate
from mappings.library import SHIPPED
from state import tables as t
from tests.jobs.mapping_commands import Commands, installed
from tests.sync.conftest import woo_order

SCOPED = """schema = 1
name = "woocommerce.orders.eu"
version = 1
extends = "woocommerce.orders"
connections = ["shop-eu"]
[values.status.map]
ready = ["to-pack"]
"""


@pytest.fixture
def crossdock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Commands]:
    yield from installed(tmp_path, monkeypatch)


def put(crossdock: Commands, text: str, folder: str = "overrides") -> Path:
    name = tomllib.loads(text)["name"]
    (crossdock.folder / folder).mkdir(exist_ok=True)
    file = crossdock.folder / folder / f"{name}.toml"
    file.write_text(text, encoding="utf-8")
    return file


def test_a_scoped_definition_is_compared_tried_and_applied_where_it_is_for(
    crossdock: Commands,
) -> None:
    odd = woo_order(2, {"A": 1}, status="to-pack")
    crossdock.take(woo_order(1, {"A": 1}), odd)
    draft = put(crossdock, SCOPED, "drafts")
    found = crossdock.json("mappings", "diff", str(draft))
    assert (found["records"], found["unparked"]) == (2, 1)
    put(crossdock, SCOPED)
    payload = crossdock.payload(odd)
    everywhere = crossdock("mappings", "try", "woocommerce.orders", payload)
    assert everywhere.exit_code == 1
    here = crossdock("mappings", "try", "woocommerce.orders", payload, "--connection", "shop-eu")
    assert json.loads(here.stdout)["status"] == "ready"
    assert crossdock.json("replay", "--connection", "shop-eu")["totals"] == {"unparked": 1}
    again = crossdock("replay", "--connection", "shop-eu")
    assert "Every order reads as it did" in again.stdout


def test_an_order_keeps_the_version_of_all_it_was_read_with(crossdock: Commands) -> None:
    put(crossdock, SCOPED)
    crossdock.take(woo_order(1, {"A": 1}))
    with opened(crossdock.settings) as installation, installation.hub.store.read() as conn:
        versions = conn.scalars(select(t.sales_order.c.mapping_version)).all()
    shipped = Definitions.load()["woocommerce.orders"].version
    assert versions == [f"woocommerce.orders.eu/1+{shipped}"]


def test_a_draft_that_moves_to_other_connections_is_compared_with_what_it_leaves(
    crossdock: Commands,
) -> None:
    put(crossdock, SCOPED)
    crossdock.take(woo_order(1, {"A": 1}, status="to-pack"))
    draft = put(crossdock, SCOPED.replace('["to-pack"]', '["else"]'), "drafts")
    assert crossdock.json("mappings", "diff", str(draft))["newly_parked"] == 1
    unused = SCOPED.replace("orders", "stock").split("[values")[0]
    done = crossdock("mappings", "diff", str(put(crossdock, unused, "drafts")))
    assert done.exit_code == 2
    assert "Nothing is read with woocommerce.stock.eu here" in done.stderr


@pytest.mark.parametrize("arguments", [("mappings", "check"), ("check",), ("parked",)])
def test_a_scope_for_an_unknown_connection_stops_the_start(
    crossdock: Commands, arguments: tuple[str, ...]
) -> None:
    put(crossdock, SCOPED.replace("shop-eu", "shop-ue"))
    done = crossdock(*arguments)
    assert done.exit_code == 2
    assert (
        "woocommerce.orders.eu.toml:5: connections: there is no connection 'shop-ue', "
        "did you mean 'shop-eu'?"
    ) in done.stderr


def test_outbound_definitions_reach_the_connector_by_scope(crossdock: Commands) -> None:
    put(
        crossdock,
        """schema = 1
name = "woocommerce.stock.eu"
version = 1
extends = "woocommerce.stock"
connections = ["shop-eu"]
[fields]
stock_status = { value = "instock" }
""",
    )
    with opened(crossdock.settings) as installation:
        connector: Any = installation.hub.links["shop-eu"].connector
        body = connector._stock.render(
            StockUpdate(
                external_product_id="1", external_variant_id="1", external_sku="A", quantity=3
            )
        )
    assert body["stock_status"] == "instock"


def test_parked_names_the_line_of_the_definition(crossdock: Commands) -> None:
    crossdock.take(woo_order(1, {"A": 1}, status="odd"))
    (row,) = [row for row in crossdock.json("parked") if row["what"] == "record"]
    text = (SHIPPED / "woocommerce.orders.toml").read_text(encoding="utf-8").splitlines()
    line = 1 + text.index('status = { from = "status", values = "status" }')
    assert row["detail"].endswith(f"found 'odd' at 'status' (woocommerce.orders.toml:{line})")


def test_check_lists_names_versions_scopes_and_files(crossdock: Commands) -> None:
    put(crossdock, SCOPED)
    rows = {row["name"]: row for row in crossdock.json("mappings", "check")}
    ours = rows["woocommerce.orders.eu"]
    assert (ours["connections"], ours["file"]) == (["shop-eu"], "woocommerce.orders.eu.toml")
    assert rows["woocommerce.orders"]["connections"] == ["all"]
    put(crossdock, SCOPED.replace("orders.eu", "base").replace('connections = ["shop-eu"]', ""))
    (one,) = crossdock.json("mappings", "check", "woocommerce.base")
    assert one["connections"] == ["named only"]


def test_show_takes_names_files_and_connections(crossdock: Commands) -> None:
    file = put(crossdock, SCOPED)
    by_file = crossdock("mappings", "show", str(file)).stdout
    by_role = crossdock("mappings", "show", "woocommerce.orders", "--connection", "shop-eu").stdout
    assert by_file == by_role
    assert "woocommerce.orders.eu.toml:7" in by_file
    assert "eu.toml" not in crossdock("mappings", "show", "woocommerce.orders").stdout


def test_a_file_needs_no_settings(
    crossdock: Commands, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = put(crossdock, SCOPED, "drafts")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    done = CliRunner().invoke(cli, ["mappings", "check", str(file)], prog_name="crossdock")
    assert "1 definition" in done.stdout
    done = CliRunner().invoke(cli, ["mappings", "check", str(file.parent)], prog_name="crossdock")
    assert "woocommerce.orders.eu" in done.stdout


@pytest.fixture
def schema(crossdock: Commands) -> Path:
    file = crossdock.folder / "api.json"
    order = {"properties": {"id": {"type": "integer"}, "status": {"type": "string"}}}
    file.write_text(json.dumps({"openapi": "3.0.0", "components": {"schemas": {"Order": order}}}))
    return file


def test_check_warns_of_paths_that_a_schema_lacks(crossdock: Commands, schema: Path) -> None:
    put(crossdock, SCOPED)
    for word in ("Order", "/components/schemas/Order"):
        source = ("--schema", f"{schema}#{word}")
        done = crossdock("mappings", "check", "woocommerce.orders.eu", *source)
        assert done.exit_code == 0
        assert "fields.currency: 'currency': not in the schema: the payload has no" in done.stdout
        assert "fields.status" not in done.stdout
    strict = crossdock("mappings", "check", "woocommerce.orders.eu", *source, "--strict")
    assert strict.exit_code == 1
    assert "warnings." in strict.stderr


def test_check_takes_yaml_and_examples(crossdock: Commands) -> None:
    yaml = crossdock.folder / "order.yaml"
    yaml.write_text("type: object\nproperties: {id: {type: integer}}\n", encoding="utf-8")
    done = crossdock("mappings", "check", "woocommerce.orders", "--schema", str(yaml))
    assert "not in the schema" in done.stdout
    payload = crossdock.payload([{"id": 1}, {"status": "x"}])
    done = crossdock("mappings", "check", "woocommerce.orders", "--example", payload)
    assert "not in the example" in done.stdout
    assert "fields.status" not in done.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--schema", "api.json"), "Say which"),
        (("woocommerce.orders", "--schema", "gone.json#Order"), "gone.json cannot be read"),
        (("woocommerce.orders", "--schema", "{}"), "Name a schema"),
        (("woocommerce.orders", "--schema", "{}#Ordr"), "has no schema 'Ordr': did you mean Order"),
        (("woocommerce.orders", "--schema", "{}#/x"), "has no schema '/x'"),
        (("woocommerce.orders", "--example", "settings.toml"), "is not JSON"),
        (("woocommerce.stock", "--schema", "{}#Order"), "makes requests of StockUpdate"),
        (("woocommerce.orders", "--schema", "{}#Order", "--example", "x"), "not go together"),
        (("woocommerce.ordres",), "did you mean woocommerce.orders"),
        (("gone.toml",), "There is no file gone.toml"),
    ],
)
def test_check_says_what_is_wrong_with_the_call(
    crossdock: Commands,
    schema: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    said: str,
) -> None:
    monkeypatch.chdir(crossdock.folder)
    done = crossdock("mappings", "check", *(one.format(schema) for one in arguments))
    assert done.exit_code == 2
    assert said in done.stderr


def test_the_shipped_definitions_have_no_warnings(
    crossdock: Commands, specs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CROSSDOCK_SPECS", str(specs))
    done = crossdock("mappings", "check", "--strict")
    assert (done.exit_code, "all well" in done.stdout) == (0, True)
    wrong = 'note = { from = "custmer_note", optional = true }'
    put(crossdock, f"{SCOPED.split('[values')[0]}[fields]\n{wrong}\n")
    done = crossdock("mappings", "check")
    assert (
        "Warning: woocommerce.orders.eu.toml:7: fields.note: 'custmer_note': not in the contract: "
        "the payload has no 'custmer_note', did you mean 'customer_note'?"
    ) in done.stdout


def test_contracts_that_are_not_there_or_changed_stop_nothing(
    crossdock: Commands, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CROSSDOCK_SPECS", str(tmp_path))
    assert "all well" in crossdock("mappings", "check").stdout
    (tmp_path / "shipengine").mkdir()
    (tmp_path / "shipengine" / "openapi.yaml").write_text("components: {}\n")
    done = crossdock("mappings", "check")
    assert done.exit_code == 0
    assert "shipengine.rate.toml: cannot be checked against its contract" in done.stdout


def test_a_described_connection_is_read_with_what_stands_in_for_its_definition(
    crossdock: Commands,
) -> None:
    with crossdock.settings.open("a", encoding="utf-8") as file:
        file.write("""
[connections.myshop]
connector = "rest"
url = "http://127.0.0.1:9/api"
auth = { style = "bearer" }
secret = "env:SHOP_SECRET"
[connections.myshop.streams.orders]
definition = "woocommerce.orders"
path = "/orders"
query = { after = "{since}", page = "{page}" }
changed = "date_modified_gmt"
paging = { style = "page", size = 100 }
""")
    put(crossdock, SCOPED.replace("shop-eu", "myshop"))
    with opened(crossdock.settings) as installation:
        hub = installation.hub
        used = {name: hub.definition(link, "orders").name for name, link in hub.links.items()}
    assert used == {"shop-eu": "woocommerce.orders", "myshop": "woocommerce.orders.eu"}
