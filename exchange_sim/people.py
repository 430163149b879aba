"""People: who they are follows from the seed and their number alone, never from a shared stream of draws."""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from exchange_sim.distributions import first_above
from exchange_sim.draws import (
    ANGLE,
    CONSENT,
    IN_MARKET,
    INTEREST,
    PERSON_OF,
    PLACE,
    RADIUS,
    VALUE,
    VALUE_ANGLE,
    bits,
    key_of,
    uniform,
)
from exchange_sim.kernel import kernel
from exchange_sim.world import HOME, World

KM_PER_DEGREE = 111.195
_ONE = np.uint64(1)


@kernel
def person_key(seed_key: np.uint64, person_ix: int) -> np.uint64:
    """Key of a person."""
    return key_of(seed_key, PERSON_OF, person_ix)


@njit(cache=True)
def draw_homes(
    seed_key: np.uint64, heads: NDArray[np.int64], places: NDArray[np.void], consent_share: float
) -> NDArray[np.void]:
    """HOME[people]: a place by its share, a position uniform over the place's disc, consent by chance.

    *heads* is int64[people]: whose home each person lives in; a household lives where its first person does.
    """
    homes = np.zeros(len(heads), HOME)
    for p in range(len(heads)):
        key = person_key(seed_key, heads[p])
        place_ix = first_above(places["cumulative_share"], places.shape[0], uniform(key, PLACE))
        radius_km = places["radius_km"][place_ix] * math.sqrt(uniform(key, RADIUS))
        angle = 2.0 * math.pi * uniform(key, ANGLE)
        lat = places["lat"][place_ix]
        narrowing = max(0.01, math.cos(math.radians(lat)))
        homes["lat"][p] = lat + radius_km * math.cos(angle) / KM_PER_DEGREE
        homes["lon"][p] = places["lon"][place_ix] + radius_km * math.sin(angle) / (KM_PER_DEGREE * narrowing)
        homes["place_ix"][p] = place_ix
        homes["consent"][p] = uniform(person_key(seed_key, p), CONSENT) < consent_share
    return homes


@njit(cache=True)
def draw_interests(
    seed_key: np.uint64, people_count: int, keys: NDArray[np.uint64], shares: NDArray[np.float64]
) -> NDArray[np.uint64]:
    """uint64[people]: bit j is set with probability shares[j], independently."""
    interests = np.zeros(people_count, np.uint64)
    for p in range(people_count):
        person = person_key(seed_key, p)
        held = np.uint64(0)
        for j in range(keys.shape[0]):
            if uniform(person + keys[j], INTEREST) < shares[j]:
                held |= _ONE << np.uint64(j)
        interests[p] = held
    return interests


@kernel
def fits(world: World, product_ix: int, person_ix: int) -> bool:
    """Whether the person holds the product's interest."""
    interest_ix = world.products["interest_ix"][product_ix]
    return interest_ix < 0 or ((world.interests[person_ix] >> np.uint64(interest_ix)) & _ONE) == _ONE


@kernel
def in_market(world: World, product_ix: int, key: np.uint64, time_s: float) -> bool:
    """Whether *time_s* lies in the person's window for the product; each person's cycle starts at its own moment."""
    cycle_s = world.products["cycle_s"][product_ix]
    if cycle_s <= 0.0:
        return True
    offset_s = uniform(bits(key, IN_MARKET) + world.products["key"][product_ix], IN_MARKET) * cycle_s
    return (time_s + offset_s) % cycle_s < world.products["window_s"][product_ix]


@kernel
def purchase_value_nanos(world: World, product_ix: int, key: np.uint64) -> int:
    """What this customer's purchase of the product is worth: lognormal over people around the product's mean."""
    value = world.products["value_nanos"][product_ix]
    sigma = world.products["value_sigma"][product_ix]
    if sigma == 0.0:
        return int(value)
    own = key + world.products["key"][product_ix]
    normal = math.sqrt(-2.0 * math.log(uniform(own, VALUE))) * math.cos(2.0 * math.pi * uniform(own, VALUE_ANGLE))
    return int(value * math.exp(sigma * normal - 0.5 * sigma * sigma))
