"""A hub with a second shop: an account of its own, a world of its own, and the same numbers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import httpx

from jobs import app
from sandbox.app import Sandbox
from sandbox.world import World
from tests.acceptance.trading import BASE_URL, Trade
from tests.faults import scene

OUTLET = "shop-outlet"
_OUTLET_URL = "http://outlet.test"


class ByHost(httpx.BaseTransport):
    """Each host's calls go to the sandbox that lives there."""

    def __init__(self, sandboxes: dict[str, Sandbox]) -> None:
        self._inner = {httpx.URL(url).host: one.transport() for url, one in sandboxes.items()}

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return self._inner[request.url.host].handle_request(request)


def with_outlet(trade: Trade, folder: Path) -> tuple[Trade, Trade]:
    """The trade with a second shop, and the same seen from there: its ``world`` is the outlet's.

    The worlds have one seed, so that the first order of each shop has the same number.
    """
    outlet = Sandbox(World(trade.world.seed, trade.clock, orders_per_channel=0, day_hours=8))
    file = folder / "connections.d" / "channels.toml"
    text = file.read_text(encoding="utf-8")
    shop = text.partition("[connections.amazon-eu]")[0]
    second = shop.replace(f"[connections.{scene.SHOP}]", f"[connections.{OUTLET}]")
    file.write_text(text + second.replace(BASE_URL, _OUTLET_URL), encoding="utf-8")
    trade.hub.close()
    hub = app.open_app(
        app.load(folder / "settings.toml"),
        trade.store,
        clock=trade.clock,
        transport=ByHost({BASE_URL: trade.sandbox, _OUTLET_URL: outlet}),
    )
    app.set_up_streams(hub)
    # Closed with the trade that the fixture knows.
    trade.hub, trade.runner = hub, hub.runner("run")
    return trade, replace(trade, world=outlet.world, sandbox=outlet)
