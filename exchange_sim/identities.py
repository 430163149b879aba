"""The names people go by in requests: several cookies a person, several persons a household.

A cookie's number is its owner's first one plus which of theirs it is. With one cookie each, a person's number is also
their cookie's, and no table is kept (`World.cookies` is empty).
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from exchange_sim.draws import AUCTION_OF, COOKIE, COOKIES_OF, HOUSEHOLD, PURCHASE_OF, key_of, mix, uniform
from exchange_sim.kernel import kernel
from exchange_sim.people import person_key
from exchange_sim.world import World

MOST = 50
"""Cookies of a person at most."""


@njit(cache=True)
def draw_cookies(seed_key: np.uint64, people_count: int, mean: float) -> NDArray[np.int64]:
    """int64[people + 1]: each person's first cookie; geometric numbers of cookies, at least one, *mean* on average."""
    first = np.zeros(people_count + 1, np.int64)
    more = (mean - 1.0) / mean
    for p in range(people_count):
        count = 1
        if more > 0.0:
            u = uniform(person_key(seed_key, p), COOKIES_OF)
            count = min(MOST, 1 + int(math.log(u) / math.log(more)))
        first[p + 1] = first[p] + count
    return first


@njit(cache=True)
def draw_households(seed_key: np.uint64, people_count: int, mean: float) -> NDArray[np.int64]:
    """int64[people]: the first person of each person's household; people with neighbouring numbers live together."""
    head = np.zeros(people_count, np.int64)
    for p in range(people_count):
        alone = p == 0 or uniform(person_key(seed_key, p), HOUSEHOLD) * mean < 1.0
        head[p] = p if alone else head[p - 1]
    return head


@kernel
def cookie_of(world: World, person_ix: int, key: np.uint64) -> int:
    """Which of the person's cookies a request (or purchase) with this key shows: each as likely as another."""
    if world.cookies.shape[0] == 0:
        return person_ix
    first = world.cookies[person_ix]
    return first + int(uniform(key, COOKIE) * (world.cookies[person_ix + 1] - first))


@kernel
def purchase_cookie(world: World, product_ix: int, person_ix: int, time_s: float) -> int:
    """The cookie with which somebody buys: drawn from who buys what and when, so every driver draws the same."""
    if world.cookies.shape[0] == 0:
        return person_ix
    key = key_of(world.seed_key + world.products["key"][product_ix], PURCHASE_OF, person_ix)
    return cookie_of(world, person_ix, mix(key + np.float64(time_s).view(np.uint64)))


@njit(cache=True)
def cookies_shown(world: World, auction_ix: NDArray[np.int64], person_ix: NDArray[np.int64]) -> NDArray[np.int64]:
    """int64[n]: the cookies that requests showed; *auction_ix* of those on a page: of its view's first."""
    shown = np.empty(len(auction_ix), np.int64)
    for i in range(len(auction_ix)):
        shown[i] = cookie_of(world, person_ix[i], key_of(world.seed_key, AUCTION_OF, auction_ix[i]))
    return shown


def cookie_count(world: World) -> int:
    """How many cookies there are."""
    return int(world.cookies[-1]) if len(world.cookies) else world.people_count


def cookie_name(seed_key: np.uint64, cookie_ix: int) -> str:
    """What a cookie is called on the wire: 16 hexadecimal digits that tell nothing of whose it is."""
    return f"{int(key_of(seed_key, COOKIE, cookie_ix)):016x}"
