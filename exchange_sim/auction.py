"""Clearing one auction: who wins and what is paid.

A bid equal to the floor is accepted. Inside a deal our bid has the deal's floor, rivals the open one. A soft floor
turns a second-price auction into a first-price one below it: the winner pays its bid up to there.
"""

from __future__ import annotations

import numpy as np

from exchange_sim.draws import COIN, uniform
from exchange_sim.kernel import kernel
from exchange_sim.selling.rules import LOST_BELOW_FLOOR, LOST_ELSEWHERE, LOST_TO_HIGHER
from exchange_sim.world import SECOND_PRICE, TELLS_LOSERS, TELLS_WINNERS, TIE_BIDDER, TIE_COIN


@kernel
def beats(bid_nanos: int, rival_nanos: int, tie: int, key: np.uint64) -> bool:
    """Whether our bid beats the best rival bid under the tie rule."""
    if bid_nanos != rival_nanos:
        return bid_nanos > rival_nanos
    return tie == TIE_BIDDER or (tie == TIE_COIN and uniform(key, COIN) < 0.5)


@kernel
def min_to_win(tells: int, won: bool, lost: int, to_beat_nanos: int) -> int:
    """What the exchange tells our bidder of the price to beat (ties aside); 0: nothing.

    *tells* as in `World`, *lost* why our bid lost if it did: where no price would have won there is none to tell.
    """
    if tells == 0:
        return 0
    if won:
        return to_beat_nanos if tells & TELLS_WINNERS else 0
    by_price = lost in (LOST_TO_HIGHER, LOST_BELOW_FLOOR, LOST_ELSEWHERE)
    return to_beat_nanos if tells & TELLS_LOSERS and by_price else 0


@kernel
def clear(
    kind: int,
    tie: int,
    key: np.uint64,
    bid_nanos: int,
    our_floor_nanos: int,
    open_floor_nanos: int,
    best_nanos: int,
    second_nanos: int,
    soft_nanos: int,
) -> tuple[bool, int, int]:
    """Settle our bid (0: none) against the two best rival bids.

    Returns (whether we won, what we pay, what the seller earns from whoever won; 0 when unsold).
    """
    rival_nanos = best_nanos if best_nanos >= open_floor_nanos else 0
    bids = bid_nanos > 0 and bid_nanos >= our_floor_nanos
    if bids and (rival_nanos == 0 or beats(bid_nanos, rival_nanos, tie, key)):
        if kind == SECOND_PRICE:
            price = min(bid_nanos, max(our_floor_nanos, rival_nanos, soft_nanos))
        else:
            price = bid_nanos
        return True, price, price
    if rival_nanos == 0:
        return False, 0, 0
    if kind == SECOND_PRICE:
        runner_up = max(second_nanos, bid_nanos if bids else 0)
        return False, 0, min(rival_nanos, max(open_floor_nanos, runner_up, soft_nanos))
    return False, 0, rival_nanos
