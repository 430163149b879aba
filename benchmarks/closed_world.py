"""The closed world's luck: how far from theory the curve of v, d ~ U[0, 1], second price, bid beta v lies by chance.

Per auction S = beta^2 / 6 and V = sqrt(2 S / 3). Looked at are, at every bid, the z-score of the spend, and that of the
value against the curve at the spend measured: by the delta method V - sqrt(2 S / 3) is, to first order, the mean of
(v - d / beta) over what was won, because dV/dS = 1 / beta. One seed serves all bids, so its scores move together.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from exchange_sim.draws import AUCTION_OF, BEST_RIVAL, SIGNAL, key_of, mix, name_key, uniform

Array = NDArray[np.float64]
BIDS = np.array([k / 20 for k in range(2, 21)])
"""The bids asked for: beta from 0.1 to 1."""
NANOS_PER_CPM = 1_000_000


def scores(spend: Array, value: Array, auctions: int, bids: Array = BIDS) -> Array:
    """float64[2 B]: z of spend, then of value against the curve; *spend* and *value* are float64[B] per auction."""
    spend_error = np.sqrt((bids**3 / 12 - (bids**2 / 6) ** 2) / auctions)
    curve_error = np.sqrt((bids / 12 - (bids / 6) ** 2) / auctions)
    return np.concatenate([(spend - bids**2 / 6) / spend_error, (value - np.sqrt(2 * spend / 3)) / curve_error])


@njit(cache=True)  # type: ignore[untyped-decorator]
def _won(seed_key: np.uint64, signal_key: np.uint64, auctions: int, bids: Array) -> NDArray[np.int64]:
    """int64[B, 2]: nanos paid and nanos of value won at each bid, from the draws a run makes and nothing else."""
    first = np.zeros((bids.shape[0] + 1, 2), np.int64)
    for k in range(auctions):
        key = key_of(seed_key, AUCTION_OF, k)
        price = int(uniform(key, BEST_RIVAL) * NANOS_PER_CPM)
        value = int(uniform(key + signal_key, SIGNAL) * NANOS_PER_CPM)
        b = 0
        while b < bids.shape[0] and int(bids[b] * value) <= price:
            b += 1
        first[b, 0] += price  # the lowest bid that wins; so do all above it
        first[b, 1] += value
    for b in range(1, bids.shape[0]):
        first[b] += first[b - 1]
    return first[:-1]


def audit(seeds: int, auctions: int = 1_000_000, campaign_id: str = "scaled") -> Array:
    """float64[seeds, 2 B]: the scores of *seeds* curves, seeds from 1 on."""
    signal_key, found = np.uint64(name_key(f"signal {campaign_id}")), []
    for seed in range(1, seeds + 1):
        won = _won(np.uint64(mix(np.uint64(seed))), signal_key, auctions, BIDS) / auctions / NANOS_PER_CPM
        found.append(scores(won[:, 0], won[:, 1], auctions))
    return np.array(found)


def expected_correlation(bids: Array = BIDS) -> Array:
    """float64[2 B, 2 B]: correlation of the scores of one seed, exact: what a lower bid wins, a higher one wins too."""
    low = np.minimum.outer(bids, bids)
    a, b = np.meshgrid(bids, bids, indexing="ij")
    spends = low**3 / 12 - np.outer(bids**2 / 6, bids**2 / 6)
    curves = low / 4 - (1 / a + 1 / b) * low**2 / 8 + low**3 / (12 * a * b) - np.outer(bids / 6, bids / 6)
    both = low**2 / 8 - low**3 / (12 * b) - np.outer(bids**2 / 6, bids / 6)
    covariance = np.block([[spends, both], [both.T, curves]])
    deviation = np.sqrt(np.diag(covariance))
    return np.asarray(covariance / np.outer(deviation, deviation))


def chance_beyond(limit: float, draws: int = 1_000_000, seed: int = 1) -> float:
    """Share of seeds with any of their scores beyond *limit*, were all scores normal."""
    factor = np.linalg.cholesky(expected_correlation() + 1e-12 * np.eye(2 * len(BIDS)))
    generator, beyond = np.random.default_rng(seed), 0
    for _ in range(draws // 50_000):
        beyond += int((np.abs(generator.standard_normal((50_000, len(factor))) @ factor.T).max(axis=1) > limit).sum())
    return beyond / (draws // 50_000 * 50_000)


def deviation_of_a_hundred(draws: int = 2_000, seed: int = 2) -> tuple[float, float]:
    """Mean and deviation of the standard deviation over all scores of 100 seeds, were all scores normal."""
    factor = np.linalg.cholesky(expected_correlation() + 1e-12 * np.eye(2 * len(BIDS)))
    generator = np.random.default_rng(seed)
    found = [float((generator.standard_normal((100, len(factor))) @ factor.T).std()) for _ in range(draws)]
    return float(np.mean(found)), float(np.std(found))


def variance_cut(low: float, high: float) -> float:
    """Variance of the difference of ROMI between two bids under independent seeds over that under common ones.

    In the limit of many auctions: ROMI is V / S - 1, and what an auction won adds to it goes as (v - 2 d / beta) / S.
    """

    def product(a: float, b: float) -> float:
        return (a / 4 - (2 / a + 2 / b) * a**2 / 8 + a**2 / (3 * b)) / ((a**2 / 6) * (b**2 / 6))

    apart = product(low, low) + product(high, high)
    return apart / (apart - 2 * product(low, high))
