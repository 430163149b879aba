"""The contest in one table and one figure: value per euro, 95 % intervals of paired differences, spend curves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from matplotlib.axes import Axes
from numpy.typing import NDArray
from scipy import special

from experiments.contest.contestants import BASELINE, CONTESTANTS
from experiments.report.plots import style

DRAWN = {
    "no pacing, or refusing bids": (
        "constant",
        "truthful",
        "truthful, even",
        "truthful, throttled",
        "truthful, shaped",
    ),
    "pacing by price": (
        *("truthful, adaptive", "truthful, multiplicative", "truthful, pid", "shaded, adaptive", "own (starter)"),
    ),
}
"""Whose spend is drawn: every pacing, in two rows of panels, because more lines would hide each other."""
DASHES = ("-", "--", "-.", (0, (1, 1.2)), (0, (5, 1, 1, 1, 1, 1)))
"""Lines differ by more than their colour."""


class Score(NamedTuple):
    """A contestant in a market, over the seeds."""

    value_per_euro: float
    difference: float
    """Mean over the seeds of its value per euro less the baseline's on the same seed."""
    half_width: float
    """Half of the 95 % interval of that difference (Student's t); NaN with one seed."""
    spent: float
    """Mean share of the budget."""


def markets_of(results: pa.Table) -> list[str]:
    """The markets, in order of play."""
    return list(dict.fromkeys(results["market"].to_pylist()))


def scores(results: pa.Table) -> dict[tuple[str, str], Score]:
    """Score by (market, contestant). A contestant who spent nothing got nothing per euro."""
    per_euro: dict[tuple[str, str], dict[int, float]] = {}
    spent: dict[tuple[str, str], list[float]] = {}
    for row in results.to_pylist():
        key = (row["market"], row["contestant"])
        per_euro.setdefault(key, {})[row["seed"]] = row["value"] / row["spend"] if row["spend"] > 0 else 0.0
        spent.setdefault(key, []).append(row["spend"] / row["budget"])
    return {key: _score(of, per_euro[key[0], BASELINE], spent[key]) for key, of in per_euro.items()}


def _score(own: dict[int, float], base: dict[int, float], spent: Sequence[float]) -> Score:
    differences = np.array([own[seed] - base[seed] for seed in own])
    count = len(differences)
    half = float("nan")
    if count > 1:
        half = float(special.stdtrit(count - 1, 0.975) * differences.std(ddof=1) / np.sqrt(count))
    return Score(float(np.mean(list(own.values()))), float(differences.mean()), half, float(np.mean(spent)))


def markdown(results: pa.Table) -> str:
    """The table: value per euro, and in brackets the difference to the baseline with its 95 % interval."""
    markets, by = markets_of(results), scores(results)
    best = {market: max(score.value_per_euro for (of, _), score in by.items() if of == market) for market in markets}
    lines = [f"| | {' | '.join(f'`{market}`' for market in markets)} |", f"|---|{'---|' * len(markets)}"]
    for name in CONTESTANTS:
        cells = []
        for market in markets:
            score = by.get((market, name))
            cells.append("–" if score is None else _cell(score, name, score.value_per_euro == best[market]))
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _cell(score: Score, name: str, best: bool) -> str:
    told = f"{score.value_per_euro:.2f}"
    if score.spent < 0.995:
        told += f" of {score.spent:.0%} spent"
    if name != BASELINE:
        told += f" ({score.difference:+.2f} ± {score.half_width:.2f})".replace("-", "−")
    return f"**{told}**" if best else told


def draw(results: pa.Table, curves: pa.Table) -> style.Plot:
    """Top: value per euro and its interval, by market. Below: mean share of the budget spent, by hour."""
    markets, by = markets_of(results), scores(results)
    with style.look():
        figure, axes = style.new_figure(11.6, 3, len(markets), squeeze=False, height_ratios=(1.35, 1.0, 1.0))
        for column, market in enumerate(markets):
            _values(axes[0, column], market, by, named=column == 0)
            for row, names in enumerate(DRAWN.values(), 1):
                _spend(axes[row, column], market, curves, names)
        for row, title in enumerate(DRAWN, 1):
            axes[row, 0].set_ylabel("budget spent (mean)")
            axes[row, 0].set_title(title)
            axes[row, -1].legend(loc="lower right", fontsize="x-small")
    seeds = len(set(results["seed"].to_pylist()))
    caption = f"Value per euro over {seeds} paired seeds; bars: 95 % interval of the difference to {BASELINE}."
    return style.Plot("contest", "Strategies side by side", caption, figure)


def _values(axes: Axes, market: str, by: dict[tuple[str, str], Score], *, named: bool) -> None:
    names = list(CONTESTANTS)
    for row, name in enumerate(names):
        score = by.get((market, name))
        if score is not None:
            half = 0.0 if np.isnan(score.half_width) or name == BASELINE else score.half_width
            colour = (
                style.MUTED if name == BASELINE else style.BLUE if "," in name and "curve" not in name else style.GREEN
            )
            axes.errorbar(score.value_per_euro, row, xerr=half, fmt="o", markersize=4, color=colour, elinewidth=1.6)
    style.name_rows(axes, names if named else [""] * len(names))
    axes.axvline(by[market, BASELINE].value_per_euro, color=style.MUTED, linewidth=0.8, linestyle="--")
    axes.set(title=market, xlabel="value per euro", xlim=(0, None))


def _spend(axes: Axes, market: str, curves: pa.Table, names: Sequence[str]) -> None:
    rows = curves.filter(pc.equal(curves["market"], market)).to_pylist()
    for name, colour, dashes in zip(names, style.CYCLE, DASHES, strict=False):
        by_seed: dict[int, list[float]] = {}
        for row in rows:
            if row["contestant"] == name:
                by_seed.setdefault(row["seed"], []).append(row["spend_share"])
        if by_seed:
            mean: NDArray[np.float64] = np.mean(list(by_seed.values()), axis=0)
            axes.plot(np.concatenate([[0.0], mean]), linestyle=dashes, color=colour, linewidth=1.5, label=name)
    axes.set(xlabel="hour", ylim=(0, 1.05))
    axes.set_xlim(0, None)
    style.shares(axes)
