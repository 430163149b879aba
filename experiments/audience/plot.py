"""A setting varied, as a picture: reach and frequency, caps kept, and return, one line per campaign."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes

PANELS: tuple[tuple[str, str, str], ...] = (
    ("reach", "people reached", "{:,.0f}"),
    ("frequency", "times a person saw it", "{:.2f}"),
    ("cap_accuracy", "impressions within the caps", "{:.0%}"),
    ("romi", "true ROMI, ± 2 standard errors", "{:+.0%}"),
)
INKS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00")
"""Okabe and Ito's colours, which colour-blind eyes tell apart."""


def plot_varied(rows: list[dict[str, Any]], path: str, file: Path, title: str) -> None:
    """Write a PNG of what `vary` found. Raises OSError or ValueError when the file cannot be written."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter

    figure = Figure(figsize=(11, 6.2), dpi=144, layout="constrained")
    FigureCanvasAgg(figure)
    values = list(dict.fromkeys(row[path] for row in rows))
    numbers = _numbers(values)
    campaigns = list(dict.fromkeys(row["campaign"] for row in rows))
    for axes, (column, words, form) in zip(figure.subplots(2, 2).flat, PANELS, strict=True):
        drawn: list[float] = []
        for ink, campaign in zip(INKS * len(campaigns), campaigns, strict=False):
            found = {row[path]: row[column] for row in rows if row["campaign"] == campaign}
            points = [(v, n, found[v]) for v, n in zip(values, numbers, strict=True) if found[v] is not None]
            drawn += [y for *_, y in points]
            x, y_of = [n for _, n, _ in points], [y for *_, y in points]
            axes.plot(x, y_of, "o-" if _sizes(values) else "o", color=ink, label=campaign)
            if column == "romi":
                noise = {row[path]: row["romi_se"] for row in rows if row["campaign"] == campaign}
                axes.errorbar(x, y_of, [2 * noise[v] for v, *_ in points], fmt="none", color=ink, alpha=0.5, capsize=3)
                drawn += [y + sign * 2 * noise[v] for v, _, y in points for sign in (-1, 1)]
            for _, n, y in points if len(campaigns) == 1 else []:
                axes.annotate(form.format(y), (n, y), (6, 6), textcoords="offset points", fontsize=8)
        axes.set_title(words, loc="left", fontsize=10, weight="bold")
        axes.yaxis.set_major_formatter(FuncFormatter(_formatter(form)))
        _limits(axes, drawn, zero=column != "romi")
        axes.set_xticks(numbers, values)
        axes.margins(x=0.08)
        axes.set_xlabel(path)
        axes.grid(axis="y", color="#dddddd", linewidth=0.7)
        axes.spines[["top", "right"]].set_visible(False)
    if len(campaigns) > 1:
        figure.axes[0].legend(frameon=False, fontsize=8)
    figure.suptitle(title, x=0.01, ha="left", fontsize=12, weight="bold")
    figure.savefig(file)


def _formatter(form: str) -> Callable[[float, int], str]:
    return lambda value, _: form.format(value)


def _limits(axes: Axes, drawn: list[float], *, zero: bool) -> None:
    """From 0 up where that means something, with room for the labels above the points."""
    if drawn:
        low, high = (min(0.0, *drawn) if zero else min(drawn)), max(drawn)
        room = (high - low or 1.0) * 0.15
        axes.set_ylim(low if zero else low - room, high + room)


def _numbers(values: list[str]) -> list[float]:
    """Where the values stand: at their own size when they are numbers in order, else side by side."""
    return _sizes(values) or [float(place) for place in range(len(values))]


def _sizes(values: list[str]) -> list[float]:
    """The values as numbers; empty unless they are numbers in rising order."""
    try:
        numbers = [float(value) for value in values]
    except ValueError:
        return []
    return numbers if all(map(math.isfinite, numbers)) and numbers == sorted(numbers) else []
