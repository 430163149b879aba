"""Families of response curves: what spend s brings, f(0) = 0, fitted by weighted least squares.

hill: a s^h / (k^h + s^h) (half of a at s = k); power: a s^b; negexp: a (1 - exp(-s / k)). Concave ones have diminishing
returns everywhere; a Hill curve with h > 1 is S-shaped.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
LOWEST_LOG = math.log(1e-9)
"""Of a parameter, spend and value scaled to 1."""


class Family(NamedTuple):
    """A formula and its slope; parameters come in the order of *names*."""

    formula: Callable[..., Array]
    slope: Callable[..., Array]
    names: tuple[str, ...]
    said: str


def hill(s: Array, a: float, k: float, h: float) -> Array:
    """a s^h / (k^h + s^h), written so that large powers do not overflow."""
    with np.errstate(divide="ignore", over="ignore"):
        return a / (1.0 + (k / np.asarray(s, np.float64)) ** h)


def hill_slope(s: Array, a: float, k: float, h: float) -> Array:
    """Derivative of `hill`."""
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        x = (k / np.asarray(s, np.float64)) ** h
        return np.where(np.isfinite(x), a * h * x / (np.asarray(s) * (1.0 + x) ** 2), 0.0)


def power(s: Array, a: float, b: float) -> Array:
    """a s^b."""
    return a * np.asarray(s, np.float64) ** b


def power_slope(s: Array, a: float, b: float) -> Array:
    """Derivative of `power`."""
    with np.errstate(divide="ignore"):
        return a * b * np.asarray(s, np.float64) ** (b - 1.0)


def negexp(s: Array, a: float, k: float) -> Array:
    """a (1 - exp(-s / k))."""
    return -a * np.expm1(-np.asarray(s, np.float64) / k)


def negexp_slope(s: Array, a: float, k: float) -> Array:
    """Derivative of `negexp`."""
    return a / k * np.exp(-np.asarray(s, np.float64) / k)


FAMILIES: dict[str, Family] = {
    "hill": Family(hill, hill_slope, ("a", "k", "h"), "a s^h / (k^h + s^h)"),
    "power": Family(power, power_slope, ("a", "b"), "a s^b"),
    "negexp": Family(negexp, negexp_slope, ("a", "k"), "a (1 − exp(−s / k))"),
}


class Fit(NamedTuple):
    """A family with its parameters and how well it fits."""

    family: str
    parameters: tuple[float, ...]
    errors: tuple[float, ...]
    """Standard errors of the parameters; NaN where the points cannot tell them."""
    rmse: float
    """Root of the mean squared deviation, in the unit of the value."""
    r2: float
    aicc: float
    """Akaike's criterion with Hurvich and Tsai's correction: the smallest is the family to believe."""

    def __call__(self, s: Array | float) -> Array:
        """Value at spend *s*."""
        return FAMILIES[self.family].formula(np.asarray(s, np.float64), *self.parameters)

    def slope(self, s: Array | float) -> Array:
        """Marginal value at spend *s*."""
        return FAMILIES[self.family].slope(np.asarray(s, np.float64), *self.parameters)


def fit_all(spend: Array, value: Array, errors: Array, near: Sequence[Fit] = ()) -> list[Fit]:
    """Every family that has fewer parameters than there are points, best first.

    *errors* are standard errors of *value* (all 0: equal weights). Points without spend say nothing and are left out;
    the list is empty when no value is above 0. *near*: fits to nearly the same points, from which to start.
    """
    keep = spend > 0
    s, v, e = spend[keep], value[keep], errors[keep]
    if len(s) == 0 or float(v.max()) <= 0.0:
        return []
    # A point measured without any noise must not outweigh all others.
    weights = np.maximum(e, 1e-3 * float(v.max()))
    starts = {fit.family: [fit.parameters] for fit in near}
    fits = [
        fit
        for name in FAMILIES
        if len(FAMILIES[name].names) < len(s) and (fit := _fit(name, s, v, weights, starts.get(name, [])))
    ]
    return sorted(fits, key=lambda fit: fit.aicc)


def _fit(name: str, s: Array, v: Array, weights: Array, near: Sequence[tuple[float, ...]]) -> Fit | None:
    """Levenberg and Marquardt in the logarithms of the parameters (all are above 0), spend and value scaled to 1."""
    from scipy import optimize

    family = FAMILIES[name]
    top, far = float(v.max()), float(s.max())
    highest = np.log([1e6] * (len(family.names) - 1) + [20.0 if name != "negexp" else 1e6])
    x, y, w = s / far, v / top, weights / top

    def parameters_of(logs: Array) -> Array:
        return np.exp(np.clip(logs, LOWEST_LOG, highest))

    def off(logs: Array) -> Array:
        return (family.formula(x, *parameters_of(logs)) - y) / w

    best = None
    for first in [tuple(np.divide(p, _scale(name, top, far, np.array(p)))) for p in near] or _starts(name):
        guess = np.clip(np.log(np.maximum(first, 1e-300)), LOWEST_LOG, highest)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a covariance that cannot be told: it becomes NaN below
            logs, covariance, *_ = optimize.leastsq(off, guess, full_output=True, maxfev=1000)
        left = float(np.sum(off(logs) ** 2))
        if math.isfinite(left) and (best is None or left < best[0]):
            best = (left, parameters_of(logs), covariance)
    if best is None:
        return None
    left, found, covariance = best
    spread = np.full(len(found), math.nan)
    if covariance is not None:
        spread = found * np.sqrt(np.diag(covariance) * left / (len(s) - len(found)))
    scale = _scale(name, top, far, found)
    parameters = tuple(float(p * c) for p, c in zip(found, scale, strict=True))
    errors = tuple(float(p * c) if math.isfinite(p) else math.nan for p, c in zip(spread, scale, strict=True))
    return _judged(name, parameters, errors, s, v, weights)


def _starts(name: str) -> list[tuple[float, ...]]:
    """First guesses with spend and value scaled to 1."""
    if name == "hill":
        return [(1.5, 0.5, 1.0), (5.0, 5.0, 0.7), (1.0, 0.3, 2.0)]
    return [(1.0, 0.5)] if name == "power" else [(1.0, 0.5), (5.0, 5.0)]


def _scale(name: str, top: float, far: float, found: Array) -> tuple[float, ...]:
    """Factors from scaled parameters to those in units."""
    if name == "hill":
        return top, far, 1.0
    return (top * far ** -float(found[1]), 1.0) if name == "power" else (top, far)


def _judged(
    name: str, parameters: tuple[float, ...], errors: tuple[float, ...], s: Array, v: Array, weights: Array
) -> Fit:
    count, free = len(s), len(parameters) + 1
    off = FAMILIES[name].formula(s, *parameters) - v
    chi2 = float(np.sum((off / weights) ** 2))
    spread = float(np.sum((v - v.mean()) ** 2))
    correction = 2.0 * free * (free + 1) / (count - free - 1) if count > free + 1 else math.inf
    aicc = count * math.log(max(chi2 / count, 1e-300)) + 2.0 * free + correction
    r2 = 1.0 - float(np.sum(off**2)) / spread if spread > 0 else 1.0
    return Fit(name, parameters, errors, float(np.sqrt(np.mean(off**2))), r2, aicc)
