"""The closed list of transforms a definition may name after ``as``.

A transform is a pure function: the value first, named arguments (``with``) after it. It raises
``Unfit`` and nothing else, whatever it is given. Its annotations are checked against the canonical
fields at load, so they must say what it takes (``object`` = anything) and gives. Giving None means
"nothing there": the field's default applies. The example in the docstring is run by the tests.

A new one goes into the module of its kind, under ``@transform``.
"""

from __future__ import annotations

from mappings.transforms import addresses, amounts, numeric, outbound, parcels, texts, times
from mappings.transforms.registry import TRANSFORMS

MODULES = (texts, numeric, amounts, times, outbound, addresses, parcels)
"""Where the transforms live; importing them fills the list."""

__all__ = ["MODULES", "TRANSFORMS"]
