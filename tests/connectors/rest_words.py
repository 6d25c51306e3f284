"""What the tests of the ``rest`` connector say often: descriptions, and connectors made of them."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from connectors.base import Page
from connectors.http import Door
from connectors.rest import Rest
from connectors.rest.settings import RestConfig
from mappings import Definitions

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples" / "rest"
SINCE = datetime(2026, 11, 1, tzinfo=UTC)
BASE = "https://api.example/v1"
Described = Callable[..., Rest]


def example(file: str, **changes: Any) -> dict[str, Any]:
    """The one connection of an example, its own keys only."""
    tree = tomllib.loads((EXAMPLES / f"{file}.toml").read_text())
    (table,) = tree["connections"].values()
    return {key: value for key, value in table.items() if key != "connector"} | changes


def connector(given: dict[str, Any], door: Door, definitions: Definitions) -> Rest:
    return Rest(RestConfig.model_validate(given), door, definitions)


def orders(paging: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A description that reads ``/orders``; ``changes`` go to the stream."""
    stream = {"definition": "woocommerce.orders", "path": "/orders", "paging": paging} | changes
    return {"url": BASE, "streams": {"orders": stream}}


def ids(pages: list[Page]) -> list[str]:
    return [record.external_id for page in pages for record in page.records]


def rows(*numbers: int, **more: Any) -> list[dict[str, Any]]:
    return [{"id": number, **more} for number in numbers]


def answer(body: Any, **headers: str) -> httpx.Response:
    return httpx.Response(200, json=body, headers=headers)
