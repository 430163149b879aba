"""Calibration: what was predicted against what came true, by tenths of the predictions."""

from __future__ import annotations

import math

from experiments.learning.judged import Judged
from experiments.report.plots import style


def calibration_plot(found: list[Judged]) -> style.Plot:
    """One line for each set of predictions, with two standard errors; on the diagonal they are right on average."""
    with style.look():
        figure, axes = style.new_figure(5.0, 1, 1)
        panel = axes
        highest = 0.0
        shown = [judged for judged in found if judged.source != "mean"]
        for judged, colour in zip(shown, style.CYCLE, strict=False):
            x = [1000.0 * each.predicted for each in judged.bins]
            y = [1000.0 * each.observed for each in judged.bins]
            error = [
                2000.0 * math.sqrt(max(each.observed * (1.0 - each.observed), 0.0) / each.impressions)
                for each in judged.bins
            ]
            panel.errorbar(x, y, error, color=colour, marker="o", label=f"{judged.name}, {judged.source}")
            highest = max(highest, *x, *y)
        panel.plot([0.0, highest], [0.0, highest], color=style.MUTED, linestyle="--", linewidth=1.0)
        panel.set(title="Calibration", xlabel="predicted (per thousand)", ylabel="observed (per thousand)")
        panel.legend()
    return style.Plot(
        "calibration", "Calibration", "Predicted and observed rates by tenths of the predictions.", figure
    )
