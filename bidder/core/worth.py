"""What an impression is worth to a campaign, by its goal and its predicted rates."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from bidder.core.book import CTR, CVR, Book
from bidder.core.codes import GOAL_CPA, GOAL_CPC, GOAL_PRIVATE


@njit(cache=True)
def goal_rate(book: Book, campaign_ix: int, slot_ix: int) -> float:
    """Predicted rate of what the goal pays for: clicks or purchases per impression, or 1 for impressions."""
    goal = book.campaigns["goal"][campaign_ix]
    if goal == GOAL_CPC:
        return book.cells[campaign_ix, slot_ix, CTR]
    if goal == GOAL_CPA:
        return book.cells[campaign_ix, slot_ix, CVR]
    return 1.0


@njit(cache=True)
def worth_nanos(book: Book, campaign_ix: int, rate: float, signals: NDArray[np.int64]) -> float:
    """Worth of one impression (float nanos): rate times the goal's value, or the private value the signal carries."""
    if book.campaigns["goal"][campaign_ix] == GOAL_PRIVATE:
        return float(signals[book.campaigns["signal_ix"][campaign_ix]])
    return rate * book.campaigns["goal_value"][campaign_ix]
