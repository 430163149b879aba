"""One decision: which campaign bids how much for this impression, and why the others do not. Reads the book only."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bidder.core.book import ROW_UNIDENTIFIED, Book
from bidder.core.budgets import affordable, on_plan
from bidder.core.caps import capped
from bidder.core.clock import day_ix, day_share
from bidder.core.codes import (
    BAD_BID,
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
from bidder.core.kernel import kernel
from bidder.core.live import refused_unpriced
from bidder.core.pacing import throttled
from bidder.core.pricing import LIVE, quote
from bidder.core.strategy import strategy_bid
from bidder.core.targeting import audience_word, context_word, inside_fence, lowest_bit

_ONE = np.uint64(1)
_ZERO = np.uint64(0)
DEALS_FIRST = 1 << 61
"""A bit above all bids, set while bids are compared on those inside a deal whose price is fixed."""


@kernel
def check(
    book: Book,
    campaign_ix: int,
    imps: NDArray[np.void],
    i: int,
    bid: int,
    today_ix: int,
    share: float,
) -> int:
    """BID, or the first reason why this targeted campaign does not; the dearest check comes last."""
    campaigns, now_s = book.campaigns, imps["now_s"][i]
    if now_s < campaigns["start_s"][campaign_ix] or now_s >= campaigns["end_s"][campaign_ix]:
        return NOT_TARGETED
    if not inside_fence(campaigns, campaign_ix, imps["lat"][i], imps["lon"][i]):
        return NOT_TARGETED
    if bid <= 0:
        return NO_VALUE if bid == 0 else BAD_BID
    if bid < (imps["deal_floor_nanos"][i] if campaigns["via_deal"][campaign_ix] == 1 else imps["floor_nanos"][i]):
        return BELOW_FLOOR
    if not affordable(campaigns, campaign_ix, bid, today_ix):
        return BUDGET_GONE
    if not on_plan(book, campaign_ix, bid, now_s, today_ix, share) or throttled(book, campaign_ix, imps, i):
        return PACED
    if imps["person_ix"][i] >= 0 and capped(book, campaign_ix, imps["person_ix"][i], now_s):
        return CAPPED
    return BID


@kernel
def refuse_unidentified(word: np.uint64, word_ix: int, tally: NDArray[np.int64]) -> None:
    """Count the campaigns that would need to recognise the person."""
    while word != _ZERO:
        tally[64 * word_ix + lowest_bit(word), NO_CONSENT] += 1
        word &= word - _ONE


@kernel
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
    Returns (campaign_ix or -1, bid_nanos, worth_nanos, reason of the request); the lowest index wins a tie. Bids inside
    a deal with a fixed price go before all others.
    """
    best_ix, best_bid, best_worth, furthest = -1, 0, 0, NOT_TARGETED
    known, deal_first = imps["person_ix"][i] >= 0, imps["deal_first"][i] == 1
    today_ix = day_ix(book.index, imps["now_s"][i])
    share = day_share(book.index, imps["now_s"][i], today_ix)
    for word_ix in range(book.targets.shape[1]):
        word = context_word(book, imps, i, word_ix)
        if word == _ZERO:
            continue
        if known:
            word &= audience_word(book, row, word_ix)
        else:
            unidentified = book.targets[book.index[ROW_UNIDENTIFIED], word_ix]
            if (word & ~unidentified) != _ZERO:
                refuse_unidentified(word & ~unidentified, word_ix, tally)
                furthest = max(furthest, NO_CONSENT)
            word &= unidentified
        while word != _ZERO:
            campaign_ix = 64 * word_ix + lowest_bit(word)
            word &= word - _ONE
            if book.campaigns["signal_ix"][campaign_ix] == LIVE:
                reason = refused_unpriced(book, campaign_ix, imps, i, today_ix)
                if reason != BID:
                    tally[campaign_ix, reason] += 1
                    furthest = max(furthest, reason)
                    continue
            worth, bid = quote(book, campaign_ix, imps, i, signals)
            if book.campaigns["strategy"][campaign_ix] != 0:
                bid = strategy_bid(book, campaign_ix, worth, imps, i)
            reason = check(book, campaign_ix, imps, i, bid, today_ix, share)
            if reason == BID:
                if deal_first and book.campaigns["via_deal"][campaign_ix] == 1:
                    bid += DEALS_FIRST
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
        return best_ix, best_bid & (DEALS_FIRST - 1), best_worth, BID
    return -1, 0, 0, furthest
