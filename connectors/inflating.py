"""Packed bodies, unpacked piece by piece: a kilobyte can hold a gigabyte of blanks."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator

PIECE = 64 * 1024
"""Bytes unpacked at once, however much they would become."""


class Damaged(ValueError):
    """It is not what its head says, or it ends in the middle."""


def inflated(parts: Iterable[bytes], coding: str) -> Iterator[bytes]:
    """What ``parts`` in ``coding`` (gzip or deflate) hold, in pieces of at most ``PIECE`` bytes.

    Raises ``Damaged``, also where it is cut off: half a document is none.
    """
    # ``deflate`` is zlib's format by the book; servers that send the bare stream break off here.
    inflater = zlib.decompressobj(zlib.MAX_WBITS | 16 if coding == "gzip" else zlib.MAX_WBITS)
    came = False
    try:
        for part in parts:
            came = came or bool(part)
            waiting = part
            while waiting and not inflater.eof:
                piece = inflater.decompress(waiting, PIECE)
                waiting = inflater.unconsumed_tail
                if piece:
                    yield piece
    except zlib.error as error:
        raise Damaged(f"sent damaged {coding}: {error}") from None
    # A reply without a body, such as 204, may still name a coding.
    if came and not inflater.eof:
        raise Damaged(f"sent {coding} that is cut off")
