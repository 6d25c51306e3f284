"""JMESPath in a connection's settings: says where something stands in what the vendor sent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import AfterValidator

from mappings.expressions import BadExpression, Scope, parse
from mappings.jmespath_runtime import FAILURES
from mappings.limits import TooManySteps


def _expression(text: str) -> str:
    try:
        parse(text)
    except BadExpression as problem:
        raise ValueError(str(problem)) from None
    return text


JmesPath = Annotated[str, AfterValidator(_expression)]
"""A JMESPath expression, checked when the settings are read."""


def reader(text: str, failing: Any = None) -> Callable[[Any], Any]:
    """What the expression gives for a value; null where it finds nothing.

    ``failing``: given where it cannot be computed (``length`` of a number, too many steps).
    """
    expression = parse(text)

    def read(value: Any) -> Any:
        try:
            return expression.read(Scope(value, None, value))
        except (*FAILURES, TooManySteps):
            return failing

    return read


def id_text(value: Any) -> str:
    """An id as text; empty when it is none."""
    usable = isinstance(value, (str, int)) and not isinstance(value, bool)
    return str(value) if usable else ""
