"""Who holds a lease, and freeing what the dead held."""

from __future__ import annotations

import os
import socket
import uuid

from state import streams
from state.store import Store


def owner(role: str) -> str:
    """Our name in the rows we lease: ``role/host/pid/token``."""
    return f"{role}/{socket.gethostname()}/{os.getpid()}/{uuid.uuid4().hex[:8]}"


def end_dead(store: Store) -> None:
    """Free what dead processes were running, without waiting for their leases to end.

    On SQLite the caller holds the process lock, so every other daemon is dead. On PostgreSQL
    only what ran on this machine can be judged. A mistake costs nothing but a lost run: the
    fence keeps whoever was declared dead from writing.
    """
    host = socket.gethostname()
    with store.write() as conn:
        for holder in streams.lease_owners(conn):
            role, its_host, pid, _ = holder.split("/")
            here = its_host == host
            if (role == "run" and store.is_sqlite) or (here and not _other_process(int(pid))):
                streams.expire_leases(conn, holder)


def _other_process(pid: int) -> bool:
    """Whether ``pid`` lives and is not us: our own number means a former life, as in containers."""
    if pid == os.getpid():
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # it lives, and belongs to another user
    return True
