"""How worth becomes a bid: the published rules, on floats in nanos per impression."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from bidder.core.codes import (
    BID_CONSTANT,
    BID_LINEAR,
    BID_MCPC,
    BID_ORTB1,
    BID_ORTB2,
    BID_SHADED_LOGNORMAL,
    BID_SHADED_UNIFORM,
)
from bidder.core.kernel import kernel
from bidder.core.shading import shade_lognormal, shade_uniform


@kernel
def linear(rate: float, base_nanos: float, average_rate: float) -> float:
    """Bid in proportion to the predicted rate: base * rate / average (Perlich et al., KDD 2012)."""
    return base_nanos * rate / average_rate


@kernel
def mcpc(ctr: float, max_ecpc_nanos: float) -> float:
    """Bid the highest effective cost per click times the click rate."""
    return max_ecpc_nanos * ctr


@kernel
def ortb1(rate: float, c_nanos: float, lagrange: float) -> float:
    """Maximiser of (rate - lagrange * b) * b / (b + c) (Zhang, Yuan, Wang, KDD 2014, eq. 9).

    *lagrange* is the rate bought per nano at the margin: sqrt(c / lagrange * rate + c^2) - c.
    """
    return math.sqrt(c_nanos / lagrange * rate + c_nanos * c_nanos) - c_nanos


@kernel
def ortb2(rate: float, c_nanos: float, lagrange: float) -> float:
    """Maximiser of (rate - lagrange * b) * b^2 / (b^2 + c^2) (Zhang, Yuan, Wang, KDD 2014, eq. 11).

    The root of b^3 + 3 c^2 b = 2 c^2 rate / lagrange, written with hyperbolic functions: their two cube roots cancel at
    small rates.
    """
    return 2.0 * c_nanos * math.sinh(math.asinh(rate / (lagrange * c_nanos)) / 3.0)


@kernel
def bid_nanos(campaigns: NDArray[np.void], campaign_ix: int, worth_nanos: float, ctr: float, goal_rate: float) -> int:
    """The campaign's bid (int64 nanos, rounded down, never above its highest bid)."""
    kind = campaigns["bid_kind"][campaign_ix]
    a = campaigns["bid_a"][campaign_ix]
    b = campaigns["bid_b"][campaign_ix]
    if kind == BID_CONSTANT:
        bid = a
    elif kind == BID_LINEAR:
        bid = linear(goal_rate, a, b)
    elif kind == BID_MCPC:
        bid = mcpc(ctr, a)
    elif kind == BID_ORTB1:
        bid = ortb1(goal_rate, a, b)
    elif kind == BID_ORTB2:
        bid = ortb2(goal_rate, a, b)
    elif kind == BID_SHADED_LOGNORMAL:
        bid = shade_lognormal(worth_nanos, a, b)
    elif kind == BID_SHADED_UNIFORM:
        bid = shade_uniform(worth_nanos, a, b)
    else:
        bid = a * worth_nanos
    highest = campaigns["bid_max_nanos"][campaign_ix]
    if bid >= highest:
        return highest
    return int(bid)
