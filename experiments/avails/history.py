"""What a publisher sees of its own past: requests by hour and slot, and what its guaranteed deals have delivered.

Requests do not depend on what anybody bids, so they are drawn once more instead of being kept by every run.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from exchange_sim.draws import RESALE, uniform
from exchange_sim.kernel import kernel
from exchange_sim.traffic import draw_opportunities, new_cursor
from exchange_sim.world import OPPORTUNITY, World
from experiments.drivers.batch import BatchRun
from experiments.setting import Setting

BLOCK = 4096
Counts = NDArray[np.int64]


class Requests(NamedTuple):
    """Requests by hour since the start and slot; int64[H, S] each."""

    own: Counts
    """Those the seller has to sell itself."""
    handed: Counts
    """Those a network takes."""


@kernel
def _count(slots: NDArray[np.void], opps: NDArray[np.void], n: int, own: Counts, handed: Counts) -> None:
    for i in range(n):
        slot_ix, hour = opps["slot_ix"][i], int(opps["time_s"][i] / 3600.0)
        share = slots["network_share"][slot_ix]
        if share > 0.0 and uniform(opps["key"][i], RESALE) < share:
            handed[hour, slot_ix] += 1
        else:
            own[hour, slot_ix] += 1


@kernel
def _count_block(
    world: World, opps: NDArray[np.void], cursor: NDArray[np.float64], until_s: float, own: Counts, handed: Counts
) -> int:
    n = draw_opportunities(world, opps, opps.shape[0], cursor, until_s)
    _count(world.slots, opps, n, own, handed)
    return n


def count_requests(world: World, end_s: float) -> Requests:
    """Every request before *end_s* that the filter of invalid traffic lets through; *world* stays as it is."""
    checked = world.verification
    apart = world._replace(verification=checked._replace(filtered=np.zeros_like(checked.filtered)))
    shape = max(1, math.ceil(end_s / 3600.0)), len(world.slots)
    found = Requests(np.zeros(shape, np.int64), np.zeros(shape, np.int64))
    opps, cursor = np.zeros(BLOCK, OPPORTUNITY), new_cursor()
    while _count_block(apart, opps, cursor, end_s, *found) == BLOCK:
        pass
    return found


def delivered_by(setting: Setting, at_s: float) -> tuple[Counts, Counts]:
    """int64[D] each: impressions inside each deal until *at_s*, and until the end. Runs the market (batch)."""
    run, then = BatchRun(setting, None), None
    for start_s, end_s in setting.ticks():
        run.tick(start_s, min(end_s, max(start_s, at_s)))
        if then is None and end_s >= at_s:
            then = setting.world.selling.delivered.copy()
        run.run_until(end_s)
    finally_ = setting.world.selling.delivered.copy()
    return finally_ if then is None else then, finally_
