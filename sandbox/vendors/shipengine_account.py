"""State of one ShipEngine account: connected carriers, tariffs, labels bought and voided."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sandbox.quirks import Quirks
from sandbox.wire import Json, part

CURRENCY = "eur"

IN_TRANSIT_AFTER = timedelta(hours=4)
DELIVERED_AFTER = timedelta(hours=26)


@dataclass(frozen=True)
class Service:
    """A tariff in euro cents for zone 1 and 2: ``base``, and ``per_kg`` for every started kilogram.

    Farther zones cost more by ``ZONE_PERCENT``.
    """

    code: str
    name: str
    base: int
    per_kg: int
    days: int
    domestic: bool
    international: bool


@dataclass(frozen=True)
class Carrier:
    """A carrier account connected to ShipEngine. ``number`` is the account's numeric id."""

    carrier_id: str
    number: int
    code: str
    name: str
    services: tuple[Service, ...]


CARRIERS: tuple[Carrier, ...] = (
    Carrier(
        "se-287001",
        287001,
        "dpd",
        "DPD",
        (
            Service("dpd_classic", "DPD Classic", 420, 60, 2, True, False),
            Service("dpd_classic_europe", "DPD Classic Europe", 990, 180, 4, False, True),
        ),
    ),
    Carrier(
        "se-287002",
        287002,
        "dhl_express",
        "DHL Express",
        (
            Service("dhl_express_domestic", "DHL Express Domestic", 1190, 150, 1, True, False),
            Service("dhl_express_worldwide", "DHL Express Worldwide", 2890, 650, 3, False, True),
        ),
    ),
)
BY_ID = {carrier.carrier_id: carrier for carrier in CARRIERS}

_EUROPE = frozenset(
    ["AT", "BE", "CH", "CZ", "DE", "DK", "ES", "FR", "GB", "IT", "LU", "NL", "NO", "PL", "SE"]
)
_NEIGHBOURS = frozenset(["AT", "BE", "CH", "CZ", "DK", "FR", "LU", "NL", "PL"])
ZONE_PERCENT = {1: 100, 2: 100, 3: 125, 4: 160}
GRAMS = {"gram": 1.0, "kilogram": 1000.0, "ounce": 28.349523125, "pound": 453.59237}


@dataclass
class Label:
    """One bought label. ``cost`` is in euro cents; a voided one is paid back."""

    label_id: str
    shipment_id: str
    external_id: str | None
    shipment: Json
    carrier: Carrier
    service: Service
    cost: int
    tracking: str
    created: datetime
    ship_date: str
    label_format: str
    label_layout: str
    voided_at: datetime | None = None

    @property
    def live(self) -> bool:
        return self.voided_at is None


@dataclass
class ShipEngineAccount:
    """Everything ShipEngine knows of the account."""

    quirks: Quirks = field(default_factory=Quirks)
    labels: dict[str, Label] = field(default_factory=dict)
    rates: dict[str, tuple[Json, Carrier, Service]] = field(default_factory=dict)
    serial: int = 500_000

    def new_id(self) -> str:
        """The ``se-`` ids share one sequence."""
        self.serial += 1
        return f"se-{self.serial}"

    def live_label(self, external_id: str) -> Label | None:
        """The label of an external shipment id that was not voided."""
        found = [label for label in self.labels.values() if label.external_id == external_id]
        return next((label for label in found if label.live), None)

    def newest_label(self, external_id: str) -> Label | None:
        """The live label of an external shipment id, else the one voided last."""
        found = [label for label in self.labels.values() if label.external_id == external_id]
        return self.live_label(external_id) or (found[-1] if found else None)

    def buy(
        self,
        shipment: Json,
        carrier: Carrier,
        service: Service,
        options: Json,
        at: datetime,
        *,
        twin: Label | None = None,
    ) -> Label:
        """Charge the account and make the label; a ``twin`` shares the shipment of the other."""
        label_id = self.new_id()
        label = Label(
            label_id=label_id,
            shipment_id=twin.shipment_id if twin else self.new_id(),
            external_id=_cut(shipment.get("external_shipment_id")),
            shipment=shipment,
            carrier=carrier,
            service=service,
            cost=price(service, weight_g(shipment), shipment_zone(shipment)),
            tracking=f"{carrier.code.upper()[:3]}{label_id.removeprefix('se-'):0>11}",
            created=at,
            ship_date=ship_date(shipment, at),
            label_format=options.get("label_format") or "pdf",
            label_layout=options.get("label_layout") or "4x6",
        )
        self.labels[label_id] = label
        return label


def _cut(external_id: object) -> str | None:
    # Longer ones are silently truncated, says the contract: a trap for long keys.
    return str(external_id)[:50] if external_id else None


def ship_date(shipment: Json, at: datetime) -> str:
    """The day asked for, else today, printed as a moment."""
    return str(shipment.get("ship_date") or at.date().isoformat())[:10] + "T00:00:00Z"


def weight_g(shipment: Json) -> int:
    """Weight of all packages in grams, rounded up to a whole one."""
    total = 0.0
    for package in shipment["packages"]:
        total += package["weight"]["value"] * GRAMS[package["weight"]["unit"]]
    return int(-(-total // 1))


def price(service: Service, grams: int, zone: int) -> int:
    """Euro cents for a weight: every started kilogram counts."""
    at_home = service.base + service.per_kg * max(1, -(-grams // 1000))
    return at_home * ZONE_PERCENT[zone] // 100


def zone_of(origin: str, target: str) -> int:
    """1 at home, 2 between Germany and a neighbour, 3 within Europe, 4 beyond."""
    if origin == target:
        return 1
    if "DE" in (origin, target) and {origin, target} & _NEIGHBOURS:
        return 2
    return 3 if {origin, target} <= _EUROPE else 4


def shipment_zone(shipment: Json) -> int:
    return zone_of(origin_country(shipment), target_country(shipment))


def target_country(shipment: Json) -> str:
    """Where a shipment goes."""
    return str(part(shipment, "ship_to")["country_code"])


def origin_country(shipment: Json) -> str:
    """Where a shipment starts; from a stored warehouse it is Germany."""
    return str(part(shipment, "ship_from").get("country_code") or "DE")


def serves(service: Service, origin: str, target: str) -> bool:
    """Whether a service goes from one country to the other (ISO 3166-1 alpha-2)."""
    if origin == target:
        return service.domestic
    if service.code.endswith("_europe"):
        return {origin, target} <= _EUROPE
    return service.international
