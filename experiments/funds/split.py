"""The best split of a total over response curves under bounds: equal marginal returns wherever no bound holds.

Each curve is put on a fine grid and its concave envelope filled from the steepest piece on, which is exact for concave
curves but for the grid, and steps over the hollow of an S-shape; the result is then polished with the true slopes.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from experiments.errors import StudyError

Array = NDArray[np.float64]
STEPS = 1500


class Response(NamedTuple):
    """A campaign's response: value at a spend, its slope, what part of the value is profit, and its bounds."""

    name: str
    value: Callable[[float], float]
    slope: Callable[[float], float]
    margin: float
    low: float
    high: float


class Split(NamedTuple):
    """Spend per campaign, and what all together bring."""

    spend: tuple[float, ...]
    value: float
    gross: float

    @property
    def romi(self) -> float | None:
        """(gross - spend) / spend; None without spend."""
        total = sum(self.spend)
        return (self.gross - total) / total if total > 0 else None


def check_bounds(responses: Sequence[Response], total: float) -> None:
    """Raises `StudyError` when no split of *total* can keep all bounds."""
    for response in responses:
        if response.low > response.high:
            raise StudyError(
                f"--bound {response.name}: the lower bound ({response.low:g}) is above the upper ({response.high:g}); "
                "the upper is never more than what was measured"
            )
    if (low := sum(response.low for response in responses)) > total * (1 + 1e-12):
        raise StudyError(f"--total {total:g}: the lower bounds alone add up to {low:g}; lower them or raise the total")


def best_split(responses: Sequence[Response], total: float) -> Split:
    """The split of at most *total* with the largest value; raises `StudyError` when bounds disagree."""
    check_bounds(responses, total)
    pieces = []
    for c, response in enumerate(responses):
        grid = np.linspace(response.low, response.high, STEPS)
        values = np.array([_value(response, float(s)) for s in grid])
        for a, b in _envelope(grid, values):
            if values[b] > values[a]:
                pieces.append(((values[b] - values[a]) / (grid[b] - grid[a]), c, grid[b] - grid[a]))
    spend = np.array([response.low for response in responses])
    left = total - float(spend.sum())
    for _, c, size in sorted(pieces, key=lambda piece: (-piece[0], piece[1])):
        step = min(size, left)
        spend[c] += step
        left -= step
        if left <= 0:
            break
    return split_at(responses, _polished(responses, spend))


def split_at(responses: Sequence[Response], spend: Array) -> Split:
    """What a given split brings."""
    values = [_value(response, float(s)) for response, s in zip(responses, spend, strict=True)]
    gross = sum(response.margin * value for response, value in zip(responses, values, strict=True))
    return Split(tuple(float(s) for s in spend), float(sum(values)), float(gross))


def to_target_romi(responses: Sequence[Response], total: float, target: float) -> Split:
    """The largest response, spending at most *total*, whose ROMI is at least *target*; raises `StudyError`."""
    return _largest(responses, total, lambda split: (split.romi or -1.0) >= target, f"a ROMI of {target:g}")


def to_target_efficiency(responses: Sequence[Response], total: float, target: float) -> Split:
    """Spend, up to *total*, as long as one more unit brings at least *target* of value; raises `StudyError`."""
    lowest = sum(response.low for response in responses)

    def worth_it(split: Split) -> bool:
        here = sum(split.spend)
        step = max(1e-4 * total, 1e-12)
        if here <= lowest + step:
            return True
        return (split.value - best_split(responses, here - step).value) / step >= target

    return _largest(responses, total, worth_it, f"{target:g} of value for one more unit")


def _largest(responses: Sequence[Response], total: float, holds: Callable[[Split], bool], said: str) -> Split:
    check_bounds(responses, total)
    whole = best_split(responses, total)
    if holds(whole):
        return whole
    low, high = sum(response.low for response in responses), total
    start = max(low, 1e-6 * total)
    found = best_split(responses, start)
    if not holds(found):
        raise StudyError(f"{said} cannot be reached at any spend within the bounds; ask for less")
    low = start
    for _ in range(40):
        middle = (low + high) / 2
        split = best_split(responses, middle)
        if holds(split):
            low, found = middle, split
        else:
            high = middle
    return found


def _value(response: Response, s: float) -> float:
    return response.value(s) if s > 0 else 0.0


def _envelope(x: Array, y: Array) -> list[tuple[int, int]]:
    """Pieces (from, to) of the upper concave envelope of rising points."""
    hull: list[int] = []
    for k in range(len(x)):
        while len(hull) > 1:
            a, b = hull[-2], hull[-1]
            if (y[b] - y[a]) * (x[k] - x[a]) > (y[k] - y[a]) * (x[b] - x[a]):
                break
            hull.pop()
        hull.append(k)
    return [(a, b) for a, b in itertools.pairwise(hull) if x[b] > x[a]]


def _polished(responses: Sequence[Response], spend: Array) -> Array:
    """Move between campaigns along the true slopes until they are equal; keeps bounds and total."""
    from scipy import optimize

    total = float(spend.sum())
    if len(responses) < 2 or total <= 0:
        return spend
    scale = max(split_at(responses, spend).value, 1e-300)

    def lost(share: Array) -> float:
        return -split_at(responses, share * total).value / scale

    def slopes(share: Array) -> Array:
        each = [r.slope(max(float(s) * total, 1e-9 * total)) for r, s in zip(responses, share, strict=True)]
        return -np.minimum(each, 1e12) * total / scale

    found = optimize.minimize(
        lost,
        spend / total,
        jac=slopes,
        method="SLSQP",
        bounds=[(r.low / total, max(r.high, r.low) / total) for r in responses],
        constraints=[{"type": "eq", "fun": lambda share: share.sum() - 1.0, "jac": lambda share: np.ones_like(share)}],
        options={"ftol": 1e-15, "maxiter": 300},
    )
    better = np.clip(found.x * total, [r.low for r in responses], [r.high for r in responses])
    kept = abs(float(better.sum()) - total) <= 1e-9 * total
    return better if kept and lost(better / total) <= lost(spend / total) else spend
