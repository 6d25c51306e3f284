"""Reads a routing rule file; tells everything that is wrong with it at once, line and remedy."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin

import msgspec

from mappings import toml_text
from mappings.definition import nearest
from mappings.file_bounds import Refused
from mappings.problems import DefinitionProblem
from mappings.toml_lines import lines_of
from sync.routing.rules import Objective, Quoting, Rate, Rule, Rules

SHIPPED = Path(__file__).parent / "default.toml"

Place = tuple[str | int, ...]


class RulesInvalid(Exception):
    """The rule file cannot be used; ``problems`` lists every fault with its line."""

    def __init__(self, problems: Iterable[DefinitionProblem]) -> None:
        self.problems = tuple(sorted(problems, key=lambda problem: problem.line))
        listed = "\n".join(f"  {problem}" for problem in self.problems)
        super().__init__(f"{len(self.problems)} problem(s) in the routing rules:\n{listed}")


@lru_cache(maxsize=1)
def shipped() -> Rules:
    """The rules in force where ops wrote none."""
    return load(SHIPPED)


def load(
    path: Path,
    *,
    channels: Iterable[str] | None = None,
    locations: Iterable[str] | None = None,
    quoting: Iterable[str] | None = None,
) -> Rules:
    """Read and check a rule file.

    ``channels``, ``locations`` and ``quoting`` (connections that can be asked for prices): those
    there are, where known.

    Raises ``RulesInvalid``.
    """
    try:
        text, tree = toml_text.read(path)
    except OSError as error:
        raise RulesInvalid([_whole(path, f"cannot be read: {error.strerror}")]) from None
    except Refused as refused:
        raise RulesInvalid([_whole(path, str(refused))]) from None
    reading = _Reading(path, lines_of(text))
    rules = reading.rules(tree)
    if rules is not None:
        reading.check_zones(rules)
        reading.check_names(rules, channels, locations)
        reading.check_quotes(rules, channels, quoting)
    if rules is None or reading.problems:
        raise RulesInvalid(reading.problems)
    return rules


def _whole(path: Path, message: str) -> DefinitionProblem:
    return DefinitionProblem(path.name, "", message)


class _Reading:
    """One file on its way to ``Rules``, and what was found wrong so far."""

    def __init__(self, path: Path, lines: Mapping[Place, int]) -> None:
        self.problems: list[DefinitionProblem] = []
        self._path = path
        self._lines = lines

    def complain(self, place: Place, message: str) -> None:
        line = next(
            (self._lines[place[:n]] for n in range(len(place), 0, -1) if place[:n] in self._lines),
            0,
        )
        where = "".join(f"[{part + 1}]" if isinstance(part, int) else f".{part}" for part in place)
        self.problems.append(
            DefinitionProblem(self._path.name, where.removeprefix("."), message, line)
        )

    def rules(self, tree: dict[str, Any]) -> Rules | None:
        """The file's content, or null when anything of it could not be understood."""
        found = self._table(Rules, {"name": self._path.name, **tree}, ())
        if not isinstance(found, Rules):
            return None
        self._check_rules(found)
        return found

    def _table(self, model: type[Any], tree: Any, place: Place) -> Any:
        if not isinstance(tree, dict):
            return self.complain(place, "is not a table: write its keys below a [header]")
        fields = {field.encode_name: field for field in msgspec.structs.fields(model)}
        before = len(self.problems)
        values: dict[str, Any] = {}
        for key, written in tree.items():
            if key not in fields:
                known = nearest(key, fields) or f": known are {', '.join(sorted(fields))}"
                self.complain((*place, key), f"unknown key{known}")
                continue
            values[fields[key].name] = self._value(fields[key].type, written, (*place, key))
        for key, field in fields.items():
            if field.required and key not in tree:
                self.complain(place or (key,), f"{key} is missing")
        return model(**values) if len(self.problems) == before else None

    def _value(self, wanted: Any, written: Any, place: Place) -> Any:
        if isinstance(wanted, type) and issubclass(wanted, msgspec.Struct):
            return self._table(wanted, written, place)
        element = _element(wanted)
        if element is not None and _is_table(element):
            if not isinstance(written, list):
                return self.complain(place, f"is a list of tables: write [[{place[-1]}]]")
            return tuple(self._table(element, one, (*place, n)) for n, one in enumerate(written))
        if element is not None and isinstance(written, str):
            written = [written]
        try:
            return msgspec.convert(written, wanted)
        except msgspec.ValidationError as error:
            said = str(error).partition(" - at ")[0].replace("`", "")
            return self.complain(place, f"{said}{_example(wanted)}")

    def _check_rules(self, rules: Rules) -> None:
        if rules.objective.unfilled <= rules.dearest_parcel:
            self.complain(
                ("objective", "unfilled"),
                f"a parcel can cost {rules.dearest_parcel}: what is in stock would not be sent "
                "where leaving it out is no dearer; write more",
            )
        seen: set[str] = set()
        for n, rule in enumerate(rules.rules):
            if rule.name in seen:
                self.complain(("rules", n, "name"), f"{rule.name!r} is taken: rename one of them")
            seen.add(rule.name)
            if rule.then == type(rule.then)():
                self.complain(("rules", n, "set"), "sets nothing: say what, or take the rule out")
            self._check_bounds(n, rule)

    def _check_bounds(self, n: int, rule: Rule) -> None:
        for name in ("value", "weight", "earlier_orders"):
            low, high = (getattr(rule.when, f"{name}_{end}") for end in ("from", "below"))
            if low is not None and high is not None and low >= high:
                self.complain(
                    ("rules", n, "when", f"{name}_below"),
                    f"no order is from {low} and below {high}: mend one of them",
                )
        if rule.then.split is False and (rule.then.max_parcels or 1) > 1:
            self.complain(
                ("rules", n, "set", "max_parcels"), "split = false is one parcel: drop one of them"
            )

    def check_zones(self, rules: Rules) -> None:
        """A word in ``to`` that is no country must be one of the file's zones."""
        for table, n, fare in _fares(rules):
            for m, word in enumerate(fare.to):
                is_country = len(word.partition("-")[0]) <= 2 and word == word.upper()
                if word not in rules.zones and not is_country:
                    self.complain(
                        (table, n, "to", m),
                        f"{word!r} is neither a country (DE), a postcode (DE-10*) nor one of "
                        f"[zones]{nearest(word, rules.zones)}",
                    )

    def check_quotes(
        self, rules: Rules, connections: Iterable[str] | None, quoting: Iterable[str] | None
    ) -> None:
        """Who is asked must be there and able to answer, and there must be a price without it."""
        if rules.quotes and not rules.rates:
            self.complain(
                ("quotes", 0), "nothing says what a parcel without a quote costs: add [[rates]]"
            )
        there = None if connections is None else sorted(connections)
        able = None if quoting is None else sorted(quoting)
        for n, one in enumerate(rules.quotes):
            place: Place = ("quotes", n, "connection")
            if there is not None and one.connection not in there:
                near = nearest(one.connection, there)
                self.complain(place, f"there is no [connections.{one.connection}]{near}")
            elif able is not None and one.connection not in able:
                known = ", ".join(able) or "none of yours"
                self.complain(place, f"{one.connection} cannot be asked for prices: {known} can")

    def check_names(
        self, rules: Rules, channels: Iterable[str] | None, locations: Iterable[str] | None
    ) -> None:
        """Names without ``*`` must be of a connection, or of a location, in the settings."""
        for table, known, named in (
            ("connections", channels, _channels(rules)),
            ("locations", locations, _locations(rules)),
        ):
            if known is None:
                continue
            there = {name.casefold() for name in known}
            for place, name in named:
                if "*" not in name and name.casefold() not in there:
                    self.complain(
                        place, f"there is no [{table}.{name}]{nearest(name, sorted(there))}"
                    )


def _channels(rules: Rules) -> Iterator[tuple[Place, str]]:
    for n, rule in enumerate(rules.rules):
        for name in rule.when.channel:
            yield ("rules", n, "when", "channel"), name


def _fares(rules: Rules) -> Iterator[tuple[str, int, Rate | Quoting]]:
    """Every rate and every quoting, with its table and its place in it."""
    for n, rate in enumerate(rules.rates):
        yield "rates", n, rate
    for n, quoting in enumerate(rules.quotes):
        yield "quotes", n, quoting


def _locations(rules: Rules) -> Iterator[tuple[Place, str]]:
    for table, n, fare in _fares(rules):
        for name in fare.from_:
            yield (table, n, "from"), name
    for n, rule in enumerate(rules.rules):
        then = rule.then
        pickup = (then.pickup,) if then.pickup else ()
        for key, names in (
            ("locations", then.locations or ()),
            ("avoid", then.avoid or ()),
            ("surcharge", then.surcharge or ()),
            ("pickup", pickup),
        ):
            for name in names:
                yield ("rules", n, "set", key), name


def _element(wanted: Any) -> Any:
    """What ``tuple[X, ...]`` holds, also where it may be null; else null."""
    for option in _options(wanted):
        if get_origin(option) is tuple:
            return get_args(option)[0]
    return None


def _options(wanted: Any) -> tuple[Any, ...]:
    return get_args(wanted) if get_origin(wanted) in (Union, UnionType) else (wanted,)


def _is_table(element: Any) -> bool:
    return isinstance(element, type) and issubclass(element, (Rate, Quoting, Rule, Objective))


def _example(wanted: Any) -> str:
    kinds = [option for option in _options(wanted) if option is not NoneType]
    if _element(wanted) is not None:
        return ': write a list, ["one", "two*"]'
    if bool in kinds:
        return ": write true or false"
    if any(get_args(kind)[:1] == (int,) or kind is int for kind in kinds):
        return ": write a whole number"
    return ""
