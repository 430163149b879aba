"""One decision: which campaign bids how much for this impression, and why the others do not. Reads the book only."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from bidder.core.bids import bid_nanos
from bidder.core.book import CTR, ROW_UNIDENTIFIED, Book
from bidder.core.budgets import affordable, on_plan
from bidder.core.caps import capped
from bidder.core.codes import (
    BELOW_FLOOR,
    BID,
    BUDGET_GONE,
    CAPPED,
    NO_CONSENT,
    NO_VALUE,
    NOT_TARGETED,
    OUTRANKED,
    PACED,
)
from bidder.core.targeting import audience_word, context_word, inside_fence, lowest_bit
from bidder.core.worth import goal_rate, worth_nanos

_ONE = np.uint64(1)
_ZERO = np.uint64(0)


@njit(cache=True)
def _price_and_check(
    book: Book, campaign_ix: int, imps: NDArray[np.void], i: int, signals: NDArray[np.int64]
) -> tuple[int, int, int]:
    """Reason (BID when every check passes), bid and worth of one targeted campaign; the dearest check comes last."""
    campaigns, index = book.campaigns, book.index
    now_s, slot_ix = imps["now_s"][i], imps["slot_ix"][i]
    if now_s < campaigns["start_s"][campaign_ix] or now_s >= campaigns["end_s"][campaign_ix]:
        return NOT_TARGETED, 0, 0
    if not inside_fence(campaigns, campaign_ix, imps["lat"][i], imps["lon"][i]):
        return NOT_TARGETED, 0, 0
    rate = goal_rate(book, campaign_ix, slot_ix)
    worth = worth_nanos(book, campaign_ix, rate, signals)
    bid = bid_nanos(campaigns, campaign_ix, worth, book.cells[campaign_ix, slot_ix, CTR], rate)
    if bid <= 0:
        return NO_VALUE, 0, 0
    via_deal = campaigns["via_deal"][campaign_ix] == 1
    floor_nanos = imps["deal_floor_nanos"][i] if via_deal else imps["floor_nanos"][i]
    if bid < floor_nanos:
        return BELOW_FLOOR, bid, int(worth)
    if not affordable(campaigns, index, campaign_ix, bid, now_s):
        return BUDGET_GONE, bid, int(worth)
    if not on_plan(campaigns, index, campaign_ix, bid, now_s):
        return PACED, bid, int(worth)
    if imps["person_ix"][i] >= 0 and capped(book, campaign_ix, imps["person_ix"][i], now_s):
        return CAPPED, bid, int(worth)
    return BID, bid, int(worth)


@njit(cache=True)
def _refuse_unidentified(word: np.uint64, word_ix: int, tally: NDArray[np.int64]) -> None:
    """Count the campaigns that would need to recognise the person."""
    while word != _ZERO:
        tally[64 * word_ix + lowest_bit(word), NO_CONSENT] += 1
        word &= word - _ONE


@njit(cache=True)
def decide(
    book: Book,
    row: NDArray[np.uint64],
    imps: NDArray[np.void],
    i: int,
    signals: NDArray[np.int64],
    tally: NDArray[np.int64],
) -> tuple[int, int, int, int]:
    """Choose the campaign with the highest bid for impression *i* of *imps* (IMPRESSION[]).

    *row* is the person's segment bitset (ignored for a person not recognised), *signals* the private values of this
    impression in nanos, *tally* an int64[C, len(REASONS)] to which each targeted campaign's reason is added.
    Returns (campaign_ix or -1, bid_nanos, worth_nanos, reason of the request); the lowest index wins a tie.
    """
    best_ix, best_bid, best_worth, furthest = -1, 0, 0, NOT_TARGETED
    known = imps["person_ix"][i] >= 0
    for word_ix in range(book.targets.shape[1]):
        word = context_word(book, imps, i, word_ix)
        if word == _ZERO:
            continue
        if known:
            word &= audience_word(book, row, word_ix)
        else:
            unidentified = book.targets[book.index[ROW_UNIDENTIFIED], word_ix]
            if (word & ~unidentified) != _ZERO:
                _refuse_unidentified(word & ~unidentified, word_ix, tally)
                furthest = max(furthest, NO_CONSENT)
            word &= unidentified
        while word != _ZERO:
            campaign_ix = 64 * word_ix + lowest_bit(word)
            word &= word - _ONE
            reason, bid, worth = _price_and_check(book, campaign_ix, imps, i, signals)
            if reason == BID:
                if bid > best_bid:
                    if best_ix >= 0:
                        tally[best_ix, OUTRANKED] += 1
                    best_ix, best_bid, best_worth = campaign_ix, bid, worth
                else:
                    tally[campaign_ix, OUTRANKED] += 1
            else:
                tally[campaign_ix, reason] += 1
            furthest = max(furthest, reason)
    if best_ix >= 0:
        tally[best_ix, BID] += 1
        return best_ix, best_bid, best_worth, BID
    return -1, 0, 0, furthest
