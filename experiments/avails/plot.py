"""The picture of a forecast: requests a day by slot, what was seen, what is expected, promised, and what came."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from experiments.avails.forecast import interval
from experiments.avails.outlook import Forecast
from experiments.compile.selling import offered_slots
from experiments.report.plots.style import BLUE, DOTS_PER_INCH, GREEN, GREY, INK, ORANGE, legend_above, look, new_figure
from experiments.report.plots.style import short_numbers as short

MOST_PANELS = 9


def plot_avails(told: Forecast, probability: float, path: Path) -> None:
    """Write a PNG: a panel for each slot, the nine with the most requests where there are more."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.ticker import MaxNLocator

    low, high = interval(told.expected, probability)
    names = [f"{offered.owner}/{offered.name}" for offered in offered_slots(told.scenario)]
    biggest = np.sort(np.argsort(-told.past.sum(axis=0), kind="stable")[:MOST_PANELS])
    columns = min(3, len(biggest)) if len(biggest) != 4 else 2
    rows = -(-len(biggest) // columns)
    seen = told.past.reshape(told.history, 24, -1).sum(axis=1)
    before, ahead = np.arange(told.history) + 0.5, told.history + np.arange(len(told.came)) + 0.5
    with look():
        figure, panels = new_figure(1.0 + 2.5 * rows, rows, columns, squeeze=False)
        FigureCanvasAgg(figure)
        for axes in panels.flat[len(biggest) :]:
            axes.set_visible(False)
        for k in range(columns):
            last = [axes for axes in panels[:, k] if axes.get_visible()][-1]
            last.set_xlabel("time since the start (days)")
        for axes, s in zip(panels.flat, biggest, strict=False):
            axes.plot(before, seen[:, s], color=GREY, marker="o", ls="", label="seen")
            taken = told.outlook.taken[:, s]
            if taken.any():
                axes.bar(ahead, taken, color=GREEN, alpha=0.45, width=0.8, label="promised")
            mean = told.expected.mean[:, s]
            around = np.array([mean - low[:, s], high[:, s] - mean]).clip(min=0.0)
            axes.errorbar(ahead, mean, around, color=BLUE, marker="_", ms=12, ls="", capsize=4, label="expected")
            axes.plot(ahead, told.came[:, s], color=ORANGE, marker="D", mfc="none", mew=1.8, ls="", ms=6, label="came")
            axes.plot(ahead, told.truth[:, s], color=INK, ls=":", lw=1.3, label="true mean")
            axes.set_title(names[s])
            axes.set_xlim(0.0, told.history + len(told.came))
            axes.set_ylim(bottom=0.0, top=1.12 * max(seen[:, s].max(), high[:, s].max(), told.came[:, s].max(), 1))
            short(axes)
            axes.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True))
            axes.axvline(told.history, color=GREY, lw=1.0)
        for axes in panels[:, 0]:
            axes.set_ylabel("requests a day")
        handles: dict[str, object] = {}
        for axes in panels.flat[: len(biggest)]:
            handles |= dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
        wide = {"expected": f"expected, with {probability:.0%} interval"}
        legend_above(figure, 5, handles=list(handles.values()), labels=[wide.get(name, name) for name in handles])
        figure.savefig(path, dpi=DOTS_PER_INCH)
