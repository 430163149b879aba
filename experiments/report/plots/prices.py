"""The price landscape: how the chance to win rises with the bid, and what it takes to win. Prices are CPM."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter
from numpy.typing import NDArray

from experiments.report.facts import Facts, largest, names_and_codes
from experiments.report.plots import style
from experiments.report.plots.style import Plot
from experiments.report.words import clip, count, number, percent
from experiments.results.summary import ratio

ENOUGH = 10
"""Fewest bids in a bin that make a win rate."""
LINES = 5
"""Most publishers with a line of their own."""


class Bins(NamedTuple):
    """Price bins in rising order (CPM) and, for each publisher and bin, bids, wins and market prices."""

    low: NDArray[np.float64]
    high: NDArray[np.float64]
    publishers: list[str]
    bids: np.ndarray
    wins: np.ndarray
    market: np.ndarray

    @property
    def middle(self) -> NDArray[np.float64]:
        """Middle of each bin (CPM)."""
        return np.asarray((self.low + self.high) / 2)


def landscape(facts: Facts) -> Plot | None:
    """Win rate by bid, above our bids and the prices to beat."""
    bins = _bins(facts)
    if not bins.bids.sum() + bins.market.sum():
        return None
    figure, (above, below) = style.new_figure(5.6, 2, 1, sharex=True, height_ratios=(1.3, 1))
    if bins.bids.max() >= ENOUGH:
        _publisher_lines(above, bins)
        _all_publishers(above, bins)
        style.legend_above(above, 4)
    else:
        above.text(0.5, 0.5, "too few bids to tell", ha="center", color=style.MUTED, transform=above.transAxes)
    above.set_ylim(0, 1.03)
    above.set_ylabel("win rate (wins per bid)")
    style.shares(above)
    _shares(below, bins)
    below.set_ylabel("share per bin")
    below.set_xlabel(f"price (CPM, {facts.currency} per 1,000 impressions)")
    style.shares(below, bins=4)
    _price_axis(below, bins)
    for axes in (above, below):
        style.plain_axis(axes)
    style.legend_above(below, 3)
    figure.align_ylabels()
    bids, wins, market = (part.sum(axis=0) for part in (bins.bids, bins.wins, bins.market))
    return Plot(
        "landscape",
        "Win rate and price landscape",
        "Above: of the bids at a price, how many won (band: 95 % interval for all publishers; bins with fewer than 10 "
        "bids are left out). Below: where our bids lay, and the price it took to win (the floor or the best rival, "
        "known only because the market is simulated).",
        figure,
        ("price (CPM)", "bids", "wins", "win rate", "prices to beat"),
        [
            (
                f"{low:.4g} to {high:.4g}",
                count(bids[ix]),
                count(wins[ix]),
                percent(ratio(wins[ix], bids[ix])),
                count(market[ix]),
            )
            for ix, (low, high) in enumerate(zip(bins.low, bins.high, strict=True))
            if bids[ix] or market[ix]
        ],
    )


def price_to_beat(bins: Bins, share: float) -> float:
    """Price (CPM) that beats the *share* of all requests, to the upper edge of a bin; needs at least one request."""
    reached = np.cumsum(bins.market.sum(axis=0))
    return float(bins.high[int(np.searchsorted(reached, share * reached[-1]))])


def market_words(facts: Facts) -> str:
    """One sentence on what it takes to win; empty when nobody asked."""
    bins = _bins(facts)
    if not bins.market.sum():
        return ""
    half, most = (number(price_to_beat(bins, share)) for share in (0.5, 0.9))
    return f"A bid of {half} CPM beats half of all prices in this market, {most} CPM nine in ten."


def _bins(facts: Facts) -> Bins:
    table = facts.tables["landscape"]
    publishers, codes = names_and_codes(table, "publisher_id")
    lows, highs = table["price_low_cpm"].to_numpy(), table["price_high_cpm"].to_numpy()
    edges, place = np.unique(np.stack([lows, highs], axis=1), axis=0, return_inverse=True)
    cell, shape = codes * len(edges) + place.reshape(-1), (len(publishers), len(edges))

    def add(column: str) -> np.ndarray:
        sums = np.bincount(cell, weights=table[column].to_numpy().astype(float), minlength=shape[0] * shape[1])
        return sums.reshape(shape)

    return Bins(edges[:, 0], edges[:, 1], publishers, add("bids"), add("wins"), add("truth_market"))


def _publisher_lines(axes: Axes, bins: Bins) -> None:
    if len(bins.publishers) < 2:
        return
    shown = largest(bins.publishers, bins.bids.sum(axis=1).tolist(), len(bins.publishers))[0][:LINES]
    colours = [colour for colour in style.CYCLE if colour != style.BLUE]
    for name, colour in zip(shown, colours, strict=False):
        row = bins.publishers.index(name)
        enough = bins.bids[row] >= ENOUGH
        rate = bins.wins[row, enough] / bins.bids[row, enough]
        axes.plot(bins.middle[enough], rate, color=colour, lw=1.3, marker=".", ms=4, label=clip(name, 18))


def _all_publishers(axes: Axes, bins: Bins) -> None:
    """Pooled win rate with the 95 % score interval (Wilson 1927)."""
    bids, wins = bins.bids.sum(axis=0), bins.wins.sum(axis=0)
    enough = bids >= ENOUGH
    n, rate, z = bids[enough], wins[enough] / bids[enough], 1.96
    centre = (rate + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z * np.sqrt(rate * (1 - rate) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    x = bins.middle[enough]
    axes.fill_between(x, centre - half, centre + half, color=style.BLUE, alpha=0.2, linewidth=0)
    axes.plot(x, rate, color=style.BLUE, linewidth=2.6, marker="o", markersize=4, label="all publishers")


def _shares(axes: Axes, bins: Bins) -> None:
    edges = np.append(bins.low, bins.high[-1])
    for part, colour, label in ((bins.market, style.ORANGE, "prices to beat"), (bins.bids, style.BLUE, "our bids")):
        counts = part.sum(axis=0)
        if counts.sum():
            share = counts / counts.sum()
            axes.stairs(share, edges, fill=True, color=colour, alpha=0.18, linewidth=0)
            axes.stairs(share, edges, color=colour, linewidth=1.8, label=label)


def _price_axis(axes: Axes, bins: Bins) -> None:
    """Logarithmic where the bins grow with the price; ends where hardly any bid or price lies."""
    widths = bins.high - bins.low
    seen = np.cumsum((bins.bids + bins.market).sum(axis=0))
    last = min(int(np.searchsorted(seen, 0.998 * seen[-1])) + 1, len(seen) - 1)
    first = int(np.searchsorted(seen, 0.001 * seen[-1]))
    if len(widths) > 2 and widths[-2] > 3 * widths[1] and bins.high[first] > 0:
        axes.set_xscale("log")
        axes.set_xlim(max(bins.low[first], bins.high[0] / 2), bins.high[last])
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.3g}"))
        axes.xaxis.set_minor_formatter(FuncFormatter(lambda value, _: ""))
    else:
        axes.set_xlim(bins.low[0], bins.high[last])
