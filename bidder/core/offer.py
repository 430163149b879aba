"""Decide and hold: the one call a bidder that answers requests one by one makes for each impression."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bidder.core.book import ROW_ACTIVE, ROW_SPARE, Book
from bidder.core.clock import hour_of_week
from bidder.core.decide import decide
from bidder.core.kernel import kernel
from bidder.core.settle import reserve


@kernel
def offer(
    book: Book,
    rows: NDArray[np.uint64],
    imps: NDArray[np.void],
    i: int,
    signals: NDArray[np.int64],
    tally: NDArray[np.int64],
    allowed: NDArray[np.uint64],
) -> tuple[int, int, int, int, int]:
    """`decide` for impression *i* of *imps*, whose hour of the week is filled in here, and `reserve` for a bid.

    *rows* is uint64[people, words], the bitset row of every person; *allowed* uint64[W], the campaigns with a creative
    that may be shown. Returns (campaign_ix or -1, bid_nanos, worth_nanos, reason, day the bid is charged to).
    """
    index, targets = book.index, book.targets
    active, spare = index[ROW_ACTIVE], index[ROW_SPARE]
    for word_ix in range(targets.shape[1]):
        targets[spare, word_ix] = targets[active, word_ix] & allowed[word_ix]
    person_ix, now_s = imps["person_ix"][i], imps["now_s"][i]
    imps["hour"][i] = hour_of_week(book.index, now_s)
    index[ROW_ACTIVE] = spare  # for this one decision; the loop that replays a market never does this
    campaign_ix, bid, worth, reason = decide(book, rows[max(person_ix, 0)], imps, i, signals, tally)
    index[ROW_ACTIVE] = active
    day_ix = -1
    if campaign_ix >= 0:
        day_ix = reserve(book, campaign_ix, person_ix, imps["slot_ix"][i], bid, now_s)
    return campaign_ix, bid, worth, reason, day_ix
