"""Inverse distribution functions, in compiled code: prices and values from one uniform draw each.

A distribution is a row of DISTRIBUTION; grids of histograms and quantiles live in rows of a float64 matrix.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from exchange_sim.kernel import kernel

UNIFORM, LOGNORMAL, HISTOGRAM, QUANTILES = 0, 1, 2, 3

DISTRIBUTION = np.dtype(
    [
        ("kind", "i4"),
        ("table_ix", "i4"),  # row of the tables (histogram: cumulative shares; quantiles: prices)
        ("size", "i4"),  # entries used in that row
        ("a", "f8"),  # uniform: low; lognormal: mu; histogram: step
        ("b", "f8"),  # uniform: high; lognormal: sigma
    ],
    align=True,
)

_A = (
    -39.69683028665376,
    220.9460984245205,
    -275.9285104469687,
    138.3577518672690,
    -30.66479806614716,
    2.506628277459239,
)
_B = (-54.47609879822406, 161.5858368580409, -155.6989798598866, 66.80131188771972, -13.28068155288572)
_C = (
    -0.007784894002430293,
    -0.3223964580411365,
    -2.400758277161838,
    -2.549732539343734,
    4.374664141464968,
    2.938163982698783,
)
_D = (0.007784695709041462, 0.3224671290700398, 2.445134137142996, 3.754408661907416)
_TAIL = 0.02425
_LARGEST = 1.0 - 2.0**-53


@kernel
def normal_quantile(p: float) -> float:
    """Inverse of the standard normal distribution function for 0 < p < 1 (1 counts as the number just below it).

    Rational approximation by P. J. Acklam, relative error below 1.15e-9: less than a nano on any price.
    """
    if p < _TAIL:
        q = math.sqrt(-2.0 * math.log(p))
        x = (((((_C[0] * q + _C[1]) * q + _C[2]) * q + _C[3]) * q + _C[4]) * q + _C[5]) / (
            (((_D[0] * q + _D[1]) * q + _D[2]) * q + _D[3]) * q + 1.0
        )
    elif p <= 1.0 - _TAIL:
        q = p - 0.5
        r = q * q
        x = ((((((_A[0] * r + _A[1]) * r + _A[2]) * r + _A[3]) * r + _A[4]) * r + _A[5]) * q) / (
            ((((_B[0] * r + _B[1]) * r + _B[2]) * r + _B[3]) * r + _B[4]) * r + 1.0
        )
    else:
        q = math.sqrt(-2.0 * math.log1p(-min(p, _LARGEST)))
        x = -(((((_C[0] * q + _C[1]) * q + _C[2]) * q + _C[3]) * q + _C[4]) * q + _C[5]) / (
            (((_D[0] * q + _D[1]) * q + _D[2]) * q + _D[3]) * q + 1.0
        )
    return x


@kernel
def first_above(cumulative: NDArray[np.float64], size: int, u: float) -> int:
    """Index of the first entry of a rising row that is greater than *u* (the last entry at most)."""
    low, high = 0, size - 1
    while low < high:
        middle = (low + high) >> 1
        if cumulative[middle] > u:
            high = middle
        else:
            low = middle + 1
    return low


@kernel
def quantile(distributions: NDArray[np.void], d: int, tables: NDArray[np.float64], u: float) -> float:
    """Value of distribution *d* at probability *u*, in the unit its parameters are in."""
    kind = distributions["kind"][d]
    a, b = distributions["a"][d], distributions["b"][d]
    if kind == UNIFORM:
        return a + (b - a) * u
    if kind == LOGNORMAL:
        return math.exp(a + b * normal_quantile(u))
    row, size = tables[distributions["table_ix"][d]], distributions["size"][d]
    if kind == HISTOGRAM:
        return a * first_above(row, size, u)
    position = u * (size - 1)
    k = min(int(position), size - 2)
    return row[k] + (row[k + 1] - row[k]) * (position - k)
