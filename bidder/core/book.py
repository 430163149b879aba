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
        # read for every targeted campaign of every request: kept together, so that they share cache lines
        ("start_s", "f8"),
        ("end_s", "f8"),
        ("total_nanos", "i8"),
        ("daily_nanos", "i8"),
        ("spent_nanos", "i8"),
        ("reserved_nanos", "i8"),
        ("day_ix", "i8"),
        ("spent_day_nanos", "i8"),
        ("reserved_day_nanos", "i8"),
        ("nanos_per_s", "f8"),  # slope of the straight line from start to end
        ("signal_ix", "i4"),  # which signal carries the private value; -1: none, the price list holds; -2: priced live
        ("pace", "i4"),
        ("via_deal", "i4"),  # 1: buys only inside deals, at the deal's floor
        ("fenced", "i4"),  # 1: only inside the disc below
        ("cap_first", "i4"),  # its caps are rows cap_first .. cap_first + cap_count of `caps`
        ("cap_count", "i4"),
        ("cap_least", "i8"),  # lowest of their limits; -1: some of them count other campaigns' exposures too
        ("strategy", "i8"),  # address of the user's own bid in this process, see `bidder.core.strategy`; 0: none
        ("multiplier", "f8"),  # on the bid, moved by `bidder.core.pacing`; 1: bid what the rule says
        # the rest of the plan
        ("product_ix", "i4"),
        ("goal", "i4"),
        ("goal_value", "f8"),  # nanos per impression, click or purchase
        ("bid_kind", "i4"),
        ("bid_a", "f8"),  # parameters of the bid, see bidder.core.bids
        ("bid_b", "f8"),
        ("bid_max_nanos", "i8"),
        ("asks_seen", "i4"),  # 1: its strategy wants to know how often the person has seen it; that takes a look
        ("lat", "f8"),
        ("lon", "f8"),
        ("radius_km", "f8"),
        ("lookback_s", "f8"),
        ("keep_s", "f8"),  # after which an exposure no longer matters to caps or look-back; 0: remember nothing
        ("learned", "i4"),
        ("prior_ctr", "f8"),
        ("prior_cvr", "f8"),
        ("prior_impressions", "f8"),
        # rates by model and worth by frequency, see `bidder.core.rates` and `bidder.core.live`
        ("method", "i4"),  # how rates are learned: see `bidder.core.codes`
        ("modelled", "i4"),  # which models it bids on, as bits; 0: none
        ("explores", "i4"),  # 1: bids on a draw from what is known of the rate
        ("keep_all", "i4"),  # 1: every exposure is remembered, not only the latest
        ("family_ix", "i4"),  # campaigns whose exposures count together for frequency
        ("relatives", "u8"),  # their bits in `PERSON.seen`
        ("ripened_log", "f8"),  # the product's KEPT_LOG when the purchases cells wait for were last brought up to date
        ("curve_first", "i4"),  # its worth by frequency is curve_first .. curve_first + curve_count of `curves`
        ("curve_count", "i4"),
        ("shape_first", "i4"),  # its cumulative hours of the week are 169 entries of `curves` from here; -1: flat
        ("shape_begun", "f8"),  # weight of the week before its start,
        ("shape_whole", "f8"),  # and between start and end
        ("pass_share", "f8"),  # of throttled pacing: the share of auctions it takes part in
        ("target_share", "f8"),  # cost allowed per unit of worth bought; 0: no such target
        ("target_mu", "f8"),  # shadow price of that target
        ("target_step", "f8"),
        ("bought_worth", "f8"),  # predicted worth of what was bought (nanos), kept where there is such a target
        ("tick_bought_worth", "f8"),
        ("roas_target", "f8"),
        ("basket_nanos", "f8"),  # believed mean value of a purchase
        ("target_ecpc", "f8"),  # nanos per click (goal cpc or cpm) or per purchase
        # what has happened
        ("changed", "i4"),  # 1: counts have moved since the price list was last made
        ("wins", "i8"),
        ("clicks", "i8"),
        ("conversions", "i8"),
        ("conversion_nanos", "i8"),
        # pacing by price, see `bidder.core.pacing`
        ("mu", "f8"),  # shadow price of the budget: the multiplier is 1 / (1 + mu)
        ("pace_step", "f8"),  # per nano
        ("pace_auctions", "f8"),  # auctions planned for; 0: estimated at every tick
        ("pace_target_nanos", "f8"),  # spend per auction aimed at; -1: not known yet
        ("pace_highest", "f8"),  # highest mu, or highest multiplier of PID control
        ("entered", "i8"),  # auctions taken part in
        ("tick_entered", "i8"),  # these three as they were at the last tick
        ("tick_spent_nanos", "i8"),
        ("tick_s", "f8"),
        # a win curve learned while it is used, see `bidder.core.curves`
        ("curve_learned", "i4"),
        ("curve_centre", "f8"),  # logarithm of the plan's median
        ("curve_slope_push", "f8"),  # of bounds on prices: gradient of their log-likelihood where the curve is,
        ("curve_offset_push", "f8"),
        ("curve_slopes", "f8"),  # and minus its second derivatives
        ("curve_both", "f8"),
        ("curve_offsets", "f8"),
        ("curve_seen", "f8"),  # of prices seen: number, and sums of their logarithms and of the squares of those
        ("curve_sum", "f8"),
        ("curve_squares", "f8"),
        ("curve_heard", "f8"),  # auctions it stands for
        ("pid_p", "f8"),
        ("pid_i", "f8"),
        ("pid_d", "f8"),
        ("pid_integral", "f8"),
        ("pid_error", "f8"),
    ],
    align=True,
)

CAP = np.dtype([("limit", "i8"), ("window_s", "f8"), ("sliding", "i4"), ("scope", "i4")], align=True)

IMPRESSION = np.dtype(
    [
        ("now_s", "f8"),
        ("person_ix", "i8"),  # -1: not recognised
        ("floor_nanos", "i8"),
        ("deal_floor_nanos", "i8"),
        ("lat", "f8"),  # NaN: unknown
        ("lon", "f8"),
        ("request_no", "i8"),  # a number made from the request's id: what exploration draws from
        ("slot_ix", "i4"),
        ("publisher_ix", "i4"),
        ("deal_ix", "i4"),  # -1: none
        ("place_ix", "i4"),
        ("hour", "i4"),  # of the week, Monday 00:00 = 0
        ("format_ix", "i4"),
        ("device_ix", "i4"),
        ("deal_first", "i4"),  # 1: a bid inside the deal goes before all others (its price is fixed)
    ],
    align=True,
)

PERSON = np.dtype(
    [
        ("start", "i8"),
        ("count", "i4"),
        ("room", "i4"),
        ("seen", "u8"),  # bit c % 64 is set when campaign c may be on the list
        ("near", "u8"),  # the same, when it may be there as often as the lowest of its caps: most cap checks end here
    ],
    align=True,
)

SEEN = np.dtype(
    [
        ("time_s", "f8"),  # of the exposure; infinity while the bid for it is in flight
        ("campaign_ix", "i4"),  # in a free block's first entry: index of the next free block, or -1
        ("touch", "i4"),  # slot and context it was shown in, see `bidder.core.touch`
    ],
    align=True,
)

# Columns of `cells`: the rates the bids use, then the counts they are learned from; impressions whose purchases have
# had their time, and those still waiting, are kept apart only where rates are pooled.
CTR, CVR, CELL_WINS, CELL_CLICKS, CELL_CONVERSIONS, CELL_RIPE = range(6)
# What the models start from, for clicks, then for purchases: the rates as odds, and the variance of their logarithm.
CELL_ODDS, CELL_DOUBT = 6, 7
CELL_COLUMNS = 10

# Columns of `prices`.
WORTH, BID_PRICE = range(2)

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
    ROW_SPARE,  # filled anew for every request: see `bidder.core.offer`
    START_OF_DAY_S,
    START_HOUR,
    MEMORY_USED,
    LARGEST_BLOCK,
    SLOT_PUBLISHERS,
    WEIGHT_ROWS,  # weights of each model
    SEGMENT_QUADS,  # groups of four segments the models look at
    FREE_BLOCKS,
) = range(19)

BLOCK_CLASSES = 24
"""Blocks of memory hold 4 << k entries; index[FREE_BLOCKS + k] is the first free one of class k, -1: none."""
INDEX_SIZE = FREE_BLOCKS + BLOCK_CLASSES

# First axis of `audiences`.
WELCOME, FORBID = range(2)


class Book(NamedTuple):
    """The bidder's state. C campaigns, W = ceil(C / 64) words, P people, M memory entries, S slots, G products."""

    campaigns: NDArray[np.void]
    """CAMPAIGN[C]."""
    caps: NDArray[np.void]
    """CAP[all caps]."""
    targets: NDArray[np.uint64]
    """uint64[rows, W]: bit c of a row says that campaign c accepts that format, hour, place ..."""
    audiences: NDArray[np.uint64]
    """uint64[2, B, 256, W]: for each byte of a segment row that any rule asks about, and each value it can have, the
    campaigns it makes welcome (any) and those it forbids (none, or a segment missing for all)."""
    audience_bytes: NDArray[np.int64]
    """int64[B]: which bytes of the row those are."""
    index: NDArray[np.int64]  # type: ignore[assignment]  # it hides tuple.index, which nobody asks a book for
    """int64[INDEX_SIZE + S]: where the blocks of `targets` begin, the clock's offset, memory in use; each slot's
    publisher."""
    cells: NDArray[np.float64]
    """float64[C, S, CELL_COLUMNS]: predicted rates per campaign and slot, and the counts behind them."""
    prices: NDArray[np.int64]
    """int64[C, S, 2]: the price list made from them: what an impression in the slot is worth, and the bid (nanos)."""
    persons: NDArray[np.void]
    """PERSON[P]: where in `memory` each person's block is."""
    memory: NDArray[np.void]
    """SEEN[M]: blocks of what people have seen, see `bidder.core.memory`."""
    held: NDArray[np.uint64]
    """uint64[P, words]: the segment row of each person, as features of the models; [0, 1] where none is used."""
    weights: NDArray[np.float64]
    """float64[2 G rows, 8]: for each of two models per product its weights, see `bidder.core.ftrl`, and what follows
    from them, see `bidder.core.features`."""
    learners: NDArray[np.float64]
    """float64[G, LEARNER_COLUMNS]: what each product's models have heard, see `bidder.core.rates`."""
    curves: NDArray[np.float64]
    """float64[]: factors on the worth by number of earlier exposures."""
