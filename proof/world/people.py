"""What ops do meanwhile: the commands an operator would type, as functions of the product."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from sqlalchemy import bindparam, select

from jobs.app import App
from sandbox.catalogue import SCARCE, SKUS, UNMAPPED_AMAZON, UNMAPPED_WOO
from sandbox.world import World
from state import catalogue, fulfilment, holds, intents, orders, stock, streams
from state import tables as t
from sync import goods_files, imports, parked, quoting, resolving
from sync.goods_files import Goods
from sync.guard import watch
from sync.imports import CountRow, ImportProblem

ACTOR = "ops"
WAREHOUSE = "berlin"
_FILE = Path("typed.csv")
_ON_HAND = (
    select(t.inventory_level.c.on_hand)
    .join(t.sku, t.sku.c.id == t.inventory_level.c.sku_id)
    .join(t.location, t.location.c.id == t.inventory_level.c.location_id)
    .where(t.sku.c.code == bindparam("code"), t.location.c.code == bindparam("place"))
)
_STRANGE = {"shop-eu": UNMAPPED_WOO, "amazon-eu": UNMAPPED_AMAZON}


class People:
    """Somebody looks in every few hours.

    ``names``: what a channel's SKU was said to mean. ``shelf``: units that came to the own
    warehouse since the beginning, or were found or lost there, by SKU.
    """

    def __init__(self, app: App, world: World, dice: random.Random) -> None:
        self.names: dict[str, str] = {}
        self.shelf: Counter[str] = Counter()
        self._app = app
        self._world = world
        self._dice = dice
        self._acts: tuple[Callable[[], str], ...] = (
            self._retry,
            self._approve,
            self._release,
            self._link,
            self._receive,
            self._count,
        )
        self.comes_at = app.clock.now() + self._hours(1, 4)

    def look_in(self) -> str:
        """Do one thing, and say what became of pushes that nobody knows about; says what."""
        self.comes_at = self._app.clock.now() + self._hours(2, 9)
        done, resolved = self._dice.choice(self._acts)(), self._resolve()
        return f"{done}, resolve: {resolved}" if resolved else done

    def clear(self) -> bool:
        """Whatever waits for a person, for once; whether that set anything going."""
        told = (self._retry(), self._approve(), self._resolve())
        return told != ("retry: 0", "approve: 0", 0)

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

    def _resolve(self) -> int:
        """``crossdock intents resolve``, after a look at the vendor's own pages; how many."""
        hub, resolved = self._app.hub, 0
        for link in hub.links.values():
            with hub.store.read() as conn:
                waiting = intents.in_state(conn, link.id, "review")
            for row in waiting:
                there = self._at_the_vendor(row.kind, row.body)
                if there is None or len(there) > 1:
                    continue
                found = resolving.Found(next(iter(there), None), "looked", ACTOR)
                try:
                    outcome = resolving.outcome_of(link, row, found)
                except resolving.CannotResolve:
                    continue
                with hub.store.write() as conn:
                    for key in resolving.resolve(conn, hub, link, row, outcome, found):
                        streams.request(conn, key, self._now())
                resolved += 1
        return resolved

    def _at_the_vendor(self, kind: str, body: Mapping[str, Any]) -> list[str] | None:
        """The vendor's numbers of what has our reference; null: its pages do not show such."""
        name = body.get("reference")
        if kind == "label":
            labels = self._world.shipengine.labels.values()
            return [one.label_id for one in labels if one.external_id == name and not one.voided_at]
        if kind == "fulfilment_order":
            made = self._world.shipbob.orders.values()
            return [str(one.id) for one in made if one.reference == name]
        return None

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
            freed = parked.unpark_lines(conn, hub.links.values(), now)
            for job in ("allocate", "promise"):
                streams.request(conn, job, now)
            streams.request_all(conn, "pull-listings", now)
        self.names[name] = code
        return f"link {name} = {code}: {freed}"

    def _receive(self) -> str:
        """``crossdock stock receive berlin FILE``: a supplier's delivery."""
        dice, now = self._dice, self._now()
        code, units = dice.choice(SKUS).code, dice.choice((1, 12, 60))
        reference = f"DN-{now:%m%d%H%M%S}"
        with self._app.hub.store.write() as conn:
            place = fulfilment.location_by_code(conn, WAREHOUSE)
            assert place is not None
            (line,) = goods_files.resolve(conn, _FILE, [Goods(1, code, Decimal(units))])
            key = goods_files.key_of("receipt", place.id, reference, line)
            cause = stock.Cause("receipt", ("", None), key, now, actor=ACTOR)
            came = goods_files.receive(conn, line, place.id, None, cause)
        self.shelf[code] += units * came
        return f"receive {code}: {units * came}"

    def _count(self) -> str:
        """``crossdock stock count berlin FILE``: they stand before the shelf, and some of it is
        broken, or more than was thought. What has left was packed by what the hub printed."""
        code = self._dice.choice([sku.code for sku in SKUS if sku.code not in SCARCE])
        more = self._dice.choice((-2, -1, 0, 1, 3))
        with self._app.hub.store.write() as conn:
            thought = conn.scalar(_ON_HAND, {"code": code, "place": WAREHOUSE}) or Decimal(0)
            row = CountRow(1, code, "", max(Decimal(0), thought + more))
            try:
                changed = imports.import_counts(conn, _FILE, WAREHOUSE, [row], ACTOR, self._now())
            except ImportProblem:
                return f"count {code}: refused"
        self.shelf[code] += int(row.on_hand - thought) * changed
        return f"count {code}: {int(row.on_hand - thought) * changed:+d}"

    def _now(self) -> datetime:
        return self._app.clock.now()

    def _hours(self, least: float, most: float) -> timedelta:
        return timedelta(hours=self._dice.uniform(least, most))
