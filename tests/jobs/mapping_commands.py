"""An installation with one shop and orders in its inbox, for tests of the mapping commands."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from connectors.base import RawRecord
from jobs.commands.options import opened
from mappings.library import SHIPPED
from state import catalogue
from sync import intake
from tests.jobs import commands


class Commands(commands.Commands):
    """An installation with one shop, and orders in its inbox."""

    def take(self, *payloads: dict[str, Any]) -> None:
        with opened(self.settings) as installation:
            hub, link = installation.hub, installation.hub.links["shop-eu"]
            records = [RawRecord.of(str(payload["id"]), payload) for payload in payloads]
            arrivals = intake.read_page(hub, link, records)
            with hub.store.write() as conn:
                catalogue.upsert_sku(conn, code="A", title="Thing A", gtin="", weight_g=1)
                intake.take_in(conn, link, arrivals, installation.clock.now())

    def draft(self, *replacements: tuple[str, str], folder: str = "drafts") -> Path:
        """A definition that is not in force: the shipped one with texts replaced."""
        text = (SHIPPED / "woocommerce.orders.toml").read_text(encoding="utf-8")
        for old, new in replacements:
            assert old in text
            text = text.replace(old, new)
        (self.folder / folder).mkdir(exist_ok=True)
        file = self.folder / folder / "woocommerce.orders.toml"
        file.write_text(text, encoding="utf-8")
        return file

    def payload(self, document: Any) -> str:
        file = self.folder / "payload.json"
        file.write_text(json.dumps(document), encoding="utf-8")
        return str(file)


def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Commands]:
    """Yields the installation; leaves logging as it was."""
    monkeypatch.setenv("SHOP_KEY", "ck_1")
    monkeypatch.setenv("SHOP_SECRET", "cs_1")
    (tmp_path / "overrides").mkdir()
    (tmp_path / "settings.toml").write_text("""
[mappings]
overrides = "overrides"
[connections.shop-eu]
connector = "woocommerce"
timezone = "Europe/Berlin"
url = "http://127.0.0.1:9/shop"
consumer_key = "env:SHOP_KEY"
consumer_secret = "env:SHOP_SECRET"
""")
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield Commands(tmp_path)
    root.handlers = handlers
    root.setLevel(level)
    structlog.reset_defaults()
