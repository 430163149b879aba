"""The price list: what an impression in each slot is worth to each campaign, and what it bids for it.

Worth follows from the goal and the predicted rates, the bid from the worth; both change only when rates do, so they
are worked out once per tick and read at every decision. A private value is priced on the spot.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bidder.core.bids import bid_nanos
from bidder.core.book import BID_PRICE, CELL_CLICKS, CELL_CONVERSIONS, CELL_WINS, CTR, CVR, WORTH, Book
from bidder.core.codes import BID_SHADED_LOGNORMAL, BID_SHADED_UNIFORM, GOAL_CPA, GOAL_CPC, GOAL_ROAS, PACE_ADAPTIVE
from bidder.core.kernel import entry, kernel, outlined
from bidder.core.live import live_quote

BASKETS_BELIEVED = 5.0
"""Purchases the plan's mean value of a purchase is worth."""
LISTED, LIVE = -1, -2
"""Values of a campaign's `signal_ix` that are no signal: its price is on the list, or worked out on the spot."""

LARGEST_NANOS = 2.0**62
"""An int64 holds no larger worth: a huge value would turn negative."""


@kernel
def goal_rate(book: Book, campaign_ix: int, slot_ix: int) -> float:
    """Predicted rate of what the goal pays for: clicks or purchases per impression, or 1 for impressions."""
    goal = book.campaigns["goal"][campaign_ix]
    if goal == GOAL_CPC:
        return book.cells[campaign_ix, slot_ix, CTR]
    if goal in (GOAL_CPA, GOAL_ROAS):
        return book.cells[campaign_ix, slot_ix, CVR]
    return 1.0


@entry
def list_prices(book: Book, campaign_ix: int) -> None:
    """Write the campaign's worth and bid for every slot into the price list."""
    for s in range(book.cells.shape[1]):
        rate = goal_rate(book, campaign_ix, s)
        worth = rate * book.campaigns["goal_value"][campaign_ix]
        book.prices[campaign_ix, s, WORTH] = int(min(worth, LARGEST_NANOS))
        book.prices[campaign_ix, s, BID_PRICE] = bid_nanos(
            book.campaigns, campaign_ix, worth, book.cells[campaign_ix, s, CTR], rate
        )


@kernel
def quote(book: Book, campaign_ix: int, imps: NDArray[np.void], i: int, signals: NDArray[np.int64]) -> tuple[int, int]:
    """Worth and bid (nanos) for impression *i*: from the price list, its private value, or worked out on the spot."""
    campaigns, slot_ix = book.campaigns, imps["slot_ix"][i]
    signal_ix = campaigns["signal_ix"][campaign_ix]
    if signal_ix == LISTED:
        worth, bid = book.prices[campaign_ix, slot_ix, WORTH], book.prices[campaign_ix, slot_ix, BID_PRICE]
        bid_worth = float(worth)
    elif signal_ix == LIVE:
        worth, bid_worth, bid = live_quote(book, campaign_ix, imps, i)
    else:
        worth = signals[signal_ix]
        bid_worth = float(worth)
        bid = bid_nanos(campaigns, campaign_ix, bid_worth, book.cells[campaign_ix, slot_ix, CTR], 1.0)
    if campaigns["pace"][campaign_ix] >= PACE_ADAPTIVE:
        bid = paced_bid(campaigns, campaign_ix, bid_worth, bid)
    return worth, bid


@outlined
def paced_bid(campaigns: NDArray[np.void], campaign_ix: int, worth: float, bid: int) -> int:
    """The bid (nanos) under the campaign's multiplier.

    Shaded bids are worked out anew for the worth times the multiplier: that maximises worth - b / multiplier, money at
    its price under the budget. Every other rule's bid is multiplied itself.
    """
    multiplier = campaigns["multiplier"][campaign_ix]
    if BID_SHADED_LOGNORMAL <= campaigns["bid_kind"][campaign_ix] <= BID_SHADED_UNIFORM:
        return bid_nanos(campaigns, campaign_ix, worth * multiplier, 0.0, 1.0)
    return int(bid * multiplier)


@kernel
def learn_basket(campaigns: NDArray[np.void], campaign_ix: int) -> None:
    """Refresh the worth of a purchase: its mean value so far (the plan's counts too), divided by the target."""
    value = BASKETS_BELIEVED * campaigns["basket_nanos"][campaign_ix] + campaigns["conversion_nanos"][campaign_ix]
    mean = value / (BASKETS_BELIEVED + campaigns["conversions"][campaign_ix])
    campaigns["goal_value"][campaign_ix] = mean / campaigns["roas_target"][campaign_ix]


@kernel
def learn_rates(book: Book, campaign_ix: int) -> None:
    """Refresh the campaign's rates from its own feedback, slot by slot.

    The posterior mean under a beta prior worth `prior_impressions`: (prior * strength + count) / (strength + wins).
    """
    cells = book.cells
    strength = book.campaigns["prior_impressions"][campaign_ix]
    clicks, purchases = book.campaigns["prior_ctr"][campaign_ix], book.campaigns["prior_cvr"][campaign_ix]
    for s in range(cells.shape[1]):
        weight = strength + cells[campaign_ix, s, CELL_WINS]
        cells[campaign_ix, s, CTR] = (clicks * strength + cells[campaign_ix, s, CELL_CLICKS]) / weight
        cells[campaign_ix, s, CVR] = (purchases * strength + cells[campaign_ix, s, CELL_CONVERSIONS]) / weight
