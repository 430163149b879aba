"""Visitors who are not people: which requests are theirs, which are stopped before the auction, which found out later.

Each kind of bot makes a share of the requests of the sellers and hours it haunts. Its bots are persons of their own
after all people, with homes, cookies and segments like anybody's. Draws depend on the auction alone.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from exchange_sim.draws import BOT, BOT_PERSON, DISCOVER, FILTER, uniform
from exchange_sim.kernel import kernel, outlined
from exchange_sim.verification.rules import FILTERED_BOTS, FILTERED_PEOPLE


@outlined
def admit(
    bots: NDArray[np.void],
    bot_shares: NDArray[np.float64],
    mistaken: float,
    filtered: NDArray[np.int64],
    opps: NDArray[np.void],
    i: int,
    publisher_ix: int,
    hour: int,
) -> bool:
    """Decide who opportunity *i* really is, and whether the filter before the auction lets it through.

    A bot's person replaces the one drawn. What is stopped is counted in *filtered*.
    """
    key, column = opps["key"][i], FILTERED_PEOPLE
    u, stop = uniform(key, BOT), mistaken
    for k in range(bots.shape[0]):
        if u < bot_shares[min(hour, bot_shares.shape[0] - 1), publisher_ix, k]:
            opps["person_ix"][i] = bots["first_ix"][k] + int(uniform(key, BOT_PERSON) * bots["count"][k])
            column, stop = FILTERED_BOTS, bots["filtered"][k]
            break
    if stop > 0.0 and uniform(key, FILTER) < stop:
        filtered[opps["slot_ix"][i], column] += 1
        return False
    return True


@kernel
def bot_kind(bots: NDArray[np.void], person_ix: int) -> int:
    """Which kind of bot a person is; -1: a human being."""
    for k in range(bots.shape[0]):
        first_ix = bots["first_ix"][k]
        if first_ix <= person_ix < first_ix + bots["count"][k]:
            return k
    return -1


@kernel
def discovered(bots: NDArray[np.void], kind: int, key: np.uint64) -> bool:
    """Whether an impression of a bot of this kind is found out afterwards."""
    return bool(uniform(key, DISCOVER) < bots["discovered"][kind])
