"""Experiments repeated under many seeds: bias, coverage, width and cost of each design, beside the truth."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes

from experiments.errors import StudyError
from experiments.measure.designs import designed
from experiments.measure.estimates import Estimate, estimate
from experiments.report.plots import style
from experiments.report.plots.style import Plot
from experiments.run import DRIVERS
from experiments.scenario.models import Scenario
from experiments.setting import make_ready
from experiments.sweep.grid import seeds_from


class Summary(NamedTuple):
    """One design over all repeats; means, purchases caused per repeat."""

    design: str
    repeats: int
    estimate: float | None
    truth: float
    bias: float | None
    """Mean of estimate - truth."""
    bias_error: float | None
    """Its standard error."""
    width: float | None
    """Mean width of the 95 % interval."""
    coverage: float | None
    """Share of intervals that hold the expected effect (the mean truth per person treated)."""
    spend: float
    extra_cost: float
    forgone: float | None


def repeat(
    base: Scenario,
    campaign_id: str,
    design: str,
    repeats: int,
    share: float = 0.5,
    on_run: Callable[[], None] | None = None,
) -> list[Estimate]:
    """Run the experiment under *repeats* seeds, each with its own people and its own coins."""
    found = []
    for seed in seeds_from(base.seed, repeats):
        setting = make_ready(designed(base.model_copy(update={"seed": seed}), campaign_id, design, share))
        ledger, _ = DRIVERS[base.driver](setting, None)
        found.append(estimate(design, setting, ledger, campaign_id))
        if on_run:
            on_run()
    return found


def summarise(estimates: Sequence[Estimate]) -> Summary:
    """What the repeats of one design say together."""
    if not estimates:
        raise StudyError("no repeat, no summary")
    told = [e for e in estimates if e.estimate is not None]
    off = np.array([e.estimate - e.truth for e in told if e.estimate is not None])
    return Summary(
        design=estimates[0].design,
        repeats=len(estimates),
        estimate=_mean([e.estimate for e in told if e.estimate is not None]),
        truth=float(np.mean([e.truth for e in estimates])),
        bias=_mean(off),
        bias_error=float(off.std(ddof=1) / np.sqrt(len(off))) if len(off) > 1 else None,
        width=_mean([e.high - e.low for e in told if e.high is not None and e.low is not None]),
        coverage=_coverage(told),
        spend=float(np.mean([e.spend for e in estimates])),
        extra_cost=float(np.mean([e.extra_cost for e in estimates])),
        forgone=_mean([e.forgone for e in estimates if e.forgone is not None]),
    )


def _coverage(told: Sequence[Estimate]) -> float | None:
    sure = [e for e in told if e.low is not None and e.high is not None and e.treated]
    if not sure:
        return None
    expected = float(np.mean([e.truth / e.treated for e in sure]))
    return float(np.mean([e.low <= expected * e.treated <= e.high for e in sure]))  # type: ignore[operator]


def _mean(values: Any) -> float | None:
    return float(np.mean(values)) if len(values) else None


def figure(trials: dict[str, list[Estimate]], campaign_id: str, currency: str = "currency units") -> Plot:
    """Estimates less truth by design with the intervals of the first repeats, and what each design costs."""
    drawn, (left, right) = style.new_figure(4.6, 1, 2, width_ratios=(1.6, 1))
    for row, estimates in enumerate(trials.values()):
        _intervals(left, row, estimates[:20], style.CYCLE[row])
    left.axvline(0.0, color=style.INK, linewidth=1.2)
    style.name_rows(left, list(trials))
    left.set(title="Error of each experiment", xlabel="purchases caused: estimate less truth, 95 % interval")
    summaries = [summarise(estimates) for estimates in trials.values()]
    y = np.arange(len(summaries))
    right.barh(y - 0.2, [s.forgone or 0.0 for s in summaries], height=0.36, color=style.SKY, label="value forgone")
    right.barh(y + 0.2, [s.extra_cost for s in summaries], height=0.36, color=style.RED, label="paid for control ads")
    style.name_rows(right, [""] * len(summaries))
    right.set(title="Its cost", xlabel=f"{currency}, mean of the repeats")
    right.legend(fontsize=9.5, loc="upper center", bbox_to_anchor=(0.5, -0.18), ncols=2)
    for axes in (left, right):
        style.plain_axis(axes, "x")
    return Plot(
        "experiments",
        f"Experiments on {campaign_id}, beside the truth",
        "Each line is one repeat with its own people; the big mark is the mean of all repeats.",
        drawn,
    )


def _intervals(axes: Axes, row: int, estimates: Sequence[Estimate], colour: str) -> None:
    told = [e for e in estimates if e.estimate is not None and e.low is not None and e.high is not None]
    heights = row + np.linspace(-0.33, 0.33, max(len(told), 2))
    for y, e in zip(heights, told, strict=False):
        assert e.estimate is not None
        assert e.low is not None
        assert e.high is not None
        axes.plot([e.low - e.truth, e.high - e.truth], [y, y], color=colour, linewidth=1.1, alpha=0.8)
        axes.scatter([e.estimate - e.truth], [y], s=9, color=colour)
    if told:
        mean = float(np.mean([e.estimate - e.truth for e in told if e.estimate is not None]))
        axes.scatter([mean], [row], s=110, color=colour, edgecolor=style.INK, marker="D", zorder=5)
