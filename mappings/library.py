"""All definitions of an installation: the shipped ones, and those ops put over them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from mappings.compiler import compiled
from mappings.definition import DefinitionSpec, read
from mappings.engine import Definition
from mappings.plan import RecordPlan
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
        plans = [
            (spec, planned(spec, problems)) for path in files if (spec := read(path, problems))
        ]
        if problems:
            raise DefinitionsInvalid(problems)
        return cls({spec.name: _definition(spec, plan) for spec, plan in plans})

    def __getitem__(self, name: str) -> Definition:
        return self._definitions[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._definitions)

    def __len__(self) -> int:
        return len(self._definitions)


def _definition(spec: DefinitionSpec, plan: RecordPlan) -> Definition:
    function, code = compiled(plan)
    return Definition(
        spec.name, spec.version, spec.target, spec.source, spec.file, plan, function, code
    )
