"""People: homes on their discs, interests and consent at their shares, in-market windows, the worth of a purchase."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from exchange_sim.draws import IN_MARKET, bits, uniform
from exchange_sim.people import fits, in_market, person_key, purchase_value_nanos
from tests.oracles import bidder as geometry
from tests.oracles import market as oracle
from tests.oracles.worlds import world_of

PLACES = {
    "north": {"share": 3, "lat": 54.0, "lon": 10.0, "radius_km": 25.0},
    "south": {"share": 1, "lat": -33.9, "lon": 18.4, "radius_km": 60.0},
}
PRODUCT = {"value": 50.0, "value_sigma": 0.8, "in_market": {"cycle_days": 30, "window_days": 9}}
WORLD = world_of(
    people={"count": 20_000, "consent_share": 0.7, "interests": {"cars": 0.3, "food": 0.55}},
    places=PLACES,
    products={"car": PRODUCT | {"interest": "cars"}, "bread": {"value": 2.0}},
)


def within_4_se(flags: np.ndarray, share: float) -> bool:
    """A binomial share: standard error sqrt(p (1 - p) / n)."""
    return bool(abs(flags.mean() - share) <= 4 * math.sqrt(share * (1 - share) / len(flags)))


def test_shares_of_places_consent_and_interests() -> None:
    homes = WORLD.homes
    assert within_4_se(homes["place_ix"] == 0, 0.75)
    assert within_4_se(homes["consent"] == 1, 0.7)
    cars, food = (WORLD.interests & np.uint64(1)) == 1, (WORLD.interests & np.uint64(2)) == 2
    assert within_4_se(cars, 0.3)
    assert within_4_se(food, 0.55)
    assert within_4_se(cars & food, 0.3 * 0.55)
    assert within_4_se(cars & (homes["consent"] == 1), 0.3 * 0.7)


def test_homes_are_spread_evenly_over_the_disc() -> None:
    """Nobody outside the radius (the map is flat to 0.2 %), and half of the people inside radius / sqrt(2)."""
    for place_ix, place in enumerate(PLACES.values()):
        homes = WORLD.homes[WORLD.homes["place_ix"] == place_ix][:3000]
        far = np.array([geometry.distance_km(place["lat"], place["lon"], h["lat"], h["lon"]) for h in homes])
        assert far.max() <= place["radius_km"] * 1.01
        assert within_4_se(far < place["radius_km"] / math.sqrt(2), 0.5)


@given(person_ix=st.integers(0, 19_999), quarter=st.integers(0, 4 * 86400 * 200))
def test_in_market_windows(person_ix: int, quarter: int) -> None:
    time_s, key = quarter / 4, np.uint64(person_key(WORLD.seed_key, person_ix))
    offset_s = uniform(np.uint64(bits(key, IN_MARKET)) + WORLD.products["key"][0], IN_MARKET) * 30 * 86400
    expected = oracle.in_market(offset_s, 30 * 86400.0, 9 * 86400.0, time_s)
    assert in_market(WORLD, 0, key, time_s) == expected
    assert in_market(WORLD, 0, key, time_s + 30 * 86400.0) == expected, "the cycle repeats"
    assert in_market(WORLD, 1, key, time_s), "no cycle: always"


def test_the_window_s_share_of_people_is_in_the_market() -> None:
    keys = [np.uint64(person_key(WORLD.seed_key, p)) for p in range(4000)]
    assert within_4_se(np.array([in_market(WORLD, 0, key, 1e6) for key in keys]), 0.3)


@given(person_ix=st.integers(0, 19_999))
def test_fits(person_ix: int) -> None:
    assert fits(WORLD, 0, person_ix) == bool(int(WORLD.interests[person_ix]) % 2)
    assert fits(WORLD, 1, person_ix)


def test_purchase_values_keep_their_mean_and_spread() -> None:
    """Lognormal: mean 50 within 4 standard errors (50 sqrt(exp(s^2) - 1) / sqrt(n)), spread of logs 4 / sqrt(2 n)."""
    n = 8000
    keys = [np.uint64(person_key(WORLD.seed_key, p)) for p in range(n)]
    values = np.array([purchase_value_nanos(WORLD, 0, key) for key in keys]) / 1e9
    assert abs(values.mean() - 50) < 4 * 50 * math.sqrt((math.exp(0.64) - 1) / n)
    assert abs(np.log(values).std() - 0.8) < 4 * 0.8 / math.sqrt(2 * n)
    assert {purchase_value_nanos(WORLD, 1, key) for key in keys} == {2_000_000_000}
