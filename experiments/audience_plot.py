"""Pictures of answers: the overlap of segments, and the quality of lookalikes by size."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


def plot_overlap(names: list[str], counts: NDArray[np.int64], path: Path) -> None:
    """Write a PNG of the int64[segments, segments] matrix of people in both; the colours suit colour-blind eyes."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import PercentFormatter

    sizes = np.diag(counts)
    share = np.divide(counts, sizes[:, None], out=np.zeros(counts.shape), where=sizes[:, None] > 0)
    side = max(4.5, 1.0 + 0.75 * len(names))
    figure = Figure(figsize=(side + 2.2, side), dpi=144, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    image = axes.imshow(share, vmin=0, vmax=1, cmap="cividis")
    labels = [name if len(name) <= 22 else name[:21] + "…" for name in names]
    axes.set_xticks(range(len(names)), labels, rotation=35, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(names)), [f"{label}  ({size:,})" for label, size in zip(labels, sizes, strict=True)])
    axes.set_title("Of the row's people, how many are also in the column", loc="left", fontsize=11, weight="bold")
    axes.set_ylabel("segment (people)")
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    if len(names) <= 20:
        for i, j in np.ndindex(*share.shape):
            ink = "black" if share[i, j] > 0.55 else "white"
            axes.text(j, i, f"{share[i, j]:.0%}", ha="center", va="center", color=ink, fontsize=9)
    figure.colorbar(image, ax=axes, shrink=0.8, format=PercentFormatter(1.0))
    figure.savefig(path)


def plot_quality(seed: str, rows: list[dict[str, Any]], path: Path) -> None:
    """Write a PNG of how much of a hidden half of *seed* lookalikes of each size find (`dmp.lookalike.quality`)."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import PercentFormatter

    figure = Figure(figsize=(9.5, 4.2), dpi=144, layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    share = [row["share"] for row in rows]
    left.plot([0, *share], [0, *(row["found_share"] for row in rows)], "o-", color="#0072b2", label="lookalikes")
    left.plot([0, 1], [0, 1], "--", color="#777777", label="picked at random")
    left.set_ylabel("of the hidden seeds, found")
    left.yaxis.set_major_formatter(PercentFormatter(1.0))
    left.legend(frameon=False, loc="lower right")
    right.plot(share, [row["lift"] for row in rows], "o-", color="#d55e00")
    right.axhline(1.0, linestyle="--", color="#777777")
    right.set_xscale("log")
    right.set_ylabel("times better than at random")
    right.set_ylim(bottom=0)
    for axes in (left, right):
        axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=None))
        axes.set_xlabel("size of the audience (share of people)")
        axes.grid(axis="y", color="#dddddd", linewidth=0.7)
        axes.spines[["top", "right"]].set_visible(False)
    figure.suptitle(f"Lookalikes of {seed}: size against quality", x=0.01, ha="left", fontsize=12, weight="bold")
    figure.savefig(path)
