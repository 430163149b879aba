"""From measured curves to a new plan: fit, split, and prove the difference by simulating both plans on fresh seeds.

Money in units of the currency.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from experiments.errors import StudyError
from experiments.funds.split import Response, Split, best_split, split_at, to_target_efficiency, to_target_romi
from experiments.romi import bands
from experiments.romi.bands import Band
from experiments.romi.curve import Curve
from experiments.romi.points import account_of
from experiments.romi.question import BUDGET, Question, ask
from experiments.scenario.models import Scenario
from experiments.sweep.cell import Cell, Failure, Outcome
from experiments.sweep.grid import varied
from openrtb.money import NANOS_PER_UNIT

GOALS = ("response", "romi", "efficiency")
SEEDS_BETWEEN = 1000
"""Fresh seeds lie this far behind the last one the curves were measured with."""


class Allocation(NamedTuple):
    """A new split beside the current one."""

    curves: dict[str, Curve]
    goal: str
    target: float | None
    total: float
    before: Split
    """As the curves see the current budgets."""
    after: Split
    budgets: dict[str, float]
    """New total budget per campaign; 0: it is switched off."""

    @property
    def expected(self) -> float:
        """Value the new split should add, by the curves."""
        return self.after.value - self.before.value


class Proof(NamedTuple):
    """Both plans simulated on fresh seeds: value and profit, new less current."""

    seeds: tuple[int, ...]
    value: Band
    profit: Band
    spend: Band


def questions(base: Scenario, campaigns: Sequence[str], total: float, points: int, seeds: int) -> dict[str, Question]:
    """One question per campaign: budgets up to the total, the others as they are."""
    if len(set(campaigns)) < len(campaigns):
        raise StudyError("--campaign: the same campaign twice")
    top = {name: min(total, 4.0 * base.campaigns[name].budget.total) for name in campaigns if name in base.campaigns}
    return {
        name: ask(
            base,
            name,
            BUDGET,
            [float(f"{top.get(name, total) * k / points:.12g}") for k in range(1, points + 1)],
            seeds,
        )
        for name in campaigns
    }


def allocate(
    curves: Mapping[str, Curve],
    total: float,
    goal: str = "response",
    target: float | None = None,
    bounds: Mapping[str, tuple[float, float]] | None = None,
) -> Allocation:
    """The best split under the fitted curves; raises `StudyError` for goals and bounds that cannot be met."""
    if goal not in GOALS:
        raise StudyError(f"--goal {goal}: must be one of {', '.join(GOALS)}")
    if (target is None) != (goal == "response"):
        raise StudyError(f"--goal {goal}: {'takes no --target' if goal == 'response' else 'needs a --target'}")
    for name in bounds or {}:
        if name not in curves:
            raise StudyError(f"--bound {name}: no such campaign among those to share; there are {', '.join(curves)}")
    responses = [_response(name, curve, (bounds or {}).get(name)) for name, curve in curves.items()]
    if goal == "response":
        after = best_split(responses, total)
    elif goal == "romi":
        after = to_target_romi(responses, total, target or 0.0)
    else:
        after = to_target_efficiency(responses, total, target or 0.0)
    now = np.array([curve.current.spend.mean or 0.0 for curve in curves.values()])
    budgets = {name: _budget(curve, spend) for (name, curve), spend in zip(curves.items(), after.spend, strict=True)}
    return Allocation(dict(curves), goal, target, total, split_at(responses, now), after, budgets)


def _response(name: str, curve: Curve, bound: tuple[float, float] | None) -> Response:
    top = max(row.spend.mean or 0.0 for row in curve.rows)
    low, high = bound or (0.0, top)
    if not curve.fits:  # nothing ever came of it: it gets what it must have and no more
        return Response(name, lambda s: 0.0, lambda s: 0.0, curve.points.margin, low, max(low, min(high, top)))
    fit = curve.fits[0]
    if low > top > 0:
        raise StudyError(
            f"--bound {name}: it cannot spend more than {top:g} in this market, and {low:g} is the least asked"
        )
    return Response(
        name, lambda s: float(fit(s)), lambda s: float(fit.slope(s)), curve.points.margin, low, min(high, top)
    )


def _budget(curve: Curve, spend: float) -> float:
    """Budget that makes the campaign spend so much, from the measured points and from nothing at 0."""
    spends = np.array([0.0, *(row.spend.mean or 0.0 for row in curve.rows)])
    values = np.array([0.0, *(row.value for row in curve.rows)])
    rising = np.concatenate([[True], np.diff(np.maximum.accumulate(spends)) > 1e-9 * max(spends.max(), 1e-300)])
    return float(np.interp(spend, spends[rising], values[rising]))


def planned(base: Scenario, budgets: Mapping[str, float]) -> tuple[Scenario, tuple[str, ...]]:
    """The scenario with new budgets (daily limits in proportion), and who is switched off."""
    changes: dict[str, Any] = {}
    off = []
    for name, total in budgets.items():
        if total < 1e-9:
            off.append(name)
            continue
        budget = base.campaigns[name].budget
        daily = None if budget.daily is None else budget.daily * (total / budget.total)
        changes[f"campaigns.{name}.budget"] = {"total": total, "daily": daily}
    return (varied(base, changes) if changes else base), tuple(sorted(off))


def proof_cells(base: Scenario, allocation: Allocation, count: int) -> tuple[list[Cell], tuple[int, ...]]:
    """Per fresh seed the current plan and the new one."""
    used = max(seed for curve in allocation.curves.values() for seed in curve.points.question.seeds)
    seeds = tuple((used + SEEDS_BETWEEN + k) % 2**63 for k in range(count))
    plan, off = planned(base, allocation.budgets)
    cells = []
    for seed in seeds:
        cells.append(Cell(base.model_copy(update={"seed": seed})))
        cells.append(Cell(plan.model_copy(update={"seed": seed}), off))
    return cells, seeds


def prove(outcomes: Sequence[Outcome], seeds: tuple[int, ...]) -> Proof:
    """Differences, seed by seed; raises `StudyError` when a run failed."""
    accounts = []
    for outcome in outcomes:
        if isinstance(outcome, Failure):
            raise StudyError(f"a run of the proof failed: {outcome.message}")
        accounts.append(account_of(outcome))

    def change(figure: NDArray[np.float64]) -> Band:
        return bands.mean(figure[1::2] - figure[::2])

    value = np.array([a.value_nanos for a in accounts]) / NANOS_PER_UNIT
    spend = np.array([a.spend_nanos for a in accounts]) / NANOS_PER_UNIT
    profit = np.array([a.gross_nanos for a in accounts]) / NANOS_PER_UNIT - spend
    return Proof(seeds, change(value), change(profit), change(spend))
