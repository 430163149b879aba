"""Reserve prices: Myerson's from a known or fitted distribution of values, and one that learns from bids it sees.

Myerson (1981): with values from F, density f, the revenue-maximising reserve r of a second-price auction solves
r = (1 - F(r)) / f(r), whatever the number of bidders. Prices in nanos unless said otherwise.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from exchange_sim.kernel import kernel
from exchange_sim.selling.rules import RESERVE

BINS = 160
LOWEST_BIN_NANOS = 10_000
"""Eight bins of equal width to the octave, from 0.01 CPM to 10,000 CPM."""
BEST_COUNT, SECOND_COUNT, SECOND_SUM = 0, 1, 2
FEWEST_SEEN = 100.0
"""Weight of auctions an estimate needs before it is used."""


def uniform_reserve(low: float, high: float) -> float:
    """Optimal reserve for values uniform on [low, high]: the virtual value 2 r - high is zero at high / 2."""
    return max(low, high / 2.0)


def lognormal_reserve(mu: float, sigma: float) -> float:
    """Optimal reserve for values exp(mu + sigma z), z standard normal: exp(mu + sigma z*), hazard(z*) = sigma.

    The condition r f(r) = 1 - F(r) becomes phi(z) / (1 - Phi(z)) = sigma. The hazard of the normal rises from 0 to
    infinity, so bisection finds the one root.
    """
    low, high = -40.0, sigma + 1.0  # hazard(z) > z
    for _ in range(200):
        z = 0.5 * (low + high)
        if normal_hazard(z) < sigma:
            low = z
        else:
            high = z
    return math.exp(mu + sigma * 0.5 * (low + high))


def normal_hazard(z: float) -> float:
    """phi(z) / (1 - Phi(z)) of the standard normal; by its asymptotic series where the tail underflows."""
    if z > 30.0:
        return z + 1.0 / z - 2.0 / z**3
    return math.exp(-0.5 * z * z) / math.sqrt(2.0 * math.pi) / (0.5 * math.erfc(z / math.sqrt(2.0)))


def fitted_uniform(bids: NDArray[np.float64]) -> tuple[float, float]:
    """(low, high) of a uniform distribution fitted to one bidder's bids: the extremes, stretched a little."""
    low, high, n = float(bids.min()), float(bids.max()), len(bids)
    beyond = (high - low) / max(1, n - 1)
    return max(0.0, low - beyond), high + beyond


def fitted_lognormal(bids: NDArray[np.float64]) -> tuple[float, float]:
    """(mu, sigma) of a lognormal distribution fitted to one bidder's positive bids (maximum likelihood)."""
    logs = np.log(bids[bids > 0.0])
    return float(logs.mean()), float(logs.std())


def empirical_reserve(bids: NDArray[np.float64]) -> float:
    """The r that earns most from one bidder with these bids: max r (1 - F(r)), which solves Myerson's equation."""
    rising = np.sort(bids)
    earned = rising * np.arange(len(rising), 0, -1)
    return float(rising[int(np.argmax(earned))])


def new_reserves(rows: Sequence[tuple[int, float, float]]) -> tuple[NDArray[np.void], NDArray[np.float64]]:
    """RESERVE[R] and its empty observations for (slot_ix, share explored, weight kept per tick)."""
    reserves = np.zeros(len(rows), RESERVE)
    for r, (slot_ix, explore, keep) in enumerate(rows):
        reserves[r] = (slot_ix, explore, keep, 0)
    return reserves, np.zeros((len(rows), BINS, 3))


@kernel
def reserve_bin(nanos: int) -> int:
    """Bin of a bid: the exponent and the first three bits of the mantissa, counted from those of 1.0."""
    if nanos <= LOWEST_BIN_NANOS:
        return 0
    return min(BINS - 1, int(np.float64(nanos / LOWEST_BIN_NANOS).view(np.int64) >> 49) - (1023 << 3))


@kernel
def bin_floor_nanos(at: int) -> int:
    """Lower edge of a bin; 0 for the first."""
    if at == 0:
        return 0
    return math.ceil(LOWEST_BIN_NANOS * 2.0 ** (at >> 3) * (1.0 + (at & 7) / 8.0))


@kernel
def observe(observed: NDArray[np.float64], r: int, bid: int, best: int, second: int) -> None:
    """Note the two highest bids of an explored auction: ours (0: none) and the rivals' two best."""
    first = max(bid, best)
    runner_up = max(min(bid, best), second)
    observed[r, reserve_bin(first), BEST_COUNT] += 1.0
    at = reserve_bin(runner_up)
    observed[r, at, SECOND_COUNT] += 1.0
    observed[r, at, SECOND_SUM] += float(runner_up)


@kernel
def learn_reserves(reserves: NDArray[np.void], observed: NDArray[np.float64]) -> None:
    """Once per tick: set each floor to the bin's edge that would have earned most, then let what is known fade.

    A second-price auction with reserve x earns x where it lies between the two highest bids b1 >= x > b2, and b2 where
    x <= b2: revenue(x) = x (#{b1 >= x} - #{b2 >= x}) + sum of b2 over b2 >= x.
    """
    for r in range(reserves.shape[0]):
        above_best, above_second, sum_second = 0.0, 0.0, 0.0
        most, best_at = -1.0, 0
        for back in range(BINS):
            at = BINS - 1 - back
            above_best += observed[r, at, BEST_COUNT]
            above_second += observed[r, at, SECOND_COUNT]
            sum_second += observed[r, at, SECOND_SUM]
            earned = bin_floor_nanos(at) * (above_best - above_second) + sum_second
            if earned > most:
                most, best_at = earned, at
        if above_best >= FEWEST_SEEN:
            reserves["floor_nanos"][r] = bin_floor_nanos(best_at)
        for at in range(BINS):
            for k in range(3):
                observed[r, at, k] *= reserves["keep"][r]
