"""Connectors whose abilities stand in the settings: a class that lacks what is not described."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from connectors.base import Info
from connectors.errors import ConfigProblem
from mappings import Definition


class Wanted(NamedTuple):
    """A mapping definition that the settings name at ``place``, and what it has to map.

    ``source``: the canonical record an outbound definition takes; null for an inbound one.
    """

    place: str
    name: str
    target: str
    source: str | None = None


def lacking(connector: type[Any], info: Info, methods: Iterable[str]) -> type[Any]:
    """``connector`` with ``info`` and without ``methods`` (docs/adr/0010).

    A method set to null is how Python itself withdraws one (``__hash__ = None``), and how
    ``isinstance`` and ``issubclass`` of a protocol see that it is not there.
    """
    return type(connector.__name__, (connector,), {"info": info, **dict.fromkeys(methods)})


def require_definitions(wanted: Iterable[Wanted], definitions: Mapping[str, Definition]) -> None:
    """Raises ``ConfigProblem`` with every definition that is missing or maps something else."""
    problems = []
    for place, name, target, source in wanted:
        found = definitions.get(name)
        if found is None:
            problems.append(f"{place}.definition: there is no mapping definition {name!r}")
        elif (found.target, found.source) != (target, source):
            told = f"{found.source or 'a payload'} to {found.target}"
            fits = f"{source or 'a payload'} to {target}"
            problems.append(f"{place}.definition: {name} maps {told}, and not {fits}")
    if problems:
        raise ConfigProblem("; ".join(problems) + ".")
