"""Slow, obvious learning of rates: every impression and outcome kept in a list, gradients summed anew at each tick.

Written from the published rules and docs/strategies.md. It names features by tuples where the kernel hashes them, and
shares with it the constants and nothing else. Times in s.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, field

ALPHA, BETA, L2 = 0.1, 1.0, 1.0
TRUST, PRECISION, DELAYS_BELIEVED = 20.0, 4.0, 5.0

Feature = tuple[str, int]


@dataclass
class Weight:
    """One coordinate of FTRL-Proximal (McMahan et al. 2013, algorithm 1)."""

    z: float = 0.0
    n: float = 0.0

    @property
    def value(self) -> float:
        """The weight in force."""
        return -self.z / ((BETA + math.sqrt(self.n)) / ALPHA + L2)

    def take(self, gradient: float, squares: float) -> None:
        """One tick's gradients and the sum of the squares of their parts."""
        old = self.value
        sigma = (math.sqrt(self.n + squares) - math.sqrt(self.n)) / ALPHA
        self.z += gradient - sigma * old
        self.n += squares


@dataclass
class Wait:
    """An impression whose purchases are still to come: its features, and the gradient that has not ripened."""

    features: list[Feature]
    rate: float
    unripe: float
    unripe_as_seen: float
    waited_s: float = 0.0


@dataclass
class Model:
    """One model of one product; *slow* ones learn "no outcome" only as outcomes would have had time to come."""

    offset: float
    slow: bool
    first_delay_s: float = 1.0
    weights: defaultdict[Feature, Weight] = field(default_factory=lambda: defaultdict(Weight))
    gradient: defaultdict[Feature, float] = field(default_factory=lambda: defaultdict(float))
    squares: defaultdict[Feature, float] = field(default_factory=lambda: defaultdict(float))
    waiting: list[Wait] = field(default_factory=list)
    delays_s: list[float] = field(default_factory=list)
    heard: int = 0
    ticked_s: float = 0.0
    per_s: float = field(init=False)

    def __post_init__(self) -> None:
        """Delays as the plan believes."""
        self.per_s = 1.0 / self.first_delay_s

    def rate(self, features: list[Feature]) -> float:
        """The model's own rate."""
        return 1.0 / (1.0 + math.exp(-self.offset - sum(self.weights[name].value for name in features)))

    def spread(self, features: list[Feature]) -> float:
        """Standard deviation of the rate's logarithm, at most 1."""
        return min(1.0, math.sqrt(sum(1.0 / (PRECISION + self.weights[name].n) for name in features)))

    def predict(self, features: list[Feature], pooled: float) -> float:
        """Mixed with the pooled rate until outcomes have been heard."""
        trust = self.heard / (self.heard + TRUST)
        return trust * self.rate(features) + (1.0 - trust) * pooled

    def shown(self, features: list[Feature]) -> None:
        """An impression."""
        p = self.rate(features)
        for name in features:
            self.squares[name] += p * p
            if not self.slow:
                self.gradient[name] += p
        if self.slow:
            self.waiting.append(Wait(features, p, p, p))

    def outcome(self, features: list[Feature], delay_s: float = 0.0) -> None:
        """A click or purchase that followed an impression after *delay_s*."""
        self.heard += 1
        self.delays_s.append(delay_s)
        for name in features:
            self.gradient[name] -= 1.0
            self.squares[name] += 1.0

    def tick(self, now_s: float) -> None:
        """Ripen what waits, put what was gathered into force, and look at the delays again (EM)."""
        if self.slow:
            kept = math.exp(-self.per_s * (now_s - self.ticked_s))
            for wait in self.waiting:
                for name in wait.features:
                    self.gradient[name] += wait.unripe * (1.0 - kept)
                wait.unripe *= kept
                wait.waited_s += now_s - self.ticked_s
            believed = DELAYS_BELIEVED * self.first_delay_s
            at_risk_s = sum(wait.unripe * wait.waited_s for wait in self.waiting)
            self.per_s = (DELAYS_BELIEVED + self.heard) / (believed + sum(self.delays_s) + at_risk_s)
        for name, gradient in self.gradient.items():
            if gradient != 0.0:
                self.weights[name].take(gradient, self.squares.pop(name, 0.0))
        self.gradient.clear()
        self.ticked_s = now_s
