"""A user's own bid: what it is shown of an impression, and the call to it from compiled code.

A campaign's `strategy` holds the address of a compiled function (made by `bidder.strategy`), 0 for the built-in rules.
The loop calls it like any C function: it stays the same code, compiled and cached once, whatever strategies there are.
Prices in CPM, money in currency units, times in s, `_ix` the positions of names in the directory.
"""

from __future__ import annotations

import ctypes
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import config, types
from numba.core import cgutils
from numba.extending import intrinsic
from numpy.typing import NDArray

from bidder.core.book import CTR, CVR, Book
from bidder.core.budgets import committed_nanos
from bidder.core.caps import seen_since
from bidder.core.codes import PACE_ADAPTIVE
from bidder.core.kernel import outlined

NANOS_PER_CPM, NANOS_PER_UNIT = 1e6, 1e9
REFUSED = -1
"""Stands for a bid that is none: the strategy raised, or returned NaN, a negative number or more than the maximum."""


class Opportunity(NamedTuple):
    """What a strategy may know of an impression, and of its own campaign, when it names its bid."""

    worth_cpm: float
    """What the impression is worth under the campaign's goal and predicted rates."""
    floor_cpm: float
    """The lowest price the seller accepts; inside a deal, for a campaign that buys in deals, the deal's."""
    ctr: float
    """Predicted click rate in this slot."""
    cvr: float
    """Predicted purchase rate per impression in this slot."""
    budget: float
    """Total budget (currency)."""
    spent: float
    """Spent so far, with what bids in flight hold (currency)."""
    elapsed: float
    """Part of the campaign's time that has passed, 0 to 1."""
    time_s: float
    """Now, counted from the scenario's start."""
    wins: int
    """Impressions bought so far."""
    clicks: int
    """Clicks so far."""
    conversions: int
    """Purchases credited so far."""
    seen: int
    """Exposures of this campaign on this person's list; 0 without consent. Kept as long as caps and look-back need."""
    hour: int
    """Hour of the week, Monday 00:00 = 0."""
    slot_ix: int
    publisher_ix: int
    format_ix: int
    device_ix: int
    place_ix: int


FLOATS = 8
"""The first fields are float64, the others int64."""
PROTOTYPE = ctypes.CFUNCTYPE(
    ctypes.c_double,
    *[ctypes.c_double] * FLOATS,
    *[ctypes.c_int64] * (len(Opportunity._fields) - FLOATS),
)
"""The C type of what an address points to: the fields one by one, and back the bid in CPM."""

if config.DISABLE_JIT:  # type: ignore[attr-defined]  # set when numba is imported

    def call(address: int, opportunity: Opportunity) -> float:
        """The bid (CPM) of the strategy at *address*."""
        bid_cpm: float = PROTOTYPE(int(address))(*opportunity)
        return bid_cpm

else:

    @intrinsic
    def call(typing_context: Any, address: Any, opportunity: Any) -> Any:
        """The bid (CPM) of the strategy at *address*: an indirect call, the fields of *opportunity* its arguments."""
        if not isinstance(address, types.Integer) or not isinstance(opportunity, types.NamedTuple):
            return None

        def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            fields = cgutils.unpack_tuple(builder, arguments[1])
            function_type = ir.FunctionType(ir.DoubleType(), [field.type for field in fields])
            function = builder.inttoptr(arguments[0], function_type.as_pointer())
            return builder.call(function, fields)

        return types.float64(address, opportunity), emit


@outlined
def strategy_bid(book: Book, campaign_ix: int, worth: int, imps: NDArray[np.void], i: int) -> int:
    """What the campaign's own strategy bids for impression *i* (int64 nanos), or REFUSED.

    Rounded to the nearest nano, so that a worth given back is the worth. Pacing by price multiplies it like any rule's.
    """
    campaigns, slot_ix, person_ix = book.campaigns, imps["slot_ix"][i], imps["person_ix"][i]
    start_s, now_s = campaigns["start_s"][campaign_ix], imps["now_s"][i]
    length_s = campaigns["end_s"][campaign_ix] - start_s
    floor_nanos = imps["deal_floor_nanos"][i] if campaigns["via_deal"][campaign_ix] == 1 else imps["floor_nanos"][i]
    seen = 0
    if campaigns["asks_seen"][campaign_ix] == 1 and person_ix >= 0:
        seen = seen_since(book, campaign_ix, person_ix, -np.inf, False)[1]
    opportunity = Opportunity(
        float(worth / NANOS_PER_CPM),
        float(floor_nanos / NANOS_PER_CPM),
        float(book.cells[campaign_ix, slot_ix, CTR]),
        float(book.cells[campaign_ix, slot_ix, CVR]),
        # Of the plan: a service with durable budgets keeps in `total_nanos` only what it may spend for now.
        float(campaigns["nanos_per_s"][campaign_ix] * length_s / NANOS_PER_UNIT),
        float(committed_nanos(campaigns, campaign_ix) / NANOS_PER_UNIT),
        float((now_s - start_s) / length_s),
        float(now_s),
        int(campaigns["wins"][campaign_ix]),
        int(campaigns["clicks"][campaign_ix]),
        int(campaigns["conversions"][campaign_ix]),
        int(seen),
        int(imps["hour"][i]),
        int(slot_ix),
        int(imps["publisher_ix"][i]),
        int(imps["format_ix"][i]),
        int(imps["device_ix"][i]),
        int(imps["place_ix"][i]),
    )
    asked = call(campaigns["strategy"][campaign_ix], opportunity) * NANOS_PER_CPM
    if not 0.0 <= asked <= campaigns["bid_max_nanos"][campaign_ix]:  # NaN is neither
        return REFUSED
    bid = int(asked + 0.5)
    if campaigns["pace"][campaign_ix] >= PACE_ADAPTIVE:
        return int(bid * campaigns["multiplier"][campaign_ix])
    return bid
