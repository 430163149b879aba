"""The overlap of segments as a picture: of each row's people, the share that is also in the column."""

from __future__ import annotations

from pathlib import Path

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
