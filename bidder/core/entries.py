"""Every campaign's own answer to one impression, where each may be a bidder of its own. Reads the book only.

`decide` chooses one campaign for one seat; here nobody outranks anybody, the market does. Money in nanos.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bidder.core.book import ROW_UNIDENTIFIED, Book
from bidder.core.clock import day_ix, day_share
from bidder.core.codes import BID
from bidder.core.decide import check, refuse_unidentified
from bidder.core.kernel import kernel
from bidder.core.live import refused_unpriced
from bidder.core.pricing import LIVE, quote
from bidder.core.strategy import strategy_bid
from bidder.core.targeting import audience_word, context_word, lowest_bit

ENTRY = np.dtype(
    [
        ("bid_nanos", "i8"),
        ("worth_nanos", "i8"),
        ("campaign_ix", "i4"),
        ("reason", "i4"),  # BID, or why not
    ],
    align=True,
)

_ONE = np.uint64(1)
_ZERO = np.uint64(0)


@kernel
def enter_all(
    book: Book,
    row: NDArray[np.uint64],
    imps: NDArray[np.void],
    i: int,
    signals: NDArray[np.int64],
    tally: NDArray[np.int64],
    entries: NDArray[np.void],
) -> int:
    """Write one ENTRY for each campaign targeted by impression *i*, in order; returns how many.

    Arguments as for `bidder.core.decide.decide`; *entries* has room for every campaign. Who would need to recognise the
    person is counted in *tally* and gets no entry; everybody else's reason is for the caller to count.
    """
    n = 0
    known = imps["person_ix"][i] >= 0
    today_ix = day_ix(book.index, imps["now_s"][i])
    share = day_share(book.index, imps["now_s"][i], today_ix)
    for word_ix in range(book.targets.shape[1]):
        word = context_word(book, imps, i, word_ix)
        if known:
            word &= audience_word(book, row, word_ix)
        else:
            unidentified = book.targets[book.index[ROW_UNIDENTIFIED], word_ix]
            refuse_unidentified(word & ~unidentified, word_ix, tally)
            word &= unidentified
        while word != _ZERO:
            campaign_ix = 64 * word_ix + lowest_bit(word)
            word &= word - _ONE
            worth, bid = quote(book, campaign_ix, imps, i, signals)
            if book.campaigns["strategy"][campaign_ix] != 0:
                bid = strategy_bid(book, campaign_ix, worth, imps, i)
            entries["bid_nanos"][n] = bid
            entries["worth_nanos"][n] = worth
            entries["campaign_ix"][n] = campaign_ix
            reason = BID
            if book.campaigns["signal_ix"][campaign_ix] == LIVE:
                reason = refused_unpriced(book, campaign_ix, imps, i, today_ix)
            entries["reason"][n] = reason if reason != BID else check(book, campaign_ix, imps, i, bid, today_ix, share)
            n += 1
    return n
