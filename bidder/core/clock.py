"""Calendar arithmetic on seconds since the scenario's start."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from bidder.core.book import START_HOUR, START_OF_DAY_S
from bidder.core.codes import DAY_S, HOUR_S, WEEK_HOURS
from bidder.core.kernel import kernel


@kernel
def day_ix(index: NDArray[np.int64], now_s: float) -> int:
    """Calendar day of *now_s*, 0 being the day the scenario starts in."""
    return math.floor((now_s + index[START_OF_DAY_S]) / DAY_S)


@kernel
def day_share(index: NDArray[np.int64], now_s: float, today_ix: int) -> float:
    """Part of today (0 to 1) that has passed at *now_s*."""
    return (now_s + index[START_OF_DAY_S]) / DAY_S - today_ix


@kernel
def hour_of_week(index: NDArray[np.int64], now_s: float) -> int:
    """Hour of the week of *now_s*, Monday 00:00 = 0."""
    return int((index[START_HOUR] + math.floor((now_s + index[START_OF_DAY_S] % 3600) / HOUR_S)) % WEEK_HOURS)


@kernel
def window_start_s(index: NDArray[np.int64], now_s: float, window_s: float) -> float:
    """Start of the fixed window around *now_s*; windows are counted from the midnight before the scenario's start."""
    offset_s = index[START_OF_DAY_S]
    return math.floor((now_s + offset_s) / window_s) * window_s - offset_s
