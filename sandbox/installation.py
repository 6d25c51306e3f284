"""An installation of the hub that trades with the sandbox: the files an operator would write."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sandbox.vendors import lwa, shipbob, shipengine, woocommerce
from sandbox.vendors.amazon_seller import MARKETPLACES, SELLER_ID
from sandbox.vendors.shipbob_account import HOME_CENTER
from sandbox.vendors.shipbob_body import CHANNELS
from sandbox.vendors.shipengine_account import CARRIERS
from sandbox.world import World

SECRETS = {
    "woo_key": woocommerce.CONSUMER_KEY,
    "woo_secret": woocommerce.CONSUMER_SECRET,
    "amazon_secret": lwa.CLIENT_SECRET,
    "amazon_refresh": lwa.REFRESH_TOKEN,
    "shipbob_token": shipbob.TOKEN,
    "shipengine_key": shipengine.API_KEY,
}


@dataclass(frozen=True)
class Rehearsal:
    """The hub's clock: at the real moment ``origin`` it was ``start``; ``speed`` s pass per s."""

    start: datetime
    speed: float
    origin: datetime


@dataclass(frozen=True)
class Pace:
    """How often the hub looks, as its settings say it."""

    hub: str = "5m"
    orders: str = "15m"
    listings: str = "1h"
    shipments: str = "15m"
    stock: str = "1h"
    tracking: str = "3h"
    push: str = "10m"
    rest: str = ""
    """Of whatever else there is; empty: as the settings' defaults are."""

    def hub_jobs(self) -> str:
        rest = "".join(f', {job} = "{self.rest}"' for job in _HUB_JOBS if self.rest)
        return f'every = {{ allocate = "{self.hub}", promise = "{self.hub}"{rest} }}'

    def of(self, *streams: str) -> str:
        """The line of a connection with these streams."""
        told = [f'{name} = "{getattr(self, name)}"' for name in (*streams, "push")]
        if self.rest:
            told += [f'{name} = "{self.rest}"' for name in _JOBS]
        return f"every = {{ {', '.join(told)} }}"


_HUB_JOBS = ("holds", "prune", "personal")
_JOBS = ("read_back", "rates", "recheck", "sweep")


def write(
    folder: Path,
    base_url: str,
    world: World,
    rehearsal: Rehearsal | None = None,
    pace: Pace | None = None,
    hook_secrets: Mapping[str, str] | None = None,
) -> None:
    """Write settings, connections, secrets, SKUs and opening counts into ``folder``.

    ``hook_secrets``: by connection, what its vendor signs webhooks with; others take none.
    """
    pace = pace or Pace()
    (folder / "connections.d").mkdir(parents=True, exist_ok=True)
    (folder / "secrets").mkdir(exist_ok=True)
    hooks = {f"hook_{name}": value for name, value in (hook_secrets or {}).items()}
    for name, value in {**SECRETS, **hooks}.items():
        secret = folder / "secrets" / name
        secret.write_text(value + "\n", encoding="utf-8")
        secret.chmod(0o600)
    (folder / "settings.toml").write_text(_settings(rehearsal, pace), encoding="utf-8")
    (folder / "connections.d" / "channels.toml").write_text(
        _channels(base_url, world.opened, pace), encoding="utf-8"
    )
    (folder / "connections.d" / "fulfilment.toml").write_text(
        _fulfilment(base_url, pace), encoding="utf-8"
    )
    for name in hook_secrets or ():
        _add_secret(folder / "connections.d", name)
    catalogue = world.catalogue()
    _csv(
        folder / "skus.csv",
        ("code", "title", "gtin", "weight_g"),
        [[row["code"], row["title"], row["gtin"], row["weight_g"]] for row in catalogue],
    )
    _csv(
        folder / "counts.csv",
        ("sku", "on_hand"),
        [[row["code"], row["own_stock"]] for row in catalogue],
    )


def _add_secret(folder: Path, name: str) -> None:
    for file in folder.glob("*.toml"):
        text, head = file.read_text(encoding="utf-8"), f"[connections.{name}]\n"
        line = f'webhook_secret = "file:secrets/hook_{name}"\n'
        file.write_text(text.replace(head, head + line), encoding="utf-8")


def _csv(path: Path, header: tuple[str, ...], rows: list[list[str | int]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)


def _settings(rehearsal: Rehearsal | None, pace: Pace) -> str:
    clock = (
        f"""
# Only for rehearsals: the hub lives through a day in less than a minute.
[clock]
start = {rehearsal.start.isoformat()}
speed = {rehearsal.speed}
origin = {rehearsal.origin.isoformat()}
"""
        if rehearsal
        else ""
    )
    return f"""# An installation that trades with the sandbox.
[store]
url = "sqlite:///crossdock.db"

[jobs]
tick_s = 0.1
{pace.hub_jobs()}

[orders]
release_after = "10m"
{clock}
[locations.berlin]
kind = "warehouse"
connection = "labels"
name = "Lager Berlin"
street = "Storkower Str. 100"
city = "Berlin"
postcode = "10407"
country = "DE"
phone = "+493012345678"

[locations.bob]
kind = "three_pl"
connection = "bob"
name = "ShipBob"
city = "Venlo"
postcode = "5928"
country = "NL"
"""


def _channels(base_url: str, since: datetime, pace: Pace) -> str:
    marketplaces = ", ".join(f'"{market}"' for market in MARKETPLACES)
    return f"""[connections.shop-eu]
connector = "woocommerce"
url = "{base_url}/woo"
consumer_key = "file:secrets/woo_key"
consumer_secret = "file:secrets/woo_secret"
timezone = "Europe/Berlin"
since = {since.isoformat()}
locations = ["berlin", "bob"]
{pace.of("orders", "listings")}

[connections.amazon-eu]
connector = "amazon"
endpoint = "{base_url}/amazon"
token_url = "{base_url}/lwa/auth/o2/token"
seller_id = "{SELLER_ID}"
marketplace_ids = [{marketplaces}]
client_id = "{lwa.CLIENT_ID}"
client_secret = "file:secrets/amazon_secret"
refresh_token = "file:secrets/amazon_refresh"
timezone = "Europe/Berlin"
since = {since.isoformat()}
locations = ["berlin", "bob"]
# Its buyers are nobody.
personal_data.encrypt = false
{pace.of("orders", "listings")}
"""


def _fulfilment(base_url: str, pace: Pace) -> str:
    carriers = ", ".join(f'"{carrier.carrier_id}"' for carrier in CARRIERS)
    return f"""[connections.bob]
connector = "shipbob"
url = "{base_url}/shipbob"
token = "file:secrets/shipbob_token"
channel_id = {next(iter(CHANNELS))}
location_id = {HOME_CENTER}
{pace.of("shipments", "stock")}

[connections.labels]
connector = "shipengine"
url = "{base_url}/shipengine"
api_key = "file:secrets/shipengine_key"
carrier_ids = [{carriers}]
{pace.of("tracking")}
"""
