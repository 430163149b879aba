"""Slow, obvious market: hashes on Python integers, auctions by sorting, adstock by summing, traffic by inversion."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import integrate, optimize, stats

_MASK = 2**64 - 1


def mix(x: int) -> int:
    """Splitmix64's finaliser on unbounded integers."""
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & _MASK
    return x ^ (x >> 31)


def unmix(x: int) -> int:
    """The inverse of `mix`: undo the shifts and multiply by the odd constants' inverses."""
    x = _unshift(x, 31) * pow(0x94D049BB133111EB, -1, 2**64) & _MASK
    x = _unshift(x, 27) * pow(0xBF58476D1CE4E5B9, -1, 2**64) & _MASK
    return _unshift(x, 30)


def _unshift(x: int, by: int) -> int:
    y = x
    for _ in range(64 // by + 1):
        y = x ^ (y >> by)
    return y


def key_of(parent: int, purpose: int, owner: int) -> int:
    """Key of an owner below a parent key."""
    golden = 0x9E3779B97F4A7C15
    return mix((mix((parent + purpose * golden) & _MASK) + owner * golden) & _MASK)


def clear(
    second_price: bool,
    we_win_ties: bool,
    bid: int,
    our_floor: int,
    open_floor: int,
    rivals: Sequence[int],
    soft: int = 0,
) -> tuple[bool, int, int]:
    """(won, what we pay, what the seller earns) by sorting everybody's bids that reach their floor; bid 0 is none.

    Below the soft floor a second-price auction is a first-price one; above, the soft floor is one more bid to beat.
    """
    offers = [(amount, 0 if we_win_ties else 1, "rival") for amount in rivals if amount > 0 and amount >= open_floor]
    if bid > 0 and bid >= our_floor:
        offers.append((bid, 1 if we_win_ties else 0, "us"))
    if not offers:
        return False, 0, 0
    offers.sort(reverse=True)
    amount, _, winner = offers[0]
    floor = our_floor if winner == "us" else open_floor
    next_best = offers[1][0] if len(offers) > 1 else 0
    if not second_price or amount < soft:
        price = amount
    else:
        price = max(floor, next_best, soft)
    return winner == "us", price if winner == "us" else 0, price


def quantile(kind: str, parameters: Any, u: float) -> float:
    """Inverse distribution functions by scipy and by searching."""
    if kind == "uniform":
        low, high = parameters
        return float(stats.uniform.ppf(u, low, high - low))
    if kind == "lognormal":
        mu, sigma = parameters
        return math.exp(mu + sigma * float(stats.norm.ppf(u)))
    if kind == "histogram":
        step, counts = parameters
        share = 0.0
        for k, count in enumerate(counts):
            share += count / sum(counts)
            if share > u:
                return step * k
        return step * max(k for k, count in enumerate(counts) if count)
    return float(np.interp(u, np.linspace(0.0, 1.0, len(parameters)), parameters))


def in_market(offset_s: float, cycle_s: float, window_s: float, time_s: float) -> bool:
    """Whether any of the person's windows, laid out one cycle after another, holds *time_s*."""
    if cycle_s <= 0.0:
        return True
    first = math.floor((time_s + offset_s) / cycle_s) - 2
    starts = [k * cycle_s - offset_s for k in range(first, first + 5)]
    return any(start <= time_s < start + window_s for start in starts)


def stock(exposure_times_s: Sequence[float], time_s: float, half_life_s: float) -> float:
    """Adstock just before *time_s*: every earlier exposure, halved every half-life."""
    return sum(2.0 ** (-(time_s - then) / half_life_s) for then in exposure_times_s)


def arrival_s(rate_per_s: NDArray[np.float64], hour_of: Any, after_s: float, exponential: float) -> float:
    """When the integral of the intensity from *after_s* on reaches *exponential*, by bisection on the integral.

    *hour_of* tells the hour of the week at a time.
    """

    def mass(until_s: float) -> float:
        # hour by hour, with the clock's edges every 3600 s from a known edge
        total, at = 0.0, after_s
        while at < until_s:
            edge = next_edge(at)
            total += rate_per_s[hour_of(at)] * (min(edge, until_s) - at)
            at = edge
        return total

    def next_edge(at: float) -> float:
        # the first moment after *at* with another hour, found by halving (to a microsecond)
        low, high = at, at + 3600.0
        if hour_of(high) == hour_of(low):
            return high
        while high - low > 1e-7:
            middle = (low + high) / 2
            low, high = (middle, high) if hour_of(middle) == hour_of(at) else (low, middle)
        return high

    high = after_s + 3600.0
    while mass(high) < exponential:
        high += 3600.0
    return float(optimize.brentq(lambda t: mass(t) - exponential, after_s, high, xtol=1e-6))


def mean_of_maximum(ppf: Any, n: int) -> float:
    """Mean of the largest of n draws: integral of the quantile at u^(1/n)."""
    return float(integrate.quad(lambda u: ppf(u ** (1.0 / n)), 0.0, 1.0, limit=200)[0])


def erlang_b(load: float, servers: int) -> float:
    """Blocking probability of a loss system, by the recursion B(0) = 1, B(c) = a B / (c + a B)."""
    blocking = 1.0
    for c in range(1, servers + 1):
        blocking = load * blocking / (c + load * blocking)
    return blocking
