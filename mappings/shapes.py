"""What of a payload is read: a tree of places, and the decoder that builds just these.

A place is typed only where every expression goes through it, key by key or element by element. One
that is looked at as a whole (handed to a transform, compared, projected over, asked whether it is
true) is decoded as it is. What is not read at all is skipped: it must be JSON, no more.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from types import GenericAlias
from typing import Any

import msgspec

Attribute = Callable[[str], str]
"""Gives the attribute that stands for a key."""


@dataclass(slots=True, eq=False)
class Shape:
    """One place of a payload: the keys read of it as an object, its elements as a list."""

    keys: dict[str, Shape] = field(default_factory=dict)
    element: Shape | None = None
    whole: bool = False

    @property
    def is_object(self) -> bool:
        """Whether it becomes a struct with an attribute for each of its keys."""
        return bool(self.keys) and not self.whole and self.element is None

    @property
    def is_list(self) -> bool:
        """Whether it becomes a list of structs, or of such lists."""
        below = self.element
        if below is None or self.whole or self.keys:
            return False
        return below.is_object or below.is_list

    def key(self, name: str) -> Shape:
        """The place under a key."""
        if not name.isprintable() or '"' in name or "\\" in name:
            self.whole = True  # a struct's keys are plain: JSON would write this one with escapes
        return self.keys.setdefault(name, Shape())

    def elements(self) -> Shape:
        """The place of each element."""
        if self.element is None:
            self.element = Shape()
        return self.element

    def decoder(self, attribute: Attribute) -> msgspec.json.Decoder[Any]:
        """Decodes an object of this shape. Raises ``msgspec.DecodeError`` for any other, a lone
        object instead of a list among them."""
        return msgspec.json.Decoder(self._struct(attribute))

    def _struct(self, attribute: Attribute) -> type[msgspec.Struct]:
        fields = [
            (attribute(key), below._type(attribute) | None, None)
            for key, below in self.keys.items()
        ]
        spelled = {attribute(key): key for key in self.keys}
        # What is decoded has no cycles that a collector would have to find.
        return msgspec.defstruct("Read", fields, rename=spelled, gc=False)

    def _type(self, attribute: Attribute) -> Any:
        if self.is_object:
            return self._struct(attribute)
        if self.is_list and self.element is not None:
            return GenericAlias(list, (self.element._type(attribute),))
        return Any
