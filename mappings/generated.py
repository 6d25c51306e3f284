"""Python source in the making.

Text of a definition never becomes part of the source: every name and literal of it is bound to a
numbered name (``k7``) in the namespace the source runs in, which holds nothing else but the
functions the generators ask for. There are no builtins in it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import CodeType
from typing import Any

from mappings.shapes import Shape

_BOUND = re.compile(r"\b[kf]\d+\b")
_SHOWN = 40


class Source:
    """Lines of Python, one function or several, and the names they use."""

    def __init__(self) -> None:
        self.getters: dict[str, str] = {}
        """Variables that hold a payload's object, and those that read their keys."""
        self.shapes: dict[str, Shape] = {}
        """Variables that hold a struct, or a list of structs, and what is in them."""
        self.present: set[str] = set()
        """Variables that are not null where they are used."""
        self._lines: list[str] = []
        self._finished: list[str] = []
        self._names: dict[str, Any] = {"__builtins__": {}}
        self._bound: dict[Any, str] = {}
        self._attributes: dict[str, str] = {}
        self._counts: dict[str, int] = {}
        self._memory: list[dict[str, str]] = []
        self._indent = 0
        self.nesting = 0
        """Blocks open since the expression at hand began."""

    def bind(self, value: Any) -> str:
        """The name of a value of the definition."""
        key = (type(value), value) if isinstance(value, str | int) else id(value)
        name = self._bound.get(key)
        if name is None:
            name = self._bound[key] = self.fresh("k")
            self._names[name] = value
        return name

    def attribute(self, key: str) -> str:
        """The attribute of structs that stands for a key of the payload."""
        return self._attributes.setdefault(key, f"f{len(self._attributes) + 1}")

    def use(self, function: Callable[..., Any]) -> str:
        """The name of one of our own functions."""
        name = function.__name__
        known = self._names.setdefault(name, function)
        return name if known is function else self.bind(function)

    def fresh(self, kind: str = "v") -> str:
        """A name nobody has yet."""
        number = self._counts[kind] = self._counts.get(kind, 0) + 1
        return f"{kind}{number}"

    def line(self, text: str) -> None:
        """Add a line where the source stands."""
        self._lines.append(f"{'    ' * self._indent}{text}")

    def let(self, text: str) -> str:
        """Assign to a fresh variable, which later lines may assign to again."""
        name = self.fresh()
        self.line(f"{name} = {text}")
        return name

    def once(self, text: str) -> str:
        """The variable that holds a pure expression of constant variables; assigned where none
        in sight does."""
        return self.remembered(text) or self.remember(text, self.let(text))

    def remembered(self, what: str) -> str | None:
        """What was remembered under that key in this block or one around it."""
        return next((block[what] for block in self._memory if what in block), None)

    def remember(self, what: str, name: str) -> str:
        """Until the block at hand ends."""
        self._memory[-1][what] = name
        return name

    @contextmanager
    def block(self, header: str) -> Iterator[None]:
        """What is added within is under ``header``."""
        self.line(header)
        self._memory.append({})
        self._indent += 1
        self.nesting += 1
        yield
        self._memory.pop()
        self._indent -= 1
        self.nesting -= 1

    @contextmanager
    def expression(self) -> Iterator[None]:
        """What is added within starts counting ``nesting`` anew."""
        kept, self.nesting = self.nesting, 0
        yield
        self.nesting = kept

    @contextmanager
    def function(self, header: str) -> Iterator[None]:
        """What is added within is a function of its own, before what is being written."""
        kept = self._lines, self._memory, self._indent, self.nesting
        known = self.getters, self.shapes, self.present
        self._lines, self._memory, self._indent, self.nesting = [], [], 0, 0
        self.getters, self.shapes, self.present = {}, {}, set()
        with self.block(f"def {header}:"):
            yield
        self._finished += [*self._lines, ""]
        self._lines, self._memory, self._indent, self.nesting = kept
        self.getters, self.shapes, self.present = known

    def compiled(self, name: str) -> Callable[..., Any]:
        """Run the source in its own namespace and give the function of that name."""
        code: CodeType = compile("\n".join(self._finished), "<mapping>", "exec")
        exec(code, self._names)  # noqa: S102 - the source is ours alone, see above
        function: Callable[..., Any] = self._names[name]
        return function

    def readable(self) -> str:
        """The source for people: behind each line what its bound names stand for."""
        return "\n".join(self._explained(line) for line in self._finished)

    def _explained(self, line: str) -> str:
        meant = self._names | {name: key for key, name in self._attributes.items()}
        shown = [
            f"{name} = {repr(meant[name])[:_SHOWN]}" for name in dict.fromkeys(_BOUND.findall(line))
        ]
        return f"{line}  # {', '.join(shown)}" if shown else line
