"""What the system knows of a name, for as long as there is time to wait for it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterable
from queue import Empty, SimpleQueue

WAITING_MAX = 32
"""Names that are being looked up at once. The system cannot be told to leave one: a thread waits
for it until it does by itself, and there shall not be ever more of them."""

_waiting = threading.BoundedSemaphore(WAITING_MAX)


def addresses(host: str, port: int) -> list[str]:
    """Every address of ``host``, as the system would try them. Raises ``OSError``."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    # The scope of a link-local address stays off: such an address is never connected to.
    return list(dict.fromkeys(str(entry[4][0]).partition("%")[0] for entry in found))


def within(
    seconds: float | None, look_up: Callable[[str, int], Iterable[str]], host: str, port: int
) -> list[str]:
    """What ``look_up`` says of a name, ``seconds`` of real time at most; null: however long.

    Raises what it raises, and ``TimeoutError`` where it says nothing: the system asks a name server
    that is away for half a minute, and then the next one.
    """
    if seconds is None:
        return list(look_up(host, port))
    if not _waiting.acquire(timeout=seconds):
        raise TimeoutError(f"{WAITING_MAX} other names are still being looked up")
    said: SimpleQueue[list[str] | OSError | ValueError] = SimpleQueue()

    def ask() -> None:
        try:
            said.put(list(look_up(host, port)))
        except (OSError, ValueError) as error:
            said.put(error)
        finally:
            _waiting.release()

    threading.Thread(target=ask, name=f"name of {host}", daemon=True).start()
    try:
        found = said.get(timeout=seconds)
    except Empty:
        raise TimeoutError(f"no name server answered within {seconds:.0f} s") from None
    if isinstance(found, OSError | ValueError):
        raise found
    return found
