"""A touch: what the bidder keeps of the context an ad was shown in, packed into 31 bits.

It rides where a slot index would: in the exposure memory, with bids in flight, in notices. So outcomes that come hours
later can teach the model what they were outcomes of. A plain slot index is the touch of that slot with all else 0.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bidder.core.book import Book
from bidder.core.kernel import kernel
from bidder.core.memory import IN_FLIGHT_S

SLOT_BITS, DEVICE_BITS, FORMAT_BITS, FREQUENCY_BITS, PLACE_BITS = 16, 2, 3, 3, 7
DEVICE_AT = SLOT_BITS
FORMAT_AT = DEVICE_AT + DEVICE_BITS
FREQUENCY_AT = FORMAT_AT + FORMAT_BITS
PLACE_AT = FREQUENCY_AT + FREQUENCY_BITS
MOST_SLOTS = 1 << SLOT_BITS
STRANGER = 7
"""Frequency class of people who are not recognised."""


@kernel
def slot_of(touch: int) -> int:
    """Slot index of a touch."""
    return touch & (MOST_SLOTS - 1)


@kernel
def device_of(touch: int) -> int:
    """Device index of a touch."""
    return (touch >> DEVICE_AT) & 3


@kernel
def format_of(touch: int) -> int:
    """Format index of a touch."""
    return (touch >> FORMAT_AT) & 7


@kernel
def frequency_class_of(touch: int) -> int:
    """Frequency class of a touch, see `frequency_class`."""
    return (touch >> FREQUENCY_AT) & 7


@kernel
def place_of(touch: int) -> int:
    """Place of a touch, modulo 128."""
    return (touch >> PLACE_AT) & 127


@kernel
def frequency_class(earlier: int) -> int:
    """Class of a number of earlier exposures: 0, 1, 2, 3, 4 to 5, 6 to 8, 9 and more; STRANGER for -1."""
    if earlier < 0:
        return STRANGER
    if earlier < 4:
        return earlier
    return 4 if earlier < 6 else 5 if earlier < 9 else 6


@kernel
def earlier_exposures(book: Book, campaign_ix: int, person_ix: int, now_s: float) -> int:
    """How often the person saw ads of the campaign's product before *now_s*, as far as remembered; -1: a stranger.

    Bids in flight do not count, nor do exposures that no cap and no look-back asks for any more: when those leave the
    list depends on its length.
    """
    if person_ix < 0:
        return -1
    campaigns, memory = book.campaigns, book.memory
    if (book.persons["seen"][person_ix] & campaigns["relatives"][campaign_ix]) == 0:
        return 0
    family_ix = campaigns["family_ix"][campaign_ix]
    start, count = book.persons["start"][person_ix], 0
    for at in range(start, start + book.persons["count"][person_ix]):
        other_ix, time_s = memory["campaign_ix"][at], memory["time_s"][at]
        if campaigns["family_ix"][other_ix] == family_ix and time_s != IN_FLIGHT_S:
            count += int(time_s >= now_s - campaigns["keep_s"][other_ix])
    return count


@kernel
def touch_of(imps: NDArray[np.void], i: int, earlier: int) -> int:
    """The touch of impression *i* of *imps* for somebody with that many earlier exposures."""
    return (
        imps["slot_ix"][i]
        | imps["device_ix"][i] << DEVICE_AT
        | imps["format_ix"][i] << FORMAT_AT
        | frequency_class(earlier) << FREQUENCY_AT
        | (imps["place_ix"][i] & 127) << PLACE_AT
    )


@kernel
def touch(book: Book, campaign_ix: int, imps: NDArray[np.void], i: int) -> int:
    """What to keep of impression *i* when the campaign's ad is shown in it; the slot alone unless a model asks."""
    if book.campaigns["modelled"][campaign_ix] == 0:
        return int(imps["slot_ix"][i])
    return touch_of(imps, i, earlier_exposures(book, campaign_ix, imps["person_ix"][i], imps["now_s"][i]))
