"""Definitions for some connections only: whether each has its place, and no two the same one."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from mappings.definition import DefinitionSpec, nearest
from mappings.document import Complain


def check_scopes(
    specs: Iterable[DefinitionSpec],
    named: Callable[[str], DefinitionSpec | None],
    connections: Iterable[str] | None,
    complain: Complain,
) -> None:
    """Complain about scopes that cannot be. ``connections``: those there are; None: not known."""
    known = None if connections is None else list(connections)
    taken: dict[tuple[str, str], str] = {}
    for spec in specs:
        if not spec.connections:
            if "role" in spec.document:
                complain(spec.document.at("role"), "is for a definition with connections")
            continue
        spot = spec.document.at("connections")
        _check_role(spec, named, complain)
        for name in spec.connections:
            if known is not None and name not in known:
                complain(spot, f"there is no connection {name!r}{nearest(name, known)}")
            holder = taken.setdefault((name, spec.role), spec.name)
            if holder != spec.name:
                complain(spot, f"{holder} is {spec.role} of {name} already")


def _check_role(
    spec: DefinitionSpec, named: Callable[[str], DefinitionSpec | None], complain: Complain
) -> None:
    spot = spec.document.at("role" if "role" in spec.document else "connections")
    if spec.role == spec.name:
        proposed = f"{spec.name}.{spec.connections[0]}"
        complain(
            spot,
            "must stand in for another definition, that of all other connections: say extends or "
            f"role, and give it a name of its own, such as {proposed!r}",
        )
        return
    other = named(spec.role)
    if other is None:
        complain(spot, f"there is no definition {spec.role!r} to stand in for")
    elif other.connections:
        complain(spot, f"{spec.role} is for some connections only: name what it stands in for")
    elif (other.target, other.source) != (spec.target, spec.source):
        complain(spot, f"{spec.role} makes another record: {other.target}")
