"""Clicks and attributed purchases of each campaign, and what one of them cost (currency units)."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes

from experiments.report.facts import Facts
from experiments.report.plots import style
from experiments.report.plots.style import Plot
from experiments.report.words import clip, count, money, percent

CAMPAIGNS_SHOWN = 15


def outcomes(facts: Facts) -> Plot | None:
    """Outcomes of each campaign on the left, cost per outcome on the right."""
    rows = facts.campaigns[:CAMPAIGNS_SHOWN]
    kinds = [
        ("clicks", "clicks", "cpc", "cost per click", style.BLUE),
        ("attributed_conversions", "attributed purchases", "cpa", "cost per attributed purchase", style.ORANGE),
    ]
    kinds = [kind for kind in kinds if any(row[kind[0]] for row in rows)]
    if not kinds:
        return None
    height = (0.9 + 0.3 * len(rows)) * len(kinds) + 0.3
    figure, grid = style.new_figure(height, len(kinds), 2, sharey=True, squeeze=False, width_ratios=(1.3, 1))
    for (left, right), (number, label, cost, cost_label, colour) in zip(grid, kinds, strict=True):
        _bars(left, rows, number, colour, count)
        _bars(right, rows, cost, style.GREY, lambda value: money(value, facts.currency))
        left.set_xlabel(label)
        right.set_xlabel(f"{cost_label} ({facts.currency})")
    return Plot(
        "outcomes",
        "Outcomes and what they cost",
        "Clicks and purchases as the bidder counts them: a purchase goes to the campaign whose ad the person saw last. "
        "What the ads really caused is in the next part."
        + (f" The {len(rows)} biggest spenders are shown." if len(facts.campaigns) > len(rows) else ""),
        figure,
        ("campaign", "clicks", "click rate", "cost per click", "attributed purchases", "cost per purchase"),
        [
            (
                row["campaign_id"],
                count(row["clicks"]),
                percent(row["ctr"], 2),
                money(row["cpc"], facts.currency),
                count(row["attributed_conversions"]),
                money(row["cpa"], facts.currency),
            )
            for row in rows
        ],
    )


def _bars(axes: Axes, rows: list[dict[str, Any]], key: str, colour: str, words: Any) -> None:
    y = np.arange(len(rows))
    values = [row[key] or 0 for row in rows]
    axes.barh(y, values, height=0.68, color=colour)
    for ix, row in enumerate(rows):
        style.label_end(axes, values[ix], ix, words(row[key]))
    style.name_rows(axes, [clip(row["campaign_id"]) for row in rows])
    axes.set_xlim(0, (max(values) or 1) * 1.25)
    style.short_numbers(axes, "x", bins=4)
    style.plain_axis(axes, "x")
