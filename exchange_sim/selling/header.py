"""Header bidding: one impression offered in several exchanges at once, and sold once.

Each exchange holds its own auction and passes its winner's price, less its fee, to the publisher, who takes the highest
(the first listed on a tie). A price fixed in a deal goes before all that. Money in int64 nanos per impression.

A *path* is one of the exchanges as the way to a slot: number 0 is the scenario's own, which also carries the deals.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from exchange_sim.draws import HEADER, key_of
from exchange_sim.kernel import kernel, outlined
from exchange_sim.selling.rules import (
    DEAL_FLOOR,
    LOST_ELSEWHERE,
    LOST_SEAT,
    LOST_STOPPED,
    LOST_TO_DEAL,
    NO_DEAL,
    OUR_FLOOR,
    PREFERRED,
    RIVALS_FLOOR,
    SOFT_FLOOR,
    WAY_DEAL,
    WAY_HEADER,
    WAY_OPEN,
)
from exchange_sim.selling.seats import is_barred
from exchange_sim.selling.terms import set_terms
from exchange_sim.selling.tiers import clear_by_rules
from exchange_sim.traffic import week_hour
from exchange_sim.verification.paths import is_stopped, refuse, tell_checked
from exchange_sim.world import World

FEE_PARTS = 1_000_000_000
"""Fees are whole billionths of a price."""
REQUEST_STEP = 10**15
"""How far the numbers of the requests for one impression lie apart."""

ASK = np.dtype(
    [
        ("campaign_ix", "i8"),  # our bid on this path; -1: none
        ("bid_nanos", "i8"),
        ("worth_nanos", "i8"),
        ("via_deal", "i8"),
        ("fate", "i8"),  # why there is no bid
        ("person_ix", "i8"),  # whose exposure and which day's money the bid holds: the bidder's own affair
        ("touch", "i8"),
        ("day_ix", "i8"),
        ("won", "i8"),  # what follows is what became of it
        ("sold", "i8"),  # this path sold the impression, to whomever
        ("price_nanos", "i8"),  # what we pay if we won
        ("paid_nanos", "i8"),  # what the path's winner would pay
        ("fee_nanos", "i8"),  # what its exchange would keep of that
        ("passed", "i8"),  # it had a winner to pass to the publisher
        ("best_nanos", "i8"),
        ("way", "i8"),
        ("lost", "i8"),
        ("market_nanos", "i8"),
        ("to_beat_nanos", "i8"),
        ("checked", "i8"),  # what verification made of the bid: LOST_REFUSED, LOST_STOPPED; 0: nothing
    ],
    align=True,
)


@kernel
def fee_of(price_nanos: int, fee_parts: int) -> int:
    """What an exchange keeps of a price: rounded down to a nano, without overflow."""
    return price_nanos // FEE_PARTS * fee_parts + price_nanos % FEE_PARTS * fee_parts // FEE_PARTS


@kernel
def least_price(net_nanos: int, fee_parts: int) -> int:
    """The least price of which at least *net_nanos* is left after the fee: that is ceil(price (1 - fee)) >= net."""
    if net_nanos <= 0:
        return 0
    rest, short = FEE_PARTS - fee_parts, net_nanos - 1
    return short // rest * FEE_PARTS + short % rest * FEE_PARTS // rest + 1


@kernel
def path_request_no(auction_ix: int, path: int) -> int:
    """Number of the request for this impression on a path: every path has its own."""
    return auction_ix + path * REQUEST_STEP


@kernel
def path_key(key: np.uint64, path: int) -> np.uint64:
    """Key of what is drawn for one path alone."""
    return key if path == 0 else key_of(key, HEADER, path)


@kernel
def path_count(world: World, terms: NDArray[np.void], j: int) -> int:
    """How many requests offer what terms[j] say: 0 where there is no header bidding, else all paths."""
    if world.selling.paths.shape[0] == 0:
        return 0
    further = int(world.selling.paths["count"][terms["slot_ix"][j]])
    return further + 1 if further > 0 else 0


def most_paths(world: World) -> int:
    """The most requests one impression is offered in; 1: nobody sells by header bidding."""
    paths = world.selling.paths
    return 1 + int(paths["count"].max()) if len(paths) else 1


@kernel
def set_path_terms(world: World, opps: NDArray[np.void], i: int, terms: NDArray[np.void]) -> int:
    """Write into *terms* (TERMS[paths]) how opportunity *i* is offered on each path; returns `path_count`.

    terms[0] is written in any case. Deals, and what a network takes, are on the first path alone.
    """
    set_terms(world, opps, i, terms, 0)
    count = path_count(world, terms, 0)
    if count == 0:
        return 0
    floors = world.selling.floors
    h = min(week_hour(world, opps["time_s"][i]), floors.shape[0] - 1)
    p = min(opps["place_ix"][i], floors.shape[2] - 1)
    first = world.selling.paths["first"][terms["slot_ix"][0]]
    for k in range(1, count):
        slot_ix = first + k - 1
        terms["slot_ix"][k] = slot_ix
        terms["deal_ix"][k] = -1
        terms["deal_kind"][k] = NO_DEAL
        terms["explores"][k] = 0
        terms["floor_nanos"][k] = floors[h, slot_ix, p, OUR_FLOOR]
        terms["rivals_floor_nanos"][k] = floors[h, slot_ix, p, RIVALS_FLOOR]
        terms["soft_nanos"][k] = floors[h, slot_ix, p, SOFT_FLOOR]
        terms["deal_floor_nanos"][k] = 0
    return count


@kernel
def _clear_path(world: World, key: np.uint64, terms: NDArray[np.void], asks: NDArray[np.void], k: int) -> None:
    """The auction of one exchange, as if it were the only one: into asks[k]."""
    slot_ix = int(terms["slot_ix"][k])
    paths = world.selling.paths
    barred = is_barred(world.selling.barred, int(asks["campaign_ix"][k]), slot_ix, slot_ix)
    absent = barred or asks["checked"][k] != 0
    won, price, paid, best, way, lost, market, to_beat, sold = clear_by_rules(
        world.rivals,
        world.rival_knots,
        world.distributions,
        world.tables,
        world.selling.deals,
        world.selling.observed,
        -1,
        int(paths["auction_kind"][slot_ix]),
        world.tie,
        world.slots["rival_scale"][slot_ix],
        int(world.slots["rivals_ix"][slot_ix]),
        path_key(key, k) if paths["own_rivals"][slot_ix] == 1 else key,
        terms,
        k,
        0 if absent else int(asks["bid_nanos"][k]),
        asks["via_deal"][k] == 1 and not absent,
        world.pages.on_view,
    )
    asks["won"][k] = won
    asks["passed"][k] = sold
    asks["price_nanos"][k] = price
    asks["paid_nanos"][k] = paid
    asks["fee_nanos"][k] = fee_of(paid, paths["fee_parts"][slot_ix])
    asks["best_nanos"][k] = best
    asks["way"][k] = way
    asks["lost"][k] = LOST_SEAT if barred else lost
    asks["market_nanos"][k] = market
    asks["to_beat_nanos"][k] = to_beat


@kernel
def _net(asks: NDArray[np.void], k: int) -> int:
    """What a path offers the publisher."""
    return int(asks["paid_nanos"][k] - asks["fee_nanos"][k])


@kernel
def _best_path(asks: NDArray[np.void], count: int, but: int) -> int:
    """The path with the most for the publisher, without *but*; the first on a tie, -1: none has a winner."""
    best = -1
    for k in range(count):
        if k != but and asks["passed"][k] == 1 and (best < 0 or _net(asks, k) > _net(asks, best)):
            best = k
    return best


@kernel
def _choose(asks: NDArray[np.void], count: int) -> int:
    """The path the publisher takes; -1: none. A fixed price goes before the comparison."""
    return 0 if _is_fixed(asks) else _best_path(asks, count, -1)


@kernel
def _is_fixed(asks: NDArray[np.void]) -> bool:
    return asks["won"][0] == 1 and asks["way"][0] >= PREFERRED


@outlined
def clear_paths(
    world: World,
    opps: NDArray[np.void],
    i: int,
    terms: NDArray[np.void],
    asks: NDArray[np.void],
    count: int,
    blocks: NDArray[np.int64],
) -> int:
    """Hold the auction of every path and let the publisher choose: into *asks* (ASK[]); returns the path, -1: unsold.

    The price to beat on a path is also what would have to be paid there to offer the publisher as much as the best of
    the other paths (ties aside). Where anything is verified, a bid refused on a path is out of its auction, and one
    whose ad is stopped while it loads makes way for the next of its path, and the publisher chooses again. *blocks* as
    in `exchange_sim.verification.rules`.
    """
    key, verified = opps["key"][i], world.verification.on == 1
    for k in range(count):
        asks["sold"][k], asks["checked"][k] = 0, 0
        if verified:
            asks["checked"][k] = refuse(world, opps, i, terms, asks, k, blocks)
        _clear_path(world, key, terms, asks, k)
    chosen = _choose(asks, count)
    while verified and chosen >= 0 and asks["won"][chosen] == 1 and is_stopped(world, opps, i, asks, chosen, blocks):
        asks["checked"][chosen] = LOST_STOPPED
        _clear_path(world, key, terms, asks, chosen)
        chosen = _choose(asks, count)
    fixed = _is_fixed(asks)
    for k in range(count):
        if k == chosen:
            asks["sold"][k] = 1
            if asks["way"][k] == WAY_OPEN or (asks["way"][k] == WAY_DEAL and asks["won"][k] == 0):
                asks["way"][k] = WAY_HEADER
        elif asks["won"][k] == 1:
            asks["won"][k], asks["price_nanos"][k] = 0, 0
            asks["lost"][k] = LOST_TO_DEAL if fixed else LOST_ELSEWHERE
        other = _best_path(asks, count, k)
        if other >= 0 and not fixed:
            fee_parts = world.selling.paths["fee_parts"][terms["slot_ix"][k]]
            needed = least_price(_net(asks, other), fee_parts)
            asks["to_beat_nanos"][k] = max(asks["to_beat_nanos"][k], needed)
    inside = chosen >= 0 and asks["won"][chosen] == 1 and asks["via_deal"][chosen] == 1
    if inside and terms["deal_kind"][chosen] > DEAL_FLOOR:
        world.selling.delivered[terms["deal_ix"][chosen]] += 1
    if verified:
        tell_checked(world, opps, i, asks, chosen, count)
    return chosen
