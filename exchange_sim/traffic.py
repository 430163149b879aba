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
def _locate(world: World, opps: NDArray[np.void], i: int) -> None:
    """Fill in where the person is and whether they may be recognised."""
    person_ix = opps["person_ix"][i]
    consent = world.homes["consent"][person_ix]
    opps["place_ix"][i] = world.homes["place_ix"][person_ix]
    cookie_ix = cookie_of(world, person_ix, opps["key"][i])
    opps["cookie_ix"][i] = cookie_ix
    opps["buyer_ix"][i] = cookie_ix
    opps["consent"][i] = consent
    known = world.with_position == 1 and consent == 1
    opps["lat"][i] = world.homes["lat"][person_ix] if known else math.nan
    opps["lon"][i] = world.homes["lon"][person_ix] if known else math.nan


@kernel
def draw_opportunities(
    world: World, opps: NDArray[np.void], most: int, cursor: NDArray[np.float64], until_s: float
) -> int:
    """Fill *opps* (OPPORTUNITY[]) with the arrivals before *until_s*, at most *most*; returns how many.

    What the filter of invalid traffic stops is left out: its numbers are missing.

    *cursor* is float64[2]: number of auctions so far (exact to 2^53) and the time of the last one; it is moved on.
    """
    n, checked = 0, world.verification
    filters = checked.bots.shape[0] > 0 or checked.mistaken > 0.0
    while n < most:
        auction_ix = int(cursor[0])
        key = key_of(world.seed_key, AUCTION_OF, auction_ix)
        time_s = next_arrival_s(world, key, cursor[1])
        if time_s >= until_s:
            break
        opps["auction_ix"][n] = auction_ix
        opps["key"][n] = key
        opps["time_s"][n] = time_s
        _describe(world, opps, n)
        cursor[0] += 1.0
        cursor[1] = time_s
        if filters:
            publisher_ix, hour = world.slots["publisher_ix"][opps["slot_ix"][n]], week_hour(world, time_s)
            shares, mistaken, filtered = checked.bot_shares, checked.mistaken, checked.filtered
            if not admit(checked.bots, shares, mistaken, filtered, opps, n, publisher_ix, hour):
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
