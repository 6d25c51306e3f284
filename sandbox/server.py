"""The sandbox over real sockets: HTTP/1.1 with keep-alive, on loopback only."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from cheroot.wsgi import Server

from sandbox.app import Sandbox

_HOST = "127.0.0.1"


@contextmanager
def serve(sandbox: Sandbox, port: int = 0, threads: int = 8) -> Iterator[str]:
    """Serve until the block ends; yields the base URL. Port 0 takes a free one."""
    # A raised ConnectionResetError makes cheroot hang up without a reply: that is how lost
    # requests and lost replies look to a client.
    server = Server((_HOST, port), sandbox.wsgi, numthreads=threads, timeout=60)
    # How long stop() waits for the loop to notice, in seconds.
    server.expiration_interval = 0.1
    server.prepare()
    runner = threading.Thread(target=server.serve, name="sandbox", daemon=True)
    runner.start()
    try:
        yield f"http://{_HOST}:{server.bind_addr[1]}"
    finally:
        server.stop()
        runner.join()
