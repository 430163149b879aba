"""What an impression does once it has loaded: nothing where nobody can view it, and bots only click."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from exchange_sim.draws import AUCTION_OF, CLICK, key_of, uniform
from exchange_sim.kernel import kernel
from exchange_sim.outcomes import expose
from exchange_sim.verification.bots import bot_kind, discovered
from exchange_sim.verification.clearing import is_viewed
from exchange_sim.world import World


@kernel
def show(
    world: World,
    opps: NDArray[np.void],
    i: int,
    campaign_ix: int,
    pending: NDArray[np.void],
    pending_size: NDArray[np.int64],
) -> bool:
    """Let opportunity *i* see an ad of this campaign; returns whether it is clicked. See `outcomes.expose`."""
    if world.verification.on == 1:
        key = opps["key"][i]
        if not is_viewed(world.verification.viewable, opps["slot_ix"][i], key):
            return False
        kind = bot_kind(world.verification.bots, opps["person_ix"][i])
        if kind >= 0:
            return bool(uniform(key, CLICK) < world.verification.bots["ctr"][kind])
    return bool(expose(world, opps, i, campaign_ix, pending, pending_size))


@njit(cache=True)
def look_back(
    seed_key: np.uint64,
    viewable: NDArray[np.float64],
    bots: NDArray[np.void],
    auction_ix: NDArray[np.int64],
    seller_slot_ix: NDArray[np.int32],
    person_ix: NDArray[np.int64],
) -> tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.bool_]]:
    """bool[n] each, of impressions bought: could be viewed, a bot's, and found out to be one.

    All of it follows from the number of the auction, so no record needs to carry it.
    """
    n = len(auction_ix)
    viewed, bot, found = np.zeros(n, np.bool_), np.zeros(n, np.bool_), np.zeros(n, np.bool_)
    for i in range(n):
        key = key_of(seed_key, AUCTION_OF, auction_ix[i])
        viewed[i] = is_viewed(viewable, seller_slot_ix[i], key)
        kind = bot_kind(bots, person_ix[i])
        if kind >= 0:
            bot[i] = True
            found[i] = discovered(bots, kind, key)
    return viewed, bot, found
