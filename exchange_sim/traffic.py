"""Traffic: when requests arrive and what each is about.

Arrivals are a Poisson process whose rate is constant within an hour of the week: unit-rate gaps, stretched by the rate.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from exchange_sim.distributions import quantile
from exchange_sim.draws import AUCTION_OF, DEVICE, GAP, PERSON, SIGNAL, SLOT, key_of, uniform
from exchange_sim.identities import cookie_of
from exchange_sim.kernel import kernel
from exchange_sim.prefetch import prefetch
from exchange_sim.verification.bots import admit
from exchange_sim.world import World

CURSOR = 3
NEXT_NO, LAST_S, NEXT_SLOT = 0, 1, 2
"""Entries of a cursor: number of the next request, time of the last arrival, the slot of the page being viewed whose
turn it is + 1 (0: none)."""


def new_cursor() -> NDArray[np.float64]:
    """float64[CURSOR]: before the first arrival."""
    return np.zeros(CURSOR)


@kernel
def week_hour(world: World, time_s: float) -> int:
    """Hour of the week (Monday 00:00 = 0) at *time_s*."""
    hours = math.floor((time_s + world.start_of_day_s) / 3600.0)
    return int(world.start_hour + hours - world.start_of_day_s // 3600) % 168


@kernel
def next_arrival_s(world: World, key: np.uint64, after_s: float) -> float:
    """Time of the arrival that follows *after_s*; *key* is the arriving auction's."""
    left = -math.log(uniform(key, GAP))
    time_s = after_s
    while True:
        hours = math.floor((time_s + world.start_of_day_s) / 3600.0)
        hour = int(world.start_hour + hours - world.start_of_day_s // 3600) % 168
        rate = world.rate_per_s[hour]
        end_s = (hours + 1) * 3600.0 - world.start_of_day_s
        if rate * (end_s - time_s) >= left:
            return time_s + left / rate
        left -= rate * (end_s - time_s)
        time_s = end_s


@kernel
def _pick_slot(slots: NDArray[np.void], u: float) -> int:
    """A slot by its share, in constant time (alias method, Walker 1977)."""
    position = u * slots.shape[0]
    slot_ix = int(position)
    return slot_ix if position - slot_ix < slots["alias_share"][slot_ix] else int(slots["alias_ix"][slot_ix])


@kernel
def _describe(world: World, opps: NDArray[np.void], i: int) -> None:
    """Fill in who sees which slot on which device, for the auction whose key is set."""
    key = opps["key"][i]
    u = uniform(key, PERSON)
    if world.activity_skew == 2.0:  # the usual skew: a power costs as much as the rest of this function
        u = u * u
    elif world.activity_skew != 1.0:
        u = u**world.activity_skew
    slot_ix = _pick_slot(world.slots, uniform(key, SLOT))
    shares, v = world.device_shares[slot_ix], uniform(key, DEVICE)
    opps["person_ix"][i] = int(u * world.people_count)
    opps["slot_ix"][i] = slot_ix
    opps["device_ix"][i] = int(v >= shares[0]) + int(v >= shares[1]) + int(v >= shares[2])


@kernel
def view_key(world: World, opps: NDArray[np.void], i: int) -> np.uint64:
    """Key of the page view that opportunity *i* is part of: of its first request."""
    pages = world.pages.slots
    if pages.shape[0] == 0 or pages["position"][opps["slot_ix"][i]] == 0:
        return opps["key"][i]
    first = int(opps["auction_ix"][i]) - int(pages["position"][opps["slot_ix"][i]])
    return key_of(world.seed_key, AUCTION_OF, first)


@kernel
def _locate(world: World, opps: NDArray[np.void], i: int) -> None:
    """Fill in where the person is and whether they may be recognised."""
    person_ix = opps["person_ix"][i]
    consent = world.homes["consent"][person_ix]
    opps["place_ix"][i] = world.homes["place_ix"][person_ix]
    cookie_ix = cookie_of(world, person_ix, view_key(world, opps, i))
    opps["cookie_ix"][i] = cookie_ix
    opps["buyer_ix"][i] = cookie_ix
    opps["consent"][i] = consent
    known = world.with_position == 1 and consent == 1
    opps["lat"][i] = world.homes["lat"][person_ix] if known else math.nan
    opps["lon"][i] = world.homes["lon"][person_ix] if known else math.nan


@kernel
def _describe_further(world: World, opps: NDArray[np.void], i: int, slot_ix: int) -> None:
    """Fill in a further slot of the page whose view is going on: who sees it, and on what, was drawn with the first."""
    own = opps["key"][i]
    opps["slot_ix"][i] = slot_ix
    opps["key"][i] = view_key(world, opps, i)
    _describe(world, opps, i)
    opps["slot_ix"][i], opps["key"][i] = slot_ix, own


@kernel
def draw_opportunities(
    world: World, opps: NDArray[np.void], most: int, cursor: NDArray[np.float64], until_s: float
) -> int:
    """Fill *opps* (OPPORTUNITY[]) with the arrivals before *until_s*, at most *most*; returns how many.

    A view of a page brings one opportunity for each of its slots, one after another: same moment, same person, same
    device, numbers and keys of their own. What the filter of invalid traffic stops is left out: its numbers are
    missing.

    *cursor* is that of `new_cursor`, or float64[2] where there are no pages; it is moved on (numbers exact to 2^53).
    """
    n, checked, pages = 0, world.verification, world.pages.slots
    filters = checked.bots.shape[0] > 0 or checked.mistaken > 0.0
    while n < most:
        auction_ix = int(cursor[0])
        key = key_of(world.seed_key, AUCTION_OF, auction_ix)
        further = pages.shape[0] > 0 and cursor[NEXT_SLOT] > 0.0
        time_s = cursor[LAST_S] if further else next_arrival_s(world, key, cursor[LAST_S])
        if time_s >= until_s:
            break
        opps["auction_ix"][n] = auction_ix
        opps["key"][n] = key
        opps["time_s"][n] = time_s
        if further:
            _describe_further(world, opps, n, int(cursor[NEXT_SLOT]) - 1)
        else:
            _describe(world, opps, n)
        cursor[NEXT_NO] += 1.0
        cursor[LAST_S] = time_s
        if pages.shape[0] > 0:
            slot_ix = opps["slot_ix"][n]
            cursor[NEXT_SLOT] = pages["next_slot_ix"][slot_ix] + 1.0 if pages["slots"][slot_ix] > 0 else 0.0
        if filters:
            publisher_ix, hour = world.slots["publisher_ix"][opps["slot_ix"][n]], week_hour(world, time_s)
            shares, mistaken, filtered = checked.bot_shares, checked.mistaken, checked.filtered
            if further:  # a view is a bot's, or stopped, as a whole
                opps["key"][n] = view_key(world, opps, n)
            admitted = admit(checked.bots, shares, mistaken, filtered, opps, n, publisher_ix, hour)
            opps["key"][n] = key
            if not admitted:
                continue
        prefetch(world.homes, opps["person_ix"][n])
        n += 1
    # A loop of its own: by now the far-apart homes asked for are here.
    for i in range(n):
        _locate(world, opps, i)
    return n


@kernel
def draw_signals(world: World, key: np.uint64, signals: NDArray[np.int64]) -> None:
    """Fill *signals* (int64[V], nanos) with the private values campaigns see for the auction with this key."""
    for v in range(world.signal_keys.shape[0]):
        u = uniform(key + world.signal_keys[v], SIGNAL)
        signals[v] = int(quantile(world.distributions, world.signal_distributions[v], world.tables, u))
