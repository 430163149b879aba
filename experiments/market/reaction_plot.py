"""The picture of over-targeting: what an impression still does, who opts out, and what is left, by frequency cap."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from experiments.market.reaction import AUDIENCES, Point
from experiments.report.plots.style import BLUE, DOTS_PER_INCH, MUTED, ORANGE, legend_above, look, new_figure

AIMED = {"as written": "at segments", "everybody": "at everybody"}
PANELS = (
    ("caused_per_1000", "What an ad does", "purchases caused per 1,000 impressions"),
    ("withdrawn_per_1000", "Who opts out", "people opting out per 1,000 reached"),
    ("profit", "What is left", "profit before fees ({currency})"),
)


def plot_reaction(points: Sequence[Point], currency: str, path: Path) -> None:
    """Write a PNG; solid: people react; dashed: the same if nobody minded."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    with look():
        figure, panels = new_figure(4.2, 1, len(PANELS))
        FigureCanvasAgg(figure)
        for axes, (name, title, label) in zip(panels, PANELS, strict=True):
            for audience, colour, marker in zip(AUDIENCES, (BLUE, ORANGE), ("o", "s"), strict=True):
                own = [point for point in points if point.audience == audience]
                caps = [point.cap for point in own]
                y = [getattr(point.reacting, name) for point in own]
                axes.plot(caps, y, color=colour, marker=marker, label=AIMED[audience])
                if name != "withdrawn_per_1000":
                    y = [getattr(point.indifferent, name) for point in own]
                    axes.plot(caps, y, color=colour, ls="--", lw=1.3, label=f"{AIMED[audience]}, if nobody minded")
            axes.set_title(title)
            axes.set_xlabel("cap (ads per person and day)")
            axes.set_ylabel(label.format(currency=currency))
            axes.set_xscale("log", base=2)
            axes.set_xticks(caps, [str(cap) for cap in caps])
            if name == "profit":
                axes.axhline(0.0, color=MUTED, linewidth=0.8)
            else:
                axes.set_ylim(bottom=0)
        handles, labels = panels[0].get_legend_handles_labels()
        legend_above(figure, 4, handles=handles, labels=labels, fontsize=9.5, columnspacing=1.4)
        figure.savefig(path, dpi=DOTS_PER_INCH)
