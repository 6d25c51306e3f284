"""Distances offline: near the truth where data is there, in a sane order where it is not."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sync.routing import distance
from sync.routing.distance import UNKNOWN_KM, Place, between

KNOWN = [
    (Place("US", "10001", ""), Place("US", "90001", ""), 3940, "postcode"),
    (Place("US", "60601", ""), Place("US", "77001", ""), 1512, "postcode"),
    (Place("US", "98101-1234", ""), Place("US", "33101", ""), 4398, "postcode"),
    (Place("DE", "10115", "Berlin"), Place("DE", "80331", "MÜNCHEN"), 504, "city"),
    (Place("DE", "", "Köln"), Place("AT", "", "Wien"), 744, "city"),
    (Place("FR", "", "Paris"), Place("GB", "", "London"), 344, "city"),
    (Place("BE", "", "Bruxelles"), Place("NL", "", "Amsterdam"), 174, "city"),
    (Place("JP", "", "Tokyo"), Place("JP", "", "大阪"), 397, "city"),
    (Place("AU", "", "Sydney"), Place("AU", "", "Melbourne"), 714, "city"),
    (Place("US", "10001", ""), Place("CA", "", "Toronto"), 550, "city"),
    (Place("BR", "", "Sao Paulo"), Place("BR", "", "Rio de Janeiro"), 361, "city"),
]


@pytest.mark.parametrize(("from_", "to", "km", "precision"), KNOWN)
def test_known_distances(from_: Place, to: Place, km: float, precision: str) -> None:
    found = between(from_, to)
    assert found.precision == precision
    assert abs(found.km - km) <= max(8.0, 0.02 * km)
    assert between(to, from_) == found


def test_names_are_found_without_accents_capitals_and_punctuation() -> None:
    berlin = Place("DE", "", "Berlin")
    spelled = [between(berlin, Place("DE", "", n)).km for n in ("München", "munchen", "Munich")]
    assert len(set(spelled)) == 1
    assert between(berlin, Place("DE", "", "Frankfurt am Main")).precision == "city"


def test_by_postcode_own_country_comes_before_neighbours_before_overseas() -> None:
    goal = Place("DE", "10999", "")
    froms = [("DE", "10115"), ("DE", "80331"), ("NL", "1012"), ("US", "07001"), ("", "")]
    found = [between(Place(country, postcode, ""), goal) for country, postcode in froms]
    assert [d.km for d in found] == sorted({d.km for d in found})
    precisions = ["postcode-prefix", "country", "country", "country", "unknown"]
    assert [d.precision for d in found] == precisions


@settings(deadline=None)  # the first look loads the data
@given(
    st.sampled_from(["DE", "LU", "US", "RU", "NL"]),
    st.sampled_from(["FR", "BE", "CA", "CN", "MX"]),
    st.text("0123456789", max_size=5),
    st.text("0123456789", max_size=5),
)
def test_a_guess_abroad_never_looks_nearer_than_the_far_end_of_ones_own_country(
    home: str, abroad: str, ours: str, theirs: str
) -> None:
    goal = Place(home, ours, "")
    own = between(Place(home, theirs, "nowhere at all"), goal)
    foreign = between(Place(abroad, theirs, ""), goal)
    if own.precision in ("country", "postcode-prefix"):
        assert own.km < foreign.km


def test_a_country_that_the_gazetteer_lacks_is_far_and_nothing_worse() -> None:
    found = between(Place("DE", "10117", ""), Place("XK", "10000", ""))
    assert (found.km, found.precision) == (UNKNOWN_KM, "unknown")


def test_without_the_extra_the_country_and_postcodes_are_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    caches = (between, distance._rows, distance._cities, distance._us_postcode)
    monkeypatch.setattr(distance, "find_spec", lambda name: None)
    for cache in caches:
        cache.cache_clear()
    try:
        found = between(Place("US", "10001", "New York"), Place("US", "10019", "New York"))
        assert found.precision == "postcode-prefix"
    finally:
        for cache in caches:
            cache.cache_clear()


def test_nothing_is_loaded_before_it_is_needed() -> None:
    code = "import sync.routing.distance, sys; sys.exit('zipcodes' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
