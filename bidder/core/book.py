"""The book: all the bidder's state, as one NamedTuple of a few arrays (each extra array costs time at every call).

Money in int64 nanos, times in float64 seconds since the scenario's start, `_ix` are array indices. `decide` reads the
book, `settle` alone writes it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

CAMPAIGN = np.dtype(
    [
        # what the plan says
        ("product_ix", "i4"),
        ("goal", "i4"),
        ("goal_value", "f8"),  # nanos per impression, click or purchase
        ("signal_ix", "i4"),  # which signal carries the private value; -1: none
        ("bid_kind", "i4"),
        ("bid_a", "f8"),  # parameters of the bid, see bidder.core.bids
        ("bid_b", "f8"),
        ("bid_max_nanos", "i8"),
        ("pace", "i4"),
        ("start_s", "f8"),
        ("end_s", "f8"),
        ("total_nanos", "i8"),
        ("daily_nanos", "i8"),
        ("via_deal", "i4"),  # 1: buys only inside deals, at the deal's floor
        ("fenced", "i4"),  # 1: only inside the disc below
        ("lat", "f8"),
        ("lon", "f8"),
        ("radius_km", "f8"),
        ("cap_first", "i4"),  # its caps are rows cap_first .. cap_first + cap_count of `caps`
        ("cap_count", "i4"),
        ("lookback_s", "f8"),
        ("learned", "i4"),
        ("prior_ctr", "f8"),
        ("prior_cvr", "f8"),
        ("prior_impressions", "f8"),
        # what has happened
        ("spent_nanos", "i8"),
        ("reserved_nanos", "i8"),
        ("day_ix", "i8"),
        ("spent_day_nanos", "i8"),
        ("reserved_day_nanos", "i8"),
        ("wins", "i8"),
        ("clicks", "i8"),
        ("conversions", "i8"),
        ("conversion_nanos", "i8"),
    ],
    align=True,
)

CAP = np.dtype([("limit", "i8"), ("window_s", "f8"), ("sliding", "i4")], align=True)

IMPRESSION = np.dtype(
    [
        ("now_s", "f8"),
        ("person_ix", "i8"),  # -1: not recognised
        ("floor_nanos", "i8"),
        ("deal_floor_nanos", "i8"),
        ("lat", "f8"),  # NaN: unknown
        ("lon", "f8"),
        ("slot_ix", "i4"),
        ("publisher_ix", "i4"),
        ("deal_ix", "i4"),  # -1: none
        ("place_ix", "i4"),
        ("hour", "i4"),  # of the week, Monday 00:00 = 0
        ("format_ix", "i4"),
        ("device_ix", "i4"),
    ],
    align=True,
)

# Columns of `cells`: the rates the bids use, then the counts they are learned from.
CTR, CVR, CELL_WINS, CELL_CLICKS, CELL_CONVERSIONS = range(5)

# Columns of `pair_state`; most recent exposure first from PAIR_TIMES on, -inf where there was none.
PAIR_PENDING, PAIR_LAST_SLOT, PAIR_TIMES = range(3)

# Entries of `index`: where each block of rows begins in `targets`, and a few sizes.
(
    ROW_ACTIVE,
    ROW_ANYONE,
    ROW_UNIDENTIFIED,
    ROW_NO_DEAL,
    ROW_FORMAT,
    ROW_DEVICE,
    ROW_HOUR,
    ROW_PLACE,
    ROW_PUBLISHER,
    ROW_DEAL,
    ROW_ANY,
    ROW_NONE,
    ROW_ALL,
    START_OF_DAY_S,
    START_HOUR,
    PAIRS_USED,
    INDEX_SIZE,
) = range(17)

# Rows of `used_segments`.
USED_ANY, USED_NONE, USED_ALL = range(3)

CAMPAIGN_BITS = 20
"""A pair's key is person_ix << CAMPAIGN_BITS | campaign_ix."""


class Book(NamedTuple):
    """The bidder's state. C campaigns, W = ceil(C / 64) words, P people, M pair slots (a power of two), S slots."""

    campaigns: NDArray[np.void]
    """CAMPAIGN[C]."""
    caps: NDArray[np.void]
    """CAP[all caps]."""
    targets: NDArray[np.uint64]
    """uint64[rows, W]: bit c of a row says that campaign c accepts that format, hour, place ..."""
    used_segments: NDArray[np.uint64]
    """uint64[3, segment words]: which segments any campaign asks for (any, none, all)."""
    index: NDArray[np.int64]
    """int64[INDEX_SIZE]: where the blocks of `targets` begin, the clock's offset, pairs in use."""
    cells: NDArray[np.float64]
    """float64[C, S, 5]: predicted rates per campaign and slot, and the counts behind them."""
    touched: NDArray[np.uint64]
    """uint64[P]: bit c % 64 is set once campaign c has reached the person: most cap checks end here."""
    pair_keys: NDArray[np.int64]
    """int64[M]: open addressing; -1 is empty."""
    pair_state: NDArray[np.float64]
    """float64[M, PAIR_TIMES + largest cap]: bids in flight, slot of the last exposure, times of the latest exposures."""
