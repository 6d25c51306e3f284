"""Do their clock and ours agree? Windows and tokens depend on it."""

from __future__ import annotations

from connectors.base import Finding

TOLERATED_S = 60.0
"""Pulls overlap by minutes, so a minute does no harm; beyond it something is wrong."""


def skew_finding(seconds: float | None) -> Finding:
    """``seconds``: their clock minus ours (``ApiClient.last_skew_s``), null if it was not told."""
    if seconds is None:
        return Finding("clock", True, "their replies do not tell the time")
    if abs(seconds) <= TOLERATED_S:
        return Finding("clock", True, f"within {TOLERATED_S:.0f} s of ours")
    word = "ahead of" if seconds > 0 else "behind"
    detail = f"their clock is {abs(seconds):.0f} s {word} ours"
    return Finding("clock", False, detail, "Set this machine's clock by NTP.")
