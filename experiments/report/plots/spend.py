"""Planned and actual spend over time (currency units), for all campaigns together and for each."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from experiments.report.facts import OTHERS, Facts, hourly, largest
from experiments.report.plots import style
from experiments.report.plots.style import Plot
from experiments.report.words import clip, money, percent
from experiments.results.summary import ratio

PANELS = 12
"""Most small multiples; further campaigns are drawn together in the last one."""


def total(facts: Facts) -> Plot:
    """Cumulative spend of all campaigns against plan and budget, and spend per hour."""
    spend, plan, length = _series(facts)
    actual, planned = sum(spend.values(), np.zeros(length)), sum(plan.values(), np.zeros(length))
    figure, (above, below) = style.new_figure(4.6, 2, 1, sharex=True, height_ratios=(3, 1.2))
    _cumulative(above, actual, planned)
    budget = facts.total["budget"]
    if planned.sum() < 0.98 * budget < 3 * max(planned.sum(), actual.sum()):
        above.axhline(budget, color=style.RED, linewidth=1, linestyle=":", label="budget")
    above.set_ylabel(f"spend so far ({facts.currency})")
    above.set_ylim(bottom=0)
    style.short_numbers(above)
    style.plain_axis(above)
    style.legend_above(above, 3)
    below.stairs(actual, np.arange(length + 1), fill=True, color=style.BLUE, alpha=0.85, linewidth=0)
    below.stairs(planned, np.arange(length + 1), color=style.MUTED, linewidth=1.4, linestyle="--", baseline=None)
    below.set_ylabel(f"{facts.currency} per hour")
    below.set_ylim(bottom=0)
    style.short_numbers(below, bins=3)
    style.plain_axis(below)
    style.time_axis(below, length / 24)
    figure.align_ylabels()
    return Plot(
        "spend",
        "Planned and actual spend",
        "The plan is a straight line from each campaign's start to its end. Below: spend by the hour; it follows the "
        "traffic of the day where campaigns buy as soon as possible.",
        figure,
        ("", "planned", "actual"),
        [("whole run", money(planned.sum(), facts.currency), money(actual.sum(), facts.currency))],
    )


def by_campaign(facts: Facts) -> Plot | None:
    """Cumulative spend against plan, one small panel per campaign, smaller ones together."""
    spend, plan, length = _series(facts)
    budgets = {row["campaign_id"]: row["budget"] for row in facts.campaigns}
    if len(budgets) < 2:
        return None
    shown, rest = largest(list(budgets), list(budgets.values()), PANELS)
    groups = {name: [name] for name in shown} | ({f"{len(rest)} {OTHERS}": rest} if rest else {})
    columns = min(len(groups), 3 if len(groups) <= 9 else 4)
    rows = -(-len(groups) // columns)
    figure, grid = style.new_figure(0.7 + 1.75 * rows, rows, columns, sharex=True, squeeze=False)
    nothing = np.zeros(length)
    table = []
    for axes, (name, members) in zip(grid.flat, groups.items(), strict=False):
        actual = sum((spend.get(member, nothing) for member in members), nothing)
        planned = sum((plan.get(member, nothing) for member in members), nothing)
        budget = sum(budgets[member] for member in members)
        _cumulative(axes, actual, planned)
        used = percent(ratio(actual.sum(), budget), 0)
        axes.set_title(clip(name, 24 if columns == 4 else 30), fontsize=10)
        axes.text(0.03, 0.93, f"{used} of budget", transform=axes.transAxes, va="top", color=style.MUTED, fontsize=9)
        axes.set_ylim(0, max(actual.sum(), planned.sum(), 1e-9) * 1.32)
        style.short_numbers(axes, bins=3)
        style.plain_axis(axes)
        style.time_axis(axes, length / 24)
        axes.set_xlabel("")
        cells = (money(value, facts.currency) for value in (budget, planned.sum(), actual.sum()))
        table.append((name, *cells, used))
    for axes in grid.flat[len(groups) :]:
        axes.set_visible(False)
    figure.supylabel(f"spend so far ({facts.currency})", color=style.MUTED, fontsize=10.5)
    figure.supxlabel(f"time since the start ({'days' if length > 48 else 'hours'})", color=style.MUTED, fontsize=10.5)
    figure.legend(*grid.flat[0].get_legend_handles_labels(), loc="outside upper left", ncols=2)
    return Plot(
        "spend-by-campaign",
        "Spend of each campaign",
        "Largest budgets first; each panel has its own scale."
        + (f" The last panel adds up the {len(rest)} smallest budgets." if rest else ""),
        figure,
        ("campaign", "budget", "planned", "actual", "budget used"),
        table,
    )


def _series(facts: Facts) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], int]:
    spend = hourly(facts.tables["delivery"], "campaign_id", "spend_nanos")
    plan = hourly(facts.tables["delivery"], "campaign_id", "planned_spend_nanos")
    return spend, plan, max((len(series) for series in spend.values()), default=1)


def _cumulative(axes: Axes, actual: np.ndarray, planned: np.ndarray) -> None:
    hours = np.arange(len(actual) + 1)
    so_far = np.concatenate([[0.0], np.cumsum(actual)])
    axes.fill_between(hours, so_far, color=style.BLUE, alpha=0.12, linewidth=0)
    axes.plot(hours, np.concatenate([[0.0], np.cumsum(planned)]), color=style.MUTED, lw=1.4, ls="--", label="planned")
    axes.plot(hours, so_far, color=style.BLUE, label="actual")
