"""The terms of one request: which slot the buyer meets, at what floors, inside which deal."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from exchange_sim.draws import EXPLORE, RESALE, uniform
from exchange_sim.kernel import kernel, outlined
from exchange_sim.selling.rules import DEAL_FLOOR, GUARANTEED, NO_DEAL, OUR_FLOOR, RIVALS_FLOOR, SOFT_FLOOR, Selling
from exchange_sim.traffic import week_hour
from exchange_sim.world import World


@kernel
def still_owed(deals: NDArray[np.void], delivered: NDArray[np.int64], deal_ix: int, time_s: float) -> bool:
    """Whether a guaranteed deal wants this impression: behind its line, or in arrears after its end (make-goods)."""
    goal = deals["goal"][deal_ix]
    if delivered[deal_ix] >= goal:
        return False
    end_s = deals["end_s"][deal_ix]
    return deals["even"][deal_ix] == 0 or time_s >= end_s or delivered[deal_ix] < goal * (time_s / end_s)


@outlined
def _write_terms(
    slots: NDArray[np.void],
    selling: Selling,
    slot_ix: int,
    hour: int,
    place_ix: int,
    time_s: float,
    key: np.uint64,
    terms: NDArray[np.void],
    j: int,
) -> None:
    """Terms of a slot with rules of its own."""
    share = slots["network_share"][slot_ix]
    if share > 0.0 and uniform(key, RESALE) < share:
        slot_ix = slots["network_slot_ix"][slot_ix]
    floors = selling.floors
    h, p = min(hour, floors.shape[0] - 1), min(place_ix, floors.shape[2] - 1)
    ours, rivals = floors[h, slot_ix, p, OUR_FLOOR], floors[h, slot_ix, p, RIVALS_FLOOR]
    reserve_ix = slots["reserve_ix"][slot_ix]
    terms["explores"][j] = 0
    if reserve_ix >= 0:
        if uniform(key, EXPLORE) < selling.reserves["explore"][reserve_ix]:
            terms["explores"][j] = 1
        else:
            learned = selling.reserves["floor_nanos"][reserve_ix]
            ours, rivals = max(ours, learned), max(rivals, learned)
    terms["slot_ix"][j] = slot_ix
    terms["floor_nanos"][j] = ours
    terms["rivals_floor_nanos"][j] = rivals
    terms["soft_nanos"][j] = floors[h, slot_ix, p, SOFT_FLOOR]
    terms["deal_ix"][j] = -1
    terms["deal_kind"][j] = NO_DEAL
    terms["deal_floor_nanos"][j] = 0
    first = slots["deals_first"][slot_ix]
    for at in range(first, first + slots["deals_count"][slot_ix]):
        deal_ix = selling.slot_deals[at]
        kind = selling.deals["kind"][deal_ix]
        if kind != GUARANTEED or still_owed(selling.deals, selling.delivered, deal_ix, time_s):
            terms["deal_ix"][j] = deal_ix
            terms["deal_kind"][j] = kind
            terms["deal_floor_nanos"][j] = selling.deals["price_nanos"][deal_ix]
            return


@kernel
def set_terms(world: World, opps: NDArray[np.void], i: int, terms: NDArray[np.void], j: int) -> None:
    """Write into terms[j] (TERMS[]) how opportunity *i* is offered now."""
    slot_ix = opps["slot_ix"][i]
    slots = world.slots
    if slots["rules"][slot_ix] != 0:
        time_s = opps["time_s"][i]
        hour, place_ix = week_hour(world, time_s), opps["place_ix"][i]
        _write_terms(slots, world.selling, slot_ix, hour, place_ix, time_s, opps["key"][i], terms, j)
        return
    floor, deal_ix = slots["floor_nanos"][slot_ix], slots["deal_ix"][slot_ix]
    terms["slot_ix"][j] = slot_ix
    terms["deal_ix"][j] = deal_ix
    terms["deal_kind"][j] = DEAL_FLOOR if deal_ix >= 0 else NO_DEAL
    terms["explores"][j] = 0
    terms["floor_nanos"][j] = floor
    terms["rivals_floor_nanos"][j] = floor
    terms["soft_nanos"][j] = 0
    terms["deal_floor_nanos"][j] = slots["deal_floor_nanos"][slot_ix]


@kernel
def set_all_terms(world: World, opps: NDArray[np.void], terms: NDArray[np.void]) -> None:
    """The terms of every opportunity of a block, for sellers whose rules do not change while it lasts."""
    for i in range(opps.shape[0]):
        set_terms(world, opps, i, terms, i)
