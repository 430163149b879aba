"""What the ads were really worth, next to what last-touch attribution says. Money in currency units.

The truth is known because the market is simulated: each purchase carries a hidden label, caused by which exposure or
organic. ROAS is value per unit spent; ROMI is (value * margin - spend) / spend.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from matplotlib.axes import Axes

from experiments.report.facts import Facts
from experiments.report.plots import style
from experiments.report.plots.style import Plot
from experiments.report.words import clip, count, money, number, percent, signed_percent
from experiments.results.conservation import counts_by

CAMPAIGNS_SHOWN = 15
CREDITED, TRUE = style.ORANGE, style.GREEN


def value(facts: Facts) -> Plot | None:
    """Credited and true value of each campaign, and the return per unit spent that each implies."""
    rows = [row for row in facts.campaigns if row["spend"]][:CAMPAIGNS_SHOWN]
    if not rows or not any(row["attributed_value"] or row["true_value"] for row in rows):
        return None
    figure, (left, right) = style.new_figure(1.6 + 0.46 * len(rows), 1, 2, sharey=True, width_ratios=(1.15, 1))
    y = np.arange(len(rows))
    left.barh(y - 0.19, [row["attributed_value"] for row in rows], height=0.34, color=CREDITED)
    left.barh(y + 0.19, [row["true_value"] for row in rows], height=0.34, color=TRUE)
    style.name_rows(left, [clip(row["campaign_id"]) for row in rows])
    left.set_xlabel(f"value of purchases ({facts.currency})")
    style.short_numbers(left, "x", bins=4)
    _returns(right, rows)
    right.set_xlabel(f"return on ad spend ({facts.currency} of value per {facts.currency} spent)")
    for axes in (left, right):
        style.plain_axis(axes, "x")
    right.grid(visible=True, axis="y")
    figure.legend(*right.get_legend_handles_labels(), loc="outside upper left", ncols=3)
    return Plot(
        "truth",
        "Credited and true value",
        "Left: value that last touch credits, and value the ads really added. Right: the same per unit of money spent; "
        "the line between the two dots is the bias of the attribution. Right of the break-even mark (1 / margin) an "
        "ad earns more than it costs."
        + (f" The {len(rows)} biggest spenders are shown." if len(facts.campaigns) > len(rows) else ""),
        figure,
        ("campaign", "spend", "credited value", "true value", "credited ROAS", "true ROAS", "bias", "true ROMI"),
        [_row(row, facts.currency) for row in [*rows, facts.total]],
    )


def credit(facts: Facts) -> Plot | None:
    """Of the purchases credited to each campaign: caused by it, by another campaign, or by nobody."""
    sales = facts.tables["conversions"]
    parts = _credit(sales)
    total = {name: sum(part.get(name, 0) for part in parts.values()) for part in parts.values() for name in part}
    rows = [row["campaign_id"] for row in facts.campaigns if total.get(row["campaign_id"])][:CAMPAIGNS_SHOWN]
    if not rows:
        return None
    figure, axes = style.new_figure(1.5 + 0.36 * len(rows))
    y, base = np.arange(len(rows)), np.zeros(len(rows))
    looks: dict[str, dict[str, Any]] = {
        "credited and caused": {"color": TRUE},
        "credited, caused by another campaign": {"color": style.SKY},
        "credited, would have happened anyway": {"color": CREDITED},
        "caused, not credited": {"facecolor": "none", "edgecolor": TRUE, "hatch": "////", "linewidth": 1},
    }
    for label, part in parts.items():
        counts = np.array([part.get(name, 0) for name in rows], dtype=float)
        axes.barh(y, counts, left=base, height=0.68, label=label, **looks[label])
        base += counts
    style.name_rows(axes, [clip(name) for name in rows])
    axes.set_xlabel("purchases")
    style.short_numbers(axes, "x", whole=True)
    style.plain_axis(axes, "x")
    style.legend_above(figure, 2)
    return Plot(
        "credit",
        "Whose purchases does last touch credit?",
        "Attribution credits the last ad seen, whether or not it changed anything; the hidden labels tell which "
        "purchases the ads caused.",
        figure,
        ("campaign", *parts),
        [(name, *(count(part.get(name, 0)) for part in parts.values())) for name in rows],
    )


def _returns(axes: Axes, rows: list[dict[str, Any]]) -> None:
    y = np.arange(len(rows))
    credited = np.array([row["roas"] for row in rows])
    true = np.array([row["true_roas"] for row in rows])
    axes.hlines(y, credited, true, color=style.GREY, linewidth=3)
    axes.scatter(credited, y, s=85, color=CREDITED, zorder=3, label="credited by last touch")
    axes.scatter(true, y, s=85, color=TRUE, zorder=4, label="true (caused by the ads)")
    margins = np.array([row["margin"] for row in rows])
    known = margins > 0
    axes.scatter(1 / margins[known], y[known], marker="|", s=220, color=style.INK, zorder=2, label="break-even")
    top = float(np.nanmax([*credited, *true, *(1 / margins[known])]))
    axes.set_xlim(0, top * 1.45)
    for ix, row in enumerate(rows):
        edge = axes.get_yaxis_transform()
        axes.text(0.995, ix, signed_percent(row["true_romi"]), va="center", ha="right", weight="bold", transform=edge)
    axes.text(0.995, 1.0, "true ROMI", va="bottom", ha="right", color=style.MUTED, transform=axes.transAxes)
    style.short_numbers(axes, "x", bins=5)


def _row(row: dict[str, Any], currency: str) -> tuple[str, ...]:
    known = row["roas"] is not None and row["true_roas"] is not None
    bias = number(row["roas"] - row["true_roas"]) if known else number(None)
    return (
        row["campaign_id"].replace("*", "all"),
        money(row["spend"], currency),
        money(row["attributed_value"], currency),
        money(row["true_value"], currency),
        number(row["roas"]),
        number(row["true_roas"]),
        bias,
        signed_percent(row["true_romi"]),
    )


def _credit(sales: pa.Table) -> dict[str, dict[str, int]]:
    """Purchases by campaign, split by what was credited and what was true."""
    credited = pc.cast(sales["attributed_campaign_id"], pa.string())
    cause = pc.cast(sales["truth_campaign_id"], pa.string())
    plain = pa.table({"credited": credited, "cause": cause, "caused": sales["truth_caused"]})
    named, same = pc.field("credited") != "", pc.field("credited") == pc.field("cause")
    return {
        "credited and caused": counts_by(plain.filter(named & same), "credited"),
        "credited, caused by another campaign": counts_by(plain.filter(named & pc.field("caused") & ~same), "credited"),
        "credited, would have happened anyway": counts_by(plain.filter(named & ~pc.field("caused")), "credited"),
        "caused, not credited": counts_by(plain.filter(pc.field("caused") & ~same), "cause"),
    }


def credit_words(facts: Facts) -> str:
    """One sentence on how much of the credited purchases was organic; empty when nothing was credited."""
    parts = _credit(facts.tables["conversions"])
    organic = sum(parts["credited, would have happened anyway"].values())
    credited = facts.total["attributed_conversions"]
    if not credited:
        return ""
    return f"{percent(organic / credited, 0)} of the purchases that last touch credits would have happened anyway."
