"""The figure of a comparison: paired differences of spend, value, profit and ROMI with their intervals."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from experiments.compare.differences import ALL, Difference
from experiments.report.plots import style
from experiments.report.plots.style import Plot
from experiments.report.words import clip

PANELS = (
    ("spend", "Spend"),
    ("value", "Value the ads caused"),
    ("profit", "Profit after paying for the ads"),
    ("romi", "Return on marketing investment"),
)
MARKERS = "osD^vP"
MOST_SIDES, MOST_CAMPAIGNS = 6, 12


def figure(found: Sequence[Difference], currency: str, seeds: int) -> Plot:
    """Four panels, campaigns down, one colour and marker per side; drawn under `style.look()`."""
    sides = list(dict.fromkeys(d.side for d in found))[:MOST_SIDES]
    campaigns = list(dict.fromkeys(d.campaign_id for d in found))[: MOST_CAMPAIGNS + 1]
    row_in = 0.34 + 0.13 * len(sides)
    drawn, panels = style.new_figure(2.6 + 2 * row_in * max(len(campaigns), 2), 2, 2, sharey=True)
    for axes, (measure, title) in zip(panels.flat, PANELS, strict=True):
        _panel(axes, [d for d in found if d.measure == measure], sides, campaigns)
        unit = "percentage points" if measure == "romi" else currency
        axes.set(title=title, xlabel=f"difference ({unit})")
        factor = 100.0 if measure == "romi" else 1.0
        axes.xaxis.set_major_locator(MaxNLocator(nbins=5))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _, factor=factor: _signed(factor * x)))
    names = ["all campaigns" if name == ALL else clip(name) for name in campaigns]
    style.name_rows(panels[0, 0], names)
    handles, labels = panels[0, 0].get_legend_handles_labels()
    drawn.legend(
        handles,
        labels,
        loc="outside upper left",
        ncols=1 if len(sides) > 2 else 2,
        title=f"difference to {clip(found[0].against, 70)}{f', bars: 95 % over {seeds} pairs' if seeds > 1 else ''}",
        alignment="left",
    )
    band = f"Bars: 95 % over {seeds} pairs of the same seed." if seeds > 1 else "One pair only, so no interval."
    more = len({d.side for d in found}) > len(sides) or len({d.campaign_id for d in found}) > len(campaigns)
    left_out = " Only the first ones are drawn; all are in the table." if more else ""
    return Plot("comparison", "Paired differences", band + left_out, drawn)


def _panel(axes: Axes, found: Sequence[Difference], sides: Sequence[str], campaigns: Sequence[str]) -> None:
    step = 0.7 / max(len(sides), 2)
    for number, side in enumerate(sides):
        mine = {d.campaign_id: d.difference for d in found if d.side == side}
        shift = (number - (len(sides) - 1) / 2) * step
        known = [(k + shift, mine[name]) for k, name in enumerate(campaigns) if name in mine]
        known = [(y, band) for y, band in known if band.mean is not None]
        colour = style.CYCLE[number % len(style.CYCLE)]
        for y, band in known:
            if band.low is not None and band.high is not None:
                axes.plot([band.low, band.high], [y, y], color=colour, linewidth=2.4, alpha=0.75, zorder=3)
        axes.scatter(
            [band.mean or 0.0 for _, band in known],
            [y for y, _ in known],
            s=44,
            color=colour,
            edgecolor=style.PAPER,
            linewidth=0.8,
            marker=MARKERS[number],
            zorder=4,
            label=clip(side, 60),
        )
    axes.axvline(0.0, color=style.INK, linewidth=1.0, zorder=2)
    axes.margins(x=0.08)
    if all(d.difference.mean in (0.0, None) for d in found):
        axes.set_xlim(-1.0, 1.0)  # a span of nothing would be drawn with ticks of 1e-17
    style.plain_axis(axes, "x")


def _signed(value: float) -> str:
    text = f"{value:+,.4g}" if abs(value) < 1000 else f"{value:+,.0f}"
    return "0" if value == 0 else text.replace("-", "−")
