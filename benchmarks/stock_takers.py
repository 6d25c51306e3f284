"""A shop and a marketplace that take every quantity, remember it, and count the calls.

In this process, on loopback, over real HTTP: what the hub sends is what is counted.
"""

from __future__ import annotations

import json
import re
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_PRODUCTS = re.compile(r"/woo/wp-json/wc/v3/products/(?:(\d+)/variations/)?batch")
_FEEDS = "/amazon/feeds/2021-06-30"
_REPORT: dict[str, Any] = {"header": {}, "issues": [], "summary": {}}


class Takers:
    """What was called how often, and what is on offer now, by listing."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.offered: dict[str, int] = {}
        self.url = ""
        self._feeds: list[bytes] = []
        self._lock = threading.Lock()

    def take_calls(self) -> Counter[str]:
        """The calls since the last such question."""
        with self._lock:
            taken, self.calls = self.calls, Counter()
        return taken

    def answer(self, method: str, path: str, body: bytes) -> Any:
        """The reply as JSON; null answers without a body, and a path nobody knows is a KeyError."""
        with self._lock:
            batch = _PRODUCTS.fullmatch(path)
            if batch is not None:
                self.calls["batch variations" if batch[1] else "batch products"] += 1
                return {"update": [self._woo(row) for row in json.loads(body)["update"]]}
            if path.endswith("/o2/token"):
                self.calls["token"] += 1
                return {"access_token": "t", "token_type": "bearer", "expires_in": 3600}
            return self._amazon(method, path.split("?")[0], body)

    def _woo(self, row: dict[str, Any]) -> dict[str, Any]:
        self.offered[str(row["id"])] = row["stock_quantity"]
        return {"id": row["id"], "manage_stock": True, "stock_quantity": row["stock_quantity"]}

    def _amazon(self, method: str, path: str, body: bytes) -> Any:
        names = {
            ("POST", f"{_FEEDS}/documents"): "createFeedDocument",
            ("PUT", "/amazon/upload"): "upload",
            ("POST", f"{_FEEDS}/feeds"): "createFeed",
            ("GET", f"{_FEEDS}/feeds/1"): "getFeed",
            ("GET", f"{_FEEDS}/documents/report"): "getFeedDocument",
            ("GET", "/amazon/report"): "download",
        }
        name = names[method, path]
        self.calls[name] += 1
        if name == "upload":
            for message in json.loads(body)["messages"]:
                [patch] = message["patches"]
                self.offered[message["sku"]] = patch["value"][0]["quantity"]
            return None
        return {
            "createFeedDocument": {"feedDocumentId": "1", "url": f"{self.url}/amazon/upload"},
            "createFeed": {"feedId": "1"},
            "getFeed": {"processingStatus": "DONE", "resultFeedDocumentId": "report"},
            "getFeedDocument": {"url": f"{self.url}/amazon/report"},
            "download": _REPORT,
        }[name]


@contextmanager
def serving() -> Iterator[Takers]:
    """Serve until the block ends; the address is in ``url``."""
    takers = Takers()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _reply(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            told = takers.answer(self.command, self.path, self.rfile.read(length))
            content = b"" if told is None else json.dumps(told).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = _reply  # noqa: N815 - what http.server calls

        def log_message(self, *_: object) -> None:
            """Say nothing: a line per call would be the benchmark's largest cost."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    takers.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield takers
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
