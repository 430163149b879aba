"""How many people an experiment needs, and what one of a given size can see: two proportions, two-sided.

n per arm = (z(1 - level/2) + z(power))^2 * 2 p (1 - p) / (p2 - p1)^2 with p the mean of both rates, rounded up: the
variance of a proportion pooled over both arms (Lachin, Controlled Clinical Trials 1981, simplified).
"""

from __future__ import annotations

import math

from experiments.errors import StudyError


def people_per_arm(base_rate: float, lift: float, power: float = 0.8, level: float = 0.05) -> int:
    """People in each arm to see a relative *lift* of *base_rate*; raises `StudyError` for rates that are none."""
    _check(base_rate, power, level)
    other = base_rate * (1.0 + lift)
    if lift == 0.0 or not 0.0 < other < 1.0:
        raise StudyError(
            f"a lift of {lift:g} on {base_rate:g} makes {other:g}; it must change the rate and stay below 1"
        )
    return math.ceil(_size(base_rate, other, power, level))


def smallest_lift(base_rate: float, people: int, power: float = 0.8, level: float = 0.05) -> float:
    """The smallest relative lift that *people* per arm can see; infinite when none below certainty can be."""
    from scipy import optimize

    _check(base_rate, power, level)
    if people < 2:
        raise StudyError(f"{people} people per arm are too few for any experiment")
    highest = (1.0 - 1e-9) / base_rate - 1.0
    if _size(base_rate, base_rate * (1.0 + highest), power, level) > people:
        return math.inf
    return float(
        optimize.brentq(lambda x: _size(base_rate, base_rate * (1.0 + x), power, level) - people, 1e-9, highest)
    )


def _size(p1: float, p2: float, power: float, level: float) -> float:
    from scipy import special

    mean = (p1 + p2) / 2.0
    z_level, z_power = float(special.ndtri(1.0 - level / 2.0)), float(special.ndtri(power))
    return (z_level + z_power) ** 2 * 2.0 * mean * (1.0 - mean) / (p2 - p1) ** 2


def _check(base_rate: float, power: float, level: float) -> None:
    for name, value in (("the base rate", base_rate), ("the power", power), ("the level", level)):
        if not 0.0 < value < 1.0:
            raise StudyError(f"{name} must be above 0 and below 1, not {value:g}")
