"""A first mapping definition for an unknown order payload, by the names and shapes of its fields.

What is found is a guess that a person checks; what is not found stands as a comment in its place.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from mappings.problems import Unfit
from mappings.transforms.amounts import currency
from mappings.transforms.numeric import decimal
from mappings.transforms.times import utc

DEPTH_MAX: Final = 4
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_FOREIGN = re.compile(r"ship|deliver|bill|tax|discount|customer|buyer|user|address|payment")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
Fits = Callable[[object], bool]


@dataclass(frozen=True, slots=True)
class Leaf:
    """A value of the payload. ``path`` is a JMESPath expression, ``name`` its words in lower case,
    joined with ``_`` (``totals_grand_total``), ``key`` those of its last part (``grand_total``)."""

    path: str
    name: str
    key: str
    value: Any
    depth: int


@dataclass(frozen=True, slots=True)
class Rule:
    """How one canonical field is looked for: names by preference, and what its value must be.

    ``settings``: the rest of the TOML rule beside ``from``.
    """

    field: str
    names: tuple[str, ...]
    fits: Fits
    settings: str = ""
    required: bool = False


def _accepts(transform: Callable[[object], object]) -> Fits:
    def fits(value: object) -> bool:
        try:
            transform(value)
        except Unfit:
            return False
        return True

    return fits


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_name(value: object) -> bool:
    return isinstance(value, str | int) and not isinstance(value, bool)


_is_time = _accepts(utc)
_is_number = _accepts(decimal)
_is_currency = _accepts(currency)
_MONEY = 'as = "money", with = {{ currency = "{currency}" }}'

_ORDER = (
    Rule("channel_order_id", (r"id", r"order_?id", r"(order_)?uuid", r"order_?number", r"number",
         r"reference"), _is_name, 'as = "text"', required=True),
    Rule("channel_order_name", (r"number", r"order_?number", r"increment_id", r"order_?name",
         r"name", r"reference"), _is_name, 'as = "text"'),
    Rule("currency", (r"currency", r"(.*_)?currency(_code)?", r".*iso_code"), _is_currency,
         'as = "currency"', required=True),
    Rule("grand_total", (r"grand_?total(_.*)?", r"order_?total(_.*)?", r"total_price(_.*)?",
         r"total(_amount|_value|_incl.*)?", r"amount(_value|_total)?"), _is_number, _MONEY,
         required=True),
    Rule("shipping_total", (r"(total_)?shipping(_total|_price|_cost|_amount)(_.*)?",
         r"shipping|freight|postage"), _is_number, _MONEY),
    Rule("tax_total", (r"(total_tax|tax_total|tax_amount)(_.*)?", r"tax|vat"), _is_number, _MONEY),
    Rule("discount_total", (r"(total_discounts?|discount_total|discount_amount)(_.*)?",
         r"discount"), _is_number, _MONEY),
    Rule("note", (r"(customer|buyer|order)_?(note|comment|message)", r"note|comment"), _is_text),
)  # fmt: skip
# A shop that says both the local and the universal time means the same moment by them.
_CREATED = (
    r"(date_)?created.*_(gmt|utc)",
    r"(date_)?created.*",
    r"placed.*",
    r"order(ed)?_?(date|at|time).*",
    r"date|timestamp",
)
_UPDATED = (
    r"(date_)?(updated|modified|changed).*_(gmt|utc)",
    r"(date_)?(updated|modified|changed).*",
    r"last_(update|modified|change).*",
)
_STATUS = (r"status", r"(order_)?(status|state)", r"state", r"fulfil?lment_status")

_LINE = (
    Rule("channel_line_id", (r"id", r"(order_)?(line|item)_?(item_)?id", r"line_?(no|number)",
         r"position", r"sku"), _is_name, 'as = "text"', required=True),
    Rule("channel_sku", (r"sku", r".*_sku", r"(item|article|product|seller)_?(code|no|number)",
         r"code"), _is_name, 'as = "text"'),
    Rule("channel_product_id", (r"variant_id", r"variation_id", r"product_id"), _is_name,
         'as = "text"'),
    Rule("title", (r"title", r"(product_|item_)?name", r"description"), _is_text,
         'as = "strip_html"'),
    Rule("gtin", (r"gtin|ean|upc|barcode", r".*_(gtin|ean|upc)"), _is_name, 'as = "text"'),
    Rule("quantity", (r"quantity", r"qty.*", r".*(quantity|qty)", r"count|units"), _is_number,
         'as = "quantity"', required=True),
    Rule("unit_price", (r"unit_price(_.*)?", r"price(_.*)?"), _is_number,
         'as = "money_rounded", with = {{ currency = "{currency}" }}'),
    Rule("line_total", (r"(line|row|item)_?(total|amount)(_.*)?", r"total(_.*)?",
         r"(sub_?total|amount)(_.*)?"), _is_number, _MONEY, required=True),
)  # fmt: skip

_ADDRESS = (
    Rule("company", (r"company.*", r"organi[sz]ation"), _is_text),
    Rule("street", (r"street(_?1)?", r"address_?(line)?_?1", r"line_?1", r"address"), _is_text),
    Rule("street2", (r"street_?2", r"address_?(line)?_?2", r"line_?2"), _is_text),
    Rule("city", (r"city|town|locality",), _is_text),
    Rule("region", (r"(state|province|region|county)(_code)?",), _is_text),
    Rule("postcode", (r"post(al)?_?code|zip(_?code)?|zip",), _is_name, 'as = "text"'),
    Rule("country", (r"country(_code)?(_?alpha2|_iso.*)?",), _is_text, 'as = "country_alpha2"'),
    Rule("phone", (r"(tele)?phone(_number)?|mobile",), _is_name, 'as = "text"'),
    Rule("email", (r"e_?mail(_address)?",), _is_text, 'as = "email"'),
)
_FULL_NAME = (r"(full_?)?name", r"recipient(_name)?", r"attention|contact")
_GIVEN, _FAMILY = (r"(first|given)_?name", r"fore_?name"), (r"(last|family)_?name", r"surname")


def suggest(payload: Mapping[str, Any], name: str) -> str:
    """The text of a definition ``name`` for orders that look like ``payload``."""
    leaves = list(_leaves(payload))
    money = _find(leaves, _ORDER[2].names, _is_currency)
    text = ["# A first guess, made from one payload: check every line.", "schema = 1"]
    text += [f"name = {_quoted(name)}", "version = 1", 'target = "Order"', "", "[fields]"]
    text += _fields(_ORDER, leaves, "currency" if money is None else money.path)
    text += _times(leaves)
    status = _find(leaves, _STATUS, _is_text)
    text += _field("status", status, 'values = "status"', required=True)
    text += _addresses(payload)
    text += _lines(payload, None if money is None else money.path)
    if status is not None:
        text += ["", "[values.status]", 'otherwise = "park"', "[values.status.map]"]
        text += ["# our word = every spelling of theirs: pending, ready, cancelled, fulfilled"]
        text += [f"ready = [{_quoted(status.value)}]"]
    return "\n".join([*text, ""])


def _times(leaves: Sequence[Leaf]) -> list[str]:
    created = _find(leaves, _CREATED, _is_time)
    updated = _find(leaves, _UPDATED, _is_time) or created
    return [
        *_field("placed_at", created, 'as = "utc"', required=True),
        *_field("channel_updated_at", updated, 'as = "utc"', required=True),
        *_field("source_version", updated, 'as = ["utc", "sortable_utc"]', required=True),
    ]


def _fields(rules: Sequence[Rule], leaves: Sequence[Leaf], money: str) -> list[str]:
    text: list[str] = []
    for rule in rules:
        found = _find(leaves, rule.names, rule.fits)
        text += _field(
            rule.field, found, rule.settings.format(currency=money), required=rule.required
        )
    return text


def _field(field: str, found: Leaf | None, settings: str, *, required: bool) -> list[str]:
    if found is None:
        return [f"# {field} = ... is needed and was not found"] if required else []
    rest = [part for part in (settings, "" if required else "optional = true") if part]
    return [f"{field} = {{ {', '.join([f'from = {_quoted(found.path)}', *rest])} }}"]


def _addresses(payload: Mapping[str, Any]) -> list[str]:
    """Tables for the delivery address, and for the billing address where there is one."""
    found = [(path, value) for path, value in _objects(payload) if _looks_like_address(list(value))]
    words = {"ship_to": r"ship|deliver|recipient", "bill_to": r"bill|invoice|payer"}
    text: list[str] = []
    for field, word in words.items():
        named = [one for one in found if re.search(word, one[0], re.IGNORECASE)]
        if not named and field == "ship_to":
            named = found
        if not named:
            continue
        path, value = named[0]
        leaves = list(_leaves(value))
        text += ["", f"[one.{field}]", f"from = {_quoted(path)}", f"[one.{field}.fields]"]
        text += _person(leaves)
        text += _fields(_ADDRESS, leaves, "")
    return text


def _looks_like_address(keys: Sequence[str]) -> bool:
    names = [_words(key) for key in keys]
    city, place = r"city|town|locality", r"post(al)?_?code|zip(_?code)?|country(_code)?"
    return any(re.fullmatch(city, name) for name in names) and any(
        re.fullmatch(place, name) for name in names
    )


def _person(leaves: Sequence[Leaf]) -> list[str]:
    given, family = _find(leaves, _GIVEN, _is_text), _find(leaves, _FAMILY, _is_text)
    if given is not None and family is not None:
        both = f"[{given.path}, {family.path}]"
        return [f'name = {{ from = {_quoted(both)}, as = "join_words" }}']
    return _field("name", _find(leaves, _FULL_NAME, _is_text), "", required=False)


def _lines(payload: Mapping[str, Any], money: str | None) -> list[str]:
    quantity = next(rule for rule in _LINE if rule.field == "quantity")
    for path, items in _arrays(payload):
        leaves = list(_leaves(items[0]))
        if _find(leaves, quantity.names, quantity.fits) is None:
            continue
        head = ["", "[each.lines]", f"from = {_quoted(path)}", 'at_fault = "item"']
        fields = _fields(_LINE, leaves, f"$.{money or 'currency'}")
        return [*head, "[each.lines.fields]", *fields]
    return ["", "# [each.lines]: no list of objects with a quantity was found"]


def _find(leaves: Sequence[Leaf], names: Sequence[str], fits: Fits) -> Leaf | None:
    """The leaf that the first name matches and whose value fits; the nearest to the top of them.

    A key deep down counts by its own words only where it cannot be told by all of them, and never
    inside what belongs to somebody or something else (``customer.id``).
    """
    fitting = [leaf for leaf in leaves if fits(leaf.value)]
    own = [leaf for leaf in fitting if not _FOREIGN.search(leaf.name.removesuffix(leaf.key))]
    for words, among in ((_all_words, fitting), (_own_words, own)):
        for name in names:
            found = [leaf for leaf in among if re.fullmatch(name, words(leaf))]
            if found:
                return min(found, key=lambda leaf: leaf.depth)
    return None


def _all_words(leaf: Leaf) -> str:
    return leaf.name


def _own_words(leaf: Leaf) -> str:
    return leaf.key


def _leaves(
    value: Mapping[str, Any], path: str = "", name: str = "", depth: int = 0
) -> Iterator[Leaf]:
    for key, inner in value.items():
        inner_path, inner_name = _below(path, key), _below(name, _words(key), "_")
        if isinstance(inner, Mapping) and depth < DEPTH_MAX:
            yield from _leaves(inner, inner_path, inner_name, depth + 1)
        elif isinstance(inner, str | int | float):
            yield Leaf(inner_path, inner_name, _words(key), inner, depth)


def _objects(
    value: Mapping[str, Any], path: str = "", depth: int = 0
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for key, inner in value.items():
        if isinstance(inner, Mapping) and depth < DEPTH_MAX:
            yield _below(path, key), inner
            yield from _objects(inner, _below(path, key), depth + 1)


def _arrays(payload: Mapping[str, Any]) -> Iterator[tuple[str, list[Mapping[str, Any]]]]:
    """Lists of objects, those at the top first."""
    for path, holder in [("", payload), *_objects(payload)]:
        for key, items in holder.items():
            if isinstance(items, list) and items and isinstance(items[0], Mapping):
                yield _below(path, key), items


def _below(path: str, key: str, joint: str = ".") -> str:
    shown = key if joint == "_" or _WORD.fullmatch(key) else _quoted(key)
    return f"{path}{joint}{shown}" if path else shown


def _words(key: str) -> str:
    """``orderTotal`` and ``Order-Total`` as ``order_total``."""
    return re.sub(r"[\W_]+", "_", _CAMEL.sub("_", key)).strip("_").lower()


def _quoted(text: str) -> str:
    """A TOML basic string; JSON writes the same one, and JMESPath reads it as an identifier."""
    return msgspec.json.encode(text).decode()
