"""Rivals: the best and second-best competing bid, from order statistics rather than one draw per rival.

The largest of n uniforms is distributed as u^(1/n); given it, the second is uniform below it to the power 1/(n-1). So
with Q the inverse distribution of one rival's bid and R(w) = Q(w^(1/n)), the best bid is R(u) and the second-best
R(u * v^(n/(n-1))).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from exchange_sim.distributions import LOGNORMAL, quantile
from exchange_sim.draws import BEST_RIVAL, SECOND_RIVAL, uniform
from exchange_sim.kernel import kernel
from exchange_sim.world import HIGHEST, NO_RIVALS, World

KNOTS = 4096
EXACT_KNOTS = 16
"""Within this many knots of either end R is worked out exactly; in between, where a straight line from knot to knot is
off by less than 2e-4 standard deviations of the logarithm, it is read from a table."""


@kernel
def _exact(
    rivals: NDArray[np.void], k: int, distributions: NDArray[np.void], tables: NDArray[np.float64], w: float
) -> float:
    """R(w) of group *k* in nanos."""
    count = rivals["count"][k]
    return quantile(distributions, rivals["distribution_ix"][k], tables, w if count == 1 else w ** (1.0 / count))


def tabulate(
    rivals: NDArray[np.void], distributions: NDArray[np.void], tables: NDArray[np.float64]
) -> NDArray[np.float64]:
    """float64[K, KNOTS + 1]: R of each group of lognormal rivals at the knots; the others need no table."""
    knots = np.zeros((len(rivals), KNOTS + 1))
    for k in range(len(rivals)):
        bids = rivals["kind"][k] != NO_RIVALS
        if bids and distributions["kind"][rivals["distribution_ix"][k]] == LOGNORMAL:
            for i in range(1, KNOTS):
                knots[k, i] = _exact(rivals, k, distributions, tables, i / KNOTS)
    return knots


@kernel
def ranked_nanos(
    rivals: NDArray[np.void],
    knots: NDArray[np.float64],
    distributions: NDArray[np.void],
    tables: NDArray[np.float64],
    k: int,
    w: float,
) -> int:
    """R(w) of group *k*, rounded down to a nano."""
    if distributions["kind"][rivals["distribution_ix"][k]] == LOGNORMAL:
        position = w * KNOTS
        i = int(position)
        if EXACT_KNOTS <= i < KNOTS - EXACT_KNOTS:
            low = knots[k, i]
            return int(low + (knots[k, i + 1] - low) * (position - i))
    return int(_exact(rivals, k, distributions, tables, w))


@kernel
def best_nanos(
    rivals: NDArray[np.void],
    knots: NDArray[np.float64],
    distributions: NDArray[np.void],
    tables: NDArray[np.float64],
    rivals_ix: int,
    key: np.uint64,
) -> int:
    """Highest bid of a group, 0 when nobody bids."""
    if rivals["kind"][rivals_ix] == NO_RIVALS:
        return 0
    return ranked_nanos(rivals, knots, distributions, tables, rivals_ix, uniform(key, BEST_RIVAL))


@kernel
def second_nanos(
    rivals: NDArray[np.void],
    knots: NDArray[np.float64],
    distributions: NDArray[np.void],
    tables: NDArray[np.float64],
    rivals_ix: int,
    key: np.uint64,
) -> int:
    """Second-highest bid of a group, 0 when there is none or only the highest is known."""
    kind, count = rivals["kind"][rivals_ix], rivals["count"][rivals_ix]
    if kind in (NO_RIVALS, HIGHEST) or count < 2:
        return 0
    w = uniform(key, BEST_RIVAL) * uniform(key, SECOND_RIVAL) ** (count / (count - 1.0))
    return ranked_nanos(rivals, knots, distributions, tables, rivals_ix, w)


@kernel
def best_rival_nanos(world: World, rivals_ix: int, key: np.uint64) -> int:
    """Highest rival bid, 0 when nobody else bids."""
    return best_nanos(world.rivals, world.rival_knots, world.distributions, world.tables, rivals_ix, key)


@kernel
def second_rival_nanos(world: World, rivals_ix: int, key: np.uint64) -> int:
    """Second-highest rival bid, 0 when there is none or only the highest is known."""
    return second_nanos(world.rivals, world.rival_knots, world.distributions, world.tables, rivals_ix, key)
