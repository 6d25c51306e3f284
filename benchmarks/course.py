"""Runs the variants: each in a process of its own, on a fresh database, in turn."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from benchmarks.databases import Databases
from benchmarks.woo_shop import CHANGED_ONE_IN

FLOOR, CROSSDOCK, AGAIN, CHANGED, DLT = "floor", "crossdock", "again", "changed", "dlt"

_STARTS_FROM = {FLOOR: "template", CROSSDOCK: "template", AGAIN: "pulled", CHANGED: "pulled"}
_COMMAND = {
    FLOOR: ("floor",),
    CROSSDOCK: ("crossdock", "pull"),
    AGAIN: ("crossdock", "pull-later"),
    CHANGED: ("crossdock", "pull-later"),
    DLT: ("dlt_pull",),
}


@dataclass(frozen=True, slots=True)
class Shop:
    """The loopback shop; one serves runs of any size up to its own."""

    address: str

    def first(self, orders: int) -> str:
        """The address of a shop that has only so many orders."""
        return f"{self.address}/first-{orders}"

    def changed(self, orders: int) -> str:
        """The address of that shop as it lists the one in a hundred that have changed."""
        return f"{self.address}/changed-{orders}"

    def served(self) -> dict[str, int]:
        """What was asked for since the last such question."""
        with urllib.request.urlopen(f"{self.address}/served") as reply:
            counted: dict[str, int] = json.load(reply)
        return counted


@dataclass(frozen=True, slots=True)
class Measure:
    """One run of one variant. ``cpu_s`` includes the database server's."""

    orders: int
    unchanged: int
    cpu_s: float
    wall_s: float
    startup_cpu_s: float
    peak_rss_mb: float
    requests: int


@contextmanager
def shop_of(orders: int, seed: int) -> Iterator[Shop]:
    """A shop in a process of its own; it ends when its standard input is closed."""
    command = [sys.executable, "-m", "benchmarks.woo_shop", "--orders", str(orders)]
    with subprocess.Popen(
        [*command, "--seed", str(seed)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        try:
            yield Shop(f"http://127.0.0.1:{int(server.stdout.readline())}")
        finally:
            server.stdin.close()


def told(module: str, *given: str, python: str = sys.executable) -> Any:
    """Run a module of ours in a process of its own; returns the JSON of its last line."""
    command = [python, "-m", f"benchmarks.{module}", *given]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


class Course:
    """One number of orders, and what the variants took for it, round by round.

    ``peers``: a Python that has dlt; null leaves dlt out.
    """

    def __init__(self, shop: Shop, bases: Databases, orders: int, peers: str | None) -> None:
        names = (FLOOR, CROSSDOCK, AGAIN, CHANGED, *((DLT,) if peers else ()))
        self.orders = orders
        self.measures: dict[str, list[Measure]] = {name: [] for name in names}
        self._shop, self._bases, self._peers = shop, bases, peers

    def rehearse(self) -> None:
        """One unmeasured run of each: warms the machine, and shows that all store the same rows."""
        for name in self.measures:
            self._run(name)
            if name == CROSSDOCK:
                self._bases.copy(CROSSDOCK, "pulled")
        alike = (FLOOR, CROSSDOCK, AGAIN)
        found = told("contents", *(self._bases.url(name) for name in alike))
        floor = found[0]
        for name, other in zip(alike, found, strict=True):
            differing = {t for t in floor.keys() | other.keys() if floor.get(t) != other.get(t)}
            if differing:
                raise SystemExit(f"{name} and {FLOOR} differ in: {', '.join(sorted(differing))}")

    def round(self, turn: int) -> None:
        """Every variant once; who begins depends on ``turn``."""
        names = list(self.measures)
        first = turn % len(names)
        for name in (*names[first:], *names[:first]):
            self.measures[name].append(self._run(name))

    def _run(self, name: str) -> Measure:
        python, more = sys.executable, list[str]()
        if name == DLT and self._peers:
            url, python = self._bases.create(name), self._peers
            more = ["--skus", self._bases.url("template")]
        else:
            url = self._bases.copy(_STARTS_FROM[name], name)
        self._shop.served()
        before_s = self._bases.server_cpu_s()
        shop = (self._shop.changed if name == CHANGED else self._shop.first)(self.orders)
        took = told(*_COMMAND[name], "--database", url, "--shop", shop, *more, python=python)
        took["cpu_s"] += self._bases.server_cpu_s() - before_s
        served = self._shop.served()
        orders = -(-self.orders // CHANGED_ONE_IN) if name == CHANGED else self.orders
        expected = (orders, orders if name == AGAIN else 0)
        if (took["orders"], took["unchanged"]) != expected:
            raise SystemExit(f"{name} read {took['orders']} orders, {took['unchanged']} unchanged")
        return Measure(**took, requests=served["pages"] + served.get("refunds", 0))
