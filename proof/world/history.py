"""What happened, line by line, with a running hash: two histories are equal when their hashes are.

Only facts that do not depend on the database go in: no row ids, no wall time, no process ids.
"""

from __future__ import annotations

import hashlib
from collections import Counter, deque
from datetime import datetime
from typing import TextIO

KEPT = 50
"""Events that are shown when an invariant breaks."""


class History:
    """``trace``: gets every line as it happens."""

    def __init__(self, trace: TextIO | None = None) -> None:
        self.tally: Counter[str] = Counter()
        self.last: deque[str] = deque(maxlen=KEPT)
        self.steps = 0
        self._trace = trace
        self._hash = hashlib.sha256()

    def note(self, at: datetime, kind: str, what: str) -> None:
        """``kind`` is what the tally counts."""
        self.steps += 1
        self.tally[kind] += 1
        line = f"{self.steps} {at:%Y-%m-%d %H:%M:%S.%f} {kind}: {what}"
        self.last.append(line)
        self._hash.update(line.encode() + b"\n")
        if self._trace is not None:
            self._trace.write(line + "\n")

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()
