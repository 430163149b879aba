"""Budgets and pacing: may this campaign commit this much now? Reads only; `settle` writes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bidder.core.codes import NO_DAILY_LIMIT, PACE_EVEN
from bidder.core.kernel import kernel


@kernel
def committed_nanos(campaigns: NDArray[np.void], campaign_ix: int) -> int:
    """Spent plus held by bids in flight, over the whole campaign."""
    return campaigns["spent_nanos"][campaign_ix] + campaigns["reserved_nanos"][campaign_ix]


@kernel
def committed_day_nanos(campaigns: NDArray[np.void], campaign_ix: int, today_ix: int) -> int:
    """Spent plus held today; the book still shows the last day the campaign committed anything."""
    if campaigns["day_ix"][campaign_ix] != today_ix:
        return 0
    return campaigns["spent_day_nanos"][campaign_ix] + campaigns["reserved_day_nanos"][campaign_ix]


@kernel
def affordable(campaigns: NDArray[np.void], campaign_ix: int, amount_nanos: int, today_ix: int) -> bool:
    """Whether *amount_nanos* fits both the total and today's budget: the hard stop."""
    if committed_nanos(campaigns, campaign_ix) + amount_nanos > campaigns["total_nanos"][campaign_ix]:
        return False
    daily_nanos = campaigns["daily_nanos"][campaign_ix]
    return committed_day_nanos(campaigns, campaign_ix, today_ix) + amount_nanos <= daily_nanos


@kernel
def on_plan(
    campaigns: NDArray[np.void], campaign_ix: int, amount_nanos: int, now_s: float, today_ix: int, day_share: float
) -> bool:
    """Whether *amount_nanos* keeps an evenly paced campaign at or below its straight lines (run and day).

    *day_share* is the part of today that has passed.
    """
    if campaigns["pace"][campaign_ix] != PACE_EVEN:
        return True
    planned_nanos = int((now_s - campaigns["start_s"][campaign_ix]) * campaigns["nanos_per_s"][campaign_ix])
    if committed_nanos(campaigns, campaign_ix) + amount_nanos > planned_nanos:
        return False
    daily_nanos = campaigns["daily_nanos"][campaign_ix]
    if daily_nanos == NO_DAILY_LIMIT:
        return True
    return committed_day_nanos(campaigns, campaign_ix, today_ix) + amount_nanos <= int(daily_nanos * day_share)
