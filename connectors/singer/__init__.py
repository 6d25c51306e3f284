"""Any Singer tap, run as a process of its own (ADR 11)."""

from connectors.singer.connector import Singer

__all__ = ["Singer"]
