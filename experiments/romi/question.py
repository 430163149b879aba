"""The question: which campaign, which setting of it is turned, over which values, under which seeds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from experiments.errors import StudyError
from experiments.scenario.models import Scenario
from experiments.scenario.problems import suggestion
from experiments.sweep.cell import Cell
from experiments.sweep.grid import seeds_from, varied

BUDGET = "budget"
"""The setting turned when none is named: the total budget, the daily one in proportion."""


class Question(NamedTuple):
    """What is asked."""

    base: Scenario
    campaign_id: str
    lever: str
    """`budget`, or a path inside the campaign such as bid.multiplier."""
    values: tuple[float, ...]
    """Rising; the current one is among them."""
    current: float
    seeds: tuple[int, ...]
    by: str = ""
    """Groups of people to tell apart, as cells call them; empty: none."""

    def scenarios(self) -> list[Scenario]:
        """The scenario at each value, under the base's own seed; raises `ScenarioError` for a value it refuses."""
        return [
            self.base if value == self.current else varied(self.base, self._changes(value)) for value in self.values
        ]

    def cells(self) -> list[Cell]:
        """Per seed: the campaign switched off, then each value."""
        scenarios = self.scenarios()
        return [
            Cell(scenario.model_copy(update={"seed": seed}), off, self.by)
            for seed in self.seeds
            for scenario, off in [(self.base, (self.campaign_id,)), *((scenario, ()) for scenario in scenarios)]
        ]

    def _changes(self, value: float) -> dict[str, Any]:
        place = f"campaigns.{self.campaign_id}"
        if self.lever != BUDGET:
            whole = isinstance(self.current, int) and float(value).is_integer()  # a count stays a count
            return {f"{place}.{self.lever}": int(value) if whole else value}
        budget = self.base.campaigns[self.campaign_id].budget
        daily = None if budget.daily is None else budget.daily * (value / budget.total)
        return {f"{place}.budget": {"total": value, "daily": daily}}


def ask(
    base: Scenario,
    campaign_id: str,
    lever: str,
    values: Sequence[float] | None,
    seeds: int,
    *,
    needs_return: bool = True,
) -> Question:
    """A question in order; raises `StudyError` for an unknown campaign or setting.

    With *needs_return* also for a campaign nothing of value can come of.

    Without *values*: twenty budgets, from a tenth of the current one to twice it.
    """
    check_campaign(base, campaign_id, needs_return=needs_return)
    current = _current(base, campaign_id, lever)
    if values is None:
        values = [float(f"{current * k / 10:.12g}") for k in range(1, 21)]
    whole = tuple(sorted({*values, current}))
    return Question(base, campaign_id, lever, whole, current, tuple(seeds_from(base.seed, seeds)))


def chosen_campaign(base: Scenario, campaign_id: str | None) -> str:
    """The campaign named, or the only one there is; raises `StudyError` when there are several to choose from."""
    if campaign_id is None and len(base.campaigns) > 1:
        raise StudyError(f"--campaign: is missing; {base.name} has {', '.join(base.campaigns)}: name one of them")
    return next(iter(base.campaigns)) if campaign_id is None else campaign_id


def check_campaign(base: Scenario, campaign_id: str, *, needs_return: bool = True) -> None:
    """Raises `StudyError` unless the scenario has the campaign and (if need be) something can come of it."""
    campaigns = base.campaigns
    if campaign_id not in campaigns:
        raise StudyError(
            f"--campaign {campaign_id}: no such campaign; {suggestion(campaign_id, campaigns, 'there are')}"
        )
    campaign = campaigns[campaign_id]
    if needs_return and campaign.product is None and campaign.goal.kind != "private":
        raise StudyError(
            f"--campaign {campaign_id}: it advertises no product and its goal is not private, so nothing of value can "
            "come of it; give it a product"
        )


def _current(base: Scenario, campaign_id: str, lever: str) -> float:
    if lever == BUDGET:
        return base.campaigns[campaign_id].budget.total
    here: Any = base.campaigns[campaign_id].model_dump(mode="json")
    for part in lever.split("."):
        inside = here if isinstance(here, dict) else dict(enumerate(here)) if isinstance(here, list) else {}
        key: Any = int(part) if isinstance(here, list) and part.isdecimal() else part
        if key not in inside:
            hint = suggestion(part, map(str, inside), "there are")
            raise StudyError(f"--vary {lever}: campaign {campaign_id} has no such setting; {hint}")
        here = inside[key]
    if isinstance(here, bool) or not isinstance(here, int | float) or not math.isfinite(here):
        campaign = base.campaigns[campaign_id].model_dump(mode="json")
        told = (
            "is not set"
            if here is None
            else "is a group of settings"
            if isinstance(here, dict | list)
            else "is no number"
        )
        raise StudyError(
            f"--vary {lever}: {told} in campaign {campaign_id}, and only numbers can be turned; there are: "
            + ", ".join(_numbers(campaign))
        )
    return here


def _numbers(part: Any, place: str = "") -> list[str]:
    """Dotted names of the numbers in a part of a campaign."""
    if isinstance(part, dict | list):
        inside = part.items() if isinstance(part, dict) else enumerate(part)
        return [name for key, value in inside for name in _numbers(value, f"{place}.{key}" if place else str(key))]
    return [place] if isinstance(part, int | float) and not isinstance(part, bool) else []
