"""G8: every outcome of a call, at every place where a process can die, at every class of vendor."""

from __future__ import annotations

from proof.ambiguity.matrix import prove

__all__ = ["prove"]
