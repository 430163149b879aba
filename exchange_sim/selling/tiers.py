"""Clearing where more holds than one floor: fixed prices first, private auctions before the open one, soft floors."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from exchange_sim.auction import clear
from exchange_sim.draws import INVITED, bits
from exchange_sim.kernel import outlined
from exchange_sim.rivals import best_nanos, second_nanos
from exchange_sim.selling.reserve import observe
from exchange_sim.selling.rules import (
    DEAL_FLOOR,
    LOST_BELOW_FLOOR,
    LOST_TO_DEAL,
    LOST_TO_HIGHER,
    PREFERRED,
    PRIVATE_AUCTION,
    WAY_OPEN,
)
from exchange_sim.selling.separation import SLOTS, two_admissible
from exchange_sim.world import SECOND_PRICE


@outlined
def clear_by_rules(
    rivals: NDArray[np.void],
    knots: NDArray[np.float64],
    distributions: NDArray[np.void],
    tables: NDArray[np.float64],
    deals: NDArray[np.void],
    observed: NDArray[np.float64],
    reserve_ix: int,
    auction_kind: int,
    tie: int,
    scale: float,
    rivals_ix: int,
    key: np.uint64,
    terms: NDArray[np.void],
    j: int,
    bid_nanos: int,
    via_deal: bool,
    view: NDArray[np.int64],
) -> tuple[bool, int, int, int, int, int, int, int, bool]:
    """Sell what terms[j] (TERMS[]) offer, tier by tier; our bid 0: none. Arrays are the world's, without the world.

    A fixed price is taken before anybody else is asked; a private auction is held before the open one, with rivals of
    its own. On a page (*view*) only rivals it may show take part. Explored auctions are noted in *observed*. Returns
    (won, price, what was paid by whomever, best rival bid, way, why we lost, price to beat for anybody, for us, whether
    it was sold).
    """
    kind, deal_floor = int(terms["deal_kind"][j]), int(terms["deal_floor_nanos"][j])
    if kind >= PREFERRED and via_deal and bid_nanos >= deal_floor:
        return True, deal_floor, deal_floor, 0, kind, LOST_TO_HIGHER, deal_floor, deal_floor, True
    private, explores = kind == PRIVATE_AUCTION, terms["explores"][j] == 1
    while True:
        if private:
            group, draw = int(deals["rivals_ix"][terms["deal_ix"][j]]), bits(key, INVITED)
            our_floor, floor, soft = deal_floor, deal_floor, 0
            bid = bid_nanos if via_deal else 0
        else:
            group, draw = rivals_ix, key
            floor, soft = int(terms["rivals_floor_nanos"][j]), int(terms["soft_nanos"][j])
            our_floor = deal_floor if via_deal else int(terms["floor_nanos"][j])
            bid = 0 if via_deal and kind > DEAL_FLOOR else bid_nanos
        on_page = view[SLOTS] > 0
        if on_page:
            second_too = auction_kind == SECOND_PRICE
            best, second = two_admissible(rivals, knots, distributions, tables, group, draw, view, second_too)
            second = int(second * scale)
        else:
            best, second = best_nanos(rivals, knots, distributions, tables, group, draw), 0
        if scale != 1.0:
            best = int(best * scale)
        if not on_page and auction_kind == SECOND_PRICE and (bid <= best or bid < our_floor or explores):
            second = second_nanos(rivals, knots, distributions, tables, group, draw)
            if scale != 1.0:
                second = int(second * scale)
        won, price, revenue = clear(auction_kind, tie, draw, bid, our_floor, floor, best, second, soft)
        rival = best if best >= floor else 0
        sold = won or rival > 0
        if sold or not private:
            break
        private = False
    if explores and not private:
        observe(observed, reserve_ix, bid, best, second)
    lost = LOST_TO_HIGHER
    if private and not via_deal:
        lost = LOST_TO_DEAL
    elif bid_nanos < our_floor:
        lost = LOST_BELOW_FLOOR
    way = kind if private or (won and via_deal) else WAY_OPEN
    return won, price, revenue, best, way, lost, max(best, floor), max(our_floor, rival), sold
