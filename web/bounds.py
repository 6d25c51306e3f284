"""How much of us a caller may take."""

from __future__ import annotations

from dataclasses import dataclass

from web.application import BODY_MAX


@dataclass(frozen=True, slots=True)
class Bounds:
    """Sizes in bytes, times in real seconds.

    ``receive_s``: from the connection to the last byte of the request, whatever drips meanwhile.
    ``send_s``: for the answer to be taken. ``connections``: open at once; one more ends the one
    that has been sending for longest. ``threads`` work on requests, ``waiting`` more may wait for
    them, the rest is asked to come again.
    """

    head_max: int = 16 * 1024
    body_max: int = BODY_MAX
    receive_s: float = 10.0
    send_s: float = 5.0
    connections: int = 500
    threads: int = 4
    waiting: int = 64
