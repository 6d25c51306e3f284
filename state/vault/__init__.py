"""Encryption of personal data in the store, for connections that want it.

Each order has a key of its own (``data_key``), encrypted by a master key that is not in the store.
What is encrypted says in itself by which key, so that plain and encrypted rows lie side by side,
and belongs to one field of one row: nowhere else is it decrypted.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, select

from state import tables as t
from state.errors import VaultProblem
from state.vault.keyring import Keyring

OPTION = "crossdock_vault"
"""The execution option by which a connection of the database knows the vault of its store."""


@dataclass(frozen=True, slots=True)
class Vault:
    """``sealed``: ids of connections whose personal data is encrypted from here on."""

    keyring: Keyring
    sealed: frozenset[int] = frozenset()


@dataclass(slots=True)
class Slot:
    """Where a store has its vault; null: no keys are configured."""

    vault: Vault | None = None


def of(conn: Connection) -> Vault | None:
    slot: Slot | None = conn.get_execution_options().get(OPTION)
    return slot.vault if slot is not None else None


def seals(conn: Connection, connection_id: int) -> bool:
    """Whether what comes of a connection is to be encrypted."""
    vault = of(conn)
    return vault is not None and connection_id in vault.sealed


def keyring(conn: Connection) -> Keyring:
    """Raises ``VaultProblem`` where none is configured."""
    vault = of(conn)
    if vault is None:
        raise VaultProblem(
            "personal data in the store is encrypted, and the settings name no keys: "
            "give [encryption] keys (docs/operations.md: Keys)"
        )
    return vault.keyring


def missing(conn: Connection, known: Iterable[str]) -> list[str]:
    """Names of master keys that the store needs and that are not among ``known``."""
    master = t.data_key.c.master
    return sorted(conn.scalars(select(master).where(master.not_in(list(known))).distinct()))
