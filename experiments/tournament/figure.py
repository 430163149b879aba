"""The tournament's figure: what each agent made beside the best in hindsight, and how budgets were spent."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from matplotlib.axes import Axes

from experiments.report.plots import style

PACE_COLOURS = dict(
    zip(
        ("asap", "even", "adaptive", "multiplicative", "pid"),
        (style.RED, style.ORANGE, style.BLUE, style.SKY, style.GREEN),
        strict=True,
    )
)
MOST_ROWS = 60


def draw(agents: pa.Table, delivery: pa.Table, title: str, currency: str) -> style.Plot:
    """Left: surplus per budget, by the agent and at the best. Right: spend by hour, and regret by rule and pacing."""
    rows = sorted(agents.to_pylist(), key=lambda row: -_surplus(row))[:MOST_ROWS]
    with style.look():
        figure, axes = style.new_figure(
            max(5.0, 1.2 + 0.19 * len(rows)), 1, 2, gridspec_kw={"width_ratios": [1.25, 1.0]}
        )
        grid = axes[1].get_subplotspec().subgridspec(2, 1)
        axes[1].remove()
        _surpluses(axes[0], rows, currency)
        spent = figure.add_subplot(grid[0])
        _spend(spent, agents, delivery)
        _regrets(figure.add_subplot(grid[1]), agents)
        handles = [*axes[0].get_legend_handles_labels()[0], *spent.get_legend_handles_labels()[0]]
        figure.legend(handles=handles, loc="outside lower left", ncols=len(handles))
    caption = (
        "Surplus is worth bought less spend. Best: the fixed multiple of worth with the highest surplus in hindsight."
    )
    return style.Plot("tournament", title, caption, figure)


def _surplus(row: dict[str, int]) -> float:
    return (row["worth_nanos"] - row["spend_nanos"]) / row["budget_nanos"]


def _surpluses(axes: Axes, rows: list[dict[str, int]], currency: str) -> None:
    own = [_surplus(row) for row in rows]
    best = [(row["best_worth_nanos"] - row["best_spend_nanos"]) / row["budget_nanos"] for row in rows]
    at = np.arange(len(rows))
    axes.hlines(at, own, best, color=style.GRID, linewidth=2.0, zorder=1)
    axes.scatter(best, at, marker="|", s=60, color=style.INK, linewidths=1.6, label="best fixed multiplier", zorder=2)
    colours = [PACE_COLOURS[str(row["pacing"])] for row in rows]
    axes.scatter(own, at, s=22, color=colours, label="agent, coloured by pacing", zorder=3)
    style.name_rows(axes, [str(row["agent"]) for row in rows])
    axes.tick_params(axis="y", labelsize=8)
    axes.set(title="Surplus, and what hindsight would have made", xlabel=f"worth less spend, per {currency} of budget")
    axes.axvline(0.0, color=style.MUTED, linewidth=0.8)


def _spend(axes: Axes, agents: pa.Table, delivery: pa.Table) -> None:
    count = agents.num_rows
    spend = delivery["spend_nanos"].to_numpy().reshape(-1, count).cumsum(axis=0)
    share = np.vstack([np.zeros(count), spend]) / agents["budget_nanos"].to_numpy()
    for name, colour in PACE_COLOURS.items():
        columns = [k for k, pacing in enumerate(agents["pacing"].to_pylist()) if pacing == name]
        for k, column in enumerate(columns):
            axes.plot(share[:, column], color=colour, linewidth=0.9, alpha=0.7, label=name if k == 0 else None)
    axes.set(title="Budget spent, by pacing", xlabel="hour", ylim=(0, 1.05))
    axes.set_xlim(0, len(share) - 1)
    style.shares(axes)


def _regrets(axes: Axes, agents: pa.Table) -> None:
    """Regret per unit of budget of each agent, by rule; the colour is the pacing."""
    rows = agents.to_pylist()
    rules = list(dict.fromkeys(row["rule"] for row in rows))
    order = list(PACE_COLOURS)
    for row in rows:
        height = rules.index(row["rule"]) + 0.13 * (order.index(row["pacing"]) - 2)
        axes.scatter(row["regret_nanos"] / row["budget_nanos"], height, s=18, color=PACE_COLOURS[row["pacing"]])
    style.name_rows(axes, rules)
    axes.axvline(0.0, color=style.MUTED, linewidth=0.8)
    axes.set(title="Regret by rule and pacing", xlabel="regret per unit of budget")
