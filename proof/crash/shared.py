"""What a test process and the daemon it kills both see: the time, and where the kill stands.

One page of anonymous memory, inherited by ``fork``. It outlives the daemon, so what is written
there a moment before SIGKILL is there to be read afterwards.
"""

from __future__ import annotations

import mmap
import struct
from datetime import UTC, datetime, timedelta

_NOW, _TARGET, _PASSED, _STRUCK, _DIGEST, _NAME, _REFUSED = 0, 8, 16, 24, 32, 64, 264
_DIGEST_BYTES, _NAME_BYTES = 32, 200
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Shared:
    """``target``: the point at which the daemon kills itself; 0: none. Points count from 1."""

    def __init__(self) -> None:
        self._page = mmap.mmap(-1, mmap.PAGESIZE)

    def aim(self, target: int) -> None:
        """Count anew, and kill at this point."""
        self._page[_TARGET : _REFUSED + 8] = bytes(_REFUSED + 8 - _TARGET)
        self._put(_TARGET, target)

    @property
    def target(self) -> int:
        return self._get(_TARGET)

    @property
    def passed(self) -> int:
        """How many points the daemon has passed since ``aim``."""
        return self._get(_PASSED)

    def pass_one(self) -> int:
        self._put(_PASSED, self.passed + 1)
        return self.passed

    def strike(self, digest: bytes, name: str) -> None:
        """The daemon's last words."""
        self._page[_DIGEST : _DIGEST + _DIGEST_BYTES] = digest
        self._page[_NAME : _NAME + _NAME_BYTES] = name.encode()[:_NAME_BYTES].ljust(_NAME_BYTES)
        self._put(_STRUCK, self.passed)

    @property
    def struck(self) -> tuple[int, bytes, str]:
        """The point at which it died (0: it did not), the store's digest then, and the name."""
        name = self._page[_NAME : _NAME + _NAME_BYTES].rstrip(b"\0 ").decode()
        return self._get(_STRUCK), self._page[_DIGEST : _DIGEST + _DIGEST_BYTES], name

    @property
    def refused(self) -> int:
        """How many statements the disk refused since ``aim``."""
        return self._get(_REFUSED)

    def refuse_one(self) -> None:
        self._put(_REFUSED, self.refused + 1)

    def now(self) -> datetime:
        return _EPOCH + self._get(_NOW) * _MICROSECOND

    def set_now(self, now: datetime) -> None:
        self._put(_NOW, (now - _EPOCH) // _MICROSECOND)

    def _get(self, offset: int) -> int:
        number: int = struct.unpack_from("<q", self._page, offset)[0]
        return number

    def _put(self, offset: int, number: int) -> None:
        struct.pack_into("<q", self._page, offset, number)


class SharedClock:
    """Stands still until somebody sleeps or jumps; the daemon's and the vendors' alike."""

    speed = 1.0

    def __init__(self, shared: Shared) -> None:
        self._shared = shared

    def now(self) -> datetime:
        return self._shared.now()

    def jump(self, moment: datetime) -> None:
        """Go on to ``moment``; never back."""
        self._shared.set_now(max(self.now(), moment))

    def advance(self, seconds: float) -> datetime:
        self.jump(self.now() + timedelta(seconds=seconds))
        return self.now()

    def sleep(self, seconds: float) -> None:
        self.advance(max(0.0, seconds))

    def set_speed(self, speed: float) -> None:
        raise ValueError("this clock has no speed: advance it")
