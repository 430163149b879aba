"""What a driver hands on: every exposure, every purchase, and counts of everything that did not become one."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bidder.core.codes import OUTRANKED, REASONS
from exchange_sim.kernel import kernel
from exchange_sim.selling.rules import LOSS_COUNT
from exchange_sim.verification.rules import BLOCK_COLUMNS, INVALID_COLUMNS

EXPOSURE = np.dtype(
    [
        ("auction_ix", "i8"),
        ("time_s", "f8"),
        ("person_ix", "i8"),
        ("bid_nanos", "i8"),
        ("price_nanos", "i8"),
        ("worth_nanos", "i8"),
        ("campaign_ix", "i4"),
        ("slot_ix", "i4"),  # as the buyer met it
        ("seller_slot_ix", "i4"),  # where it was shown: another one when a network resold it
        ("way", "i1"),  # see exchange_sim.selling.rules.WAYS
        ("device_ix", "i1"),
        ("consent", "i1"),
        ("clicked", "i1"),
        ("billed", "i1"),
    ],
    align=True,
)

PURCHASE = np.dtype(
    [
        ("time_s", "f8"),
        ("person_ix", "i8"),
        ("value_nanos", "i8"),
        ("auction_ix", "i8"),  # -1: organic
        ("product_ix", "i4"),
        ("attributed_ix", "i4"),  # -1: none
        ("caused_by_ix", "i4"),  # campaign; -1: organic
    ],
    align=True,
)

FATE_TIMED_OUT, FATE_OUTBID, FATE_WON, FATE_COUNT = OUTRANKED, OUTRANKED + 1, OUTRANKED + 2, OUTRANKED + 3
"""The fates before these are the bidder's own reasons, see `bidder.core.codes`."""

RESULT_TIMED_OUT, RESULT_OUTBID, RESULT_WON = 0, 1, 2
SLOT_REQUESTS, SLOT_SOLD, SLOT_REVENUE, SLOT_RESOLD = 0, 1, 2, 3
SLOT_RIVAL_BIDS, SLOT_CLASHES = 4, 5
SALE_COUNT, SALE_PAID = 0, 1
PATH_PASSED, PATH_FEES, PATH_PRIVATE_FEES = 0, 1, 2
LOST_BID_NANOS, LOST_SHORT_NANOS = LOSS_COUNT, LOSS_COUNT + 1
"""Columns of `Tallies.lost` after those that count bids by why they lost."""
PRICE_BIDS, PRICE_WINS, PRICE_MARKET = 0, 1, 2

PRICE_BINS = 64
LOWEST_BIN_NANOS = 10_000
"""Bins of prices: four of equal width to the octave from 0.01 CPM on, so that a bin is read off the bits of a float.
The first also holds everything below, the last everything above."""


class Tallies(NamedTuple):
    """Counts of one run. H hours, C campaigns, S slots, P publishers."""

    fates: NDArray[np.int64]
    """int64[H, FATE_COUNT]: requests by hour and fate."""
    reasons: NDArray[np.int64]
    """int64[C, len(REASONS)]: per campaign; targeted requests only."""
    results: NDArray[np.int64]
    """int64[C, 3]: what became of its bids."""
    slots: NDArray[np.int64]
    """int64[S, 6]: requests, sold to anybody, what was paid (nanos), impressions handed to a network, what rivals had
    bid for what they bought (nanos), impressions beside another ad of their category on the same page."""
    invited: NDArray[np.int64]
    """int64[S, 2]: what rivals bought in private auctions: impressions, what they paid (nanos)."""
    lost: NDArray[np.int64]
    """int64[C, P, LOSS_COUNT + 2]: each campaign's lost bids: how many by reason (see `exchange_sim.selling.rules`),
    their sum, by how much they missed the price to beat (nanos)."""
    paths: NDArray[np.int64]
    """int64[S, 3]: of slots sold by header bidding, as paths: winners passed to the publisher, what the exchange kept
    of what was sold there (nanos; of what rivals have back: nothing), the part of that which rivals paid in private
    auctions."""
    prices: NDArray[np.int64]
    """int64[P, PRICE_BINS, 3]: our bids in time, those won, requests by price to beat."""
    blocks: NDArray[np.int64]
    """int64[2, C, P, 8]: what verification did to bids, as the buyer and as the seller sees it."""
    invalid: NDArray[np.int64]
    """int64[S, 6]: bots by slot. Both as `exchange_sim.verification.rules` says; without verification C and S are 0."""


class Ledger(NamedTuple):
    """A finished run."""

    auctions: int
    exposures: NDArray[np.void]
    """EXPOSURE[], in order of auction."""
    purchases: NDArray[np.void]
    """PURCHASE[], in order of time."""
    tallies: Tallies


def new_tallies(hours: int, campaigns: int, slots: int, publishers: int, *, verified: bool = False) -> Tallies:
    """Counts at zero; those of verification are empty unless it is on."""
    return Tallies(
        np.zeros((hours, FATE_COUNT), np.int64),
        np.zeros((campaigns, len(REASONS)), np.int64),
        np.zeros((campaigns, 3), np.int64),
        np.zeros((slots, 6), np.int64),
        np.zeros((slots, 2), np.int64),
        np.zeros((campaigns, publishers, LOSS_COUNT + 2), np.int64),
        np.zeros((slots, 3), np.int64),
        np.zeros((publishers, PRICE_BINS, 3), np.int64),
        np.zeros((2, campaigns if verified else 0, publishers, BLOCK_COLUMNS), np.int64),
        np.zeros((slots if verified else 0, INVALID_COLUMNS), np.int64),
    )


def price_bin_edges_cpm() -> NDArray[np.float64]:
    """PRICE_BINS + 1 edges in CPM; the first bin begins at 0, the last also holds everything above it."""
    octave, quarter = np.divmod(np.arange(PRICE_BINS + 1), 4)
    edges = LOWEST_BIN_NANOS / 1e6 * 2.0**octave * (1.0 + quarter / 4.0)
    edges[0] = 0.0
    return edges


@kernel
def price_bin(price_nanos: int) -> int:
    """Bin of a price."""
    if price_nanos <= LOWEST_BIN_NANOS:
        return 0
    # The exponent and the first two bits of the mantissa of an IEEE double, counted from those of 1.0.
    return min(PRICE_BINS - 1, int(np.float64(price_nanos / LOWEST_BIN_NANOS).view(np.int64) >> 50) - (1023 << 2))
