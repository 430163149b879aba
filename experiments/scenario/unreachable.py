"""Targets that no bid can meet: every floor lies above what an impression may cost under them. Prices in CPM.

Told before the run where rates are fixed, after it where they are learned (`experiments.missed_targets`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from experiments.scenario.plain import at, items, number, texts
from experiments.scenario.problems import Problem

Fits = Callable[[str, str, Mapping[str, Any], dict[str, set[str]], Mapping[str, Any]], bool]


def target_problems(campaign: Mapping[str, Any], data: Mapping[str, Any], fits: Fits) -> Iterator[Problem]:
    """A `target_cpa` below every floor, with purchase rates that stay as they are; *fits* says what it may buy."""
    target, cvr = number(campaign, "pacing", "target_cpa"), number(campaign, "rates", "cvr", default=0.0001)
    if target is None or cvr is None or at(campaign, "goal", "kind") != "cpa" or at(campaign, "rates", "learned"):
        return
    floors = list(_floors(campaign, data, fits))
    allowed = 1000.0 * target * cvr
    if floors and allowed < min(floors):
        yield Problem(
            ("pacing", "target_cpa"),
            f"{target:g} can be met by no bid: at a purchase rate of {cvr:g} an impression may cost {allowed:g} CPM, "
            f"and the lowest floor is {min(floors):g} CPM; raise it to {min(floors) / (1000.0 * cvr):g} or more"
            if cvr > 0.0
            else f"{target:g} can be met by no bid: the purchase rate is 0; give rates: {{cvr: ...}} or learn it",
        )


def _floors(campaign: Mapping[str, Any], data: Mapping[str, Any], fits: Fits) -> Iterator[float]:
    """Lowest prices at which the campaign could buy."""
    wanted = {key: set(texts(campaign.get("target"), key)) for key in ("publishers", "formats", "devices", "deals")}
    if wanted["deals"]:
        yield from (number(data, "deals", name, "floor", default=0.0) or 0.0 for name in wanted["deals"])
        return
    for owner in ("publishers", "networks"):
        for seller, entry in items(data, owner):
            for name, slot in items(entry, "slots"):
                if fits(seller, name, slot, wanted, data):
                    yield number(slot, "floor", default=0.0) or 0.0
