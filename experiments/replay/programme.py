"""The bidding programmes of Cai et al. 2017: bids that depend on the auctions and the budget an episode has left.

Cai, Ren, Zhang, Malialis, Wang, Yu, Guo, "Real-time bidding by reinforcement learning in display advertising", WSDM
2017: `rlb` bids on each row's predicted click rate, `mdp` (their SS-MDP, after Amin et al. 2012) on the average one.
Money is whole units of the log's price; values are expected clicks. The conventions are listed in docs/replay.md.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from experiments.errors import ReplayError
from experiments.replay.auctions import Flags, Longs, Tally
from experiments.replay.grid import ReplayRow
from experiments.replay.log import BidLog

Reals = npt.NDArray[np.float64]

PROGRAMMES = ("rlb", "mdp")
MOST_STATES = 2**27
"""Largest table of values, in states (1 GiB): auctions left times budgets left."""


class Market(NamedTuple):
    """What training tells: share of each highest rival price 0, 1, 2, … (they sum to 1) and the average click rate."""

    price_share: Reals
    click_rate: float


@njit(cache=True)
def affordable_steps(value: Reals, rate: float, highest_bid: int, step: Longs) -> None:
    """Fill step[b] with the largest bid d <= min(b, highest_bid) for which rate + value[b - d] - value[b] >= 0.

    A win at price d brings *rate* clicks and leaves the value of b - d. *value* (budget + 1,) never falls, so the
    lowest budget still worth reaching only falls with b: one sweep finds all.
    """
    reach = len(value) - 1
    for b in range(len(value) - 1, -1, -1):
        reach = min(reach, b)
        while reach > 0 and rate + value[reach - 1] - value[b] >= 0.0:
            reach -= 1
        step[b] = min(b - reach, highest_bid)


@njit(cache=True)
def value_table(
    episode_rows: int, budget: int, price_share: Reals, rate: float, highest_bid: int, value: Reals
) -> None:
    """Fill value[n, b]: expected clicks from n auctions with budget b, for n < episode_rows, b <= budget.

    V(0, b) = V(n, 0) = 0, as published (free impressions are left out of the last); V(n, b) = V(n-1, b) + sum over
    d <= a(n, b) of m(d) (rate + V(n-1, b-d) - V(n-1, b)), where a(n, b) is the largest bid whose every price is worth
    paying (the paper's recursion). *highest_bid* < len(price_share).
    """
    step = np.empty(budget + 1, np.int64)
    value[0] = 0.0
    for n in range(1, episode_rows):
        before, now = value[n - 1], value[n]
        affordable_steps(before, rate, highest_bid, step)
        now[0] = 0.0
        for b in range(1, budget + 1):
            # Added in this order, the published one: bids compare sums that are equal but for rounding.
            total = before[b]
            for d in range(step[b] + 1):
                total += price_share[d] * (rate + before[b - d] - before[b])
            now[b] = total


@njit(cache=True)
def best_bid(value: Reals, left: int, rate: float, highest_bid: int) -> int:
    """The last d <= min(left, highest_bid) before the first with rate + value[left - d] - value[left] < 0.

    Searched upwards as published. Halving would differ by a unit where rounding makes a flat stretch of values rise
    and fall around zero.
    """
    for d in range(1, min(left, highest_bid) + 1):
        if rate + value[left - d] - value[left] < 0.0:
            return d - 1
    return min(left, highest_bid)


@njit(cache=True)
def replay_programme(
    rate: Reals, price: Longs, click: Flags, value: Reals, budget: int, episode_rows: int, highest_bid: int
) -> Tally:
    """Replay a log in episodes: bid, win if the bid is at least the price, pay the price. *rate* has shape (rows,).

    An episode begins with the full *budget* and the belief that *episode_rows* auctions follow, the last one too.
    """
    wins = clicks = spend = 0
    left, auctions_left = budget, episode_rows
    for i in range(len(price)):
        if auctions_left == 0:
            left, auctions_left = budget, episode_rows
        auctions_left -= 1
        if best_bid(value[auctions_left], left, rate[i], highest_bid) >= price[i]:
            wins += 1
            clicks += int(click[i])
            spend += price[i]
            left -= price[i]
    return len(price), wins, clicks, spend


def check_size(episode_rows: int, budget: int) -> None:
    """Refuse a table of values beyond MOST_STATES.

    Raises:
        ReplayError: it would be larger; the message says what to change.
    """
    states = episode_rows * (budget + 1)
    if states > MOST_STATES:
        raise ReplayError(
            f"episodes of {episode_rows} auctions with a budget of {budget} make {states} states, more than "
            f"{MOST_STATES}; take a shorter --episode or a smaller --budget"
        )


def run_programme(
    log: BidLog,
    bid: str,
    market: Market,
    budgets: list[int],
    episode_rows: int | None,
    cap: int | None,
    on_run: Callable[[], None] | None = None,
) -> list[ReplayRow]:
    """Replay *log* under the programme *bid* once for each budget (per episode); param is always 1.

    Bids stop at *cap* and at the highest price training knows. *on_run* is called after each run.

    Raises:
        ReplayError: the table of values would be too large.
    """
    rows = []
    episode = min(episode_rows or len(log.price), len(log.price))
    highest_bid = len(market.price_share) - 1 if cap is None else min(cap, len(market.price_share) - 1)
    rate = log.pctr if bid == "rlb" else np.full(len(log.pctr), market.click_rate)
    for budget in budgets:
        # More than the highest bid for every auction can never be spent.
        usable = min(budget, episode * highest_bid)
        check_size(episode, usable)
        value = np.empty((episode, usable + 1))
        value_table(episode, usable, market.price_share, market.click_rate, highest_bid, value)
        tally = replay_programme(rate, log.price, log.click, value, usable, episode, highest_bid)
        rows.append(ReplayRow(bid, 1, budget, *(int(count) for count in tally)))
        if on_run is not None:
            on_run()
    return rows
