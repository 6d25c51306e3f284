"""What the settings say of encryption: where the keys are, and whose data they are for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from sqlalchemy import Connection

from connectors.base import Finding
from connectors.registry import CONNECTORS
from jobs import roster
from jobs.problems import UsageProblem
from jobs.secret_references import resolve
from jobs.settings import ConnectionSettings, Settings
from jobs.settings_loader import Configuration
from state import vault
from state.errors import VaultProblem
from state.store import Store
from state.vault import Vault, keys
from state.vault.keyring import Keyring, parse

MAKE = "`crossdock keys new` makes a key and says what to write into the settings"


def key_file(configuration: Configuration) -> Path | None:
    """The file that the settings name; null where they name a variable, or nothing."""
    kind, _, where = (configuration.settings.encryption.keys or "").partition(":")
    return configuration.folder / Path(where).expanduser() if kind == "file" else None


def keyring_of(configuration: Configuration) -> Keyring | None:
    """The keys that the settings name; null: none. Raises ``UsageProblem``."""
    named = configuration.settings.encryption.keys
    if named is None:
        return None
    file = key_file(configuration)
    try:
        if file is not None:
            return Keyring.of_file(file)
        return Keyring(parse(resolve(named, configuration.folder)))
    except (VaultProblem, ValueError) as problem:
        raise UsageProblem(f"encryption.keys: {problem}", MAKE) from None


def open_vault(store: Store, configuration: Configuration) -> None:
    """Let a store read what is encrypted; what is written by it is not, before ``guard``."""
    ring = keyring_of(configuration)
    store.vault.vault = Vault(ring) if ring else None


def guard(
    store: Store, conn: Connection, configuration: Configuration, ids: Mapping[str, int]
) -> None:
    """From here on the store encrypts what the settings want. ``ids``: of their connections.

    Raises ``UsageProblem`` when a key is not there that the store or the settings need.
    """
    ring = keyring_of(configuration)
    lost = vault.missing(conn, ring.names() if ring else [])
    if lost:
        raise UsageProblem(keys.lost(lost), "Without it nobody can read that data any more.")
    wanting = _explicitly(configuration.settings)
    if wanting and ring is None:
        raise UsageProblem(
            f"connections.{wanting[0]} has personal_data.encrypt, and there are no keys.", MAKE
        )
    if ring is None:
        store.vault.vault = None
        return
    # What settings do not name any more stays encrypted: its orders may still be worked on.
    former = {row.id for row in roster.known(conn)} - {*ids.values()}
    named = {ids[name] for name in sealed_connections(configuration.settings)}
    store.vault.vault = Vault(ring, frozenset(named | keys.with_keys(conn, former)))


def sealed_connections(settings: Settings) -> list[str]:
    """Connections whose data is encrypted where there are keys: those that say so, those whose
    vendor demands it, and who ships or labels for them, as they are told the same addresses."""
    given = settings.connections
    channels = [name for name, one in given.items() if _wants(one)]
    if not channels:
        return []
    others = [
        name
        for name, one in given.items()
        if one.personal_data.encrypt is None and CONNECTORS[one.connector].info.kind != "channel"
    ]
    return sorted({*channels, *others})


def ids_of(conn: Connection, names: Iterable[str]) -> dict[str, int]:
    """Ids of connections by name; those that never ran are left out."""
    wanted = set(names)
    return {row.name: row.id for row in roster.known(conn) if row.name in wanted}


def unprotected(settings: Settings) -> list[str]:
    """Connections whose vendor demands encryption, while there are no keys and nobody has said
    that it is left to the disk."""
    if settings.encryption.keys is not None:
        return []
    return sorted(
        name
        for name, one in settings.connections.items()
        if one.personal_data.encrypt is None and _demanded(one)
    )


def findings(configuration: Configuration) -> list[Finding]:
    """For ``crossdock check``."""
    settings = configuration.settings
    bare = unprotected(settings)
    if bare:
        remedy = (
            f"{MAKE}; where the store lies on an encrypted disk, say so: "
            "personal_data = { encrypt = false }."
        )
        told = f"{', '.join(bare)}: the vendor demands that buyers' data is encrypted; it is not"
        return [Finding("encryption", False, told, remedy)]
    names = sealed_connections(settings) if settings.encryption.keys else []
    return [Finding("encryption", True, f"of {', '.join(names)}")] if names else []


def _explicitly(settings: Settings) -> list[str]:
    return [name for name, one in settings.connections.items() if one.personal_data.encrypt]


def _wants(given: ConnectionSettings) -> bool:
    said = given.personal_data.encrypt
    return _demanded(given) if said is None else said


def _demanded(given: ConnectionSettings) -> bool:
    vendor = CONNECTORS[given.connector].info.personal_data
    return vendor is not None and vendor.encrypted
