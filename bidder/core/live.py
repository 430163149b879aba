"""Prices that cannot be listed: worth that depends on the person and the moment, worked out for each eligible campaign.

Used where rates come from a model or worth falls with frequency; every other campaign's price is read from the list.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bidder.core.bids import bid_nanos
from bidder.core.book import CTR, CVR, WORTH, Book
from bidder.core.budgets import affordable
from bidder.core.clock import hour_of_week
from bidder.core.codes import BID, BID_RANDOM, BUDGET_GONE, GOAL_CPC, GOAL_CPM, NOT_TARGETED
from bidder.core.ftrl import hashed
from bidder.core.kernel import kernel, outlined
from bidder.core.rates import CLICKS, PURCHASES, USES_CLICKS, USES_PURCHASES, explored, normal_draw, predict
from bidder.core.targeting import inside_fence
from bidder.core.touch import earlier_exposures, slot_of, touch_of

_S12 = np.uint64(12)


@kernel
def curve_factor(book: Book, campaign_ix: int, earlier: int) -> float:
    """Factor on the worth after *earlier* exposures; the last one holds for all above, the first for strangers."""
    count = book.campaigns["curve_count"][campaign_ix]
    if count == 0:
        return 1.0
    return book.curves[book.campaigns["curve_first"][campaign_ix] + min(max(earlier, 0), count - 1)]


@kernel
def random_bid(campaigns: NDArray[np.void], campaign_ix: int, request_no: int, slot_ix: int) -> int:
    """A bid uniform between the rule's two prices (nanos), drawn from the request's number."""
    bits = hashed(request_no ^ 1 << 60, (campaign_ix << 20) ^ slot_ix)
    low, high = campaigns["bid_a"][campaign_ix], campaigns["bid_b"][campaign_ix]
    bid = low + np.float64(bits >> _S12) / 4503599627370496.0 * (high - low)
    return min(int(bid), campaigns["bid_max_nanos"][campaign_ix])


@kernel
def worth_of(book: Book, campaign_ix: int, person_ix: int, touch: int, now_s: float) -> float:
    """Predicted worth (nanos) of an impression just bought; worth by frequency is left out."""
    modelled = book.campaigns["modelled"][campaign_ix]
    if modelled == 0:
        return float(book.prices[campaign_ix, slot_of(touch), WORTH])
    model = CLICKS if book.campaigns["goal"][campaign_ix] == GOAL_CPC else PURCHASES
    rate = predict(book, campaign_ix, model, person_ix, touch, hour_of_week(book.index, now_s))[0]
    return rate * book.campaigns["goal_value"][campaign_ix]


@outlined
def price_apart(campaigns: NDArray[np.void], campaign_ix: int, worth: float, ctr: float, rate: float) -> int:
    """`bid_nanos`, not copied into the loop once more."""
    return bid_nanos(campaigns, campaign_ix, worth, ctr, rate)


@kernel
def refused_unpriced(book: Book, campaign_ix: int, imps: NDArray[np.void], i: int, today_ix: int) -> int:
    """BID, or why no price need be worked out: outside the campaign's time or fence, or not even the floor affordable.

    Asked of campaigns priced live only: the others' prices cost nothing. A user's strategy is always asked.
    """
    campaigns, now_s = book.campaigns, imps["now_s"][i]
    if campaigns["strategy"][campaign_ix] != 0:
        return BID
    if now_s < campaigns["start_s"][campaign_ix] or now_s >= campaigns["end_s"][campaign_ix]:
        return NOT_TARGETED
    if not inside_fence(campaigns, campaign_ix, imps["lat"][i], imps["lon"][i]):
        return NOT_TARGETED
    floor = imps["deal_floor_nanos"][i] if campaigns["via_deal"][campaign_ix] == 1 else imps["floor_nanos"][i]
    return BID if affordable(campaigns, campaign_ix, max(floor, 1), today_ix) else BUDGET_GONE


@kernel
def live_quote(book: Book, campaign_ix: int, imps: NDArray[np.void], i: int) -> tuple[int, float, int]:
    """Worth (nanos), the worth it bids on, and the bid before pacing.

    The two worths differ where the campaign explores: it bids on a draw of the rate, and reports the mean.
    """
    campaigns = book.campaigns
    person_ix, slot_ix = imps["person_ix"][i], imps["slot_ix"][i]
    earlier = earlier_exposures(book, campaign_ix, person_ix, imps["now_s"][i])
    goal, modelled = campaigns["goal"][campaign_ix], campaigns["modelled"][campaign_ix]
    clicks, purchases = book.cells[campaign_ix, slot_ix, CTR], book.cells[campaign_ix, slot_ix, CVR]
    variance = 0.0
    if modelled != 0:
        touch, hour = touch_of(imps, i, earlier), imps["hour"][i]
        if modelled & USES_CLICKS:
            clicks, variance = predict(book, campaign_ix, CLICKS, person_ix, touch, hour)
        if modelled & USES_PURCHASES:
            purchases, variance = predict(book, campaign_ix, PURCHASES, person_ix, touch, hour)
    rate = 1.0 if goal == GOAL_CPM else clicks if goal == GOAL_CPC else purchases
    factor = curve_factor(book, campaign_ix, earlier)
    value = campaigns["goal_value"][campaign_ix] * factor
    draw = 1.0
    if campaigns["explores"][campaign_ix] == 1:
        draw = explored(1.0, variance, normal_draw(imps["request_no"][i], campaign_ix, slot_ix))
    bid_worth = rate * draw * value
    if campaigns["bid_kind"][campaign_ix] == BID_RANDOM:
        return int(rate * value), bid_worth, random_bid(campaigns, campaign_ix, imps["request_no"][i], slot_ix)
    bid = price_apart(campaigns, campaign_ix, bid_worth, clicks * draw * factor, rate * draw * factor)
    return int(rate * value), bid_worth, bid
