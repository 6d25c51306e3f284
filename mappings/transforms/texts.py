"""Text, codes and ids out of what vendors send."""

from __future__ import annotations

import html
import re
from decimal import Decimal
from typing import Any

from mappings.countries import ALPHA2, IN_USE_BUT_NOT_ISO, OTHER_SPELLINGS
from mappings.problems import Unfit
from mappings.transforms.registry import transform

_TAG = re.compile(r"<[a-zA-Z/!][^<>]*>")


@transform
def text(value: object) -> str:
    """Text as it is; numbers as they were written.

    >>> text("A-1"), text(727), text(12.5)
    ('A-1', '727', '12.5')
    """
    if isinstance(value, str):
        return value
    if isinstance(value, (int, float, Decimal)) and not isinstance(value, bool):
        try:
            return str(value)
        except ValueError:  # Python writes no whole number of more than 4,300 digits
            raise Unfit("a number out of all proportion") from None
    raise Unfit("not text")


@transform
def strip(value: object) -> str:
    """Text without white space at its ends.

    >>> strip("  A-1 ")
    'A-1'
    """
    return text(value).strip()


@transform
def lower(value: object) -> str:
    """Lower case.

    >>> lower("DPD")
    'dpd'
    """
    return text(value).lower()


@transform
def squash_spaces(value: object) -> str:
    """Every run of white space becomes one space, none is left at the ends.

    >>> squash_spaces(" 12  Main St ")
    '12 Main St'
    """
    return " ".join(text(value).split())


@transform
def strip_html(value: object) -> str:
    """Plain text out of HTML: tags gone, entities resolved, spaces squashed.

    >>> strip_html("<b>Mug</b> &ndash; black &amp; white")
    'Mug – black & white'
    """
    plain = text(value)
    if "<" in plain:
        plain = _TAG.sub(" ", plain)
    return " ".join(html.unescape(plain).split())


@transform
def join_words(value: object) -> str:
    """The parts that are there, with one space between them.

    >>> join_words(["Ada", None, " Lovelace "])
    'Ada Lovelace'
    """
    if not isinstance(value, list):
        raise Unfit("not a list of words")
    return " ".join(" ".join([text(part) for part in value if part is not None]).split())


@transform
def email(value: object) -> str:
    """An e-mail address in lower case. It is not validated: a bad one must not stop an order.

    >>> email(" Ada@Example.org")
    'ada@example.org'
    """
    return text(value).strip().lower()


@transform
def country_alpha2(value: object) -> str:
    """An ISO 3166-1 alpha-2 code; empty stays empty.

    >>> country_alpha2("de"), country_alpha2("UK"), country_alpha2("")
    ('DE', 'GB', '')
    """
    code = text(value).strip().upper()
    code = OTHER_SPELLINGS.get(code, code)
    if code and code not in ALPHA2 and code not in IN_USE_BUT_NOT_ISO:
        raise Unfit(f"unknown country {code[:8]!r}" if len(code) <= 3 else "not a country code")
    return code


@transform
def first_id(value: object) -> str | None:
    """The first id of a list that is one: not null, not empty, and not the 0 that means "none".

    >>> first_id([0, 79]), first_id(["", None])
    ('79', None)
    """
    if not isinstance(value, list):
        raise Unfit("not a list of ids")
    for part in value:
        if part not in (None, "", 0, "0"):
            return text(part)
    return None


@transform
def look_up(value: object, *, table: list[Any] | None, key: str, give: str) -> Any:
    """What another array of the payload says: of the row whose ``key`` is the value, ``give``.

    Ids are compared as text, since vendors write one id as number here and as text there.

    >>> look_up(75, table=[{"rate_id": "75", "label": "State Tax"}], key="rate_id", give="label")
    'State Tax'
    """
    kind = type(value)
    wanted = str(value) if kind is int else text(value)
    for row in table or ():
        if isinstance(row, dict):
            found = row.get(key)
            # Whole numbers are equal where their texts are, and are quicker to compare.
            if kind is int and type(found) is int:
                same = found == value
            else:
                # The text of a list may be endless, and no id.
                same = isinstance(found, str | int | float) and str(found) == wanted
            if same:
                return row.get(give)
    return None
