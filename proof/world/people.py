"""What ops do meanwhile: the commands an operator would type, as functions of the product."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import datetime, timedelta

from jobs.app import App
from sandbox.catalogue import SKUS, UNMAPPED_AMAZON, UNMAPPED_WOO
from state import catalogue, holds, orders, streams
from sync import parked, quoting
from sync.guard import watch

ACTOR = "ops"
_STRANGE = {"shop-eu": UNMAPPED_WOO, "amazon-eu": UNMAPPED_AMAZON}


class People:
    """Somebody looks in every few hours. ``names``: what a channel's SKU was said to mean."""

    def __init__(self, app: App, dice: random.Random) -> None:
        self.names: dict[str, str] = {}
        self._app = app
        self._dice = dice
        self._acts: tuple[Callable[[], str], ...] = (
            self._retry,
            self._approve,
            self._release,
            self._link,
        )
        self.comes_at = app.clock.now() + self._hours(1, 4)

    def look_in(self) -> str:
        """Do one thing; says what."""
        self.comes_at = self._app.clock.now() + self._hours(2, 9)
        return self._dice.choice(self._acts)()

    def clear(self) -> bool:
        """Whatever waits for a person, for once; whether that set anything going."""
        return (self._retry(), self._approve()) != ("retry: 0", "approve: 0")

    def _retry(self) -> str:
        """``crossdock retry``."""
        hub, freed = self._app.hub, 0
        for link in hub.links.values():
            with hub.store.write() as conn:
                counts, wake = parked.retry(conn, hub, link)
                for key in sorted(quoting.asked_first(hub, wake)):
                    streams.request(conn, key, self._now())
            freed += sum(n for name, n in counts.items() if name != "records")
        return f"retry: {freed}"

    def _approve(self) -> str:
        """``crossdock once JOB --approve RUN`` for every run that the guard holds."""
        passed = 0
        with self._app.hub.store.write() as conn:
            for row in holds.listing(conn):
                if watch.approve(conn, row.id, ACTOR, self._now()):
                    streams.request(conn, row.stream_key, self._now())
                    passed += 1
        return f"approve: {passed}"

    def _release(self) -> str:
        """``crossdock release ORDER`` for one that waits for a word."""
        hub = self._app.hub
        with hub.store.read() as conn:
            waiting = sorted({row.channel_order_name for row in orders.held_orders(conn)})
        if not waiting:
            return "release: none"
        word = self._dice.choice(waiting)
        with hub.store.write() as conn:
            (row, *_) = orders.find(conn, word)
            lifted = parked.release(conn, row.id, ACTOR, "simulated", self._now())
            for key in sorted(quoting.asked_first(hub, {"allocate"})):
                streams.request(conn, key, self._now())
        return f"release {word}: {', '.join(lifted)}"

    def _link(self) -> str:
        """``crossdock sku link NAME CODE`` for a name that nobody knew."""
        hub, now = self._app.hub, self._now()
        channel = self._dice.choice(sorted(_STRANGE))
        name = self._dice.choice(_STRANGE[channel])[0]
        code = self._dice.choice(SKUS).code
        if name in self.names:
            return "link: known"
        with hub.store.write() as conn:
            row = catalogue.by_code(conn, code)
            assert row is not None
            catalogue.add_alias(
                conn, sku_id=row.id, value=name, connection_id=None, scheme="channel_sku"
            )
            freed = sum(parked.unpark_lines(conn, link, now) for link in hub.links.values())
            for job in ("allocate", "promise"):
                streams.request(conn, job, now)
            streams.request_all(conn, "pull-listings", now)
        self.names[name] = code
        return f"link {name} = {code}: {freed}"

    def _now(self) -> datetime:
        return self._app.clock.now()

    def _hours(self, least: float, most: float) -> timedelta:
        return timedelta(hours=self._dice.uniform(least, most))
