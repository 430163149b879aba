"""The figure of docs/strategies.md, drawn with the kernels themselves; `python -m experiments.strategy_plot FILE.png`.

Prices in CPM, rates as clicks per impression; the lower left panel in the price unit of a recorded log.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from bidder.core.bids import linear, mcpc, ortb1, ortb2
from bidder.core.pacing import additive_mu, multiplicative_mu
from bidder.core.shading import shade_lognormal, shade_uniform
from experiments.replay.programme import best_bid, value_table
from experiments.report.plots import style

Rule = Callable[[float], float]
RATE, TARGET_CPM, AUCTIONS = 0.001, 0.06, 20_000


def draw() -> style.Plot:
    """Four panels: bids by rate, shading by worth, the dynamic programme by budget left, and mu by auction."""
    with style.look():
        figure, axes = style.new_figure(8.0, 2, 2)
        _by_rate(axes[0, 0])
        _by_worth(axes[0, 1])
        _by_budget(axes[1, 0])
        _by_auction(axes[1, 1])
    return style.Plot("strategies", "Strategies", "Bids and pacing, drawn by the kernels.", figure)


def _by_rate(axes: Axes) -> None:
    rates = np.linspace(0.0, 4 * RATE, 200)
    rules: dict[str, Rule] = {
        "constant": lambda rate: 1.0,
        "linear": lambda rate: linear(rate, 1.0, RATE),
        "mcpc": lambda rate: mcpc(rate, 1500.0),
        "ortb1": lambda rate: ortb1(rate, 0.6, RATE / 3),
        "ortb2": lambda rate: ortb2(rate, 0.6, RATE / 3),
    }
    for (name, rule), colour in zip(rules.items(), style.CYCLE, strict=False):
        axes.plot(1000 * rates, [rule(float(rate)) for rate in rates], color=colour, label=name)
    axes.set(title="Bid by predicted rate", xlabel="clicks per thousand impressions", ylabel="bid (CPM)")
    axes.legend()


def _by_worth(axes: Axes) -> None:
    worths = np.linspace(0.01, 5.0, 200)
    curves: dict[str, Rule] = {
        "truthful": lambda v: v,
        "lognormal rival, median 1, sigma 1": lambda v: shade_lognormal(v, 0.0, 1.0),
        "lognormal rival, median 1, sigma 0.3": lambda v: shade_lognormal(v, 0.0, 0.3),
        "highest of 3 uniform up to 2": lambda v: shade_uniform(v, 2.0, 3.0),
    }
    for (name, curve), colour in zip(curves.items(), style.CYCLE, strict=False):
        axes.plot(worths, [curve(float(worth)) for worth in worths], color=colour, label=name)
    axes.set(title="Shaded bid by worth (first price)", xlabel="worth (CPM)", ylabel="bid (CPM)")
    axes.legend()


def _by_budget(axes: Axes) -> None:
    prices = np.arange(301.0)
    share = np.diff(prices / (prices + 28.0), prepend=0.0)
    share[-1] += 1.0 - share.sum()
    budget = 2000
    value = np.empty((1000, budget + 1))
    value_table(1000, budget, share, 0.0044, 300, value)
    for left, colour in zip((10, 100, 400, 999), style.CYCLE, strict=False):
        bids = [best_bid(value[left], b, 0.0044, 300) for b in range(0, budget + 1, 10)]
        axes.plot(range(0, budget + 1, 10), bids, color=colour, label=f"{left} auctions left")
    axes.set(title="RLB's bid at the average rate", xlabel="budget left (price units)", ylabel="bid (price units)")
    axes.legend()


def _by_auction(axes: Axes) -> None:
    rng = np.random.default_rng(1)
    worth, rival = rng.random((2, AUCTIONS))
    scale = 1.0 / math.sqrt(AUCTIONS)
    for name, move, step, colour in (
        ("additive", additive_mu, 3.0 * scale, style.BLUE),
        ("multiplicative", multiplicative_mu, 10.0 * scale, style.ORANGE),
    ):
        mu, path = 0.1, np.empty(AUCTIONS)
        for t in range(AUCTIONS):
            spend = rival[t] if worth[t] / (1.0 + mu) > rival[t] else 0.0
            mu = path[t] = move(mu, step, TARGET_CPM, spend, 50.0)
        axes.plot(range(0, AUCTIONS, 20), path[::20], color=colour, label=name, linewidth=1.2)
    axes.axhline(2 / 3, color=style.INK, linewidth=1.0, linestyle="--", label="limit 2/3")
    axes.set(title="Adaptive pacing: mu by auction", xlabel="auctions", ylabel="mu")
    axes.legend()


def main(arguments: list[str]) -> int:
    """Write the figure to the one file named; returns the exit code."""
    if len(arguments) != 1 or not arguments[0].endswith(".png"):
        print("usage: python -m experiments.strategy_plot FILE.png", file=sys.stderr)
        return 1
    try:
        Path(arguments[0]).write_bytes(style.png_of(draw()))
    except OSError as error:
        print(f"bidlab: {arguments[0]}: cannot be written: {error.strerror or error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
