"""Arrays of the sellers' rules, and the terms one request is offered on.

Money in int64 nanos per impression, time in seconds since the scenario's start.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

NO_DEAL, DEAL_FLOOR, PRIVATE_AUCTION, PREFERRED, GUARANTEED = 0, 1, 2, 3, 4
"""Kinds of deals, the later the higher their tier: a request carries the highest that is open."""
DEAL_KINDS = ("none", "floor", "private_auction", "preferred", "guaranteed")

WAY_OPEN, WAY_DEAL, WAY_PRIVATE, WAY_PREFERRED, WAY_GUARANTEED, WAY_NETWORK = range(6)
WAYS = ("open", "deal", "private_auction", "preferred", "guaranteed", "network")
"""How an impression was sold. The first five are numbered as the kinds of deals are."""

LOST_TO_HIGHER, LOST_BELOW_FLOOR, LOST_TO_DEAL, LOST_REFUSED, LOST_STOPPED = range(5)
"""Why a bid lost: a higher one, below its floor, sold in a private auction before the open one, an ad or page refused
as declared, or stopped while it loaded."""

OUR_FLOOR, RIVALS_FLOOR, SOFT_FLOOR = 0, 1, 2

DEAL = np.dtype(
    [
        ("kind", "i4"),
        ("rivals_ix", "i4"),  # who else is invited to a private auction; -1: nobody
        ("even", "i4"),  # 1: a guaranteed deal keeps to the straight line from start to end
        ("price_nanos", "i8"),  # floor, or the fixed price
        ("goal", "i8"),  # impressions guaranteed
        ("end_s", "f8"),  # when they are due; what is missing then is made good afterwards
    ],
    align=True,
)

RESERVE = np.dtype(
    [
        ("slot_ix", "i4"),
        ("explore", "f8"),  # share of requests offered without the learned floor, to learn from
        ("keep", "f8"),  # weight of what is known after each tick
        ("floor_nanos", "i8"),  # learned so far
    ],
    align=True,
)

TERMS = np.dtype(
    [
        ("slot_ix", "i4"),  # the slot as the buyer meets it: a network's own instead of the seller's
        ("deal_ix", "i4"),  # -1: none
        ("deal_kind", "i4"),
        ("explores", "i4"),  # 1: offered without the learned floor
        ("floor_nanos", "i8"),  # for our bidder
        ("rivals_floor_nanos", "i8"),
        ("soft_nanos", "i8"),  # below it the winner pays its bid
        ("deal_floor_nanos", "i8"),
    ],
    align=True,
)


class Selling(NamedTuple):
    """Rules of the slots that have any. S slots, D deals, R learned reserves."""

    floors: NDArray[np.int64]
    """int64[168 or 1, S, places or 1, 3]: our floor, the rivals' floor, the soft floor (one hour or place: for all)."""
    slot_deals: NDArray[np.int64]
    """int64[]: the deals of each slot one after another, highest tier first."""
    deals: NDArray[np.void]
    """DEAL[D]."""
    delivered: NDArray[np.int64]
    """int64[D]: impressions bought inside each deal (changes)."""
    reserves: NDArray[np.void]
    """RESERVE[R] (changes)."""
    observed: NDArray[np.float64]
    """float64[R, BINS, 3]: bids seen while exploring, see `exchange_sim.selling.reserve` (changes)."""
