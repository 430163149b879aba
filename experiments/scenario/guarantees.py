"""What a guaranteed deal can promise: Poisson arrivals, taken as they come or no faster than a straight line."""

from __future__ import annotations

import math


def guaranteed_most(mean: float, probability: float) -> int:
    """The most impressions that arrive with at least that probability, where Poisson(mean) do: P(N >= n) >= p."""
    from scipy import stats  # slow to import, and few scenarios guarantee anything

    most = int(stats.poisson.ppf(1.0 - probability, mean))
    while most > 0 and stats.poisson.sf(most - 1, mean) < probability:
        most -= 1
    return most


def backlog_ratio(mean: float, owed: float) -> float:
    """sigma of the backlog of a deal paced evenly, where *mean* impressions arrive steadily until *owed* are due.

    One falls due every owed-th part of the time and waits for the next arrival: a queue D/M/1. Before each, the number
    waiting is at most geometric, P(more than m) <= sigma^(m + 1), sigma = exp(-(mean / owed) (1 - sigma)) (the limit of
    a queue that began empty). 1.0 where arrivals cannot keep up.
    """
    if mean <= owed:
        return 1.0
    low, high = 0.0, 1.0  # exp(-r (1 - s)) - s is positive at 0, negative just below 1
    for _ in range(100):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if math.exp(-(mean / owed) * (1.0 - middle)) > middle else (low, middle)
    return low


def late_at_most(mean: float, owed: float, probability: float) -> int | None:
    """How many of *owed*, paced evenly, are missing when due at most with that probability; None: no such number.

    The least m with sigma^(m + 1) <= 1 - p.
    """
    ratio = backlog_ratio(mean, owed)
    if ratio >= 1.0 - 1e-9:
        return None
    if ratio <= 1.0 - probability:
        return 0
    return min(math.ceil(owed), max(0, math.ceil(math.log(1.0 - probability) / math.log(ratio)) - 1))
