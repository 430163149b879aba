"""The win curve of a shaded bid learned while it is used (`curve: {learned: true}`), from the campaign's own auctions.

A lognormal price to beat; of each auction the bidder knows a bound or, from second prices and where the exchange tells
it (minimum to win), the price itself, as in `bidder.core.winrate`, whose likelihood this climbs. Parameters are
slope = 1 / sigma and offset = -mu / sigma of logarithms counted from the plan's median, where it is concave.

Prices seen are kept whole, as their number, sum and sum of squares. Bounds are kept as the quadratic that touches their
likelihood where they were heard: its gradient where the curve is now, and the information. Once per tick the curve goes
to the top of both together (with bounds alone one Newton step, or online natural gradient). The plan's curve counts as
CURVE_BELIEVED prices seen. Money in nanos.
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
"""Most that a tick changes the slope, as a part of it, and the offset, where all is bounds: their quadratic holds near
by. Divided by the share of bounds where there are prices too."""
SMALLEST_STEP = 1e-12
"""Anything less is rounding."""
LOWEST_SIGMA, HIGHEST_SIGMA = 0.01, 20.0


@outlined
def hear_price(campaigns: NDArray[np.void], campaign_ix: int, at_nanos: float, kind: int) -> None:
    """Gather what an auction tells: SEEN, the price to beat was *at_nanos*; BELOW or ABOVE, it lay on that side."""
    if at_nanos <= 0.0:
        return
    x = math.log(at_nanos) - campaigns["curve_centre"][campaign_ix]
    campaigns["curve_heard"][campaign_ix] += 1.0
    if kind == SEEN:
        campaigns["curve_seen"][campaign_ix] += 1.0
        campaigns["curve_sum"][campaign_ix] += x
        campaigns["curve_squares"][campaign_ix] += x * x
        return
    z = (math.log(at_nanos) - campaigns["bid_a"][campaign_ix]) / campaigns["bid_b"][campaign_ix]
    sign = 1.0 if kind == BELOW else -1.0
    mills = math.exp(log_mills(sign * z))
    first, curvature = sign * mills, mills * (sign * z + mills)
    campaigns["curve_slope_push"][campaign_ix] += first * x
    campaigns["curve_offset_push"][campaign_ix] += first
    campaigns["curve_slopes"][campaign_ix] += curvature * x * x
    campaigns["curve_both"][campaign_ix] += curvature * x
    campaigns["curve_offsets"][campaign_ix] += curvature


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


@kernel
def top_of(
    slope: float,
    offset: float,
    push: tuple[float, float],
    bounds: tuple[float, float, float],
    seen: tuple[float, float, float],
) -> tuple[float, float]:
    """(slope, offset) at which the log-likelihood is highest.

    *push* is the gradient of the bounds' quadratic at *slope* and *offset*, *bounds* minus its second derivatives
    (slope, both, offset), *seen* number, sum and sum of squares of the prices' logarithms x, whose log-likelihood is
    n log s - sum (s x + o)^2 / 2. With the offset that is best for s the derivative of all is n / s + p - q s.
    """
    number, total, squares = seen
    slopes, both, offsets = bounds[0] + squares, bounds[1] + total, bounds[2] + number
    towards_slope = push[0] + bounds[0] * slope + bounds[1] * offset
    towards_offset = push[1] + bounds[1] * slope + bounds[2] * offset
    p = towards_slope - both * towards_offset / offsets
    q = slopes - both * both / offsets
    if not q > 0.0:
        return slope, offset
    best = (p + math.sqrt(p * p + 4.0 * q * number)) / (2.0 * q)
    return best, (towards_offset - both * best) / offsets


@outlined
def learn_curve(campaigns: NDArray[np.void], campaign_ix: int) -> bool:
    """Once per tick: move the curve to where what was gathered points; whether it moved."""
    push = (float(campaigns["curve_slope_push"][campaign_ix]), float(campaigns["curve_offset_push"][campaign_ix]))
    slopes, both = float(campaigns["curve_slopes"][campaign_ix]), float(campaigns["curve_both"][campaign_ix])
    offsets, number = float(campaigns["curve_offsets"][campaign_ix]), float(campaigns["curve_seen"][campaign_ix])
    seen = (number, float(campaigns["curve_sum"][campaign_ix]), float(campaigns["curve_squares"][campaign_ix]))
    centre, sigma = campaigns["curve_centre"][campaign_ix], campaigns["bid_b"][campaign_ix]
    slope, offset = 1.0 / sigma, (centre - campaigns["bid_a"][campaign_ix]) / sigma
    best_slope, best_offset = top_of(slope, offset, push, (slopes, both, offsets), seen)
    heard = campaigns["curve_heard"][campaign_ix]
    far = max(abs(best_slope - slope) / slope, abs(best_offset - offset))
    if not far > SMALLEST_STEP:
        return False
    shrink = 1.0 / max(far * (heard - number) / (heard * LONGEST_STEP), 1.0)
    sigma = min(max(1.0 / (slope + shrink * (best_slope - slope)), LOWEST_SIGMA), HIGHEST_SIGMA)
    more_slope = 1.0 / sigma - slope
    more_offset = shrink * (best_offset - offset)
    campaigns["bid_b"][campaign_ix] = sigma
    campaigns["bid_a"][campaign_ix] = centre - (offset + more_offset) * sigma
    keep = min(MOST_REMEMBERED / heard, 1.0)
    campaigns["curve_slope_push"][campaign_ix] = keep * (push[0] - slopes * more_slope - both * more_offset)
    campaigns["curve_offset_push"][campaign_ix] = keep * (push[1] - both * more_slope - offsets * more_offset)
    if keep < 1.0:
        campaigns["curve_slopes"][campaign_ix] *= keep
        campaigns["curve_both"][campaign_ix] *= keep
        campaigns["curve_offsets"][campaign_ix] *= keep
        campaigns["curve_seen"][campaign_ix] *= keep
        campaigns["curve_sum"][campaign_ix] *= keep
        campaigns["curve_squares"][campaign_ix] *= keep
        campaigns["curve_heard"][campaign_ix] = MOST_REMEMBERED
    return True
