"""Where to stop: the spend that earns most, and the spend at which the ads just pay for themselves."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

Curve = Callable[[float], float]
STEPS = 4000


class Best(NamedTuple):
    """A spend, and whether the range ended before the curve turned."""

    spend: float
    at_the_end: bool


def best_spend(value: Curve, margin: float, low: float, high: float) -> Best:
    """The spend in low..high with the largest margin * value - spend (for f = a sqrt(x): (margin a / 2)^2)."""
    from scipy import optimize

    grid = np.linspace(low, high, STEPS)
    profit = np.array([margin * value(float(s)) - float(s) for s in grid])
    at = int(profit.argmax())
    if at in (0, STEPS - 1):
        return Best(float(grid[at]), at == STEPS - 1)
    found = optimize.minimize_scalar(
        lambda s: s - margin * value(s),
        bounds=(float(grid[at - 1]), float(grid[at + 1])),
        method="bounded",
        options={"xatol": 1e-9 * high},
    )
    return Best(float(found.x), False)


def break_even(value: Curve, margin: float, low: float, high: float) -> float | None:
    """The largest spend in low..high at which margin * value falls to the spend; None: it never does there."""
    from scipy import optimize

    def profit(s: float) -> float:
        return margin * value(s) - s

    grid = np.linspace(max(low, high / STEPS), high, STEPS)
    above = np.array([profit(float(s)) >= 0 for s in grid])
    if not above.any() or above[-1]:
        return None
    at = int(np.flatnonzero(above)[-1])
    return float(optimize.brentq(profit, float(grid[at]), float(grid[at + 1])))


def romi_at(value: Curve, margin: float, spend: float) -> float | None:
    """(margin * value - spend) / spend; None without spend."""
    return (margin * value(spend) - spend) / spend if spend > 0 else None
