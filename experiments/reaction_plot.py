"""The picture of over-targeting: what an impression still does, who opts out, and what is left, by frequency."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from experiments.reaction_curve import AUDIENCES, Point
from experiments.report.plots.style import BLUE, DOTS_PER_INCH, MUTED, ORANGE, legend_above, look, new_figure

PANELS = (
    ("caused_per_1000", "What an ad does", "purchases caused per 1,000 impressions"),
    ("withdrawn_per_1000", "Who opts out", "consents withdrawn per 1,000 people reached"),
    ("profit", "What is left", "profit before fees ({currency})"),
)


def plot_reaction(points: Sequence[Point], currency: str, path: Path) -> None:
    """Write a PNG; solid: people react; dashed: the same if nobody minded."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    with look():
        figure, panels = new_figure(4.2, 1, len(PANELS))
        FigureCanvasAgg(figure)
        for axes, (name, title, label) in zip(panels, PANELS, strict=True):
            for audience, colour, marker in zip(AUDIENCES, (BLUE, ORANGE), ("o", "s"), strict=True):
                own = [point for point in points if point.audience == audience]
                aimed = "narrowly aimed" if audience == "as written" else "aimed at everybody"
                x = [point.reacting.frequency for point in own]
                axes.plot(x, [getattr(p.reacting, name) for p in own], color=colour, marker=marker, label=aimed)
                if name != "withdrawn_per_1000":
                    x = [point.indifferent.frequency for point in own]
                    y = [getattr(p.indifferent, name) for p in own]
                    axes.plot(x, y, color=colour, linestyle="--", linewidth=1.3, label=f"{aimed}, nobody minds")
            axes.set_title(title)
            axes.set_xlabel("impressions per person reached")
            axes.set_ylabel(label.format(currency=currency))
            axes.set_xscale("log")
            axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
            axes.xaxis.set_minor_locator(NullLocator())
            if name == "profit":
                axes.axhline(0.0, color=MUTED, linewidth=0.8)
            else:
                axes.set_ylim(bottom=0)
        handles, labels = panels[0].get_legend_handles_labels()
        legend_above(figure, 4, handles=handles, labels=labels)
        figure.savefig(path, dpi=DOTS_PER_INCH)
