"""How fast orders come in: from a shop's HTTP pages to committed rows, beside the floor.

    python -m benchmarks.ingest
    python -m benchmarks.ingest --orders 1000 10000 50000 --rounds 5 --database postgresql

A loopback server in a process of its own hands out WooCommerce orders of about 4 KB, serialised
beforehand. Ways to read them are measured, each in a process of its own, on a fresh database, one
after the other in an order that rotates from round to round:

* ``floor``: httpx, ``orjson.loads``, a pick written by hand, and ``executemany`` of the same rows
  into the same tables, one transaction a page (``benchmarks.floor``);
* ``crossdock``: the real job with its connector, mapping, rate limits, engine and store
  (``benchmarks.crossdock``);
* ``again``: the same job on a store that has all of it already, with nothing changed;
* ``changed``: the same job on such a store when the shop lists one order in a hundred as changed;
* ``dlt``: dlt with the floor's hand, merging the same rows (``benchmarks.dlt_pull``), where an
  environment with dlt is named (``--peers``; ``make bench`` sets one up) and on SQLite only.

Before anything is measured, the rows that floor and Crossdock store are compared, table by table,
and reading again must leave every row as it was; if not the benchmark fails.

Counted are the CPU seconds (user and system) of the work, start of Python and imports left out,
and those of the PostgreSQL server where there is one; wall seconds; requests; and the most memory
the process ever held. "of floor" is the floor's time for an order over the variant's in the same
round, so 50 % is half as fast; the median of all rounds, with the least and the most. "times dlt"
is dlt's time over Crossdock's. On a machine that does other things too, only these ratios mean
something. The last line is everything as JSON.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import databases
from benchmarks.course import CROSSDOCK, DLT, FLOOR, Course, Measure, shop_of, told

SEED = 7


def run(
    sizes: Sequence[int],
    rounds: int,
    database: str,
    peers: str | None,
    say: Callable[[str], None],
) -> Any:
    """Measure, and say how it goes; returns the result, ready for JSON."""
    with (
        tempfile.TemporaryDirectory(prefix="crossdock-ingest-") as folder,
        databases.opened(database, Path(folder)) as bases,
        shop_of(max(sizes), SEED) as shop,
    ):
        told("crossdock", "prepare", "--database", bases.create("template"))
        courses = [Course(shop, bases, orders, peers) for orders in sizes]
        for course in courses:
            course.rehearse()
            say(f"{course.orders} orders: floor and Crossdock store the same rows")
        for turn in range(rounds):
            for course in courses:
                course.round(turn)
            say(f"round {turn + 1} of {rounds} done")
    return {
        "benchmark": "ingest",
        "database": database,
        "rounds": rounds,
        "seed": SEED,
        "sizes": [_summary(course) for course in courses],
        "peak_rss_growth": _growth(courses),
    }


def _summary(course: Course) -> dict[str, Any]:
    measures = course.measures
    others = [name for name in measures if name not in (FLOOR, DLT)]
    summary: dict[str, Any] = {
        "orders": course.orders,
        "variants": {name: _medians(found) for name, found in measures.items()},
        "of_floor": {name: _ratios(measures[FLOOR], measures[name]) for name in others},
    }
    if DLT in measures:
        summary["times_dlt"] = _ratios(measures[DLT], measures[CROSSDOCK])
    return summary


def _ratios(some: Sequence[Measure], others: Sequence[Measure]) -> dict[str, dict[str, float]]:
    """How many times the time of ``others`` for an order ``some`` took, round by round."""
    pairs = list(zip(some, others, strict=True))
    return {
        unit: _spread(
            [getattr(a, unit) / a.orders / (getattr(b, unit) / b.orders) for a, b in pairs]
        )
        for unit in ("cpu_s", "wall_s")
    }


def _medians(measures: Sequence[Measure]) -> dict[str, float]:
    rows = [asdict(measure) for measure in measures]
    found = {name: round(median(row[name] for row in rows), 4) for name in rows[0]}
    found["orders_per_cpu_s"] = round(found["orders"] / found["cpu_s"])
    found["orders_per_s"] = round(found["orders"] / found["wall_s"])
    return found


def _spread(ratios: Sequence[float]) -> dict[str, float]:
    found = {"median": median(ratios), "min": min(ratios), "max": max(ratios)}
    return {name: round(value, 3) for name, value in found.items()}


def _growth(courses: Sequence[Course]) -> dict[str, float]:
    """Peak memory of the most orders over that of the fewest."""
    few, many = min(courses, key=_orders), max(courses, key=_orders)
    return {name: round(_peak(many, name) / _peak(few, name), 3) for name in many.measures}


def _orders(course: Course) -> int:
    return course.orders


def _peak(course: Course, name: str) -> float:
    return median(measure.peak_rss_mb for measure in course.measures[name])


def table(result: Any) -> str:
    """The result for people."""
    lines = [
        f"{'orders':>7}  {'variant':<10}{'orders/CPU s':>13}{'orders/s':>10}{'requests':>10}"
        f"{'peak MB':>9}  {'CPU of floor':<19}{'wall of floor':<19}"
    ]
    for size in result["sizes"]:
        for name, found in size["variants"].items():
            of_floor = size["of_floor"].get(name)
            ratios = [_ratio(of_floor[unit]) for unit in ("cpu_s", "wall_s")] if of_floor else []
            lines.append(
                f"{size['orders']:>7}  {name:<10}{found['orders_per_cpu_s']:>13,}"
                f"{found['orders_per_s']:>10,}{found['requests']:>10,.0f}"
                f"{found['peak_rss_mb']:>9.1f}  " + "".join(f"{text:<19}" for text in ratios)
            )
        if "times_dlt" in size:
            found = size["times_dlt"]["cpu_s"]
            lines.append(
                f"{size['orders']:>7}  Crossdock is {found['median']:.1f} times as fast as dlt in "
                f"CPU ({found['min']:.1f}-{found['max']:.1f})"
            )
    grown = ", ".join(f"{name} {ratio:.2f}" for name, ratio in result["peak_rss_growth"].items())
    lines.append(f"peak memory, most orders over fewest: {grown}")
    return "\n".join(line.rstrip() for line in lines)


def _ratio(spread: dict[str, float]) -> str:
    return f"{spread['median']:.0%} ({spread['min']:.0%}-{spread['max']:.0%})"


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--orders", type=int, nargs="+", default=[1_000, 10_000])
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    options.add_argument("--peers", help="a Python that has dlt (requirements/peers.lock)")
    given = options.parse_args()
    peers = given.peers if given.database == "sqlite" else None
    result = run(given.orders, given.rounds, given.database, peers, print)
    print(table(result))
    print(json.dumps(result))


if __name__ == "__main__":
    main()
