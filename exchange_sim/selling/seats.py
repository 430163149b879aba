"""Seats: who may buy where. What a seat may not buy is refused by the exchange, whatever was bid."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from exchange_sim.kernel import kernel

MAY, SEAT_BARS, SELLER_BARS = 0, 1, 2
"""Whose permission is missing. The seat's own binds whom it buys from; the seller's also where a network resells it."""


@kernel
def is_barred(barred: NDArray[np.uint8], campaign_ix: int, slot_ix: int, seller_slot_ix: int) -> bool:
    """Whether the seat of a campaign (-1: no bid) may not buy a slot; *barred* as in `rules.Selling`.

    *seller_slot_ix* is where the ad would be shown: another slot where a network resells it.
    """
    if barred.shape[0] == 0 or campaign_ix < 0:
        return False
    return barred[campaign_ix, slot_ix] != MAY or barred[campaign_ix, seller_slot_ix] == SELLER_BARS
