"""All definitions of an installation: the shipped ones, and those ops put over them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from mappings.compiler import compiled
from mappings.definition import DefinitionSpec
from mappings.document import collector
from mappings.engine import Definition
from mappings.plan import RecordPlan
from mappings.planner import planned
from mappings.problems import DefinitionProblem, DefinitionsInvalid
from mappings.scopes import check_scopes
from mappings.shelf import Shelf

SHIPPED = Path(__file__).parent / "definitions"


class Definitions(Mapping[str, Definition]):
    """Definitions by name (``woocommerce.orders``)."""

    def __init__(self, definitions: Mapping[str, Definition]) -> None:
        self._definitions = dict(definitions)
        self._views: dict[str, Definitions] = {}
        self._scoped = [one for one in self._definitions.values() if one.spec.connections]

    @classmethod
    def load(
        cls,
        overrides: Path | None = None,
        *,
        draft: Path | None = None,
        connections: Iterable[str] | None = None,
    ) -> Definitions:
        """Read and check every definition.

        A file in ``overrides`` extends or replaces the shipped one of the same name, or adds one;
        ``draft`` does so as if it were there. ``connections``: those there are, where that is
        known. Raises ``DefinitionsInvalid`` with every problem of every file.
        """
        own: list[Path] = []
        if overrides is not None:
            if not overrides.is_dir():
                problem = DefinitionProblem(str(overrides), "", "no such folder")
                raise DefinitionsInvalid([problem])
            own += sorted(overrides.glob("*.toml"))
        if draft is not None:
            own = [file for file in own if file.name != draft.name] + [draft]
        return cls._checked(own, True, connections)

    @classmethod
    def of(cls, files: Iterable[Path]) -> Definitions:
        """Read and check just these files, which may extend one another and shipped ones.

        Raises ``DefinitionsInvalid``.
        """
        return cls._checked(files, False, None)

    @classmethod
    def _checked(
        cls, own: Iterable[Path], shipped: bool, connections: Iterable[str] | None
    ) -> Definitions:
        problems: list[DefinitionProblem] = []
        complain = collector(problems)
        shelf = Shelf(sorted(SHIPPED.glob("*.toml")), own, complain)
        specs = [spec for name in shelf.names(shipped=shipped) if (spec := shelf.spec(name))]
        plans = [(spec, planned(spec, complain)) for spec in specs]
        check_scopes(specs, shelf.spec, connections, complain)
        if problems:
            raise DefinitionsInvalid(sorted(problems, key=lambda problem: problem.file))
        return cls({spec.name: _definition(spec, plan) for spec, plan in plans})

    def for_connection(self, name: str) -> Definitions:
        """Those in force on one connection: what is scoped to it stands in for its role."""
        if not self._scoped:
            return self
        if name not in self._views:
            here = [one for one in self._scoped if name in one.spec.connections]
            found = {key: one for key, one in self.items() if not one.spec.connections}
            found |= {one.name: one for one in here} | {one.spec.role: one for one in here}
            self._views[name] = _View(found)
        return self._views[name]

    def __getitem__(self, name: str) -> Definition:
        return self._definitions[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._definitions)

    def __len__(self) -> int:
        return len(self._definitions)


class _View(Definitions):
    """What one connection sees: nothing in it is scoped any more."""

    def for_connection(self, name: str) -> Definitions:
        """Itself: a view is of one connection."""
        return self


def _definition(spec: DefinitionSpec, plan: RecordPlan) -> Definition:
    function, code = compiled(plan)
    return Definition(
        spec.name, spec.version, spec.target, spec.source, spec.file, plan, function, code, spec
    )
