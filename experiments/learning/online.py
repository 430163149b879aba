"""The bidder's model on any table of features: rows are predicted first and learned from afterwards, in their order."""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from bidder.core.ftrl import COLUMNS, FACTOR, GRADIENT, PRECISION, SQUARES, VARIANCE, WEIGHT, logistic, refresh

ROWS_PER_TICK = 100
"""Weights stand still for this many rows, as they do for a tick in a run."""


@njit(cache=True)
def learn_in_order(
    features: NDArray[np.int64],
    outcome: NDArray[np.float64],
    offset: float,
    weights: NDArray[np.float64],
    given: NDArray[np.float64],
) -> None:
    """Fill *given* (float64[n]) with the probability of each row before its *outcome* (0 or 1) is learned.

    *features* is int64[n, k]: rows of *weights* (float64[rows, COLUMNS]), -1 for none; *offset* the log odds to start
    from.
    """
    for i in range(features.shape[0]):
        score = offset
        for k in range(features.shape[1]):
            if features[i, k] >= 0:
                score += weights[features[i, k], WEIGHT]
        p = logistic(score)
        given[i] = p
        for k in range(features.shape[1]):
            if features[i, k] >= 0:
                weights[features[i, k], GRADIENT] += p - outcome[i]
                weights[features[i, k], SQUARES] += (p - outcome[i]) * (p - outcome[i])
        if (i + 1) % ROWS_PER_TICK == 0:
            refresh(weights, 0, weights.shape[0], 0.0)


def fresh_weights(bits: int) -> NDArray[np.float64]:
    """2^bits weights that know nothing."""
    weights = np.zeros((1 << bits, COLUMNS))
    weights[:, VARIANCE], weights[:, FACTOR] = 1.0 / PRECISION, 1.0
    return weights


def log_odds(rate: float) -> float:
    """log(p / (1 - p))."""
    return math.log(rate / (1.0 - rate))
