"""The curve of each group of people: what they brought and cost at every value of the setting. `bidlab romi --by`.

The same paired runs as the whole curve: what the group bought with the campaign less without it, over what showing it
the campaign's ads cost. Groups that do not overlap add up to the whole. Money in units of the currency.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from experiments.errors import StudyError
from experiments.report.plots import style
from experiments.report.plots.style import Plot
from experiments.report.words import clip, signed_percent
from experiments.results.tables import build_table
from experiments.romi.curve import Curve, curve_of
from experiments.romi.points import Grid, Points
from experiments.romi.question import Question
from experiments.scenario.models import Scenario
from experiments.sweep.cell import Measured, Outcome
from openrtb.money import NANOS_PER_UNIT

KINDS = ("customer", "place", "segment")
BANDS = {"spend": "spend", "incremental_value": "incremental", "profit": "profit", "romi": "romi"}


def word_for(base: Scenario, campaign_id: str, by: str) -> str:
    """What a cell calls the groups; raises `StudyError` where there are none to tell apart."""
    campaign = base.campaigns[campaign_id]
    if by not in KINDS:
        raise StudyError(f"--by {by}: must be one of {', '.join(KINDS)}")
    if by == "customer" and campaign.product is None:
        raise StudyError(f"--by customer: campaign {campaign_id} has no product, so nobody is its customer; use place")
    if by == "segment" and not base.segments:
        raise StudyError("--by segment: the scenario has no segments; use customer or place")
    if by == "segment" and base.audience is not None:
        raise StudyError(
            "--by segment: under an audience platform a person has several rows, and may be in a segment by one and "
            "not by another; use customer or place"
        )
    return f"customer:{campaign.product}" if by == "customer" else by


class Groups(NamedTuple):
    """Every group by its name."""

    curves: dict[str, Curve]
    persons: dict[str, float]
    """How many people, mean over seeds."""


def groups_from(question: Question, outcomes: Sequence[Outcome]) -> Groups:
    """A curve per group, from the outcomes of the question's cells (none failed)."""
    runs = [outcome for outcome in outcomes if isinstance(outcome, Measured)]
    names = [row["name"] for row in runs[0].groups]
    curves, persons = {}, {}
    for g, name in enumerate(names):
        shape = len(question.seeds), len(question.values) + 1
        rows = [run.groups[g] for run in runs]
        spend = _grid([row["spend_nanos"][question.campaign_id] for row in rows], shape)
        value, gross = (_grid([row[field] for row in rows], shape) for field in ("value_nanos", "gross_nanos"))
        none = np.zeros_like(spend[1:])
        fields = {field: none for field in Points._fields[1:]}
        fields |= {"spend": spend[1:], "value": value[1:] - value[0], "gross": gross[1:] - gross[0]}
        curves[name] = curve_of(Points(question, **fields))
        persons[name] = float(np.mean([run.groups[g]["persons"] for run in runs]))
    return Groups(curves, persons)


def _grid(nanos: list[float], shape: tuple[int, int]) -> Grid:
    """float64[V + 1, N] in units of the currency: without the campaign, then each value of the setting."""
    return np.array(nanos, np.float64).reshape(shape).T / NANOS_PER_UNIT


def table_of(question: Question, groups: Groups) -> pa.Table:
    """The table `romi_groups`."""
    rows: list[dict[str, Any]] = []
    for name, curve in groups.curves.items():
        for row in curve.rows:
            told = {
                "campaign_id": question.campaign_id,
                "setting": question.lever,
                "by": question.by.partition(":")[0],
                "group": name,
                "persons": groups.persons[name],
                "value": row.value,
                "current": row.current,
            }
            for column, field in {**BANDS, "marginal_romi": "marginal_romi"}.items():
                for ending, part in (("", "mean"), ("_low", "low"), ("_high", "high")):
                    told[column + ending] = getattr(getattr(row, field), part)
            rows.append(told)
    return build_table("romi_groups", {name: [row[name] for row in rows] for name in rows[0]})


def in_words(curves: dict[str, Curve], money: Callable[[float | None], str]) -> list[str]:
    """A line per group, at the setting as it is."""
    lines = []
    for name, curve in curves.items():
        here = curve.current
        sure = (
            "" if here.romi.low is None else f" ({signed_percent(here.romi.low)} to {signed_percent(here.romi.high)})"
        )
        marginal = ""
        if curve.fits and here.spend.mean:
            slope = curve.points.margin * float(curve.fits[0].slope(here.spend.mean)) - 1.0
            marginal = f"; of the next unit: {signed_percent(slope)}"
        lines.append(
            f"{name}: spend {money(here.spend.mean)}, value {money(here.incremental.mean)}, "
            f"ROMI {signed_percent(here.romi.mean)}{sure}{marginal}"
        )
    return lines


def figure(question: Question, curves: dict[str, Curve]) -> Plot:
    """Left: incremental value of each group against what was spent on it. Right: its ROMI against the setting."""
    drawn, (left, right) = style.new_figure(5.4, 1, 2)
    currency = question.base.currency
    for k, (name, curve) in enumerate(curves.items()):
        colour, marker = style.CYCLE[k % len(style.CYCLE)], "osD^vPX*"[k % 8]
        spend = np.array([row.spend.mean for row in curve.rows], np.float64)
        value = np.array([row.incremental.mean for row in curve.rows], np.float64)
        left.scatter(spend, value, s=30, color=colour, marker=marker, zorder=4, label=clip(name, 20))
        if curve.fits and spend.max() > 0:
            x = np.linspace(spend.max() / 400, spend.max(), 200)
            left.plot(x, curve.fits[0](x), color=colour, linewidth=1.5)
        known = [row for row in curve.rows if row.romi.mean is not None]
        at = [row.value for row in known]
        right.plot(at, [row.romi.mean for row in known], color=colour, marker=marker, markersize=5)
        if known and known[0].romi.low is not None:
            low, high = ([getattr(row.romi, end) for row in known] for end in ("low", "high"))
            right.fill_between(at, low, high, color=colour, alpha=0.13, linewidth=0)
    right.axhline(0.0, color=style.INK, linewidth=1.0)
    left.set(
        title="Incremental value", xlabel=f"spent on the group ({currency})", ylabel=f"incremental value ({currency})"
    )
    unit = f" ({currency})" if question.lever == "budget" else ""
    right.set(title="Return", xlabel=f"{question.lever}{unit}", ylabel="return per unit spent (0 % = break-even)")
    right.yaxis.set_major_formatter(style.percent_ticks())
    left.set_xlim(left=0)
    left.legend(fontsize=9.5, loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=4)
    return Plot(
        "groups",
        f"What the money of {question.campaign_id} buys, by {question.by.partition(':')[0]}",
        "Each group against itself with the campaign off; lines: the best fit. Bands: 95 % over seeds.",
        drawn,
    )
