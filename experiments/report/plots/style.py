"""How every plot looks: colours that colour-blind readers can tell apart (Okabe & Ito 2008), type, and output.

Figures are drawn in the light palette. In the page's SVG each of these colours becomes a CSS variable, so that a dark
page and a printed one show the same plot; PNG files keep the light palette on white. Output has no date and no random
ids: the same figure gives the same bytes.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from experiments.report.words import short

INK, MUTED, GRID, PAPER = "#1c2530", "#5b6673", "#dde3ea", "#ffffff"
BLUE, ORANGE, GREEN, RED = "#0072b2", "#e69f00", "#009e73", "#d55e00"
SKY, PINK, YELLOW, GREY = "#56b4e9", "#cc79a7", "#e5d400", "#9aa5b1"
CYCLE = (BLUE, ORANGE, GREEN, PINK, SKY, RED, YELLOW, GREY)

COLOURS = {
    "ink": INK,
    "muted": MUTED,
    "grid": GRID,
    "paper": PAPER,
    "blue": BLUE,
    "orange": ORANGE,
    "green": GREEN,
    "red": RED,
    "sky": SKY,
    "pink": PINK,
    "yellow": YELLOW,
    "grey": GREY,
}
"""CSS variable of each colour."""

WIDTH_IN = 10.0
DOTS_PER_INCH = 144

_RC: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 10.5,
    "text.color": INK,
    "axes.labelcolor": MUTED,
    "axes.edgecolor": GRID,
    "axes.titlecolor": INK,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": INK,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "legend.frameon": False,
    "lines.linewidth": 2.0,
    "lines.solid_capstyle": "round",
    "svg.fonttype": "none",
    "figure.facecolor": PAPER,
    "axes.facecolor": "none",
    "axes.unicode_minus": True,
    "text.parse_math": False,  # a name may hold dollar signs
    "path.simplify_threshold": 0.5,
}


class Plot(NamedTuple):
    """A drawn figure, what it says in words, and the numbers behind it as a table."""

    name: str
    title: str
    caption: str
    figure: Figure
    headings: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()


def look() -> Any:
    """Context manager under which every figure is drawn and saved."""
    return mpl.rc_context(_RC)


def new_figure(height_in: float, rows: int = 1, columns: int = 1, **options: Any) -> tuple[Figure, Any]:
    """Figure of the report's width with its axes."""
    figure = Figure(figsize=(WIDTH_IN, height_in), layout="constrained")
    engine: Any = figure.get_layout_engine()
    # Letters are a little wider in a PNG file than when the layout is worked out: without room the last ones are cut.
    engine.set(wspace=0.05, w_pad=0.13)
    return figure, figure.subplots(rows, columns, **options)


def name_rows(axes: Axes, names: Sequence[str]) -> None:
    """Names down the y axis, first on top; one lonely row does not fill the whole height."""
    rows, spare = len(names), max(0.0, (2 - len(names)) * 0.35)
    axes.set_yticks(range(rows), names)
    axes.set_ylim(rows - 0.4 + spare, -0.6 - spare)


def plain_axis(axes: Axes, along: str = "y") -> None:
    """Grid lines across one direction only."""
    axes.grid(visible=False, axis="x" if along == "y" else "y")
    axes.spines["left" if along == "y" else "bottom"].set_visible(False)


def short_numbers(axes: Axes, which: str = "y", bins: int = 5, *, whole: bool = False) -> None:
    """Tick labels such as 1.5M on one axis."""
    axis = axes.yaxis if which == "y" else axes.xaxis
    axis.set_major_locator(MaxNLocator(nbins=bins, integer=whole, steps=[1, 2, 5, 10]))
    axis.set_major_formatter(FuncFormatter(lambda value, _: short(value)))


def shares(axes: Axes, which: str = "y", bins: int = 5) -> None:
    """Tick labels in per cent on one axis."""
    axis = axes.yaxis if which == "y" else axes.xaxis
    axis.set_major_locator(MaxNLocator(nbins=bins, steps=[1, 2, 5, 10]))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.3g} %"))


def percent_ticks() -> FuncFormatter:
    """Shares above and below nothing, as signed per cent."""
    return FuncFormatter(lambda value, _: f"{100 * value:,.0f} %".replace("-", "\u2212"))


def time_axis(axes: Axes, days: float) -> None:
    """An x axis in days (hours for a scenario of two days or less); data are hours."""
    unit, hours = ("day", 24.0) if days > 2 else ("hour", 1.0)
    wanted = days * 24 / hours / 7
    steps = (1, 2, 3, 4, 6, 8, 12) if hours == 1.0 else (1, 2, 4, 7, 14, 28, 56, 91, 182, 364)
    step = min(steps, key=lambda step: abs(step - wanted)) * hours
    axes.set_xlim(0, max(days * 24, 1))
    axes.set_xticks([ix * step for ix in range(int(days * 24 / step) + 1)])
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value / hours:.4g}"))
    axes.set_xlabel(f"time since the start ({unit}s)")


def legend_above(target: Figure | Axes, columns: int, **options: Any) -> None:
    """A one-row legend above the plot."""
    if isinstance(target, Figure):
        target.legend(loc="outside upper left", ncols=columns, **options)
    else:
        target.legend(
            loc="lower left", bbox_to_anchor=(0, 1.0), ncols=columns, borderaxespad=0.2, handlelength=1.4, **options
        )


def label_end(axes: Axes, x: float, y: float, text: str) -> None:
    """Text a little to the right of a bar's end."""
    axes.annotate(text, (x, y), xytext=(5, 0), textcoords="offset points", va="center", fontsize=9.5)


def svg_of(plot: Plot) -> str:
    """Inline SVG: real text, colours as CSS variables, ids that no other plot uses. Fixes the layout for `png_of`."""
    text = io.BytesIO()
    with mpl.rc_context({"svg.hashsalt": plot.name, **_RC}):
        FigureCanvasSVG(plot.figure)
        plot.figure.savefig(text, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    plot.figure.set_layout_engine("none")  # it has been worked out; working it out again takes most of the time
    svg = text.getvalue().decode()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, count=1, flags=re.DOTALL)
    svg = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{plot.name}-", svg)
    for name, colour in COLOURS.items():
        svg = svg.replace(colour, f"var(--{name})")
    size = re.compile(
        r'<svg ([^>]*?)width="[^"]*"([^>]*?)height="[^"]*"|<svg ([^>]*?)height="[^"]*"([^>]*?)width="[^"]*"'
    )
    return size.sub(r'<svg role="img" \1\2\3\4', svg, count=1).strip()


def png_of(plot: Plot) -> bytes:
    """PNG on white."""
    image = io.BytesIO()
    with mpl.rc_context(_RC):
        FigureCanvasAgg(plot.figure)
        plot.figure.savefig(image, format="png", dpi=DOTS_PER_INCH, metadata={"Software": None})
    return image.getvalue()
