"""The files ``crossdock init`` writes, taken from the settings' own defaults."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from connectors.base import Connector
from jobs.secret_references import secret_fields
from jobs.settings import Settings, duration_text, is_duration

_HEAD = """\
# Crossdock settings. What is commented out is the default.
#
# Connections and locations stand here or in connections.d/*.toml (see the example there).
# Secrets never do: write env:NAME (an environment variable) or file:PATH (a file with only it).
# Every key can be set from outside: CROSSDOCK_JOBS__THREADS=4 stands for threads under [jobs].
# Durations are written 30s, 5m, 1h or 1d. After a change: crossdock check
"""

_EXAMPLE_HEAD = """\
# Examples: copy what you need into a file of its own, such as connections.d/shop-eu.toml, and
# take the comment signs away. `crossdock connections NAME` lists every key of a connector.
"""

_COMMON = """\
# timezone = "Europe/Berlin"     # whose midnight starts a business day
# since = 2026-11-01             # how far back the first pull goes; default is yesterday
# every = { orders = "5m" }      # or listings, stock, shipments, tracking, push, read_back, sweep
"""

_LOCATIONS = """
# A warehouse of your own: its labels come from the carrier connection, its stock is counted here.
# [locations.berlin]
# kind = "warehouse"             # or store, three_pl, vendor
# connection = "my-shipengine"
# authority = "hub"              # who counts its stock: hub or external
# street = "Beispielstrasse 1"
# postcode = "10115"
# city = "Berlin"
# country = "DE"

# Which of them may serve a channel, best first, is said by the channel:
# locations = ["berlin"]         # in its [connections.NAME]; without it, all of them
"""


def settings_file() -> str:
    """``settings.toml`` with every section, and every key at its default."""
    parts = [_HEAD]
    for name, field in Settings.model_fields.items():
        if isinstance(field.default, BaseModel):
            lines = "".join(_lines(field.default))
            parts.append(f"\n[{name}]\n{lines}")
    return "".join(parts)


def example_file(connectors: Mapping[str, type[Connector]]) -> str:
    """``connections.d/example.toml``: one connection of every kind, commented out."""
    parts = [_EXAMPLE_HEAD]
    for name in sorted(connectors):
        keys = "".join(_own_lines(name, connectors[name].config_model))
        title = connectors[name].info.title
        parts.append(f'\n# {title}\n# [connections.my-{name}]\n# connector = "{name}"\n')
        parts.append(_COMMON + keys)
    return "".join([*parts, _LOCATIONS])


def write(folder: Path, connectors: Mapping[str, type[Connector]]) -> list[Path]:
    """Write both files where they do not exist yet; answers those written."""
    texts = {
        folder / "settings.toml": settings_file(),
        folder / "connections.d" / "example.toml": example_file(connectors),
    }
    new = [path for path in texts if not path.exists()]
    for path in new:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(texts[path], encoding="utf-8")
    return new


def _lines(section: BaseModel) -> Iterator[str]:
    for key, field in type(section).model_fields.items():
        value = getattr(section, key)
        if field.description:
            yield f"# {field.description}\n"
        shown = "(not set)" if value is None else _toml(value, field)
        yield f"# {key} = {shown}\n"


def _own_lines(connector: str, model: type[BaseModel]) -> Iterator[str]:
    secrets = secret_fields(model)
    optional = []
    for key, field in model.model_fields.items():
        if key in secrets and field.is_required():
            variable = f"MY_{connector}_{key}".upper()
            yield f'# {key} = "env:{variable}"\n'
        elif field.is_required():
            empty = [] if get_origin(field.annotation) in (list, tuple) else "FILL IN"
            yield f"# {key} = {_toml(empty, field)}\n"
        elif key != "timezone":
            optional.append(key)
    if optional:
        yield f"# optional: {', '.join(optional)}\n"


def _toml(value: Any, field: FieldInfo) -> str:
    if isinstance(value, BaseModel):
        fields = type(value).model_fields
        inside = ", ".join(f"{key} = {_toml(getattr(value, key), fields[key])}" for key in fields)
        return f"{{ {inside} }}"
    if is_duration(field):
        return json.dumps(duration_text(value))
    return json.dumps(list(value) if isinstance(value, tuple) else value)
