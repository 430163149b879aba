"""Frequency caps: several windows at once, sliding or fixed.

A cap of `limit` exposures per window is reached exactly when the limit-th latest exposure lies inside the window, so
one comparison answers each cap. Bids in flight count as exposures.
"""

from __future__ import annotations

from numba import njit

from bidder.core.book import PAIR_PENDING, PAIR_TIMES, Book
from bidder.core.clock import window_start_s
from bidder.core.pairs import find


@njit(cache=True)
def capped(book: Book, campaign_ix: int, person_ix: int, now_s: float) -> bool:
    """Whether one more exposure of the campaign to the person would break any of its caps."""
    count = book.campaigns["cap_count"][campaign_ix]
    if count == 0:
        return False
    at = find(book, person_ix, campaign_ix)
    if at < 0:
        return False
    pending = int(book.pair_state[at, PAIR_PENDING])
    first = book.campaigns["cap_first"][campaign_ix]
    for cap_ix in range(first, first + count):
        needed = book.caps["limit"][cap_ix] - pending
        if needed <= 0:
            return True
        exposed_s = book.pair_state[at, PAIR_TIMES + needed - 1]
        window_s = book.caps["window_s"][cap_ix]
        if book.caps["sliding"][cap_ix] == 1:
            if exposed_s > now_s - window_s:
                return True
        elif exposed_s >= window_start_s(book.index, now_s, window_s):
            return True
    return False
