"""A slow, obvious win curve: all that is heard is kept, and each tick a numerical optimiser looks for the top."""

from __future__ import annotations

import math

import numpy as np
from scipy.optimize import minimize
from scipy.stats import norm

from bidder.core.curves import CURVE_BELIEVED, LONGEST_STEP

STEP = 1e-4
"""Of numerical derivatives."""


class OracleCurve:
    """The price to beat as a bidder believes it: `median` and `sigma`, in any unit of money."""

    def __init__(self, median: float, sigma: float) -> None:
        self.centre = math.log(median)
        self.at = np.array([1.0 / sigma, 0.0])
        self.seen: list[float] = [sigma * s for s in (-1.0, 1.0) for _ in range(int(CURVE_BELIEVED) // 2)]
        self.bounds: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []

    def see(self, price: float) -> None:
        """The price to beat was told."""
        self.seen.append(math.log(price) - self.centre)

    def bound(self, bid: float, below: bool) -> None:
        """The price to beat lay below the bid, or above."""
        x, sign = math.log(bid) - self.centre, 1.0 if below else -1.0

        def log_share(z: float) -> float:
            return float(norm.logcdf(sign * z))

        z = float(self.at @ (x, 1.0))
        first = (log_share(z + STEP) - log_share(z - STEP)) / (2.0 * STEP)
        second = (log_share(z + STEP) - 2.0 * log_share(z) + log_share(z - STEP)) / STEP**2
        along = np.array([x, 1.0])
        self.bounds.append((self.at.copy(), first * along, second * np.outer(along, along)))

    def tick(self) -> None:
        """Go to the top, or as far as bounds are trusted."""
        seen = np.array(self.seen)

        def loss(at: np.ndarray) -> float:
            if at[0] <= 0.0:
                return math.inf
            total = len(seen) * math.log(at[0]) - 0.5 * float(((at[0] * seen + at[1]) ** 2).sum())
            for where, slope, bend in self.bounds:
                away = at - where
                total += float(slope @ away + 0.5 * away @ bend @ away)
            return -total

        top = minimize(loss, self.at, method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-11, "maxiter": 4000}).x
        away = top - self.at
        far = max(abs(away[0]) / self.at[0], abs(away[1]))
        bounded = len(self.bounds) / (len(self.bounds) + len(seen))
        self.at = self.at + away / max(1.0, far * bounded / LONGEST_STEP)

    @property
    def sigma(self) -> float:
        """Standard deviation of the price's logarithm."""
        return float(1.0 / self.at[0])

    @property
    def median(self) -> float:
        """Of the price."""
        return math.exp(self.centre - self.at[1] / self.at[0])
