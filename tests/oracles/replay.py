"""Slow, obvious replay of a bid log: one auction after another, in plain Python integers.

Written from the published rules, not from the kernels; it shares no code with `experiments.replay`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

Row = tuple[int, int, float]
"""(click, price, pctr)"""


def bid_rule(name: str, param: float, scale: float) -> Callable[[float], int]:
    """Return the rule as a function of the predicted click rate."""
    if name == "const":
        return lambda pctr: int(param)
    if name == "lin":
        return lambda pctr: int(pctr * param / scale)
    if name == "mcpc":
        return lambda pctr: int(scale * pctr)
    return lambda pctr: int(math.sqrt(scale * pctr / param + scale * scale) - scale)


def replay(
    rows: Sequence[Row],
    rule: Callable[[float], int],
    budget: int,
    *,
    tie_wins: bool,
    may_cross: bool,
    episode_rows: int | None = None,
    cap: int | None = None,
) -> tuple[int, int, int, int]:
    """Return (bids, wins, clicks, spend)."""
    bids = wins = clicks = spend = 0
    left = budget
    stopped = False
    for number, (click, price, pctr) in enumerate(rows):
        if episode_rows is not None and number % episode_rows == 0:
            left, stopped = budget, False
        if stopped:
            continue
        bids += 1
        bid = rule(pctr)
        if cap is not None:
            bid = min(bid, cap)
        if not may_cross:
            bid = min(bid, left)
        if bid > price or (tie_wins and bid == price):
            wins += 1
            clicks += click
            spend += price
            left -= price
            stopped = may_cross and left < 0
    return bids, wins, clicks, spend
