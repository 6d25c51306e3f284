"""Reads settings, connection files and environment; lists everything that is wrong at once."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_settings import BaseSettings, EnvSettingsSource, SettingsConfigDict
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from connectors.base import Config, Connector, Shelves
from connectors.hooks import HookConfig
from jobs.problems import UsageProblem
from jobs.promise_settings import PromiseRule, RulesFile, unknown_names
from jobs.secret_references import REMEDY, resolve, secret_fields
from jobs.settings import ConnectionSettings, Settings, StoreSettings
from jobs.settings_problems import did_you_mean, sentences
from mappings import toml_text
from mappings.file_bounds import Refused

CONNECTIONS_FOLDER = "connections.d"
_PREFIX = "CROSSDOCK_"
_TABLES = ("connections", "locations")

Tree = dict[str, Any]


class SettingsProblem(UsageProblem):
    """The settings cannot be used; ``problems`` holds one sentence for each thing to mend."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems), "Then run `crossdock check`.")
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Configuration:
    """Settings that hold together. ``configs``: each connection's own, with its secrets.

    ``promise``: every promise rule, of the settings and of the file they name.
    """

    path: Path
    settings: Settings
    configs: Mapping[str, Config]
    promise: Sequence[PromiseRule] = ()

    @property
    def folder(self) -> Path:
        return self.path.parent

    @property
    def store_password(self) -> str:
        password = make_url(self.settings.store.url).password
        return str(password) if password else ""


@dataclass
class _Reading:
    """What was read so far, where each connection and location came from, and what is wrong."""

    path: Path
    tree: Tree = field(default_factory=dict)
    origins: dict[tuple[str, str], Path] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def where(self, place: tuple[Any, ...]) -> str:
        """The file, or the environment variable, that says what stands at ``place``."""
        variable = (_PREFIX + "__".join(str(part) for part in place)).upper()
        for name in os.environ:
            if name.upper().replace("-", "_") == variable.replace("-", "_"):
                return f"environment variable {name}"
        return str(self.origins.get(tuple(place[:2]), self.path).relative_to(self.path.parent))


class _Environment(Settings, BaseSettings):
    """The same settings, as the environment spells them."""

    model_config = SettingsConfigDict(env_prefix=_PREFIX, env_nested_delimiter="__")


def find(path: Path | None = None) -> Path:
    """The settings file: the one given, ``CROSSDOCK_CONFIG``, or ``settings.toml`` here."""
    found = path or Path(os.environ.get("CROSSDOCK_CONFIG") or "settings.toml")
    if not found.is_file():
        raise UsageProblem(
            f"There is no settings file {found}.",
            "Write one with `crossdock init`, or name yours: --config FILE or CROSSDOCK_CONFIG.",
        )
    return found.resolve()


def load(path: Path, connectors: Mapping[str, type[Connector]]) -> Configuration:
    """Read and check everything. Raises ``SettingsProblem`` with all problems at once."""
    reading = _Reading(path)
    _read_files(reading)
    _read_environment(reading)
    _open_store_url(reading)
    settings = _validated(reading)
    _check_names(reading)
    configs = _connector_configs(reading, connectors)
    _check_hook_secrets(reading, configs)
    if settings is not None:
        _check_counted_once(reading, settings, configs)
    rules = _promise_rules(reading, settings) if settings is not None else ()
    if reading.problems or settings is None:
        raise SettingsProblem(reading.problems)
    return Configuration(path, settings, configs, rules)


def _read_files(reading: _Reading) -> None:
    reading.tree = _toml(reading.path, reading)
    for table in _TABLES:
        if not isinstance(reading.tree.get(table, {}), dict):
            reading.problems.append(f"{reading.path.name}: {table}: write [{table}.NAME] for each")
            del reading.tree[table]
        for name in _names(reading.tree, table):
            reading.origins[table, name] = reading.path
    for file in sorted((reading.path.parent / CONNECTIONS_FOLDER).glob("*.toml")):
        _add_file(reading, file)


def _add_file(reading: _Reading, file: Path) -> None:
    tree = _toml(file, reading)
    shown = file.relative_to(reading.path.parent)
    reading.problems += [
        f"{shown}: {key}: only [connections.NAME] and [locations.NAME] belong in here"
        for key in tree
        if key not in _TABLES
    ]
    for table in _TABLES:
        for name in _names(tree, table):
            first = reading.origins.setdefault((table, name), file)
            if first is not file:
                reading.problems.append(
                    f"{shown}: {table}.{name} is already in {first.name}: rename one of them"
                )
                continue
            reading.tree.setdefault(table, {})[name] = tree[table][name]


def _toml(file: Path, reading: _Reading) -> Tree:
    try:
        return toml_text.read(file)[1]
    except OSError as error:
        reading.problems.append(f"{file}: cannot be read: {error.strerror}")
    except Refused as refused:
        reading.problems.append(f"{file}: {refused}")
    return {}


def _read_environment(reading: _Reading) -> None:
    """Lay ``CROSSDOCK_SECTION__KEY`` over the files.

    Shells allow no dash in a name, so ``CONNECTIONS__SHOP_EU__URL`` reaches ``shop-eu``.
    """
    sections = set(Settings.model_fields)
    for name in os.environ:
        head, nested, _ = name.removeprefix(_PREFIX).partition("__")
        if name.startswith(_PREFIX) and nested and head.lower() not in sections:
            near = did_you_mean(head, {section.upper() for section in sections})
            reading.problems.append(f"environment variable {name}: unknown section {head}{near}")
    given = EnvSettingsSource(_Environment)()
    for table in _TABLES:
        known = {name.replace("-", "_"): name for name in _names(reading.tree, table)}
        given[table] = {known.get(name, name): v for name, v in given.get(table, {}).items()}
    reading.tree = _overlaid(reading.tree, given)


def _overlaid(below: Tree, above: Mapping[str, Any]) -> Tree:
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        both = isinstance(value, Mapping) and isinstance(old, Mapping)
        merged[key] = _overlaid(dict(old or {}), value) if both else value
    return merged


def _open_store_url(reading: _Reading) -> None:
    """Turn a referenced or relative store URL into the one to open."""
    store = reading.tree.setdefault("store", {})
    written = store.get("url", StoreSettings().url) if isinstance(store, dict) else None
    if not isinstance(written, str):
        return
    where = reading.where(("store", "url"))
    if written.startswith(("env:", "file:")):
        try:
            store["url"] = resolve(written, reading.path.parent)
        except ValueError as problem:
            reading.problems.append(f"{where}: store.url: {problem}")
            del store["url"]
            return
    elif "://" in written and _password_in(written) and "environment" not in where:
        reading.problems.append(f"{where}: store.url holds a password: {REMEDY} with the whole URL")
    store["url"] = absolute_url(store.get("url", written), reading.path.parent)


def _password_in(url: str) -> bool:
    """One that cannot be read as a URL is told when the whole is checked."""
    try:
        return bool(make_url(url).password)
    except ArgumentError:
        return False


def absolute_url(url: str, folder: Path) -> str:
    """A store's URL with its driver; a relative file lies in ``folder``."""
    if url.startswith("postgresql://"):
        return "postgresql+psycopg://" + url.removeprefix("postgresql://")
    file = url.removeprefix("sqlite:///")
    if file == url or not file or file == ":memory:":
        return url
    return f"sqlite:///{folder / file}"


def _validated(reading: _Reading) -> Settings | None:
    try:
        return Settings.model_validate(reading.tree)
    except ValidationError as error:
        reading.problems += sentences(error, Settings, (), reading.where)
        return None


def _promise_rules(reading: _Reading, settings: Settings) -> list[PromiseRule]:
    """The rules of the settings, then those of the file they name; each where it stands."""
    given = settings.promise
    found = list(given.rules)
    _check_rules(reading, settings, found, reading.path.name, "promise.rules")
    if given.file is not None:
        file = reading.path.parent / given.file
        tree = _toml(file, reading)
        try:
            more = RulesFile.model_validate(tree).rules
        except ValidationError as error:
            reading.problems += sentences(error, RulesFile, (), lambda _: str(given.file))
            return found
        _check_rules(reading, settings, more, str(given.file), "rules")
        found += more
    return found


def _check_rules(
    reading: _Reading, settings: Settings, rules: Sequence[PromiseRule], where: str, table: str
) -> None:
    groups = {place.group for place in settings.locations.values() if place.group}
    for index, key, name, known in unknown_names(rules, settings.connections, groups):
        what = "connection" if key == "channel" else "location with that group"
        near = did_you_mean(name, known)
        reading.problems.append(
            f"{where}: {table}.{index}.{key}: there is no {what} {name!r}{near}"
        )


def _check_names(reading: _Reading) -> None:
    """Who is named must exist. Looks at what was written, so that it counts whatever else fails."""
    for table, key, target in (
        ("connections", "locations", "locations"),
        ("locations", "connection", "connections"),
    ):
        known = _names(reading.tree, target)
        for name in _names(reading.tree, table):
            written = reading.tree[table][name]
            given = written.get(key, []) if isinstance(written, dict) else []
            for other in given if isinstance(given, list) else [given]:
                if isinstance(other, str) and other not in known:
                    near = did_you_mean(other, known)
                    where = reading.where((table, name, key))
                    reading.problems.append(
                        f"{where}: {table}.{name}.{key}: there is no [{target}.{other}]{near}"
                    )


def _connector_configs(
    reading: _Reading, connectors: Mapping[str, type[Connector]]
) -> dict[str, Config]:
    configs = {}
    for name in _names(reading.tree, "connections"):
        written = reading.tree["connections"][name]
        kind = written.get("connector") if isinstance(written, dict) else None
        if not isinstance(kind, str):
            continue
        place = ("connections", name)
        if kind not in connectors:
            near = did_you_mean(kind, connectors)
            reading.problems.append(
                f"{reading.where((*place, 'connector'))}: connections.{name}.connector: "
                f"there is no connector {kind!r}{near}"
            )
            continue
        config = _connector_config(reading, place, written, connectors[kind].config_model)
        if config is not None:
            configs[name] = config
    return configs


def _connector_config(
    reading: _Reading, place: tuple[str, str], written: Tree, model: type[Config]
) -> Config | None:
    common = set(ConnectionSettings.model_fields)
    # A connector may want the connection's time zone too, under the same key.
    own = {k: v for k, v in written.items() if k not in common or k in model.model_fields}
    count = len(reading.problems)
    for key in sorted(secret_fields(model) & own.keys()):
        own[key] = _resolved(reading, (*place, key), own[key])
    for key, field_ in model.model_fields.items():
        if field_.annotation in (Path, Path | None) and isinstance(own.get(key), str):
            own[key] = str(reading.path.parent / Path(own[key]).expanduser())
    try:
        config = model.model_validate(own)
    except ValidationError as error:
        reading.problems += sentences(error, model, place, reading.where, also=common)
        return None
    return config if len(reading.problems) == count else None


def _resolved(reading: _Reading, place: tuple[str, ...], written: Any) -> Any:
    """The secret that ``written`` refers to, or each one of a table of them."""
    if isinstance(written, dict):
        return {key: _resolved(reading, (*place, key), value) for key, value in written.items()}
    try:
        return resolve(written, reading.path.parent)
    except ValueError as problem:
        reading.problems.append(f"{reading.where(place)}: {'.'.join(place)}: {problem}")
        return "unresolved"


def _check_hook_secrets(reading: _Reading, configs: Mapping[str, Config]) -> None:
    """With one secret for two accounts, the webhooks of one would be taken for the other's."""
    owners: dict[bytes, str] = {}
    for name, config in configs.items():
        for key in config.hook_keys() if isinstance(config, HookConfig) else ():
            first = owners.setdefault(key, name)
            if first != name:
                reading.problems.append(
                    f"{reading.where(('connections', name))}: connections.{name}.webhook_secret: "
                    f"is also that of connections.{first}: give each a secret of its own"
                )


def _check_counted_once(
    reading: _Reading, settings: Settings, configs: Mapping[str, Config]
) -> None:
    """Goods that two locations count are offered twice, and there is only one of each."""
    counting: dict[str, tuple[str, Shelves]] = {}
    for code, place in settings.locations.items():
        name = place.connection or ""
        shelves = configs[name].shelves() if name in configs else None
        if shelves is None or place.stock_authority() != "external":
            continue
        for other, (connection, others) in counting.items():
            if connection != name and shelves.overlap(others):
                reading.problems.append(
                    f"{reading.where(('locations', code, 'connection'))}: locations.{code}: "
                    f"{name} counts the goods that {connection} counts for "
                    f"locations.{other}, and they would be sold twice: give each connection a "
                    "building of its own, or leave one of the locations out"
                )
        counting[code] = (name, shelves)


def _names(tree: Tree, table: str) -> list[str]:
    found = tree.get(table)
    return list(found) if isinstance(found, dict) else []
