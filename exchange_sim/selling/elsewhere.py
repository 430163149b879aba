"""What impressions sold at a price agreed beforehand would have brought in the auctions open to everybody.

All that happens to an impression follows from its number, so an auction can be held again afterwards: without deals,
without networks and without the scenario's campaigns, whose bids are not known. What is found is therefore the least.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from exchange_sim.draws import RESALE, uniform
from exchange_sim.kernel import kernel, outlined
from exchange_sim.selling.header import ASK, clear_paths, most_paths, set_path_terms
from exchange_sim.selling.rules import TERMS
from exchange_sim.selling.tiers import clear_by_rules
from exchange_sim.traffic import draw_opportunities, new_cursor
from exchange_sim.world import OPPORTUNITY, World

BLOCK = 1024
COUNT, NET, NET_SQUARED = 0, 1, 2
"""Columns of what is found: impressions, what was left of them after the exchange's fee (nanos), and of its squares."""


def open_world(world: World) -> World:
    """The same market in which nobody has a deal, no network buys and no learned floor is tried out."""
    slots, reserves = world.slots.copy(), world.selling.reserves.copy()
    slots["deals_count"], slots["deal_ix"], slots["network_share"], slots["rules"] = 0, -1, 0.0, 1
    reserves["explore"] = 0.0
    checked = world.verification
    return world._replace(
        slots=slots,
        selling=world.selling._replace(reserves=reserves),
        verification=checked._replace(filtered=np.zeros_like(checked.filtered)),
    )


@outlined
def _openly(
    world: World,
    opps: NDArray[np.void],
    i: int,
    terms: NDArray[np.void],
    asks: NDArray[np.void],
    blocks: NDArray[np.int64],
) -> float:
    """What rivals alone would leave of opportunity *i* after the exchange's fee (nanos); no campaign bids.

    Where there is one exchange its fee is not taken: that is a share of a sum.
    """
    count, key = set_path_terms(world, opps, i, terms), opps["key"][i]
    if count > 0:
        for k in range(count):
            asks["campaign_ix"][k], asks["bid_nanos"][k], asks["via_deal"][k] = -1, 0, 0
        chosen = clear_paths(world, opps, i, terms, asks, count, blocks)
        return float(asks["paid_nanos"][chosen] - asks["fee_nanos"][chosen]) if chosen >= 0 else 0.0
    slot_ix = int(terms["slot_ix"][0])
    told = clear_by_rules(
        world.rivals,
        world.rival_knots,
        world.distributions,
        world.tables,
        world.selling.deals,
        world.selling.observed,
        -1,
        world.auction_kind,
        world.tie,
        world.slots["rival_scale"][slot_ix],
        int(world.slots["rivals_ix"][slot_ix]),
        key,
        terms,
        0,
        0,
        False,
        world.pages.on_view,
    )
    return float(told[2])


@kernel
def _value_block(
    world: World,
    shares: NDArray[np.float64],
    opps: NDArray[np.void],
    cursor: NDArray[np.float64],
    until_s: float,
    wanted: NDArray[np.int64],
    groups: NDArray[np.int64],
    at: NDArray[np.int64],
    terms: NDArray[np.void],
    asks: NDArray[np.void],
    blocks: NDArray[np.int64],
    found: NDArray[np.float64],
) -> int:
    """Sell a block's impressions that are *wanted* (sorted) or that a network took; groups[n] of *found* gets them."""
    n, last = draw_opportunities(world, opps, opps.shape[0], cursor, until_s), found.shape[0] - 1
    for i in range(n):
        slot_ix, auction_ix, group = opps["slot_ix"][i], opps["auction_ix"][i], -1
        if at[0] < wanted.shape[0] and wanted[at[0]] == auction_ix:
            group = groups[at[0]]
            at[0] += 1
        elif shares[slot_ix] > 0.0 and uniform(opps["key"][i], RESALE) < shares[slot_ix]:
            group = last
        if group >= 0:
            net = _openly(world, opps, i, terms, asks, blocks)
            found[group, slot_ix, COUNT] += 1.0
            found[group, slot_ix, NET] += net
            found[group, slot_ix, NET_SQUARED] += net * net
    return n


def sold_openly(
    world: World, end_s: float, wanted: NDArray[np.int64], groups: NDArray[np.int64], group_count: int
) -> NDArray[np.float64]:
    """float64[groups + 1, S, 3]: the auctions *wanted* (int64[], sorted) by their group and slot, and in the last
    group what networks took."""
    again = open_world(world)
    found = np.zeros((group_count + 1, len(world.slots), 3))
    opps, cursor, at = np.zeros(BLOCK, OPPORTUNITY), new_cursor(), np.zeros(1, np.int64)
    paths = most_paths(world)
    nobody = np.zeros((2, 0, 0, 0), np.int64)  # without bids nothing is refused or stopped
    working = np.zeros(paths, TERMS), np.zeros(paths, ASK), nobody
    shares = world.slots["network_share"].copy()
    while _value_block(again, shares, opps, cursor, end_s, wanted, groups, at, *working, found) == BLOCK:
        pass
    return found
