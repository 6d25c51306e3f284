"""Where definitions lie, and which one another one extends."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mappings.definition import DefinitionSpec, check_head, nearest, parsed
from mappings.document import Complain, Table, opened
from mappings.extension import extended

CHAIN: Final = 20
"""How many definitions one may extend in a row."""


@dataclass(frozen=True, slots=True)
class _Whole:
    """A document with all it extends under it. ``chain``: the names of those, the nearest first."""

    document: Table
    version: str
    role: str
    chain: tuple[str, ...]


class Shelf:
    """Shipped files and ops' own over them, each read when it is first asked for."""

    def __init__(self, shipped: Iterable[Path], own: Iterable[Path], complain: Complain) -> None:
        self._shipped = {file.stem: file for file in shipped}
        self._own = {file.stem: file for file in own}
        self._complain = complain
        self._wholes: dict[Path, _Whole | None] = {}
        self._specs: dict[str, DefinitionSpec | None] = {}

    def names(self, *, shipped: bool = True) -> list[str]:
        """The names of all definitions, or of ops' own."""
        return sorted({*self._own, *(self._shipped if shipped else ())})

    def spec(self, name: str) -> DefinitionSpec | None:
        """The definition of this name; None where there is none, or none that can be read."""
        if name not in self._specs:
            file = self._own.get(name) or self._shipped.get(name)
            whole = self._whole(file, ()) if file else None
            self._specs[name] = None
            if whole is not None:
                self._specs[name] = parsed(
                    whole.document, whole.version, whole.role, whole.chain, self._complain
                )
        return self._specs[name]

    def _whole(self, file: Path, below: tuple[Path, ...]) -> _Whole | None:
        """``below``: the files that extend this one, in this very walk."""
        if file not in self._wholes:
            self._wholes[file] = self._read(file, below)
        return self._wholes[file]

    def _read(self, file: Path, below: tuple[Path, ...]) -> _Whole | None:
        # An own file may have the name of a shipped one, and extend it.
        hidden = file.stem in self._own and file != self._own[file.stem]
        document = opened(file, f"shipped/{file.name}" if hidden else file.name, self._complain)
        if document is None:
            return None
        check_head(document, file.stem, self._complain)
        version, name = str(document.get("version")), document.get("extends")
        role = document.get("role", file.stem)
        if not isinstance(name, str):
            return _Whole(document, version, role, ())
        base_file = self._base(document, file, (*below, file))
        base = self._whole(base_file, (*below, file)) if base_file else None
        if base is None:
            return None
        return _Whole(
            document=extended(base.document, document, self._complain),
            version=f"{version}+{base.version}",
            role=document.get("role", base.role),
            chain=(name, *base.chain),
        )

    def _base(self, document: Table, file: Path, walk: tuple[Path, ...]) -> Path | None:
        """The file that a document extends, or None and a complaint."""
        name, spot = document["extends"], document.at("extends")
        found = self._own.get(name) or self._shipped.get(name)
        if found == file:
            found = self._shipped.get(name, file)
        if found is None:
            near = nearest(name, self.names())
            self._complain(spot, f"there is no definition {name!r} to extend{near}")
        elif len(walk) > CHAIN:
            self._complain(spot, f"extends more than {CHAIN} definitions in a row")
        elif found in walk:
            circle = " extends ".join(one.stem for one in (*walk[walk.index(found) :], found))
            self._complain(spot, f"goes round in a circle: {circle}")
        else:
            return found
        return None
