"""How far a location is from an address: country centroids, then likeness of postcodes."""

from __future__ import annotations

from functools import lru_cache
from math import asin, cos, radians, sin, sqrt

from countryinfo import CountryInfo

EARTH_KM = 6371.0
UNKNOWN_KM = 20_000.0
"""Half way round the world: an address whose country is unknown is near to nothing."""


@lru_cache(maxsize=512)
def _centroid(country: str) -> tuple[float, float] | None:
    try:
        lat, lon = CountryInfo(country).latlng()
    except (LookupError, TypeError, ValueError):  # it does not know Kosovo, among others
        return None
    return radians(lat), radians(lon)


def _great_circle_km(a: tuple[float, float], b: tuple[float, float]) -> float:
    half = sin((b[0] - a[0]) / 2) ** 2 + cos(a[0]) * cos(b[0]) * sin((b[1] - a[1]) / 2) ** 2
    return 2.0 * EARTH_KM * asin(sqrt(half))


def distance_km(from_country: str, from_postcode: str, to_country: str, to_postcode: str) -> float:
    """Kilometres, roughly: enough to rank locations, not to price a parcel.

    Within one country every shared leading character of the postcode halves a nominal 500 km.
    """
    if from_country == to_country:
        alike = 0
        for ours, theirs in zip(from_postcode.strip(), to_postcode.strip(), strict=False):
            if ours != theirs:
                break
            alike += 1
        return float(500.0 / 2**alike)
    here, there = _centroid(from_country), _centroid(to_country)
    if here is None or there is None:
        return UNKNOWN_KM
    # Two neighbouring countries must never look nearer than the far end of one's own.
    return max(600.0, _great_circle_km(here, there))
