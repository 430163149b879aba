"""Arrays of verification: who refuses what, how well detectors see, who is not a person, what can be viewed.

Shares and rates are probabilities in 0..1. A pair is a seller's publisher and a campaign, packed into one byte.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

ATTRIBUTES = (
    "violence",
    "adult",
    "competitor",
    "malware",
    "bad_landing_page",
    "wrong_language",
    "oversize",
    "not_secure",
)
"""What an ad or a page may have about it that others do not want; the order is that of the bits in a mask."""

AD_REFUSED, PAGE_REFUSED, AD_CHECKED, AD_BAD, PAGE_CHECKED, PAGE_MAY_BE_BAD, PAYS_VIEWABLE = 1, 2, 4, 8, 16, 32, 64
"""Bits of a pair: declared and refused by the seller, by the campaign; looked at while it loads, and truly to be
stopped; the campaign pays for what could be viewed only."""

ADS, PAGES = 0, 1
RECALL, FALSE_ALARMS = 0, 1
"""Axes of `Verification.detectors`."""

BUYER_SIDE, SELLER_SIDE = 0, 1
(
    REFUSED_ADS,
    REFUSED_PAGES,
    STOPPED_ADS,
    STOPPED_PAGES,
    MISTAKEN_ADS,
    MISTAKEN_PAGES,
    SHOWN_BAD_ADS,
    SHOWN_BAD_PAGES,
) = range(8)
BLOCK_COLUMNS = 8
"""Counts of bids by what verification did: refused at the auction, stopped while loading, and what nobody knows."""

BOT_REQUESTS, BOTS_SHOWN, OPEN_COUNT, OPEN_PAID, PRIVATE_COUNT, PRIVATE_PAID = range(6)
INVALID_COLUMNS = 6
"""Counts by slot: requests of bots let through, impressions sold to anybody that bots saw; then what rivals bought of
them, in the open auction and in private ones, and was discovered: how many, what had been paid (nanos)."""

FILTERED_BOTS, FILTERED_PEOPLE = 0, 1

BOT = np.dtype(
    [
        ("first_ix", "i8"),  # its bots are the persons first_ix : first_ix + count, after all people
        ("count", "i8"),
        ("ctr", "f8"),
        ("filtered", "f8"),  # share of its requests stopped before the auction
        ("discovered", "f8"),  # share of its impressions found out afterwards
    ],
    align=True,
)


class Verification(NamedTuple):
    """What is checked. P sellers, C campaigns, S slots, A attributes, K kinds of bots."""

    on: int
    """0: nothing is, and the arrays may be empty."""
    pairs: NDArray[np.uint8]
    """uint8[P, C]: bits as above."""
    refuses: NDArray[np.int64]
    """int64[C]: mask of the attributes of pages a campaign refuses."""
    pages: NDArray[np.float64]
    """float64[P, A]: share of a seller's pages that have an attribute without saying so."""
    detectors: NDArray[np.float64]
    """float64[2, 2]: recall and false alarms, for ads and for pages."""
    viewable: NDArray[np.float64]
    """float64[S]: share of a slot's impressions that can be viewed."""
    bots: NDArray[np.void]
    """BOT[K]."""
    bot_shares: NDArray[np.float64]
    """float64[168 or 1, P, K]: cumulative shares of a seller's requests that each kind makes."""
    mistaken: float
    """Share of people's requests taken for bots'."""
    filtered: NDArray[np.int64]
    """int64[S, 2]: requests stopped before the auction, of bots and of people (changes)."""


def false_alarms(recall: float, precision: float, prevalence: float) -> float:
    """Share of good cases a detector stops, from recall and precision measured where *prevalence* of them are bad.

    precision = recall q / (recall q + f (1 - q)), solved for f. Raises ValueError where f would exceed 1.
    """
    alarms = recall * prevalence * (1.0 - precision) / (precision * (1.0 - prevalence))
    if alarms > 1.0:
        raise ValueError(f"precision {precision:g} is below what stopping everything would have at {prevalence:g}")
    return alarms
