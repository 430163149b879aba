"""Means, ratios and differences over seeds, each with its 95 % interval (Student's t; ratios by the delta method).

An interval from one seed does not exist and is None, as is a ratio whose denominator is zero: no fake numbers.
"""

from __future__ import annotations

import math
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

LEVEL = 0.95

Samples = NDArray[np.float64]


class Band(NamedTuple):
    """An estimate and its interval."""

    mean: float | None
    low: float | None
    high: float | None


UNKNOWN = Band(None, None, None)


@cache
def _t(count: int) -> float:
    from scipy import special  # scipy.stats takes a second to import

    return float(special.stdtrit(count - 1, 0.5 + LEVEL / 2.0))


def standard_error(samples: NDArray[np.float64]) -> float:
    """Of the mean of *samples*; 0 for a single one."""
    return float(samples.std(ddof=1)) / math.sqrt(len(samples)) if len(samples) > 1 else 0.0


def mean(samples: NDArray[np.float64]) -> Band:
    """Mean over seeds."""
    return _around(float(samples.mean()), samples)


def ratio(above: NDArray[np.float64], below: NDArray[np.float64]) -> Band:
    """Sum of *above* over sum of *below*, both by seed (so what moves them together cancels)."""
    size = float(below.mean())
    if size == 0.0:
        return UNKNOWN
    value = float(above.mean()) / size
    return _around(value, value + (above - value * below) / size)


def ratio_difference(above: Samples, below: Samples, new_above: Samples, new_below: Samples) -> Band:
    """The second ratio less the first, all four by the same seeds; unknown when one of them is."""
    old, new = ratio(above, below).mean, ratio(new_above, new_below).mean
    if old is None or new is None:
        return UNKNOWN
    moved = (new_above - new * new_below) / float(new_below.mean()) - (above - old * below) / float(below.mean())
    return _around(new - old, moved)


def romi(gross: NDArray[np.float64], spend: NDArray[np.float64]) -> Band:
    """Return on marketing investment, (gross - spend) / spend; unknown when nothing was spent."""
    return ratio(gross - spend, spend)


def _around(value: float, samples: NDArray[np.float64]) -> Band:
    if len(samples) < 2:
        return Band(value, None, None)
    half = _t(len(samples)) * standard_error(samples)
    return Band(value, value - half, value + half)
