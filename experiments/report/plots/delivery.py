"""Where the impressions ran and what they cost: publishers, formats and devices. Prices are CPM."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from experiments.report.facts import OTHERS, Facts, grid, largest, names_and_codes, numbers
from experiments.report.plots import style
from experiments.report.plots.style import Plot
from experiments.report.words import clip, count, money, percent
from experiments.results.summary import ratio

FORMAT_COLOURS = {
    "display": style.BLUE,
    "mobile": style.ORANGE,
    "video": style.GREEN,
    "native": style.PINK,
    "audio": style.SKY,
}
PUBLISHERS_SHOWN = 15


def by_publisher(facts: Facts) -> Plot | None:
    """Impressions and CPM by publisher, split by format."""
    table = facts.tables["slots"]
    publishers, formats, bought = grid(table, "publisher_id", "format", "impressions")
    spend = grid(table, "publisher_id", "format", "spend_nanos")[2]
    sent = grid(table, "publisher_id", "format", "requests")[2]
    if not bought.sum():
        return None
    shown, rest = largest(publishers, bought.sum(axis=1).tolist(), PUBLISHERS_SHOWN)
    groups = {name: [publishers.index(name)] for name in shown}
    if rest:
        groups[f"{len(rest)} {OTHERS}"] = [publishers.index(name) for name in rest]
    counts = np.array([bought[members].sum(axis=0) for members in groups.values()])
    costs = np.array([spend[members].sum(axis=0) for members in groups.values()])
    seen = np.array([sent[members].sum() for members in groups.values()])
    figure, (left, right) = style.new_figure(1.5 + 0.36 * len(groups), 1, 2, sharey=True, width_ratios=(1.5, 1))
    y, base = np.arange(len(groups)), np.zeros(len(groups))
    for column, kind in enumerate(formats):
        colour = FORMAT_COLOURS.get(kind, style.GREY)
        left.barh(y, counts[:, column], left=base, height=0.68, color=colour, label=_told(kind, counts[:, column]))
        base += counts[:, column]
        bought_here = counts[:, column] > 0
        cpm = 1000 * costs[bought_here, column] / counts[bought_here, column]
        dodge = 0.2 * (column - (len(formats) - 1) / 2)
        right.scatter(cpm, y[bought_here] + dodge, s=52, color=colour, zorder=3)
    style.name_rows(left, [clip(name) for name in groups])
    left.set_xlabel("impressions bought")
    right.set_xlabel(f"average price (CPM, {facts.currency} per 1,000)")
    right.set_xlim(0, 1.08 * max(right.get_xlim()[1], 1e-6))  # the dearest dot stays clear of the edge
    for axes in (left, right):
        style.short_numbers(axes, "x")
        style.plain_axis(axes, "x")
    right.grid(visible=True, axis="y")
    style.legend_above(figure, 3)
    return Plot(
        "delivery",
        "Delivery by publisher and format",
        "Impressions bought from each publisher, and what a thousand of each format cost there on average.",
        figure,
        ("publisher", "requests", "bought", "share bought", "spend", "CPM"),
        [
            (
                name,
                count(seen[row]),
                count(counts[row].sum()),
                percent(ratio(counts[row].sum(), seen[row])),
                money(costs[row].sum(), facts.currency),
                money(ratio(1000 * costs[row].sum(), counts[row].sum()), facts.currency),
            )
            for row, name in enumerate(groups)
        ],
    )


def by_device(facts: Facts) -> Plot | None:
    """Impressions, CPM and click rate of each format on each device."""
    shown = facts.tables["exposures"].select(["device", "format", "price_nanos", "clicked"])
    if not shown.num_rows:
        return None
    devices, formats, spend = grid(shown, "device", "format", "price_nanos")
    counts, clicks = _counts(shown, len(devices), len(formats))
    figure, (left, right) = style.new_figure(1.5 + 0.42 * len(devices), 1, 2, sharey=True, width_ratios=(1.5, 1))
    y, base = np.arange(len(devices)), np.zeros(len(devices))
    for column, kind in enumerate(formats):
        colour, label = FORMAT_COLOURS.get(kind, style.GREY), _told(kind, counts[:, column])
        left.barh(y, counts[:, column], left=base, height=0.68, color=colour, label=label)
        base += counts[:, column]
    rate = clicks.sum(axis=1) / counts.sum(axis=1)
    right.barh(y, rate, height=0.68, color=style.SKY)
    for row, value in enumerate(rate):
        style.label_end(right, value, row, percent(value, 2))
    style.name_rows(left, devices)
    left.set_xlabel("impressions bought")
    right.set_xlabel("click rate (clicks per impression)")
    right.set_xlim(0, max(rate.max() * 1.3, 1e-6))
    style.short_numbers(left, "x")
    style.shares(right, "x", bins=4)
    for axes in (left, right):
        style.plain_axis(axes, "x")
    style.legend_above(figure, 3)
    return Plot(
        "devices",
        "Delivery by device and format",
        "Where the ads were seen, and how often they were clicked there.",
        figure,
        ("device", "format", "impressions", "spend", "CPM", "clicks", "click rate"),
        [
            (
                device,
                kind,
                count(counts[d, f]),
                money(spend[d, f], facts.currency),
                money(ratio(1000 * spend[d, f], counts[d, f]), facts.currency),
                count(clicks[d, f]),
                percent(ratio(clicks[d, f], counts[d, f]), 2),
            )
            for d, device in enumerate(devices)
            for f, kind in enumerate(formats)
            if counts[d, f]
        ],
    )


def _told(kind: str, counts: np.ndarray) -> str:
    """The format's name in the legend; one that was never bought is not named there."""
    return kind if counts.any() else f"_{kind}"


def _counts(shown: pa.Table, devices: int, formats: int) -> tuple[np.ndarray, np.ndarray]:
    """Impressions and clicks, each of shape (devices, formats)."""
    cell = names_and_codes(shown, "device")[1] * formats + names_and_codes(shown, "format")[1]
    size = devices * formats
    counts = np.bincount(cell, minlength=size)
    clicks = np.bincount(cell, weights=numbers(shown, "clicked"), minlength=size)
    return counts.reshape(devices, formats), clicks.reshape(devices, formats)
