"""Verification where one impression is offered in several exchanges: each bid is judged as it would be in one.

The page is the same on every path, and what a detector makes of an ad on it too: a campaign that is overlooked or
stopped once is so wherever it bids for this impression. Different campaigns have detectors of their own.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from exchange_sim.draws import DETECT_AD, key_of
from exchange_sim.kernel import kernel
from exchange_sim.selling.rules import LOST_REFUSED
from exchange_sim.selling.seats import is_barred
from exchange_sim.verification.clearing import is_viewed, note, stops
from exchange_sim.verification.rules import (
    AD_REFUSED,
    PAGE_REFUSED,
    PAYS_VIEWABLE,
    REFUSED_ADS,
    REFUSED_PAGES,
)
from exchange_sim.world import World


@kernel
def _pair(world: World, opps: NDArray[np.void], i: int, campaign_ix: int) -> int:
    return int(world.verification.pairs[world.slots["publisher_ix"][opps["slot_ix"][i]], campaign_ix])


@kernel
def refuse(
    world: World,
    opps: NDArray[np.void],
    i: int,
    terms: NDArray[np.void],
    asks: NDArray[np.void],
    k: int,
    blocks: NDArray[np.int64],
) -> int:
    """LOST_REFUSED where our bid on path *k* is refused for what is declared, and that is counted; else 0."""
    campaign_ix, slot_ix = int(asks["campaign_ix"][k]), int(terms["slot_ix"][k])
    if campaign_ix < 0 or asks["bid_nanos"][k] <= 0 or is_barred(world.selling.barred, campaign_ix, slot_ix, slot_ix):
        return 0
    pair, publisher_ix = _pair(world, opps, i, campaign_ix), world.slots["publisher_ix"][slot_ix]
    if pair & (AD_REFUSED | PAGE_REFUSED) == 0:
        return 0
    note(blocks, campaign_ix, publisher_ix, publisher_ix, REFUSED_ADS if pair & AD_REFUSED else REFUSED_PAGES)
    return LOST_REFUSED


@kernel
def is_stopped(
    world: World, opps: NDArray[np.void], i: int, asks: NDArray[np.void], k: int, blocks: NDArray[np.int64]
) -> bool:
    """Whether the ad that won on path *k* is stopped while it loads; counted either way."""
    campaign_ix, key, checks = int(asks["campaign_ix"][k]), opps["key"][i], world.verification
    publisher_ix = int(world.slots["publisher_ix"][opps["slot_ix"][i]])
    return stops(
        checks.detectors,
        checks.pages,
        checks.refuses[campaign_ix],
        _pair(world, opps, i, campaign_ix),
        key,
        key_of(key, DETECT_AD, campaign_ix),
        blocks,
        campaign_ix,
        publisher_ix,
        publisher_ix,
    )


@kernel
def tell_checked(world: World, opps: NDArray[np.void], i: int, asks: NDArray[np.void], chosen: int, count: int) -> None:
    """Give bids that were refused or stopped their reason; an impression nobody can view costs nothing if so agreed."""
    for k in range(count):
        if asks["checked"][k] != 0:
            asks["lost"][k], asks["to_beat_nanos"][k] = asks["checked"][k], 0
    if chosen < 0 or asks["won"][chosen] == 0:
        return
    pays_viewable = _pair(world, opps, i, int(asks["campaign_ix"][chosen])) & PAYS_VIEWABLE
    if pays_viewable and not is_viewed(world.verification.viewable, opps["slot_ix"][i], opps["key"][i]):
        asks["price_nanos"][chosen], asks["paid_nanos"][chosen], asks["fee_nanos"][chosen] = 0, 0, 0
