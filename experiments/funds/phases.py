"""Phases: each flight of a campaign is funded from what came in during the one before it.

Phase 1 gets money of its own. What its ads brought by its end (value times margin; purchases still to come count for
the next phase), times the share reinvested, is the budget of phase 2, and so on, seed by seed. Later ads cannot change
what came in earlier, so each stage is simulated with all phases so far and the later ones off. Money in units of the
currency; what ads brought is told by labels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from experiments.errors import StudyError
from experiments.funds.parts import split_campaign
from experiments.report.plots import style
from experiments.report.plots.style import Plot
from experiments.results.tables import build_table
from experiments.romi import bands
from experiments.romi.points import cost_nanos
from experiments.romi.question import check_campaign
from experiments.scenario.models import Scenario
from experiments.sweep.cell import Cell, Failure, Outcome
from experiments.sweep.grid import seeds_from, varied
from openrtb.money import NANOS_PER_UNIT

COUNTED = ("truth", "credited")
SMALLEST = 1e-6
"""A phase with less money than this (currency) does not take place."""
Grid = NDArray[np.float64]


class Plan(NamedTuple):
    """What is to be simulated."""

    base: Scenario
    """The scenario with the campaign's phases as campaigns of their own."""
    campaign_id: str
    phases: tuple[str, ...]
    ends_s: tuple[float, ...]
    first: float
    """Budget of the first phase."""
    reinvest: float
    """Share of what came in that the next phase gets."""
    counted: str
    """truth: what ads caused; credited: what last touch says they brought."""
    margin: float
    daily: float | None
    """The campaign's own daily limit: a phase with less money than that has no tighter one."""
    seeds: tuple[int, ...]


class Phased(NamedTuple):
    """What came of it; each float64[phases, seeds]."""

    plan: Plan
    budget: Grid
    spend: Grid
    truth: Grid
    """Gross (value times margin) of purchases within the phase that this or an earlier phase caused."""
    credited: Grid
    """The same of what last touch credits."""

    @property
    def cash(self) -> Grid:
        """What has come in so far less what was spent, at the end of each phase."""
        return np.asarray(np.cumsum(self.truth - self.spend, axis=0))


def plan_phases(
    base: Scenario,
    campaign_id: str,
    count: int,
    first: float | None = None,
    reinvest: float = 1.0,
    counted: str = "truth",
    seeds: int = 10,
) -> Plan:
    """A plan in order; raises `StudyError`."""
    check_campaign(base, campaign_id)
    campaign = base.campaigns[campaign_id]
    if campaign.product is None:
        raise StudyError(f"--campaign {campaign_id}: it has no product, so nothing comes in to fund a phase")
    if counted not in COUNTED:
        raise StudyError(f"--count {counted}: must be one of {', '.join(COUNTED)}")
    if not 0.0 < reinvest <= 1.0:
        raise StudyError(f"--reinvest {reinvest:g}: must be a share above 0, and 1 at most")
    money = campaign.budget.total / count if first is None else first
    if not money > SMALLEST:
        raise StudyError(f"--first {money:g}: must be an amount above 0")
    split, names = split_campaign(base, campaign_id, f"time:{count}")
    ends = [split.campaigns[name].end or base.start + timedelta(days=base.days) for name in names]
    ends_s = tuple((end - base.start).total_seconds() for end in ends)
    margin = base.products[campaign.product].margin
    chosen = tuple(seeds_from(base.seed, seeds))
    return Plan(
        split, campaign_id, tuple(names), ends_s, money, reinvest, counted, margin, campaign.budget.daily, chosen
    )


def run_phases(plan: Plan, compute: Callable[[Sequence[Cell]], list[Outcome]]) -> Phased:
    """Simulate phase after phase with *compute*; raises `StudyError` when a run failed."""
    count, seeds = len(plan.phases), len(plan.seeds)
    budget, spend = np.zeros((count, seeds)), np.zeros((count, seeds))
    truth, credited = np.zeros((count, seeds)), np.zeros((count, seeds))
    for k in range(count):
        came_in = (truth if plan.counted == "truth" else credited)[k - 1]
        budget[k] = plan.first if k == 0 else np.round(plan.reinvest * came_in, 6)
        outcomes = compute([_cell(plan, budget[: k + 1, s], seed) for s, seed in enumerate(plan.seeds)])
        for s, outcome in enumerate(outcomes):
            if isinstance(outcome, Failure):
                raise StudyError(f"a run failed: {outcome.message}")
            rows = outcome.groups
            for into, field in ((truth, "caused_nanos"), (credited, "credited_nanos")):
                so_far = [sum(row[field][name] for name in plan.phases) for row in rows]
                into[: k + 1, s] = plan.margin * np.diff([0, *so_far])[: k + 1] / NANOS_PER_UNIT
            spend[k, s] = cost_nanos(outcome.campaign(plan.phases[k])) / NANOS_PER_UNIT
    return Phased(plan, budget, spend, truth, credited)


def _cell(plan: Plan, budgets: Grid, seed: int) -> Cell:
    """The phases so far with their budgets, the others off."""
    changes: dict[str, Any] = {}
    off = list(plan.phases[len(budgets) :])
    for name, total in zip(plan.phases, budgets.tolist(), strict=False):
        if total <= SMALLEST:
            off.append(name)
            continue
        daily = None if plan.daily is None else min(plan.daily, total)
        changes[f"campaigns.{name}.budget"] = {"total": total, "daily": daily}
    scenario = varied(plan.base, changes).model_copy(update={"seed": seed})
    return Cell(scenario, tuple(sorted(off)), "until:" + ",".join(f"{end:.12g}" for end in plan.ends_s))


def table_of(found: Phased) -> pa.Table:
    """The table `phases`."""
    plan = found.plan
    rows = [
        {
            "campaign_id": plan.campaign_id,
            "seed": seed,
            "phase": k + 1,
            "end_h": plan.ends_s[k] / 3600.0,
            "budget": found.budget[k, s],
            "spend": found.spend[k, s],
            "truth_gross": found.truth[k, s],
            "credited_gross": found.credited[k, s],
            "truth_cash": found.cash[k, s],
        }
        for s, seed in enumerate(plan.seeds)
        for k in range(len(plan.phases))
    ]
    return build_table("phases", {name: [row[name] for row in rows] for name in rows[0]})


def rows_of(found: Phased) -> list[dict[str, Any]]:
    """A row per phase: means over seeds, and the interval of the cash."""
    rows = []
    for k, name in enumerate(found.plan.phases):
        cash = bands.mean(found.cash[k])
        rows.append(
            {
                "phase": name,
                "budget": float(found.budget[k].mean()),
                "spend": float(found.spend[k].mean()),
                "came in, caused": float(found.truth[k].mean()),
                "came in, credited": float(found.credited[k].mean()),
                "cash at its end": cash.mean,
                "from": cash.low,
                "to": cash.high,
            }
        )
    return rows


def in_words(found: Phased, money: Callable[[float | None], str]) -> list[str]:
    """What became of the first phase's money."""
    plan, cash = found.plan, bands.mean(found.cash[-1])
    sure = "" if cash.low is None else f" (95 %: {money(cash.low)} to {money(cash.high)})"
    spent = money(float(found.spend.sum(axis=0).mean()))
    lines = [
        f"{money(plan.first)} for the first phase, {plan.reinvest:.0%} of what came in ({plan.counted}) for each next: "
        f"{spent} spent in {len(plan.phases)} phases, and {money(cash.mean)} more came in than was spent{sure}."
    ]
    if stopped := int((found.budget[1:] <= SMALLEST).any(axis=0).sum()):
        lines.append(f"Under {stopped} of {len(plan.seeds)} seeds a phase brought nothing in time to fund the next.")
    return lines


def figure(found: Phased) -> Plot:
    """Per phase what was spent and what came in; the cash as a line with its band."""
    plan, x = found.plan, np.arange(1, len(found.plan.phases) + 1)
    drawn, (left, right) = style.new_figure(5.0, 1, 2)
    currency = plan.base.currency
    for shift, grid, colour, hatch, label in (
        (-0.27, found.spend, style.GREY, "", "spent"),
        (0.0, found.truth, style.BLUE, "", "came in, caused by the ads"),
        (0.27, found.credited, style.ORANGE, "//", "came in, by last touch"),
    ):
        means = [bands.mean(row) for row in grid]
        error = [0.0 if band.low is None else (band.mean or 0.0) - band.low for band in means]
        heights = [band.mean for band in means]
        left.bar(x + shift, heights, width=0.25, color=colour, hatch=hatch, edgecolor=style.PAPER, label=label)
        left.errorbar(x + shift, heights, yerr=error, fmt="none", ecolor=style.INK, elinewidth=1.1, capsize=2.5)
    cash = [bands.mean(row) for row in found.cash]
    if cash[0].low is not None:
        right.fill_between(
            x, [band.low for band in cash], [band.high for band in cash], color=style.GREEN, alpha=0.18, linewidth=0
        )
    right.plot(x, [band.mean for band in cash], color=style.GREEN, marker="o", markersize=5)
    right.axhline(0.0, color=style.INK, linewidth=1.0)
    left.set(title="Spent and come in", xlabel="phase", ylabel=f"{currency} a phase (gross: value × margin)")
    right.set(title="Cash", xlabel="end of phase", ylabel=f"come in less spent, so far ({currency})")
    for axes in (left, right):
        axes.set_xticks(x)
    left.legend(fontsize=9.5, loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=2)
    return Plot("phases", f"Phases of {plan.campaign_id}", "Bars and band: 95 % over seeds.", drawn)
