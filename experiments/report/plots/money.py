"""Where the money went: from what advertisers paid, hop by hop, to what publishers have. Money in currency units."""

from __future__ import annotations

import numpy as np

from experiments.report.facts import Facts, names_and_codes, numbers
from experiments.report.plots import style
from experiments.report.plots.style import Plot
from experiments.report.words import money, percent
from experiments.results.conservation import TAKERS
from experiments.results.summary import ratio

STEPS = {
    "refund": ("refunded", style.GREY),
    "trading_desk": ("trading desk", style.PINK),
    "dsp": ("buying platform (DSP)", style.SKY),
    "exchange": ("exchange", style.BLUE),
    "ssp": ("selling platform (SSP)", style.ORANGE),
    "network": ("networks", style.RED),
    "publisher": ("publishers", style.GREEN),
}
WAY_NAMES = {"private_auction": "private auction", "deal": "deal in the open auction", "bulk": "bulk, to networks"}


def waterfall(facts: Facts) -> Plot | None:
    """Every sum taken on the way from advertiser to publisher; the steps add up exactly."""
    table = facts.tables["money"]
    paid = float(numbers(table, "advertiser_nanos").sum())
    if not paid:
        return None
    taken = {name: float(numbers(table, f"{name}_nanos").sum()) for name in STEPS}
    assert set(STEPS) == set(TAKERS)
    labels = ["advertisers paid", *(name for name, _ in STEPS.values())]
    figure, axes = style.new_figure(3.9)
    left, starts, widths = paid, [0.0], [paid]
    for name in STEPS:
        left -= taken[name]
        starts.append(left if name != "publisher" else 0.0)
        widths.append(taken[name])
    colours = [style.MUTED, *(colour for _, colour in STEPS.values())]
    axes.barh(np.arange(len(labels)), widths, left=starts, height=0.68, color=colours)
    edge = axes.get_yaxis_transform()
    for row, width in enumerate(widths):
        axes.text(1.16, row, money(width, facts.currency), ha="right", va="center", transform=edge)
        axes.text(1.27, row, percent(ratio(width, paid)), ha="right", va="center", color=style.MUTED, transform=edge)
    style.name_rows(axes, labels)
    axes.set_xlim(0, paid)
    axes.set_xlabel(facts.currency)
    style.short_numbers(axes, "x")
    style.plain_axis(axes, "x")
    return Plot(
        "money",
        "From advertiser to publisher",
        f"What all buyers paid, and who has it: {percent(ratio(taken['publisher'], paid))} reached publishers (working "
        "media). Fees of the rivals' own platforms are not known and not shown. A network's share is what it resold "
        "for, less what it paid in bulk; it may be a loss.",
        figure,
        ("step", "money", "share of what was paid"),
        [
            (label, money(w, facts.currency), percent(ratio(w, paid), 2))
            for label, w in zip(labels, widths, strict=True)
        ],
    )


def ways(facts: Facts) -> Plot | None:
    """What publishers earned in each way to sell, and the price of a thousand impressions there."""
    table = facts.tables["money"]
    names, codes = names_and_codes(table, "way")
    count = np.bincount(codes, weights=numbers(table, "impressions"), minlength=len(names))
    prices = sum(numbers(table, f"{name}_nanos") for name in ("exchange", "ssp", "network", "publisher"))
    gross = np.bincount(codes, weights=prices, minlength=len(names))
    earned = np.bincount(codes, weights=numbers(table, "publisher_nanos"), minlength=len(names))
    shown = [k for k in range(len(names)) if count[k]]
    if len(shown) < 2:
        return None
    shown.sort(key=lambda k: -count[k])
    figure, (left, right) = style.new_figure(1.4 + 0.42 * len(shown), 1, 2, sharey=True)
    cpm = {k: 1000.0 * (earned[k] if names[k] == "bulk" else gross[k]) / count[k] for k in shown}
    y = np.arange(len(shown))
    left.barh(y, [count[k] for k in shown], height=0.66, color=style.BLUE)
    right.barh(y, [cpm[k] for k in shown], height=0.66, color=style.GREEN)
    for row, k in enumerate(shown):
        style.label_end(right, cpm[k], row, money(cpm[k], facts.currency))
    labels = [WAY_NAMES.get(names[k], names[k]) for k in shown]
    style.name_rows(left, labels)
    left.set_xlabel("impressions sold")
    right.set_xlabel(f"CPM before fees ({facts.currency} per 1,000)")
    right.set_xlim(0, max(cpm.values()) * 1.3)
    for axes in (left, right):
        style.short_numbers(axes, "x")
        style.plain_axis(axes, "x")
    return Plot(
        "ways",
        "Ways to sell",
        "Impressions sold to anybody in each way, and their price. What networks took in bulk they sold again: those "
        "impressions stand in both rows.",
        figure,
        ("way", "impressions", "CPM", "publishers earned"),
        [
            (label, f"{count[k]:,.0f}", money(cpm[k], facts.currency), money(earned[k], facts.currency))
            for label, k in zip(labels, shown, strict=True)
        ],
    )
