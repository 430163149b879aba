"""Win curves learned from what a bidder sees: the highest rival price, often only bounded by the bid.

Three kinds of observation of the price p in an auction in which we bid b: SEEN (p itself: a second-price win, a loss
notice with the price, minimum-to-win feedback), BELOW (a first-price win without feedback: p <= b) and ABOVE (a loss:
p > b). Money in any one unit; logarithms of it in `lognormal_step`.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from bidder.core.kernel import outlined
from bidder.core.shading import log_mills

SEEN, BELOW, ABOVE = 0, 1, 2


@outlined
def lognormal_step(
    log_at: NDArray[np.float64], kind: NDArray[np.int8], slope: float, offset: float, sums: NDArray[np.float64]
) -> None:
    """Log-likelihood of a lognormal price and its derivatives in (slope, offset), into *sums* (6,).

    z = slope * log(price) + offset is standard normal: slope = 1 / sigma, offset = -mu / sigma. In these two the
    likelihood is concave, censored or not, so Newton's method finds its one maximum. *log_at* (n,) holds log(p) where
    kind is SEEN and log(b) otherwise. sums: value, d/dslope, d/doffset, second derivatives ss, so, oo.
    """
    sums[:] = 0.0
    log_slope = math.log(slope)
    for i in range(log_at.shape[0]):
        x = log_at[i]
        z = slope * x + offset
        if kind[i] == SEEN:
            sums[0] += log_slope - 0.5 * z * z
            first, second = -z, -1.0
            sums[1] += 1.0 / slope
            sums[3] -= 1.0 / (slope * slope)
        else:
            sign = 1.0 if kind[i] == BELOW else -1.0
            logarithm = log_mills(sign * z)
            mills = math.exp(logarithm)
            # log Phi(t) = log phi(t) - log(phi(t) / Phi(t)); its derivative is the ratio itself
            sums[0] += -0.5 * z * z - 0.9189385332046727 - logarithm
            first, second = sign * mills, -mills * (sign * z + mills)
        sums[1] += first * x
        sums[2] += first
        sums[3] += second * x * x
        sums[4] += second * x
        sums[5] += second


@outlined
def product_limit(at: NDArray[np.float64], seen: NDArray[np.bool_], share: NDArray[np.float64]) -> None:
    """Kaplan and Meier's estimator (1958): share[i] = probability of more than at[i], for *at* (n,) ascending.

    Where *seen* is false the price is only known to be above at[i]. Of equals, the seen ones must come first.
    """
    n = at.shape[0]
    survival = 1.0
    for i in range(n):
        if seen[i]:
            survival *= 1.0 - 1.0 / (n - i)
        share[i] = survival


@outlined
def pool_adjacent(won: NDArray[np.float64], weight: NDArray[np.float64], start: NDArray[np.int64]) -> int:
    """Isotonic regression by pooling adjacent violators (Ayer et al. 1955), in place; returns the number of pools.

    *won* and *weight* (n,) hold the win rate and count at ascending bids; on return won[k], weight[k] and start[k] are
    rate, count and first index of pool k. The maximum likelihood curve where wins and losses are all one ever sees.
    """
    pools = 0
    for i in range(won.shape[0]):
        rate, count, first = won[i], weight[i], i
        while pools > 0 and won[pools - 1] >= rate:
            pools -= 1
            total = weight[pools] + count
            rate = (won[pools] * weight[pools] + rate * count) / total
            count, first = total, start[pools]
        won[pools], weight[pools], start[pools] = rate, count, first
        pools += 1
    return pools


@outlined
def shade_steps(worth: float, price: NDArray[np.float64], win: NDArray[np.float64]) -> float:
    """Bid that maximises (worth - b) F(b) for the step curve F(price[i]) = win[i], *price* ascending; 0: none gains."""
    best_bid, best_surplus = 0.0, 0.0
    for i in range(price.shape[0]):
        surplus = (worth - price[i]) * win[i]
        if surplus > best_surplus:
            best_bid, best_surplus = price[i], surplus
    return best_bid
