"""Forecast: what a campaign will deliver when one of its settings is turned, with the spread to expect from luck.

Unlike a confidence interval of the mean, low and high are the 5 % and 95 % quantiles over seeds: one campaign is one
draw. Nothing here needs the truth. Money in units of the currency.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from experiments.errors import StudyError
from experiments.report.plots import style
from experiments.report.plots.style import Plot
from experiments.romi.points import cost_nanos
from experiments.romi.question import Question
from experiments.sweep.cell import Cell, Failure, Outcome
from openrtb.money import NANOS_PER_UNIT

MEASURES = ("spend", "impressions", "clicks", "reach", "frequency", "cpm", "credited_conversions", "cpa")
DRAWN = ("impressions", "reach", "frequency", "spend", "cpm", "credited_conversions")
LOW, HIGH = 0.05, 0.95


class Forecast(NamedTuple):
    """float64[V, N] per measure; NaN where a ratio has no denominator."""

    question: Question
    measures: dict[str, NDArray[np.float64]]


def cells_of(question: Question) -> list[Cell]:
    """Per seed each value; nothing is switched off."""
    scenarios = question.scenarios()
    return [Cell(s.model_copy(update={"seed": seed})) for seed in question.seeds for s in scenarios]


def forecast(question: Question, outcomes: Sequence[Outcome]) -> Forecast:
    """From the outcomes of `cells_of`; raises `StudyError` when a run failed."""
    rows = []
    for outcome in outcomes:
        if isinstance(outcome, Failure):
            raise StudyError(f"a run failed: {outcome.message}")
        rows.append(_figures(outcome.campaign(question.campaign_id)))
    shape = len(question.seeds), len(question.values)
    return Forecast(question, {m: np.array([row[m] for row in rows]).reshape(shape).T for m in MEASURES})


def _figures(row: dict[str, Any]) -> dict[str, float]:
    spend = cost_nanos(row) / NANOS_PER_UNIT

    def over(above: float, below: float) -> float:
        return above / below if below else np.nan

    return {
        "spend": spend,
        "impressions": row["impressions"],
        "clicks": row["clicks"],
        "reach": row["truth_reach"],
        "frequency": over(row["impressions"], row["truth_reach"]),
        "cpm": over(1000.0 * spend, row["impressions"]),
        "credited_conversions": row["attributed_conversions"],
        "cpa": over(spend, row["attributed_conversions"]),
    }


def rows_of(found: Forecast) -> list[dict[str, Any]]:
    """Rows of the table `forecast`."""
    question, rows = found.question, []
    for v, value in enumerate(question.values):
        for measure, grid in found.measures.items():
            known = grid[v][np.isfinite(grid[v])]
            mean, low, high = (
                (float(known.mean()), *(float(q) for q in np.quantile(known, (LOW, HIGH))))
                if len(known)
                else (None, None, None)
            )
            rows.append(
                {
                    "campaign_id": question.campaign_id,
                    "setting": question.lever,
                    "value": value,
                    "current": value == question.current,
                    "measure": measure,
                    "mean": mean,
                    "low": low,
                    "high": high,
                }
            )
    return rows


def figure(found: Forecast) -> Plot:
    """Six panels against the setting, with the band to expect."""
    question, rows = found.question, rows_of(found)
    currency = question.base.currency
    units = {"spend": currency, "cpm": f"{currency} per thousand", "reach": "people", "frequency": "per person reached"}
    drawn, panels = style.new_figure(6.4, 2, 3, sharex=True)
    for axes, measure in zip(panels.flat, DRAWN, strict=True):
        mine = [row for row in rows if row["measure"] == measure and row["mean"] is not None]
        x = [row["value"] for row in mine]
        axes.fill_between(
            x, [r["low"] for r in mine], [r["high"] for r in mine], color=style.BLUE, alpha=0.2, linewidth=0
        )
        axes.plot(x, [row["mean"] for row in mine], color=style.BLUE, marker="o", markersize=4)
        for row in mine:
            if row["current"]:
                axes.scatter([row["value"]], [row["mean"]], s=120, facecolor="none", edgecolor=style.INK, linewidth=1.6)
        name = measure.replace("_", " ")
        title = "CPM" if measure == "cpm" else name[0].upper() + name[1:]
        axes.set(title=title, ylabel=units.get(measure, "number"))
        axes.set_ylim(0, 1.15 * max([row["high"] for row in mine], default=1.0) or 1.0)
    for axes in panels[-1]:
        axes.set_xlabel(question.lever + (f" ({question.base.currency})" if question.lever == "budget" else ""))
    return Plot("forecast", f"Forecast for {question.campaign_id}", "Bands: 5 % to 95 % of the draws.", drawn)
