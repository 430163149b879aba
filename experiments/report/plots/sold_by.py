"""What buyers see of sellers: why bids lost, what deals delivered, who took what. Money in currency units."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.report.facts import OTHERS, Facts, largest, names_and_codes, numbers
from experiments.report.plots import style
from experiments.report.plots.style import Plot
from experiments.report.words import clip, count, money, number, percent
from experiments.results.conservation import HOPS, LOSSES
from experiments.results.summary import ratio
from openrtb.money import NANOS_PER_UNIT

COLOURS = (
    *(style.BLUE, style.SKY, style.GREEN, style.ORANGE, style.YELLOW),
    *(style.PINK, style.RED, style.GREY, style.MUTED),
)
REASONS = dict(
    zip(
        LOSSES,
        (
            *("a higher bid", "below the floor", "a deal came before", "refused", "stopped while loading"),
            *("sold elsewhere", "seat barred", "advertiser on the page", "category on the page"),
        ),
        strict=True,
    )
)
"""Why bids lose, as people read it."""
TAKERS = {
    "trading_desk": ("trading desk", style.PINK),
    "dsp": ("buying platform (DSP)", style.SKY),
    "exchange": ("exchange", style.BLUE),
    "ssp": ("selling platform (SSP)", style.ORANGE),
    "seller": ("sellers", style.GREEN),
    "refund": ("refunded", style.GREY),
}
ROWS_SHOWN = 15
Part = tuple[str, str, list[float]]
"""Of stacked bars: name, colour, and its width in each row."""


def lost(facts: Facts) -> Plot | None:
    """Bids that came in time and lost, by seller and reason; in numbers by campaign, too."""
    table = facts.tables["bids"]
    if not table.num_rows or not sum(numbers(table, reason).sum() for reason in LOSSES):
        return None
    names, codes = names_and_codes(table, "publisher_id")
    sums = {reason: np.bincount(codes, weights=numbers(table, reason), minlength=len(names)) for reason in LOSSES}
    told = [reason for reason in LOSSES if sums[reason].sum()]
    groups = _groups(names, np.sum(list(sums.values()), axis=0).tolist())
    parts = [
        (REASONS[reason], COLOURS[LOSSES.index(reason)], [sums[reason][members].sum() for members in groups.values()])
        for reason in told
    ]
    figure, axes = _stacked(list(groups), parts, "bids lost", 4)
    _counted(axes, parts)
    return Plot(
        "lost",
        "Why bids lost, seller by seller",
        "Bids that came in time, by the reason exchanges give for a loss. What was short is the mean of what lost bids "
        "lacked to the least that would have won (nothing, where another rule was in the way).",
        figure,
        ("campaign", "publisher", "bids", "won", *(REASONS[reason] for reason in told), "short (CPM)"),
        [_lost_row(row, told) for row in table.to_pylist()],
    )


def _lost_row(row: dict[str, Any], told: list[str]) -> tuple[str, ...]:
    short = ratio(row["short_nanos"] / 1e6, row["bids"] - row["won"])
    counts = (row["bids"], row["won"], *(row[reason] for reason in told))
    return row["campaign_id"], row["publisher_id"], *(count(value) for value in counts), number(short)


def taken(facts: Facts) -> Plot | None:
    """Of what each campaign paid: the share of every hop, and what was left for sellers."""
    table = facts.tables["bids"]
    if not table.num_rows or not numbers(table, "paid_nanos").sum():
        return None
    names, codes = names_and_codes(table, "campaign_id")
    sums = {name: np.bincount(codes, weights=numbers(table, name), minlength=len(names)) for name in HOPS}
    gross = np.sum(list(sums.values()), axis=0)
    if gross.sum() == sums["seller_nanos"].sum():
        return None
    groups = {name: members for name, members in _groups(names, gross.tolist()).items() if gross[members].sum()}
    parts = [
        (label, colour, [sums[f"{name}_nanos"][members].sum() / gross[members].sum() for members in groups.values()])
        for name, (label, colour) in TAKERS.items()
        if sums[f"{name}_nanos"].sum()
    ]
    figure, axes = _stacked(list(groups), parts, "share of what the campaign cost", 6)
    axes.set_xlim(0, 1)
    style.shares(axes, "x")
    return Plot(
        "taken",
        "What each campaign's money became",
        "What auctions and deals cost, the trading desk's and the buying platform's fees on top, the exchange's and "
        "the selling platform's out of it. The rest is the seller's: what a network passes on, no buyer is told.",
        figure,
        ("campaign", "publisher", "paid", *(label for label, _ in TAKERS.values()), "share of sellers"),
        [_taken_row(row, facts.currency) for row in table.to_pylist() if row["won"]],
    )


def _taken_row(row: dict[str, Any], currency: str) -> tuple[str, ...]:
    parts = [row[name] for name in HOPS]
    amounts = (money(nanos / NANOS_PER_UNIT, currency) for nanos in (sum(parts), *parts))
    return row["campaign_id"], row["publisher_id"], *amounts, percent(ratio(row["seller_nanos"], sum(parts)))


def deals(facts: Facts) -> Plot | None:
    """Of each deal: what was delivered in time and made good afterwards, and what is missing of what it owes."""
    rows = [row for row in facts.tables["deals"].to_pylist() if row["kind"] != "floor"]
    if not rows:
        return None
    drawn = sorted(rows, key=lambda row: (-max(row["owed"], row["delivered"]), row["deal_id"]))[:ROWS_SHOWN]
    looks = (("delivered", style.GREEN), ("made good, late", style.ORANGE), ("missing", style.GREY))
    widths = zip(*(_delivery(row) for row in drawn), strict=True)
    parts = [(*look, list(width)) for look, width in zip(looks, widths, strict=True)]
    figure, axes = _stacked([row["deal_id"] for row in drawn], parts, "impressions", 3)
    _counted(axes, parts)
    return Plot(
        "deals",
        "Deals and what they delivered",
        "Only guaranteed deals owe a number of impressions; what they lack when they are due is made good afterwards.",
        figure,
        ("deal", "kind", "price (CPM)", "owed", "in time", "made good", "missing"),
        [
            (
                *(row["deal_id"], row["kind"].replace("_", " "), number(row["price_nanos"] / 1e6), count(row["owed"])),
                *(count(part) for part in _delivery(row)),
            )
            for row in rows
        ],
    )


def _delivery(row: dict[str, Any]) -> tuple[int, int, int]:
    """Impressions in time, made good, and missing."""
    return row["delivered"] - row["made_good"], row["made_good"], max(0, row["owed"] - row["delivered"])


def _stacked(rows: list[str], parts: list[Part], label: str, columns: int) -> tuple[Figure, Axes]:
    """A bar for each row, put together of *parts*; *label* is the axis', *columns* those of the legend."""
    figure, axes = style.new_figure(1.5 + 0.36 * len(rows))
    base = np.zeros(len(rows))
    for name, colour, widths in parts:
        bars: dict[str, Any] = {"height": 0.68, "color": colour, "ec": style.PAPER, "lw": 0.5, "label": name}
        axes.barh(np.arange(len(rows)), widths, left=base, **bars)
        base += widths
    style.name_rows(axes, [clip(row) for row in rows])
    axes.set_xlabel(label)
    style.plain_axis(axes, "x")
    style.legend_above(figure, columns)
    return figure, axes


def _counted(axes: Axes, parts: list[Part]) -> None:
    """Whole numbers, with room beyond the longest bar."""
    axes.set_xlim(0, max(1.0, 1.05 * np.sum([widths for _, _, widths in parts], axis=0).max()))
    style.short_numbers(axes, "x", whole=True)


def _groups(names: list[str], sizes: list[float]) -> dict[str, list[int]]:
    """The largest names, each with its index, and all others together."""
    shown, rest = largest(names, sizes, ROWS_SHOWN)
    groups = {name: [names.index(name)] for name in shown}
    return groups | ({f"{len(rest)} {OTHERS}": [names.index(name) for name in rest]} if rest else {})
