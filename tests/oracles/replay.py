"""Slow, obvious replay of a bid log: one auction after another, in plain Python integers.

Written from the published rules, not from the kernels; it shares no code with `experiments.replay`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import cache

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
    if name == "ortb2":
        return lambda pctr: int(2.0 * scale * math.sinh(math.asinh(pctr / (param * scale)) / 3.0))
    return lambda pctr: int(math.sqrt(scale * pctr / param + scale * scale) - scale)


def planned(
    rows: Sequence[Row],
    price_share: Sequence[Fraction],
    mean_rate: Fraction,
    budget: int,
    episode_rows: int,
    highest_bid: int,
    on_row: bool,
) -> tuple[int, int, int, int]:
    """Replay under the dynamic programme in exact fractions: (bids, wins, clicks, spend).

    *on_row*: bid on the row's own rate (RLB), else on *mean_rate* (SS-MDP). The value is worked out by looking at every
    bid, not by the paper's sweep.
    """

    @cache
    def value(auctions: int, left: int) -> Fraction:
        if auctions == 0 or left == 0:
            return Fraction(0)
        stay = value(auctions - 1, left)
        outcomes = [Fraction(0)]
        for bid in range(min(left, highest_bid) + 1):
            win = price_share[bid] * (mean_rate + value(auctions - 1, left - bid) - stay)
            outcomes.append(outcomes[-1] + win)
        return stay + max(outcomes)

    bids = wins = clicks = spend = 0
    left, auctions = budget, episode_rows
    for number, (click, price, pctr) in enumerate(rows):
        if number % episode_rows == 0:
            left, auctions = budget, episode_rows
        auctions -= 1
        rate = Fraction(pctr) if on_row else mean_rate
        most = min(left, highest_bid)
        worth_it = [d for d in range(most + 1) if rate + value(auctions, left - d) >= value(auctions, left)]
        bids += 1
        if max(worth_it) >= price:
            wins, clicks, spend, left = wins + 1, clicks + click, spend + price, left - price
    return bids, wins, clicks, spend


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
