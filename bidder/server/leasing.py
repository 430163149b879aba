"""How much of each budget a worker would like to hold. Money in nanos."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bidder.core.book import BID_PRICE, Book

LEASE_PART = 8
"""A worker wants this part of its share of what is left of a budget: what a crash may hold back for a while."""
LEASE_BIDS = 8
"""... or the money of this many bids, if that is more."""


def committed(book: Book) -> NDArray[np.int64]:
    """int64[C]: spent or held by bids in flight."""
    nanos: NDArray[np.int64] = book.campaigns["spent_nanos"] + book.campaigns["reserved_nanos"]
    return nanos


def wanted(book: Book, totals: NDArray[np.int64], workers: int, used: NDArray[np.int64]) -> NDArray[np.int64]:
    """int64[C]: what one of the workers would like to have free to commit, when it has lately committed *used*."""
    left = np.maximum(totals - book.campaigns["spent_nanos"], 0)
    share = left // workers
    dearest = book.prices[:, :, BID_PRICE].max(axis=1) * np.maximum(book.campaigns["multiplier"], 1.0)
    unlisted = (book.campaigns["signal_ix"] >= 0) | (book.campaigns["strategy"] != 0)  # their bids are on no list
    bids = np.where(unlisted, share, (LEASE_BIDS * dearest).astype(np.int64))
    nanos: NDArray[np.int64] = np.minimum(np.maximum(np.maximum(share // LEASE_PART, bids), 2 * used), left)
    return nanos
