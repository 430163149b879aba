"""Budgets and pacing: may this campaign commit this much now? Reads only; `settle` writes."""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from bidder.core.book import START_OF_DAY_S
from bidder.core.clock import day_ix
from bidder.core.codes import DAY_S, NO_DAILY_LIMIT, PACE_EVEN


@njit(cache=True)
def committed_nanos(campaigns: NDArray[np.void], campaign_ix: int) -> int:
    """Spent plus held by bids in flight, over the whole campaign."""
    return campaigns["spent_nanos"][campaign_ix] + campaigns["reserved_nanos"][campaign_ix]


@njit(cache=True)
def committed_day_nanos(campaigns: NDArray[np.void], campaign_ix: int, today_ix: int) -> int:
    """Spent plus held today; the book still shows the last day the campaign committed anything."""
    if campaigns["day_ix"][campaign_ix] != today_ix:
        return 0
    return campaigns["spent_day_nanos"][campaign_ix] + campaigns["reserved_day_nanos"][campaign_ix]


@njit(cache=True)
def affordable(
    campaigns: NDArray[np.void], index: NDArray[np.int64], campaign_ix: int, amount_nanos: int, now_s: float
) -> bool:
    """Whether *amount_nanos* fits both the total and today's budget: the hard stop."""
    if committed_nanos(campaigns, campaign_ix) + amount_nanos > campaigns["total_nanos"][campaign_ix]:
        return False
    daily_nanos = campaigns["daily_nanos"][campaign_ix]
    if daily_nanos == NO_DAILY_LIMIT:
        return True
    return committed_day_nanos(campaigns, campaign_ix, day_ix(index, now_s)) + amount_nanos <= daily_nanos


@njit(cache=True)
def on_plan(
    campaigns: NDArray[np.void], index: NDArray[np.int64], campaign_ix: int, amount_nanos: int, now_s: float
) -> bool:
    """Whether *amount_nanos* keeps an evenly paced campaign at or below its straight lines (run and day)."""
    if campaigns["pace"][campaign_ix] != PACE_EVEN:
        return True
    start_s = campaigns["start_s"][campaign_ix]
    elapsed = (now_s - start_s) / (campaigns["end_s"][campaign_ix] - start_s)
    planned_nanos = int(campaigns["total_nanos"][campaign_ix] * elapsed)
    if committed_nanos(campaigns, campaign_ix) + amount_nanos > planned_nanos:
        return False
    daily_nanos = campaigns["daily_nanos"][campaign_ix]
    if daily_nanos == NO_DAILY_LIMIT:
        return True
    day = (now_s + index[START_OF_DAY_S]) / DAY_S
    today_ix = int(math.floor(day))
    return committed_day_nanos(campaigns, campaign_ix, today_ix) + amount_nanos <= int(daily_nanos * (day - today_ix))
