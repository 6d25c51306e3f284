"""All definitions of an installation: the shipped ones, and those ops put over them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from mappings.definition import read
from mappings.engine import Definition
from mappings.planner import planned
from mappings.problems import DefinitionProblem, DefinitionsInvalid

SHIPPED = Path(__file__).parent / "definitions"


class Definitions(Mapping[str, Definition]):
    """Definitions by name (``woocommerce.orders``)."""

    def __init__(self, definitions: Mapping[str, Definition]) -> None:
        self._definitions = dict(definitions)

    @classmethod
    def load(cls, overrides: Path | None = None) -> Definitions:
        """Read and check every definition.

        A file in ``overrides`` replaces the shipped one of the same name, or adds one.
        Raises ``DefinitionsInvalid`` with every problem of every file.
        """
        files = {path.name: path for path in SHIPPED.glob("*.toml")}
        if overrides is not None:
            if not overrides.is_dir():
                problem = DefinitionProblem(str(overrides), "", "no such folder")
                raise DefinitionsInvalid([problem])
            files |= {path.name: path for path in overrides.glob("*.toml")}
        return cls.of(path for _, path in sorted(files.items()))

    @classmethod
    def of(cls, files: Iterable[Path]) -> Definitions:
        """Read and check just these files. Raises ``DefinitionsInvalid``."""
        problems: list[DefinitionProblem] = []
        found = [definition for path in files if (definition := _load(path, problems))]
        if problems:
            raise DefinitionsInvalid(problems)
        return cls({definition.name: definition for definition in found})

    def __getitem__(self, name: str) -> Definition:
        return self._definitions[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._definitions)

    def __len__(self) -> int:
        return len(self._definitions)


def _load(path: Path, problems: list[DefinitionProblem]) -> Definition | None:
    spec = read(path, problems)
    if spec is None:
        return None
    plan = planned(spec, problems)
    return Definition(spec.name, spec.version, spec.target, spec.source, spec.file, plan)
