"""Rivals: the best and second-best competing bid, from order statistics rather than one draw per rival."""

from __future__ import annotations

import numpy as np

from exchange_sim.distributions import quantile
from exchange_sim.draws import BEST_RIVAL, SECOND_RIVAL, uniform
from exchange_sim.kernel import kernel
from exchange_sim.world import HIGHEST, NO_RIVALS, World


@kernel
def _best_uniform(world: World, rivals_ix: int, key: np.uint64) -> float:
    u = uniform(key, BEST_RIVAL)
    count = world.rivals["count"][rivals_ix]
    return u if count == 1 else u ** (1.0 / count)


@kernel
def best_rival_nanos(world: World, rivals_ix: int, key: np.uint64) -> int:
    """Highest rival bid, 0 when nobody else bids. The largest of n uniforms is distributed as u^(1/n)."""
    if world.rivals["kind"][rivals_ix] == NO_RIVALS:
        return 0
    u = _best_uniform(world, rivals_ix, key)
    return int(quantile(world.distributions, world.rivals["distribution_ix"][rivals_ix], world.tables, u))


@kernel
def second_rival_nanos(world: World, rivals_ix: int, key: np.uint64) -> int:
    """Second-highest rival bid, 0 when there is none or only the highest is known.

    Given the largest u of n uniforms, the others are uniform below it: the second is u * v^(1/(n-1)).
    """
    kind, count = world.rivals["kind"][rivals_ix], world.rivals["count"][rivals_ix]
    if kind in (NO_RIVALS, HIGHEST) or count < 2:
        return 0
    u = _best_uniform(world, rivals_ix, key) * uniform(key, SECOND_RIVAL) ** (1.0 / (count - 1))
    return int(quantile(world.distributions, world.rivals["distribution_ix"][rivals_ix], world.tables, u))
