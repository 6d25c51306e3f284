"""Every connector that Crossdock brings along, by the name that settings use."""

from __future__ import annotations

from connectors.amazon import Amazon
from connectors.base import Connector
from connectors.csvdrop import CsvDrop
from connectors.rest import Rest
from connectors.shipbob import ShipBob
from connectors.shipengine import ShipEngine
from connectors.singer import Singer
from connectors.woocommerce import WooCommerce

CONNECTORS: dict[str, type[Connector]] = {
    connector.info.name: connector
    for connector in (Amazon, CsvDrop, Rest, ShipBob, ShipEngine, Singer, WooCommerce)
}
