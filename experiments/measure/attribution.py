"""Attribution: seven ways to divide purchases among the channels met before them. None of them knows the truth.

first, last, linear: the whole to the first or last touch, or equal parts. time_decay: a touch's part halves with its
age (with every step back where only the order is known). position: 40 % first, 40 % last, 20 % between. markov: removal
effects of a first-order chain (Anderl et al., IJRM 2016). shapley: order-free Shapley value of channel sets, cut to the
channels that met (Zhao, Mahboobi, Bagheri 2018), which sums to the total exactly.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from experiments.measure.paths import Paths

Array = NDArray[np.float64]
HALF_LIFE_S = 7 * 86400.0
HALF_LIFE_STEPS = 1.0
ENDS_SHARE = 0.4
"""Part of the first touch, and of the last, under `position`."""


class Credit(NamedTuple):
    """What a rule gives each channel: float64[C]."""

    conversions: Array
    value: Array


def weights_first(length: int, ages_s: Array | None) -> Array:
    """All to the first touch."""
    weights = np.zeros(length)
    weights[0] = 1.0
    return weights


def weights_last(length: int, ages_s: Array | None) -> Array:
    """All to the last touch."""
    weights = np.zeros(length)
    weights[-1] = 1.0
    return weights


def weights_linear(length: int, ages_s: Array | None) -> Array:
    """Equal parts."""
    return np.full(length, 1.0 / length)


def weights_time_decay(length: int, ages_s: Array | None) -> Array:
    """Parts that halve with age; the newest touch counts 1 before normalising."""
    steps = np.arange(length)[::-1] / HALF_LIFE_STEPS if ages_s is None else (ages_s - ages_s.min()) / HALF_LIFE_S
    weights = 2.0**-steps
    total = float(weights.sum())
    return weights * (1.0 / total)


def weights_position(length: int, ages_s: Array | None) -> Array:
    """40 % first, 40 % last, the rest in equal parts between; two touches: halves."""
    if length <= 2:
        return np.full(length, 1.0 / length)
    weights = np.full(length, (1.0 - 2 * ENDS_SHARE) / (length - 2))
    weights[0] = weights[-1] = ENDS_SHARE
    return weights


def _by_weights(weigh: Callable[[int, Array | None], Array]) -> Callable[[Paths], Credit]:
    def rule(paths: Paths) -> Credit:
        conversions, value = np.zeros(len(paths.channels)), np.zeros(len(paths.channels))
        for p in range(len(paths)):
            if paths.conversions[p] == 0 and paths.value[p] == 0:
                continue
            first, end = paths.starts[p], paths.starts[p + 1]
            ages = None if paths.ages_s is None else paths.ages_s[first:end]
            parts = weigh(int(end - first), ages)
            np.add.at(conversions, paths.touches[first:end], parts * paths.conversions[p])
            np.add.at(value, paths.touches[first:end], parts * paths.value[p])
        return Credit(conversions, value)

    return rule


def _shares_of_total(paths: Paths, shares: Array) -> Credit:
    total = shares.sum()
    parts = shares / total if total > 0 else shares
    return Credit(parts * paths.conversions.sum(), parts * paths.value.sum())


def transitions(paths: Paths) -> Array:
    """float64[C + 3, C + 3]: how often the chain steps from state to state; C start, C + 1 purchase, C + 2 none."""
    count = len(paths.channels)
    start, bought, nothing = count, count + 1, count + 2
    weight = paths.conversions + paths.nulls
    steps = np.zeros((count + 3, count + 3))
    lengths = np.diff(paths.starts)
    first, last = paths.touches[paths.starts[:-1]], paths.touches[paths.starts[1:] - 1]
    np.add.at(steps, (np.full(len(first), start), first), weight)
    inner = np.ones(len(paths.touches), bool)
    inner[paths.starts[1:] - 1] = False
    at = np.flatnonzero(inner)
    np.add.at(steps, (paths.touches[at], paths.touches[at + 1]), np.repeat(weight, lengths)[at])
    np.add.at(steps, (last, np.full(len(last), bought)), paths.conversions)
    np.add.at(steps, (last, np.full(len(last), nothing)), paths.nulls)
    return steps


def _chance_to_buy(steps: Array, without: int = -1) -> float:
    """Probability that the chain ends in a purchase; visits to channel *without* end in none."""
    count = len(steps) - 3
    sums = steps.sum(axis=1, keepdims=True)
    chain = np.divide(steps, sums, out=np.zeros_like(steps), where=sums > 0)
    states = [c for c in range(count + 1) if c != without]
    inside = np.eye(len(states)) - chain[np.ix_(states, states)]
    return float(np.linalg.solve(inside, chain[states, count + 1])[-1])


def markov(paths: Paths) -> Credit:
    """The total in proportion to what is lost when a channel is taken out."""
    steps = transitions(paths)
    whole = _chance_to_buy(steps)
    if whole <= 0:
        return Credit(np.zeros(len(paths.channels)), np.zeros(len(paths.channels)))
    effects = np.array([1.0 - _chance_to_buy(steps, c) / whole for c in range(len(paths.channels))])
    return _shares_of_total(paths, np.maximum(effects, 0.0))


def shapley(paths: Paths) -> Credit:
    """Each path's purchases in equal parts to the different channels on it.

    That is the Shapley value of the game in which a set of channels earns what paths inside it earned: every path is a
    unanimity game of its channels, and the value is linear.
    """
    conversions, value = np.zeros(len(paths.channels)), np.zeros(len(paths.channels))
    for p in range(len(paths)):
        met = np.unique(paths.path(p))
        conversions[met] += paths.conversions[p] / len(met)
        value[met] += paths.value[p] / len(met)
    return Credit(conversions, value)


RULES: dict[str, Callable[[Paths], Credit]] = {
    "first": _by_weights(weights_first),
    "last": _by_weights(weights_last),
    "linear": _by_weights(weights_linear),
    "time_decay": _by_weights(weights_time_decay),
    "position": _by_weights(weights_position),
    "markov": markov,
    "shapley": shapley,
}


def attribute(paths: Paths) -> dict[str, Credit]:
    """What every rule says."""
    return {name: rule(paths) for name, rule in RULES.items()}
