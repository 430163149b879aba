"""Frequency caps: several windows at once, sliding or fixed. Bids in flight count as exposures."""

from __future__ import annotations

from bidder.core.book import Book
from bidder.core.clock import window_start_s
from bidder.core.kernel import kernel
from bidder.core.memory import maybe_near


@kernel
def seen_since(book: Book, campaign_ix: int, person_ix: int, since_s: float, inclusive: bool) -> int:
    """The campaign's exposures of the person after *since_s* (or at it, when *inclusive*), and its bids in flight."""
    start = book.persons["start"][person_ix]
    seen = 0
    for at in range(start, start + book.persons["count"][person_ix]):
        if book.memory["campaign_ix"][at] == campaign_ix:
            time_s = book.memory["time_s"][at]
            if time_s > since_s or (inclusive and time_s == since_s):
                seen += 1
    return seen


@kernel
def capped(book: Book, campaign_ix: int, person_ix: int, now_s: float) -> bool:
    """Whether one more exposure of the campaign to the person would break any of its caps."""
    count = book.campaigns["cap_count"][campaign_ix]
    if count == 0 or not maybe_near(book, person_ix, campaign_ix):
        return False
    first = book.campaigns["cap_first"][campaign_ix]
    for cap_ix in range(first, first + count):
        window_s = book.caps["window_s"][cap_ix]
        sliding = book.caps["sliding"][cap_ix] == 1
        since_s = now_s - window_s if sliding else window_start_s(book.index, now_s, window_s)
        if seen_since(book, campaign_ix, person_ix, since_s, not sliding) >= book.caps["limit"][cap_ix]:
            return True
    return False
