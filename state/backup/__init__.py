"""Backups: every table of one moment in one file that either database can be filled from."""

from __future__ import annotations

from state.backup.dump import write
from state.backup.layout import BadBackup, Header, Summary
from state.backup.load import verify
from state.backup.place import Found, look, put

__all__ = ["BadBackup", "Found", "Header", "Summary", "look", "put", "verify", "write"]
