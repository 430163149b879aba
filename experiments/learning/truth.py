"""The oracle of a scenario's rates: what every exposure's click and purchase probability really was.

For experiments only: no bidder ever sees these. They follow from the ledger by going through the exposures once more,
in their order, with the market's own kernels. Rates per impression.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from exchange_sim.outcomes import response, timing
from exchange_sim.people import person_key
from exchange_sim.world import World


@njit(cache=True)
def true_rates(
    world: World, exposures: NDArray[np.void], clicks: NDArray[np.float64], caused: NDArray[np.float64]
) -> None:
    """Fill *clicks* and *caused* (float64[n]) for *exposures* (EXPOSURE[n], by time): probability of a click and of a
    purchase the exposure causes. `world.stock` must be fresh, and is used up."""
    for i in range(exposures.shape[0]):
        product_ix = world.campaign_products[exposures["campaign_ix"][i]]
        if product_ix < 0:
            continue
        person_ix, time_s = exposures["person_ix"][i], exposures["time_s"][i]
        strength = response(world, person_ix, product_ix, exposures["slot_ix"][i], time_s)
        clicks[i] = min(1.0, world.products["ctr"][product_ix] * strength)
        conversion = world.products["conversion"][product_ix] * strength
        caused[i] = min(1.0, conversion * timing(world, product_ix, person_key(world.seed_key, person_ix), time_s))
