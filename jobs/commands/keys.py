"""``crossdock keys``: the master keys by which personal data in the store is encrypted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from connectors.dropfolder import write_atomically
from jobs import accountable, app, vaults
from jobs.commands.options import as_json, opened, opened_store, settings_option
from jobs.listing import show, show_json
from jobs.problems import OperatorError, UsageProblem
from state import history
from state.errors import VaultProblem
from state.store import Store
from state.vault import converting, rotation
from state.vault import keys as data_keys
from state.vault.keyring import Keyring, MasterKey, parse

_FIRST = Path("secrets") / "crossdock.keys"

_HEAD = (
    "# Keys of Crossdock, the last one in use. Keep a copy apart from the store and its backups:\n"
    "# without them nobody can read the personal data in there.\n"
)

_COLUMNS = {"key": "key", "data_keys": "data keys", "state": "state"}


@click.group()
def keys() -> None:
    """Make, exchange and look after the keys that encrypt personal data in the store."""


@keys.command()
@as_json
@settings_option
def new(config: Path | None, as_json: bool) -> None:
    """Make a new key, add it to the file that the settings name, and use it from now on.

    Without [encryption] keys in the settings it begins secrets/crossdock.keys and says what to
    write there. Where they name a variable it prints the key for it: restart the daemon with both,
    the new one last. Earlier keys stay until `crossdock keys rotate` is done.

    \b
    Examples:
      crossdock keys new
      crossdock keys new --json
    """
    configuration = app.load(config)
    key = MasterKey.new()
    named = configuration.settings.encryption.keys
    if named is not None and named.startswith("env:"):
        variable = named.removeprefix("env:")
        if as_json:
            show_json({"key": key.name, "line": key.line(), "variable": variable})
        else:
            click.echo(key.line())
            click.echo(f"Add this after what {variable} holds, then restart the daemon.", err=True)
        return
    file = vaults.key_file(configuration) or configuration.folder / _FIRST
    _append(file, key)
    setting = None if named else f'[encryption]\nkeys = "file:{_FIRST}"'
    if as_json:
        show_json({"key": key.name, "file": str(file), "settings": setting})
        return
    click.echo(f"Key {key.name} is in {file}. Keep a copy apart from the store and its backups.")
    if setting:
        click.echo(f"Write into {configuration.path.name}:\n\n{setting}\n")
        click.echo("Then `crossdock check`, and `crossdock keys encrypt` for what is there.")
    else:
        click.echo("New data is encrypted by it; `crossdock keys rotate` for what is there.")


def _append(file: Path, key: MasterKey) -> None:
    try:
        before = file.read_text(encoding="utf-8") if file.exists() else _HEAD
        if file.exists():
            parse(before)
        text = before if before.endswith("\n") else f"{before}\n"
        file.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(file, f"{text}{key.line()}\n".encode(), mode=0o600)
    except VaultProblem as problem:
        raise OperatorError(f"{file}: {problem}. Nothing was changed.") from None
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not text"
        raise OperatorError(f"{file} cannot be written: {why}. Nothing was changed.") from None


@keys.command()
@as_json
@settings_option
def rotate(config: Path | None, as_json: bool) -> None:
    """Encrypt the key of every order by the newest master key; the daemon may run meanwhile.

    Addresses and payloads themselves are not touched. When it is done, earlier keys are needed
    only to restore backups from before. Interrupted, it goes on when it is given again.

    \b
    Examples:
      crossdock keys new && crossdock keys rotate
    """
    with opened_store(config) as (_, store, clock):
        ring = _required(store)
        changed = rotation.rewrap(store, rest=clock.sleep, told=_progress(as_json))
        current = ring.current.name
        with store.write() as conn:
            if changed:
                history.audit(
                    conn,
                    actor=accountable.actor(),
                    action="rotate_keys",
                    subject=("store", 0),
                    after={"key": current, "data_keys": changed},
                    reason=accountable.reason(),
                    now=clock.now(),
                )
            count = data_keys.count(conn)
    free = [name for name in ring.names() if name != current and name not in count]
    if as_json:
        show_json({"key": current, "changed": changed, "not_needed": free})
        return
    click.echo(f"{changed} data keys are encrypted by {current} now.")
    if free:
        click.echo(
            f"Not needed by the store any more: {', '.join(free)}. Delete their lines once no "
            "backup from before is to be restored."
        )


@keys.command()
@as_json
@settings_option
def encrypt(config: Path | None, as_json: bool) -> None:
    """Encrypt what was stored before a connection was to be encrypted; the daemon may run.

    Then the files of the store are written anew, so that no plain copy is left in them. Where it
    was interrupted it goes on when it is given again. Backups from before stay as they are.

    \b
    Examples:
      crossdock keys encrypt
    """
    with opened(config) as installation:
        store = installation.hub.store
        _required(store)
        sleep = installation.clock.sleep
        changed = converting.encrypt(store, rest=sleep, told=_progress(as_json))
        if changed:
            with store.write() as conn:
                history.audit(
                    conn,
                    actor=accountable.actor(),
                    action="encrypt_personal_data",
                    subject=("store", 0),
                    after={"rows": changed},
                    reason=accountable.reason(),
                    now=installation.hub.clock.now(),
                )
        clean = store.wipe_traces()
    if as_json:
        show_json({"changed": changed, "traces_wiped": clean})
    else:
        click.echo(f"{changed} orders and payloads were encrypted.")
    if not clean:
        raise OperatorError(
            "Encrypted, and a plain copy may be left in the store's files: somebody reads them.",
            "End long readers, such as a backup, and give the same command again.",
        )


@keys.command()
@as_json
@settings_option
def status(config: Path | None, as_json: bool) -> None:
    """The keys, what each is needed for, and what should be encrypted and is not.

    Ends with 1 when a key is missing, or personal data is plain that should not be.

    \b
    Examples:
      crossdock keys status
      crossdock keys status --json
    """
    with opened_store(config) as (configuration, store, _), store.read() as conn:
        ring = vaults.keyring_of(configuration)
        rows = _rows(ring.names() if ring else [], data_keys.count(conn))
        wanted = vaults.ids_of(conn, vaults.sealed_connections(configuration.settings))
        plain = converting.plain_left(conn, wanted.values()) if ring else {}
        left = {name: plain[number] for name, number in wanted.items() if number in plain}
    if as_json:
        show_json({"keys": rows, "plain": left})
    else:
        show(rows, _COLUMNS, as_json=False, empty="There are no keys, and nothing is encrypted.")
        for name, n in left.items():
            click.echo(f"{name}: {n} rows are not encrypted.")
    missing = [row["key"] for row in rows if row["state"] == _MISSING]
    if missing:
        raise OperatorError(data_keys.lost(missing))
    if left:
        raise OperatorError(
            "Personal data is plain that should be encrypted.", "`crossdock keys encrypt`."
        )


_MISSING = "missing"


def _rows(names: list[str], count: dict[str, int]) -> list[dict[str, Any]]:
    rows = [{"key": name, "data_keys": count.get(name, 0), "state": "not needed"} for name in names]
    for row in rows:
        if row["data_keys"]:
            row["state"] = "needed until `crossdock keys rotate`"
    if rows:
        rows[-1]["state"] = "in use"
    lost = sorted(count.keys() - set(names))
    return rows + [{"key": name, "data_keys": count[name], "state": _MISSING} for name in lost]


def _required(store: Store) -> Keyring:
    if store.vault.vault is None:
        raise UsageProblem("The settings name no keys: nothing is encrypted.", vaults.MAKE)
    return store.vault.vault.keyring


def _progress(as_json: bool) -> Any:
    def told(done: int) -> None:
        if not as_json and done:
            click.echo(f"  {done}", err=True)

    return told
