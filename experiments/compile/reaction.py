"""From a scenario to what people make of ads: how narrowly each campaign aims, and empty feelings to begin with."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bidder.plan import CampaignPlan, Directory
from exchange_sim.reaction import Reaction, nobody_minds
from experiments.scenario.models import Scenario


def audience_share(rows: NDArray[np.uint64], plan: CampaignPlan, directory: Directory) -> float:
    """Part of the audience's rows (uint64[people, words]) that a campaign's segments leave; at least one row's."""
    if not len(rows):
        return 1.0

    def held(name: str) -> NDArray[np.bool_]:
        bit = directory.segments.index(name)
        flags: NDArray[np.bool_] = (rows[:, bit // 64] >> np.uint64(bit % 64)) & np.uint64(1) == 1
        return flags

    target, left = plan.target, np.ones(len(rows), np.bool_)
    if target.any_segments:
        left &= np.logical_or.reduce([held(name) for name in target.any_segments])
    for name in target.all_segments:
        left &= held(name)
    for name in target.none_segments:
        left &= ~held(name)
    return max(1, int(left.sum())) / len(rows)


def compile_reaction(
    scenario: Scenario,
    plans: Sequence[CampaignPlan],
    directory: Directory,
    rows: NDArray[np.uint64],
    homes: int,
    slots: NDArray[np.void],
) -> Reaction:
    """The arrays for *homes* people; where they react, all slots leave the plain path (SLOT.rules in *slots*)."""
    told = scenario.people.reaction
    if told is None:
        return nobody_minds()
    slots["rules"] = 1
    shares = [audience_share(rows, plan, directory) for plan in plans]
    return Reaction(
        np.zeros((homes, 2), np.float32),
        np.zeros(homes, np.uint8),
        np.array([1.0 + told.creep * math.log10(1.0 / share) for share in shares]),
        np.array([told.tolerance, told.half_life_h * 3600.0, told.opt_out]),
    )


def fresh_reaction(reaction: Reaction) -> Reaction:
    """The same people before they have seen anything."""
    return reaction._replace(felt=np.zeros_like(reaction.felt), withdrawn=np.zeros_like(reaction.withdrawn))
