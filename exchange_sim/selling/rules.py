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

WAY_OPEN, WAY_DEAL, WAY_PRIVATE, WAY_PREFERRED, WAY_GUARANTEED, WAY_NETWORK, WAY_HEADER = range(7)
WAYS = ("open", "deal", "private_auction", "preferred", "guaranteed", "network", "header")
"""How an impression was sold. The first five are numbered as the kinds of deals are."""

LOST_TO_HIGHER, LOST_BELOW_FLOOR, LOST_TO_DEAL, LOST_REFUSED, LOST_STOPPED, LOST_ELSEWHERE, LOST_SEAT = range(7)
LOST_ADVERTISER, LOST_CATEGORY = 7, 8
"""Why a bid lost: a higher one, below its floor, sold inside a deal before, an ad or page refused as declared, or
stopped while it loaded, sold through another exchange, its seat may not buy there, or the page shows its advertiser or
an ad of its category already."""
LOSS_COUNT = 9

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


PATH = np.dtype(
    [
        ("first", "i4"),  # its further paths are slots of their own: first .. first + count - 1
        ("count", "i4"),
        ("fee_parts", "i8"),  # what the path's exchange keeps of a price, in billionths
        ("auction_kind", "i4"),  # of the path's exchange
        ("own_rivals", "i4"),  # 1: its rivals are others than on the first path, with draws of their own
    ],
    align=True,
)

PAGE = np.dtype(
    [
        ("slots", "i4"),  # how many slots the slot's page has; 0: it is on none
        ("position", "i4"),  # 0: the first, which traffic draws
        ("next_slot_ix", "i4"),  # -1: the last
        ("apart", "i4"),  # see exchange_sim.selling.separation
    ],
    align=True,
)


class Pages(NamedTuple):
    """Pages of several slots, and who competes with whom. S slots, C campaigns."""

    slots: NDArray[np.void]
    """PAGE[S]; PAGE[0] where nobody sells pages."""
    marks: NDArray[np.int64]
    """int64[2, C]: numbers of each campaign's advertiser and category, from 1 on."""
    on_view: NDArray[np.int64]
    """int64[VIEW_SIZE]: what the view at hand shows, see `exchange_sim.selling.separation` (changes)."""


class Selling(NamedTuple):
    """Rules of the slots that have any. S slots, D deals, R learned reserves."""

    barred: NDArray[np.uint8]
    """uint8[C, S]: whether each campaign's seat may buy there, see `exchange_sim.selling.seats`; [0, 0]: all may."""
    paths: NDArray[np.void]
    """PATH[S]: header bidding; PATH[0] where no seller does it."""
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
