"""Frequency caps: several windows at once, sliding or fixed. Bids in flight count as exposures."""

from __future__ import annotations

from bidder.core.book import Book
from bidder.core.clock import window_start_s
from bidder.core.codes import SCOPE_ALL, SCOPE_CAMPAIGN
from bidder.core.kernel import kernel
from bidder.core.memory import maybe_near

MANY = 1 << 62
"""More exposures than any list holds: nothing has been counted yet."""


@kernel
def seen_since(book: Book, campaign_ix: int, person_ix: int, since_s: float, inclusive: bool) -> tuple[int, int]:
    """The campaign's exposures of the person after *since_s* (or at it, when *inclusive*), and all that are listed.

    Both count its bids in flight.
    """
    start = book.persons["start"][person_ix]
    seen = listed = 0
    for at in range(start, start + book.persons["count"][person_ix]):
        if book.memory["campaign_ix"][at] == campaign_ix:
            time_s = book.memory["time_s"][at]
            listed += 1
            seen += int(time_s > since_s or (inclusive and time_s == since_s))
    return seen, listed


@kernel
def seen_by_scope(book: Book, campaign_ix: int, person_ix: int, since_s: float, inclusive: bool, scope: int) -> int:
    """Like `seen_since`, over the campaigns of the same product, or all of them."""
    campaigns, start = book.campaigns, book.persons["start"][person_ix]
    family_ix, seen = campaigns["family_ix"][campaign_ix], 0
    for at in range(start, start + book.persons["count"][person_ix]):
        other_ix, time_s = book.memory["campaign_ix"][at], book.memory["time_s"][at]
        counts = scope == SCOPE_ALL or campaigns["family_ix"][other_ix] == family_ix
        if counts and (time_s > since_s or (inclusive and time_s == since_s)):
            seen += 1
    return seen


@kernel
def capped(book: Book, campaign_ix: int, person_ix: int, now_s: float) -> bool:
    """Whether one more exposure of the campaign to the person would break any of its caps."""
    count = book.campaigns["cap_count"][campaign_ix]
    if count == 0:
        return False
    if book.campaigns["cap_least"][campaign_ix] < 0:  # exposures of others count: the shortcut knows nothing of those
        if book.persons["count"][person_ix] == 0:
            return False
    elif not maybe_near(book, person_ix, campaign_ix):
        return False
    first = book.campaigns["cap_first"][campaign_ix]
    listed = MANY
    for cap_ix in range(first, first + count):
        limit, window_s = book.caps["limit"][cap_ix], book.caps["window_s"][cap_ix]
        sliding, scope = book.caps["sliding"][cap_ix] == 1, book.caps["scope"][cap_ix]
        if scope == SCOPE_CAMPAIGN and listed < limit:
            continue  # not even all it has on the list would reach this limit
        since_s = now_s - window_s if sliding else window_start_s(book.index, now_s, window_s)
        if scope == SCOPE_CAMPAIGN:
            seen, listed = seen_since(book, campaign_ix, person_ix, since_s, not sliding)
        else:
            seen = seen_by_scope(book, campaign_ix, person_ix, since_s, not sliding, scope)
        if seen >= limit:
            return True
    return False
