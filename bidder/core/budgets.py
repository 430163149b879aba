"""Budgets and pacing: may this campaign commit this much now? Reads only; `settle` writes."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from bidder.core.book import START_HOUR, START_OF_DAY_S, Book
from bidder.core.codes import DAY_S, HOUR_S, NO_DAILY_LIMIT, PACE_EVEN, WEEK_HOURS
from bidder.core.kernel import entry, kernel


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


@entry
def course(curves: NDArray[np.float64], first: int, index: NDArray[np.int64], now_s: float) -> float:
    """Weight of all hours of the week up to *now_s*, counted from a Monday 00:00 before the scenario's start.

    curves[first .. first + 168] hold the cumulative weights of one week, beginning with 0.
    """
    hours = index[START_HOUR] + (now_s + index[START_OF_DAY_S] % 3600) / HOUR_S
    weeks = math.floor(hours / WEEK_HOURS)
    hours -= weeks * WEEK_HOURS
    hour = min(int(hours), WEEK_HOURS - 1)
    low, high = curves[first + hour], curves[first + hour + 1]
    return weeks * curves[first + WEEK_HOURS] + low + (hours - hour) * (high - low)


@kernel
def shaped_share(book: Book, campaign_ix: int, from_s: float, to_s: float, now_s: float) -> float:
    """Part of the campaign's weight of hours between two times that lies before *now_s*; of time, without a shape."""
    first = book.campaigns["shape_first"][campaign_ix]
    if first < 0:
        return (now_s - from_s) / (to_s - from_s)
    begun = course(book.curves, first, book.index, from_s)
    whole = course(book.curves, first, book.index, to_s) - begun
    return (course(book.curves, first, book.index, now_s) - begun) / whole if whole > 0.0 else 1.0


@kernel
def _shaped_plan(book: Book, campaign_ix: int, amount_nanos: int, now_s: float, today_ix: int) -> bool:
    """`on_plan` along a weekly shape."""
    campaigns, first = book.campaigns, book.campaigns["shape_first"][campaign_ix]
    reached = course(book.curves, first, book.index, now_s)
    whole = campaigns["shape_whole"][campaign_ix]
    share = (reached - campaigns["shape_begun"][campaign_ix]) / whole if whole > 0.0 else 1.0
    planned_nanos = int(campaigns["total_nanos"][campaign_ix] * share)
    if committed_nanos(campaigns, campaign_ix) + amount_nanos > planned_nanos:
        return False
    daily_nanos = campaigns["daily_nanos"][campaign_ix]
    if daily_nanos == NO_DAILY_LIMIT:
        return True
    midnight_s = today_ix * DAY_S - book.index[START_OF_DAY_S]
    begun = course(book.curves, first, book.index, midnight_s)
    whole = course(book.curves, first, book.index, midnight_s + DAY_S) - begun
    share = (reached - begun) / whole if whole > 0.0 else 1.0
    return committed_day_nanos(campaigns, campaign_ix, today_ix) + amount_nanos <= int(daily_nanos * share)


@kernel
def on_plan(book: Book, campaign_ix: int, amount_nanos: int, now_s: float, today_ix: int, day_share: float) -> bool:
    """Whether *amount_nanos* keeps an evenly paced campaign at or below its lines (run and day): straight, or shaped.

    *day_share* is the part of today that has passed.
    """
    campaigns = book.campaigns
    if campaigns["pace"][campaign_ix] != PACE_EVEN:
        return True
    if campaigns["shape_first"][campaign_ix] >= 0:
        return _shaped_plan(book, campaign_ix, amount_nanos, now_s, today_ix)
    planned_nanos = int((now_s - campaigns["start_s"][campaign_ix]) * campaigns["nanos_per_s"][campaign_ix])
    if committed_nanos(campaigns, campaign_ix) + amount_nanos > planned_nanos:
        return False
    daily_nanos = campaigns["daily_nanos"][campaign_ix]
    if daily_nanos == NO_DAILY_LIMIT:
        return True
    return committed_day_nanos(campaigns, campaign_ix, today_ix) + amount_nanos <= int(daily_nanos * day_share)
