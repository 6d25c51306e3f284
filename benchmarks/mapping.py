"""What mapping one order costs: a definition against hand-written Python and other engines.

    python -m benchmarks.mapping
    python -m benchmarks.mapping --orders 150 --rounds 15

WooCommerce orders of about 4 KB (``benchmarks.woo_orders``: some 45 fields with addresses, lines,
taxes) become canonical orders, from decoded payloads by

* ``compiled``: the shipped definition ``woocommerce.orders`` as Crossdock runs it;
* ``hand-written``: the same in plain Python (``benchmarks.woo_by_hand``);
* ``jmespath``: the same definition, each expression run by the reference package ``jmespath``
  (compiled once), the records filled by the engine that collects problems;
* ``glom``, ``jsonata``: the same fields in the languages of those packages (``benchmarks.peer_*``);

and from JSON by the first three, of which ``compiled`` decodes only what the definition reads, and
the others decode all with ``orjson``. All use the same transforms and make the same records, which
is checked before anything is timed.

Every round times each variant, in an order that rotates, as often as a twentieth of a second needs,
at least once; told are the median of the rounds
with least and most, in microseconds of CPU per order, and the ratio to hand-written of the same
round and the same start. The last line is everything as JSON.
"""

from __future__ import annotations

import argparse
import gc
import json
from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import Any

import msgspec
import orjson

from benchmarks import peer_glom, peer_jsonata, woo_by_hand, woo_orders
from benchmarks.clock import measured
from benchmarks.mapping_reference import through_reference
from mappings import Definitions
from mappings.canonical import Order

SEED = 7
DEFINITION = "woocommerce.orders"
COMPILED, BY_HAND, REFERENCE = "compiled", "hand-written", "jmespath"

Json = dict[str, Any]
Variants = Mapping[str, Callable[[Any], Order]]

ENOUGH_S = 0.05
"""CPU of one round of one variant, below which the clock and the caches tell more than it does."""


class Work:
    """One variant and its payloads. ``times``: microseconds per payload, one for every round."""

    def __init__(self, variant: Callable[[Any], Order], payloads: Sequence[Any]) -> None:
        self._variant = variant
        self._payloads = payloads
        self._passes = 1
        self._passes = max(1, round(ENOUGH_S / (self._cpu_s() or ENOUGH_S)))
        self.times: list[float] = []

    def measure(self) -> None:
        """One round."""
        self.times.append(self._cpu_s() / self._passes / len(self._payloads) * 1e6)

    def _cpu_s(self) -> float:
        gc.collect()  # nobody pays for what another left behind
        with measured() as cost:
            for _ in range(self._passes):
                for payload in self._payloads:
                    self._variant(payload)
        return cost.cpu_s


def run(orders: int, rounds: int, say: Callable[[str], None]) -> Json:
    """Measure, and say how it goes; returns the result, ready for JSON."""
    bodies = [woo_orders.order(number, SEED) for number in range(1, orders + 1)]
    texts = [msgspec.json.encode(body) for body in bodies]
    decoded, from_json = _decoded(), _from_json()
    _compare(decoded, bodies)
    _compare(from_json, texts)
    say(f"{orders} orders: {', '.join(decoded)} give the same records")
    work = [Work(variant, bodies) for variant in decoded.values()]
    work += [Work(variant, texts) for variant in from_json.values()]
    for turn in range(rounds):
        for place in range(len(work)):
            work[(place + turn) % len(work)].measure()
    times = [one.times for one in work]
    return {
        "benchmark": "mapping",
        "definition": DEFINITION,
        "orders": orders,
        "rounds": rounds,
        "seed": SEED,
        "bytes_per_order": sum(map(len, texts)) // orders,
        **_told(dict(zip(decoded, times, strict=False))),
        "from_json": _told(dict(zip(from_json, times[len(decoded) :], strict=True))),
    }


def _decoded() -> Variants:
    definition = Definitions.load()[DEFINITION]
    reference = through_reference(definition)
    return {
        COMPILED: lambda body: definition.apply(body).record,
        BY_HAND: woo_by_hand.mapped,
        REFERENCE: lambda body: reference.collected(body).record,
        "glom": peer_glom.mapper(),
        "jsonata": peer_jsonata.mapper(),
    }


def _from_json() -> Variants:
    definition = Definitions.load()[DEFINITION]
    reference = through_reference(definition)
    return {
        COMPILED: lambda text: definition.apply(text).record,
        BY_HAND: lambda text: woo_by_hand.mapped(orjson.loads(text)),
        REFERENCE: lambda text: reference.collected(orjson.loads(text)).record,
    }


def _compare(variants: Variants, payloads: Sequence[Any]) -> None:
    for payload in payloads:
        records = {name: variant(payload) for name, variant in variants.items()}
        for name, record in records.items():
            if record != records[BY_HAND]:
                order = record.channel_order_id
                raise SystemExit(f"order {order}: {name} gives another record than by hand")


def _told(found: Mapping[str, list[float]]) -> Json:
    return {
        "us_per_order": {name: _spread(times) for name, times in found.items()},
        "of_hand_written": {
            name: _spread(_ratios(times, found[BY_HAND])) for name, times in found.items()
        },
        "over_compiled": {
            name: _spread(_ratios(times, found[COMPILED])) for name, times in found.items()
        },
    }


def _ratios(times: Sequence[float], base: Sequence[float]) -> list[float]:
    return [one / other for one, other in zip(times, base, strict=True)]


def _spread(values: Sequence[float]) -> dict[str, float]:
    found = {"median": median(values), "min": min(values), "max": max(values)}
    return {name: round(value, 3) for name, value in found.items()}


def table(result: Json) -> str:
    """The result for people."""
    lines = [f"{'variant':<24}{'us/order':>10}  {'min-max':<18}of hand-written (min-max)"]
    for told, start in ((result, ""), (result["from_json"], ", from JSON")):
        for name, times in told["us_per_order"].items():
            ratio = told["of_hand_written"][name]
            lines.append(
                f"{name + start:<24}{times['median']:>10.1f}  "
                f"{times['min']:>7.1f}-{times['max']:<10.1f}"
                f"{ratio['median']:.2f} ({ratio['min']:.2f}-{ratio['max']:.2f})"
            )
        over = told["over_compiled"][REFERENCE]
        lines.append(
            f"jmespath takes {over['median']:.1f} times ({over['min']:.1f}-{over['max']:.1f}) "
            f"what the compiled definition takes{start}"
        )
    return "\n".join(lines)


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--orders", type=int, default=150)
    options.add_argument("--rounds", type=int, default=15)
    given = options.parse_args()
    result = run(given.orders, given.rounds, print)
    print(table(result))
    print(json.dumps(result))


if __name__ == "__main__":
    main()
