"""What the system knows of a name."""

from __future__ import annotations

import socket


def addresses(host: str, port: int) -> list[str]:
    """Every address of ``host``, as the system would try them. Raises ``OSError``."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    # The scope of a link-local address stays off: such an address is never connected to.
    return list(dict.fromkeys(str(entry[4][0]).partition("%")[0] for entry in found))
