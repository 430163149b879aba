"""How people take advertising: each ad annoys, narrowly aimed ones more; annoyance dulls ads and makes people opt out.

An ad of campaign c adds 1 + creep · log10(1 / share) of annoyance, where share is the part of all people its segments
leave; half of it is forgotten every half-life. At annoyance a an ad does 1 / (1 + a / tolerance) of what it would, and
once it has been seen the person withdraws consent with probability min(1, opt_out · a). An assumption with units, not a
finding. Time in s.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from exchange_sim.draws import OPT_OUT, uniform
from exchange_sim.kernel import kernel

ANNOYANCE, SINCE = 0, 1
TOLERANCE, HALF_LIFE_S, OPT_OUT_PER_UNIT = 0, 1, 2


class Reaction(NamedTuple):
    """What people make of ads. P people (0: nobody minds), C campaigns."""

    felt: NDArray[np.float32]
    """float32[P, 2]: annoyance, and when last brought up to date (s) (changes)."""
    withdrawn: NDArray[np.uint8]
    """uint8[P]: 1: consent withdrawn (changes)."""
    annoys: NDArray[np.float64]
    """float64[C]: what one ad of each campaign adds."""
    settings: NDArray[np.float64]
    """float64[3]: tolerance, half-life (s), probability of opting out per unit of annoyance."""


def nobody_minds() -> Reaction:
    """The reaction of a scenario without one."""
    return Reaction(np.zeros((0, 2), np.float32), np.zeros(0, np.uint8), np.zeros(0), np.ones(3))


@kernel
def has_withdrawn(reaction: Reaction, person_ix: int) -> bool:
    """Whether a person has withdrawn consent since the start."""
    return reaction.withdrawn.shape[0] > 0 and reaction.withdrawn[person_ix] == 1


@kernel
def forget_withdrawn(reaction: Reaction, opps: NDArray[np.void], i: int) -> None:
    """Take out of opportunity *i*, drawn before, what the person no longer allows to be told."""
    if has_withdrawn(reaction, opps["person_ix"][i]):
        opps["consent"][i] = 0
        opps["lat"][i], opps["lon"][i] = math.nan, math.nan


@kernel
def annoy(reaction: Reaction, person_ix: int, campaign_ix: int, consents: bool, key: np.uint64, time_s: float) -> float:
    """Let a person see one more ad; returns the share of its effect that is left. May withdraw consent."""
    if reaction.felt.shape[0] == 0:
        return 1.0
    felt, settings = float(reaction.felt[person_ix, ANNOYANCE]), reaction.settings
    if felt > 0.0:
        felt *= 2.0 ** (-(time_s - float(reaction.felt[person_ix, SINCE])) / settings[HALF_LIFE_S])
    left = 1.0 / (1.0 + felt / settings[TOLERANCE])
    felt += reaction.annoys[campaign_ix]
    reaction.felt[person_ix, ANNOYANCE], reaction.felt[person_ix, SINCE] = felt, time_s
    if consents and uniform(key, OPT_OUT) < settings[OPT_OUT_PER_UNIT] * felt:
        reaction.withdrawn[person_ix] = 1
    return left
