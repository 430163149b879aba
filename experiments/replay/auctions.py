"""The replayed auctions: given each row's bid and its price, what is won, clicked and spent under a budget.

Money is int64 in the log's price unit. The winner pays the row's price. Clicks are stored in one byte and widened
before they are added: without the compiler their sum would else wrap at 256.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

Longs = npt.NDArray[np.int64]
Flags = npt.NDArray[np.uint8]
Tally = tuple[int, int, int, int]
"""(bids, wins, clicks, spend)"""


@njit(cache=True)
def spend_past(bid: Longs, price: Longs, click: Flags, start: int, end: int, budget: int, margin: int) -> Tally:
    """Replay rows start..end-1; stop right after the win that brings the spend above *budget*.

    Arrays are of shape (rows,). A bid wins if it is at least the price plus *margin*: 0 wins ties, 1 does not.
    """
    wins = clicks = spend = 0
    for i in range(start, end):
        # Adding a win 0 or 1 times costs less here than a jump the processor cannot foresee.
        won = int(bid[i] >= price[i] + margin)
        wins += won
        clicks += won * int(click[i])
        spend += won * price[i]
        if spend > budget:
            return i + 1 - start, wins, clicks, spend
    return end - start, wins, clicks, spend


@njit(cache=True)
def spend_within(bid: Longs, price: Longs, click: Flags, start: int, end: int, budget: int, margin: int) -> Tally:
    """Replay rows start..end-1 with every bid cut to the budget left, so no win can cross it.

    Nothing stops early: with nothing left the bids are 0, which still takes free impressions where ties win.
    """
    wins = clicks = spend = 0
    for i in range(start, end):
        if min(bid[i], budget - spend) >= price[i] + margin:
            wins += 1
            clicks += int(click[i])
            spend += price[i]
    return end - start, wins, clicks, spend


@njit(cache=True)
def replay(
    bid: Longs, price: Longs, click: Flags, budget: int, episode_rows: int, tie_wins: bool, may_cross: bool
) -> Tally:
    """Replay a whole log in episodes of *episode_rows* (the last may be shorter), each with a fresh *budget*.

    Returns (bids, wins, clicks, spend) summed over the episodes; bids counts the rows answered, with bids of 0 too.
    """
    bids = wins = clicks = spend = 0
    margin = 0 if tie_wins else 1
    rows = len(bid)
    for start in range(0, rows, episode_rows):
        end = min(start + episode_rows, rows)
        if may_cross:
            part = spend_past(bid, price, click, start, end, budget, margin)
        else:
            part = spend_within(bid, price, click, start, end, budget, margin)
        bids += part[0]
        wins += part[1]
        clicks += part[2]
        spend += part[3]
    return bids, wins, clicks, spend
