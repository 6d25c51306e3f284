"""The list a definition may choose from, filled by the modules beside this one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

_F = TypeVar("_F", bound=Callable[..., Any])

TRANSFORMS: dict[str, Callable[..., Any]] = {}


def transform(function: _F) -> _F:
    """Put a function on the list, under its own name."""
    TRANSFORMS[function.__name__] = function
    return function
