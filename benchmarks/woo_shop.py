"""A WooCommerce shop that answers from memory: pages of orders, serialised before anybody asks.

    python -m benchmarks.woo_shop --orders 1000 --seed 7

prints its port and serves on loopback until its standard input ends. ``/first-100/wp-json/wc/v3``
is a shop of the first 100 orders, so that one server does for runs of any size, and
``/changed-100/...`` is what that shop lists of one in a hundred when they have changed.
``GET /served`` tells how many pages and refund lists were asked for since the last such question.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import sys
from collections import Counter
from collections.abc import Sequence
from urllib.parse import parse_qs, urlsplit

from benchmarks import woo_orders

PER_PAGE = 100
CHANGED_ONE_IN = 100

_ROUTE = re.compile(r"/(first|changed)-(\d+)/wp-json/wc/v3/orders(?:/(\d+)/refunds)?")
_HEAD = (
    "HTTP/1.1 {status}\r\n"
    "Date: Mon, 02 Nov 2026 08:00:00 GMT\r\n"
    "Content-Type: application/json; charset=UTF-8\r\n"
    "X-WP-Total: {total}\r\n"
    "X-WP-TotalPages: {pages}\r\n"
    "Content-Length: {length}\r\n"
    "\r\n"
)


class Shop:
    """What the shop says to a request; knows nothing of sockets."""

    def __init__(self, count: int, seed: int) -> None:
        orders = [woo_orders.order(number, seed) for number in range(1, count + 1)]
        self._refunds = {
            str(order["id"]): _text(woo_orders.refunds(order))
            for order in orders
            if order["refunds"]
        }
        self._orders = [_text(order) for order in orders]
        self._changed = [_text(woo_orders.changed(order)) for order in orders[::CHANGED_ONE_IN]]
        self._served: Counter[str] = Counter()

    def reply(self, target: str) -> bytes:
        """The whole reply, head and body, to a GET of ``target``."""
        url = urlsplit(target)
        if url.path == "/served":
            served, self._served = self._served, Counter()
            return _reply(json.dumps(served).encode())
        route = _ROUTE.fullmatch(url.path)
        if route is None:
            return _refusal("404 Not Found", "rest_no_route")
        if route[3]:
            self._served["refunds"] += 1
            return _reply(self._refunds.get(route[3], b"[]"))
        count = int(route[2])
        if count > len(self._orders):
            return _refusal("400 Bad Request", "rest_invalid_param")
        if route[1] == "changed":
            return self._page(self._changed[: -(-count // CHANGED_ONE_IN)], parse_qs(url.query))
        return self._page(self._orders[:count], parse_qs(url.query))

    def _page(self, orders: Sequence[bytes], query: dict[str, list[str]]) -> bytes:
        asked = {name: values[0] for name, values in query.items()}
        walked = (asked.get("orderby"), asked.get("order"), asked.get("per_page"))
        # Anything else would be answered from pages that were not asked for.
        if walked != ("id", "asc", str(PER_PAGE)):
            return _refusal("400 Bad Request", "rest_invalid_param")
        self._served["pages"] += 1
        first = (int(asked["page"]) - 1) * PER_PAGE
        body = _listed(orders[first : first + PER_PAGE])
        self._served["bytes"] += len(body)
        return _reply(body, len(orders))


class _Talk(asyncio.Protocol):
    """One kept-alive connection; every request is a GET without a body."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self._heard = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._heard += data
        while b"\r\n\r\n" in self._heard:
            head, _, self._heard = self._heard.partition(b"\r\n\r\n")
            _, target, _ = head.split(b"\r\n", 1)[0].split(b" ")
            self._transport.write(self._shop.reply(target.decode()))


def _text(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _listed(orders: Sequence[bytes]) -> bytes:
    return b"[" + b",".join(orders) + b"]"


def _reply(body: bytes, total: int = 0, status: str = "200 OK") -> bytes:
    pages = -(-total // PER_PAGE)
    head = _HEAD.format(status=status, total=total, pages=pages, length=len(body))
    return head.encode() + body


def _refusal(status: str, code: str) -> bytes:
    return _reply(_text({"code": code, "message": code, "data": {}}), status=status)


async def _serve(shop: Shop) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Talk(shop), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    options.add_argument("--orders", type=int, required=True)
    options.add_argument("--seed", type=int, required=True)
    given = options.parse_args()
    asyncio.run(_serve(Shop(given.orders, given.seed)))


if __name__ == "__main__":
    main()
