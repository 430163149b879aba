"""The win curve of a shaded bid learned while it is used (`curve: {learned: true}`), from the campaign's own auctions.

A lognormal price to beat; of each auction the bidder knows a bound or the price itself, as in `bidder.core.winrate`,
whose likelihood this climbs. The price is known where the exchange tells it (minimum to win) and from second prices.
It climbs per tick one Newton step with all information gathered so far (online natural gradient).
Parameters are slope = 1 / sigma and offset = -mu / sigma of logarithms counted from the plan's median, where the
likelihood is concave. The plan's curve counts as CURVE_BELIEVED prices seen. Money in nanos.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from bidder.core.kernel import kernel, outlined
from bidder.core.shading import log_mills
from bidder.core.winrate import ABOVE, BELOW, SEEN

CURVE_BELIEVED = 20.0
"""Prices seen that the plan's curve is worth."""
MOST_REMEMBERED = 20_000.0
"""Auctions after which older ones begin to be forgotten: markets move."""
LONGEST_STEP = 0.25
"""Most that a tick changes the slope, as a part of it, and the offset."""
LOWEST_SIGMA, HIGHEST_SIGMA = 0.01, 20.0


@outlined
def hear_price(campaigns: NDArray[np.void], campaign_ix: int, at_nanos: float, kind: int) -> None:
    """Gather what an auction tells: SEEN, the price to beat was *at_nanos*; BELOW or ABOVE, it lay on that side."""
    if at_nanos <= 0.0:
        return
    sigma = campaigns["bid_b"][campaign_ix]
    x = math.log(at_nanos) - campaigns["curve_centre"][campaign_ix]
    z = (math.log(at_nanos) - campaigns["bid_a"][campaign_ix]) / sigma
    if kind == SEEN:
        first, curvature = -z, 1.0
        campaigns["curve_slope_push"][campaign_ix] += sigma
        campaigns["curve_slopes"][campaign_ix] += sigma * sigma
    else:
        sign = 1.0 if kind == BELOW else -1.0
        mills = math.exp(log_mills(sign * z))
        first, curvature = sign * mills, mills * (sign * z + mills)
    campaigns["curve_slope_push"][campaign_ix] += first * x
    campaigns["curve_offset_push"][campaign_ix] += first
    campaigns["curve_slopes"][campaign_ix] += curvature * x * x
    campaigns["curve_both"][campaign_ix] += curvature * x
    campaigns["curve_offsets"][campaign_ix] += curvature
    campaigns["curve_heard"][campaign_ix] += 1.0


@kernel
def hear_auction(
    campaigns: NDArray[np.void], campaign_ix: int, bid_nanos: int, price_nanos: int, won: bool, to_beat_nanos: int
) -> None:
    """Take in an auction the campaign bid in. *to_beat_nanos*: the least that would have won, as told; 0: not told.

    What is told is believed if it lies on the side of the bid where it must: nobody signs it. Untold, a win below the
    bid was a second price and shows the price to beat; all else only bounds it.
    """
    if campaigns["curve_learned"][campaign_ix] == 0:
        return
    if to_beat_nanos > 0 and (to_beat_nanos <= bid_nanos if won else to_beat_nanos >= bid_nanos):
        hear_price(campaigns, campaign_ix, float(to_beat_nanos), SEEN)
    elif won and price_nanos < bid_nanos:
        hear_price(campaigns, campaign_ix, float(price_nanos), SEEN)
    else:
        hear_price(campaigns, campaign_ix, float(bid_nanos), BELOW if won else ABOVE)


@outlined
def learn_curve(campaigns: NDArray[np.void], campaign_ix: int) -> bool:
    """Once per tick: move the curve to where what was gathered points; whether it moved."""
    slope_push, offset_push = campaigns["curve_slope_push"][campaign_ix], campaigns["curve_offset_push"][campaign_ix]
    slopes, offsets = campaigns["curve_slopes"][campaign_ix], campaigns["curve_offsets"][campaign_ix]
    both = campaigns["curve_both"][campaign_ix]
    determinant = slopes * offsets - both * both
    if (slope_push == 0.0 and offset_push == 0.0) or not determinant > 0.0:
        return False
    centre, sigma = campaigns["curve_centre"][campaign_ix], campaigns["bid_b"][campaign_ix]
    slope, offset = 1.0 / sigma, (centre - campaigns["bid_a"][campaign_ix]) / sigma
    more_slope = (offsets * slope_push - both * offset_push) / determinant
    more_offset = (slopes * offset_push - both * slope_push) / determinant
    too_far = max(abs(more_slope) / slope, abs(more_offset)) / LONGEST_STEP
    shrink = 1.0 / max(too_far, 1.0)
    sigma = min(max(1.0 / (slope + shrink * more_slope), LOWEST_SIGMA), HIGHEST_SIGMA)
    campaigns["bid_b"][campaign_ix] = sigma
    campaigns["bid_a"][campaign_ix] = centre - (offset + shrink * more_offset) * sigma
    campaigns["curve_slope_push"][campaign_ix] = campaigns["curve_offset_push"][campaign_ix] = 0.0
    heard = campaigns["curve_heard"][campaign_ix]
    if heard > MOST_REMEMBERED:
        campaigns["curve_slopes"][campaign_ix] *= MOST_REMEMBERED / heard
        campaigns["curve_both"][campaign_ix] *= MOST_REMEMBERED / heard
        campaigns["curve_offsets"][campaign_ix] *= MOST_REMEMBERED / heard
        campaigns["curve_heard"][campaign_ix] = MOST_REMEMBERED
    return True
