"""Building the body of a request: dotted names become nested objects, nothing sends a null."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def request_maker(omit_empty: bool) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """A function that nests values by their dotted names.

    >>> request_maker(True)({"shipment.ship_to.name": "Ada", "shipment.note": ""})
    {'shipment': {'ship_to': {'name': 'Ada'}}}
    """

    def make(values: dict[str, Any]) -> dict[str, Any]:
        body: dict[str, Any] = {}
        for name, value in values.items():
            if omit_empty and (value == "" or value == [] or value == {}):
                continue
            *holders, key = name.split(".")
            place = body
            for holder in holders:
                place = place.setdefault(holder, {})
            place[key] = value
        return body

    return make
