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
    shown_s: float
    unripe: float


@dataclass
class Model:
    """One model of one product; *slow* ones learn "no outcome" only as outcomes would have had time to come."""

    offset: float
    """Log odds of the pooled rate, which the test keeps where it is."""
    doubt: float
    """Variance of the pooled rate's logarithm."""
    slow: bool
    first_delay_s: float = 1.0
    weights: defaultdict[Feature, Weight] = field(default_factory=lambda: defaultdict(Weight))
    gradient: defaultdict[Feature, float] = field(default_factory=lambda: defaultdict(float))
    squares: defaultdict[Feature, float] = field(default_factory=lambda: defaultdict(float))
    waiting: list[Wait] = field(default_factory=list)
    heard_at: list[tuple[float, float]] = field(default_factory=list)
    """(when the ad was shown, delay) of each purchase."""
    heard: int = 0
    heard_at_tick: int = 0
    ticked_s: float = 0.0
    per_s: float = field(init=False)

    def __post_init__(self) -> None:
        """Delays as the plan believes."""
        self.per_s = 1.0 / self.first_delay_s

    def rate(self, features: list[Feature]) -> float:
        """The model's own rate."""
        return 1.0 / (1.0 + math.exp(-self.offset - sum(self.weights[name].value for name in features)))

    def variance(self, features: list[Feature]) -> float:
        """Variance of the rate's logarithm."""
        return self.doubt + sum(1.0 / (PRECISION + self.weights[name].n) for name in features)

    def predict(self, features: list[Feature], pooled: float) -> float:
        """Mixed with the pooled rate until outcomes have been heard."""
        trust = self.heard_at_tick / (self.heard_at_tick + TRUST)
        return trust * self.rate(features) + (1.0 - trust) * pooled

    def shown(self, features: list[Feature], now_s: float) -> None:
        """An impression."""
        p = self.rate(features)
        for name in features:
            self.squares[name] += p * p
            if not self.slow:
                self.gradient[name] += p
        if self.slow:
            self.waiting.append(Wait(features, p, now_s, p))

    def outcome(self, features: list[Feature], shown_s: float = 0.0, delay_s: float = 0.0) -> None:
        """A click or purchase that followed an impression after *delay_s*."""
        self.heard += 1
        self.heard_at.append((shown_s, delay_s))
        for name in features:
            self.gradient[name] -= 1.0
            self.squares[name] += 1.0

    def _age_s(self, shown_s: float, now_s: float) -> float:
        """Age of an impression to a quarter of the believed delay: that of the middle of its bin, as far as begun."""
        width_s = self.first_delay_s / 4.0
        start_s = math.floor(shown_s / width_s) * width_s
        return max(now_s - (start_s + min(start_s + width_s, now_s)) / 2.0, width_s / 1000.0)

    def _learn_delay(self, now_s: float) -> float:
        """One step of EM for delays cut off on the right; returns what corrects the mass that waits."""
        to_come_s = 0.0
        for shown_s, _ in self.heard_at:
            age_s = self._age_s(shown_s, now_s)
            missing = math.exp(-self.per_s * age_s)
            to_come_s += age_s * missing / (1.0 - missing)
        before = self.per_s
        known_s = DELAYS_BELIEVED * self.first_delay_s + sum(delay_s for _, delay_s in self.heard_at)
        self.per_s = (DELAYS_BELIEVED + self.heard) / (known_s + to_come_s)
        ages = [(wait.rate, self._age_s(wait.shown_s, now_s)) for wait in self.waiting]
        was = sum(rate * math.exp(-before * age_s) for rate, age_s in ages)
        should_be = sum(rate * math.exp(-self.per_s * age_s) for rate, age_s in ages)
        return min(2.0, max(0.5, should_be / was)) if ages else 1.0

    def tick(self, now_s: float) -> None:
        """Learn the delay, ripen what waits, and put what was gathered into force."""
        if self.slow:
            correction = self._learn_delay(now_s)
            kept = math.exp(-self.per_s * (now_s - self.ticked_s)) * correction
            for wait in self.waiting:
                for name in wait.features:
                    self.gradient[name] += wait.unripe * (1.0 - kept)
                wait.unripe *= kept
        for name, gradient in self.gradient.items():
            if gradient != 0.0:
                self.weights[name].take(gradient, self.squares.pop(name, 0.0))
        self.gradient.clear()
        self.ticked_s, self.heard_at_tick = now_s, self.heard
