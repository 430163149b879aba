"""Requests to come, from requests that came: an unbiased mean and an interval that owns up to a short past.

Requests are taken to be a Poisson stream whose rate repeats every week (every day, where the past is shorter than a
week). For hours alike of which k were seen and m are to come, n seen mean n m / k to come, and the difference from what
comes has the variance whose unbiased estimate is n (m / k) (1 + m / k). Sums of such hours are given the negative
binomial distribution with the same mean and variance: exact (a Gamma posterior with Jeffreys' prior) where m / k is the
same for all.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

WEEK_H, DAY_H = 168, 24
Numbers = NDArray[np.float64]


class Expected(NamedTuple):
    """What is expected of several things (any shape): mean and variance of prediction of each."""

    mean: Numbers
    variance: Numbers
    ratio: Numbers
    """Time to come / time seen, for where nothing at all was seen."""

    def together(self, axis: int) -> Expected:
        """All slots along an axis as one: they share no requests. Days do share their past: see `expect_total`."""
        return Expected(self.mean.sum(axis), self.variance.sum(axis), self.ratio.mean(axis))


def expect(past: NDArray[np.int64], days: float) -> Expected:
    """[days to come, S] from int64[hours, S], the hours that were seen; *days* are counted from the start.

    The last day may be short. Hours of the past must be whole days.
    """
    seen_h, cycle_h = len(past), _cycle_h(past)
    ahead = np.zeros((int(np.ceil((days * DAY_H - seen_h) / DAY_H - 1e-9)), cycle_h))
    for hour in range(seen_h, int(np.ceil(days * DAY_H))):
        ahead[(hour - seen_h) // DAY_H, hour % cycle_h] += min(1.0, days * DAY_H - hour)
    return _expect(past, ahead)


def expect_total(past: NDArray[np.int64], days: float) -> Expected:
    """[S]: the same for all the time to come as one."""
    cycle_h = _cycle_h(past)
    ahead = np.zeros((1, cycle_h))
    for hour in range(len(past), int(np.ceil(days * DAY_H))):
        ahead[0, hour % cycle_h] += min(1.0, days * DAY_H - hour)
    return Expected(*(part[0] for part in _expect(past, ahead)))


def _cycle_h(past: NDArray[np.int64]) -> int:
    return WEEK_H if len(past) >= WEEK_H else DAY_H


def _expect(past: NDArray[np.int64], ahead: Numbers) -> Expected:
    """*ahead*: [things, hours of the cycle], hours to come."""
    cycle_h = ahead.shape[1]
    seen, counts = np.zeros(cycle_h), np.zeros((cycle_h, past.shape[1]))
    cell = np.arange(len(past)) % cycle_h
    np.add.at(seen, cell, 1.0)
    np.add.at(counts, cell, past)
    ratio = ahead / seen
    alike = np.repeat(ahead.sum(axis=1)[:, None] / len(past), past.shape[1], axis=1)
    return Expected(ratio @ counts, (ratio * (1.0 + ratio)) @ counts, alike)


def _distribution(expected: Expected) -> Any:
    from scipy import stats  # slow to import, and few commands forecast

    some = expected.mean > 0.0
    ratio = np.where(some, expected.variance / np.where(some, expected.mean, 1.0) - 1.0, expected.ratio)
    size = np.where(some, expected.mean / np.where(ratio > 0.0, ratio, 1.0), 0.0) + 0.5
    return stats.nbinom(size, 1.0 / (1.0 + ratio))


def interval(expected: Expected, probability: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(lowest, highest) that come with that probability; what is below and above has half of the rest each."""
    spread, outside = _distribution(expected), 0.5 * (1.0 - probability)
    return spread.ppf(outside).astype(np.int64), spread.ppf(1.0 - outside).astype(np.int64)


def surely(expected: Expected, probability: float) -> NDArray[np.int64]:
    """The most that come with at least that probability: P(N >= n) >= p."""
    low: NDArray[np.int64] = _distribution(expected).ppf(1.0 - probability).astype(np.int64)
    return low


def chance(expected: Expected, least: Numbers) -> Numbers:
    """P(N >= least)."""
    told: Numbers = _distribution(expected).sf(np.ceil(least) - 1.0)
    return told
