"""Logistic regression trained online by FTRL-Proximal, in batches of one tick.

McMahan et al., "Ad click prediction: a view from the trenches", KDD 2013, algorithm 1, per coordinate: z collects
gradients, n their squares, the weight is w = -(z - sign(z) l1) / ((beta + sqrt(n)) / alpha + l2) or 0 where |z| <= l1.
During a tick weights stand still and gradients are gathered; `refresh` then takes them in. The gradient of log loss is
p - y, linear in the outcome: p is booked when the ad is shown, -1 when the click or purchase comes, however late.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from bidder.core.kernel import kernel

# Columns of a row of weights: one cache line. The factor is exp(weight): predictions multiply odds.
Z, N, WEIGHT, VARIANCE, GRADIENT, SQUARES, WAITING, FACTOR = range(8)
COLUMNS = 8

ALPHA, BETA, L1, L2 = 0.1, 1.0, 0.0, 1.0
PRECISION = 4.0
"""Prior precision of a weight: before any outcome its standard deviation is 1/2."""

_M1, _M2 = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xD6E8FEB86659FD93)
_S32, _ZERO = np.uint64(32), np.uint64(0)


@kernel
def hashed(field: int, value: int) -> np.uint64:
    """64 bits for a field's value (multiply, fold, multiply, fold)."""
    x = (np.uint64(field + 1) * _M2 + np.uint64(value)) * _M1
    x = (x ^ (x >> _S32)) * _M2
    return x ^ (x >> _S32)


@kernel
def row_of(field: int, value: int, mask: np.uint64) -> int:
    """Row (0 .. mask) of the weight of a field's value."""
    return int(hashed(field, value) & mask)


@kernel
def logistic(score: float) -> float:
    """1 / (1 + exp(-score))."""
    return 1.0 / (1.0 + math.exp(-score))


@kernel
def weight_of(z: float, n: float) -> float:
    """The weight that minimises the regularised sum of gradients."""
    if abs(z) <= L1:
        return 0.0
    return -(z - math.copysign(L1, z)) / ((BETA + math.sqrt(n)) / ALPHA + L2)


@kernel
def refresh_row(weights: NDArray[np.float64], row: int, ripe: float) -> None:
    """Take in what a row has gathered, and the share *ripe* of the gradient that waits (below 0: some waits again).

    *weights* is float64[rows, COLUMNS]. Gradients wait where outcomes are slow: see `bidder.core.rates`.
    """
    if weights[row, WAITING] != 0.0:
        weights[row, GRADIENT] += ripe * weights[row, WAITING]
        weights[row, WAITING] -= ripe * weights[row, WAITING]
    gradient = weights[row, GRADIENT]
    if gradient == 0.0:
        return
    n = weights[row, N] + weights[row, SQUARES]
    sigma = (math.sqrt(n) - math.sqrt(weights[row, N])) / ALPHA
    weights[row, Z] += gradient - sigma * weights[row, WEIGHT]
    weights[row, N] = n
    weights[row, WEIGHT] = weight_of(weights[row, Z], n)
    weights[row, FACTOR] = math.exp(weights[row, WEIGHT])
    weights[row, VARIANCE] = 1.0 / (PRECISION + n)
    weights[row, GRADIENT] = weights[row, SQUARES] = 0.0


@kernel
def refresh(weights: NDArray[np.float64], first: int, last: int, ripe: float) -> None:
    """`refresh_row` for every row from *first* to *last*."""
    for row in range(first, last):
        refresh_row(weights, row, ripe)
