"""What do their words mean in ours? Definitions in, canonical records out, and back.

``Definitions.load()`` checks everything at start-up; ``definitions["woocommerce.orders"].apply(x)``
maps a payload, ``definitions["woocommerce.stock"].render(record)`` builds a request. Nothing here
touches network, database or clock.
"""

from __future__ import annotations

from mappings.engine import Definition, Mapped
from mappings.library import Definitions
from mappings.problems import (
    DefinitionProblem,
    DefinitionsInvalid,
    ItemProblem,
    MappingError,
    Problem,
)

__all__ = [
    "Definition",
    "DefinitionProblem",
    "Definitions",
    "DefinitionsInvalid",
    "ItemProblem",
    "Mapped",
    "MappingError",
    "Problem",
]
