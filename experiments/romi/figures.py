"""The figures of a ROMI study: response, return, profit, and the truth beside last touch. Money in currency units.

Colours that colour-blind readers can tell apart, markers that differ in shape too, axes with units.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from experiments.report.plots import style
from experiments.report.plots.style import Plot
from experiments.report.words import number
from experiments.romi.curve import Curve, Row

DASHES = ("-", (0, (5, 2)), (0, (1.5, 1.5)))
HEIGHT_IN = 5.4


def plots(curve: Curve) -> list[Plot]:
    """Every figure that has something to show; drawn under `style.look()`."""
    if max(row.spend.mean or 0.0 for row in curve.rows) <= 0.0:
        return []
    return [_response(curve), _profit(curve), _attribution(curve)]


def _response(curve: Curve) -> Plot:
    """Left: incremental value against spend. Right: ROMI and marginal ROMI."""
    figure, (left, right) = style.new_figure(HEIGHT_IN, 1, 2)
    _values(left, curve)
    _returns(right, curve)
    for axes in (left, right):
        axes.legend(fontsize=9.5, loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=2)
    return Plot(
        "response",
        f"What the money of {curve.points.question.campaign_id} buys",
        "Incremental value is measured against the same market with the campaign off. Bands: 95 % over seeds.",
        figure,
    )


def _values(axes: Axes, curve: Curve) -> None:
    currency = curve.points.question.base.currency
    spend = _means(curve.rows, "spend")
    _band(axes, spend, curve.rows, "incremental", style.BLUE)
    axes.scatter(spend, _means(curve.rows, "incremental"), s=26, color=style.BLUE, zorder=4, label="measured")
    x = _fine(spend)
    for fit, dash in zip(curve.fits, DASHES, strict=False):
        first = fit is curve.fits[0]
        colour, width = (style.INK, 1.8) if first else (style.GREY, 1.3)
        axes.plot(x, fit(x), color=colour, linewidth=width, linestyle=dash, label=f"{fit.family} (R² {fit.r2:.3f})")
    if curve.points.margin > 0:
        top = float(np.nanmax(_means(curve.rows, "incremental"))) * 1.15
        line = x[x / curve.points.margin <= max(top, 1e-300)]
        axes.plot(
            line, line / curve.points.margin, color=style.RED, linewidth=1.4, label="pays for itself (spend / margin)"
        )
    _mark(axes, curve, lambda row: row.incremental.mean, lambda s: float(curve.fits[0](s)) if curve.fits else None)
    axes.set(title="Incremental value", xlabel=f"spend ({currency})", ylabel=f"incremental value ({currency})")
    _from_zero(axes)


def _returns(axes: Axes, curve: Curve) -> None:
    currency = curve.points.question.base.currency
    spend, margin = _means(curve.rows, "spend"), curve.points.margin
    _band(axes, spend, curve.rows, "romi", style.BLUE)
    axes.plot(spend, _means(curve.rows, "romi"), color=style.BLUE, marker="o", markersize=4.5, label="ROMI")
    axes.scatter(
        spend,
        _means(curve.rows, "marginal_romi"),
        s=34,
        color=style.ORANGE,
        marker="D",
        zorder=4,
        label="marginal ROMI, step by step",
    )
    if curve.fits:
        x = _fine(spend)
        x = x[x >= spend[spend > 0].min()]
        axes.plot(
            x,
            margin * curve.fits[0].slope(x) - 1.0,
            color=style.RED,
            linestyle=DASHES[1],
            label=f"marginal ROMI, {curve.fits[0].family}",
        )
    axes.axhline(0.0, color=style.INK, linewidth=1.0)
    _mark(
        axes, curve, lambda row: row.romi.mean, lambda s: margin * float(curve.fits[0](s)) / s - 1.0 if s > 0 else None
    )
    seen = np.concatenate([_means(curve.rows, "romi"), _means(curve.rows, "marginal_romi")])
    seen = seen[np.isfinite(seen)]
    if len(seen):
        low, high = min(float(seen.min()), -0.2), max(float(np.quantile(seen, 0.97)), 0.2)
        axes.set_ylim(low - 0.08 * (high - low), high + 0.25 * (high - low))
    axes.set(title="Return on marketing investment", xlabel=f"spend ({currency})", ylabel="ROMI")
    axes.yaxis.set_major_formatter(style.percent_ticks())
    axes.set_ylabel("return per unit spent (0 % = break-even)")
    axes.set_xlim(left=0)


def _profit(curve: Curve) -> Plot:
    figure, axes = style.new_figure(HEIGHT_IN)
    currency = curve.points.question.base.currency
    spend = _means(curve.rows, "spend")
    _band(axes, spend, curve.rows, "profit", style.GREEN)
    axes.scatter(spend, _means(curve.rows, "profit"), s=30, color=style.GREEN, zorder=4, label="measured")
    margin = curve.points.margin
    if curve.fits:
        x = _fine(spend)
        axes.plot(
            x, margin * curve.fits[0](x) - x, color=style.INK, linewidth=1.8, label=f"{curve.fits[0].family} curve"
        )
    axes.axhline(0.0, color=style.INK, linewidth=1.0)
    _mark(
        axes, curve, lambda row: row.profit.mean, lambda s: margin * float(curve.fits[0](s)) - s if curve.fits else None
    )
    if curve.break_even is not None:
        axes.scatter([curve.break_even], [0.0], s=90, marker="X", color=style.RED, zorder=6, label="break-even")
    axes.set(xlabel=f"spend ({currency})", ylabel=f"profit after paying for the ads ({currency})")
    axes.set_xlim(left=0)
    axes.legend(loc="best")
    return Plot(
        "profit",
        f"Profit of {curve.points.question.campaign_id}",
        "Incremental value times margin, less spend. Band: 95 % over seeds.",
        figure,
    )


def _attribution(curve: Curve) -> Plot:
    figure, axes = style.new_figure(HEIGHT_IN)
    currency = curve.points.question.base.currency
    spend = _means(curve.rows, "spend")
    for field, colour, marker, label in (
        ("credited_roas", style.ORANGE, "s", "credited by last touch"),
        ("iroas", style.GREEN, "o", "true (caused by the ads)"),
    ):
        _band(axes, spend, curve.rows, field, colour)
        axes.plot(spend, _means(curve.rows, field), color=colour, marker=marker, markersize=5, label=label)
    if curve.points.margin > 0:
        axes.axhline(
            1.0 / curve.points.margin, color=style.INK, linewidth=1.0, linestyle="--", label="break-even (1 / margin)"
        )
    axes.axhline(0.0, color=style.INK, linewidth=1.0)
    axes.set(xlabel=f"spend ({currency})", ylabel=f"return on ad spend ({currency} per {currency})")
    axes.set_xlim(left=0)
    axes.legend(loc="best")
    return Plot(
        "attribution",
        f"Last touch against the truth, {curve.points.question.campaign_id}",
        "What last touch credits per unit spent, and what the same spend really added. Bands: 95 % over seeds.",
        figure,
    )


def _means(rows: list[Row], field: str) -> NDArray[np.float64]:
    return np.array([getattr(row, field).mean for row in rows], np.float64)


def _band(axes: Axes, x: NDArray[np.float64], rows: list[Row], field: str, colour: str) -> None:
    low = np.array([getattr(row, field).low for row in rows], np.float64)
    high = np.array([getattr(row, field).high for row in rows], np.float64)
    known = np.isfinite(low)
    if known.any():
        axes.fill_between(x[known], low[known], high[known], color=colour, alpha=0.18, linewidth=0)


def _fine(spend: NDArray[np.float64]) -> NDArray[np.float64]:
    top = float(spend.max())
    return np.linspace(top / 400, top, 400)


def _mark(axes: Axes, curve: Curve, at: Any, on_fit: Any) -> None:
    """The current point, and the optimum on the curve."""
    here = curve.current
    if here.spend.mean and at(here) is not None:
        axes.scatter(
            [here.spend.mean],
            [at(here)],
            s=130,
            facecolor="none",
            edgecolor=style.INK,
            linewidth=1.8,
            zorder=5,
            label="now",
        )
    if curve.optimum and curve.fits and (y := on_fit(curve.optimum)) is not None:
        label = "best" if not curve.optimum_at_the_end else "best tried (end of range)"
        axes.scatter(
            [curve.optimum],
            [y],
            s=170,
            marker="*",
            color=style.PINK,
            edgecolor=style.INK,
            linewidth=0.8,
            zorder=6,
            label=f"{label}: {number(curve.optimum)}",
        )


def _from_zero(axes: Axes) -> None:
    axes.set_xlim(left=0)
    axes.set_ylim(bottom=min(0.0, axes.get_ylim()[0]))
