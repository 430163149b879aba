"""Bid shading for first-price auctions: the bid b that maximises the surplus (v - b) F(b) for a given win curve F.

v is what the impression is worth and F(b) the probability that the highest rival bids below b. Money in nanos per
impression or any other unit, as long as all of it is the same. Rules of this kind are described by Pan et al., "Bid
shading by win-rate estimation and surplus maximization", AdKDD 2020.
"""

from __future__ import annotations

import math

from bidder.core.kernel import kernel, outlined

_LOG_SQRT_2_PI = 0.9189385332046727
_SQRT_HALF = 0.7071067811865476
STEPS = 100
"""Most steps of the search for a bid; Newton's steps need about 5, halving alone about 60."""


@kernel
def normal_cdf(z: float) -> float:
    """Probability that a standard normal variable lies below *z*."""
    return 0.5 * math.erfc(-z * _SQRT_HALF)


@kernel
def log_mills(z: float) -> float:
    """Logarithm of phi(z) / Phi(z), the relative slope of the normal distribution function; falls in *z*."""
    if z < -30.0:
        # Phi is about to leave the range of doubles; the series is exact to 1e-10 from here on.
        t = -z
        return math.log(t + 1.0 / t - 2.0 / (t * t * t) + 10.0 / (t * t * t * t * t))
    return -0.5 * z * z - _LOG_SQRT_2_PI - math.log(normal_cdf(z))


@outlined
def shade_lognormal(worth: float, mu: float, sigma: float) -> float:
    """Bid that maximises the surplus against a lognormal highest rival; 0 for a *worth* of 0 or less.

    The first-order condition (v - b) f(b) = F(b) has one root, because in x = log b the left side of
    log((v - b) / b) + log(phi(z) / Phi(z)) - log(sigma) = 0, z = (x - mu) / sigma, only falls. Newton's steps, replaced
    by halving whenever they leave the bracket.
    """
    if not worth > 0.0:
        return 0.0
    log_worth, log_sigma = math.log(worth), math.log(sigma)
    # x = log(v) - y: y > 0 says how far below the worth the bid lies, also where the two are nearly equal.
    low, high = 0.0, 1.0
    for _ in range(STEPS):
        if math.log(math.expm1(high)) + log_mills((log_worth - high - mu) / sigma) > log_sigma:
            break
        low, high = high, 2.0 * high
        if high > 600.0:
            return 0.0
    y = 0.5 * (low + high)
    for _ in range(STEPS):
        z = (log_worth - y - mu) / sigma
        mills = log_mills(z)
        excess = math.log(math.expm1(y)) + mills - log_sigma
        if excess > 0.0:
            high = y
        else:
            low = y
        slope = -1.0 / math.expm1(-y) + (z + math.exp(mills)) / sigma
        step = y - excess / slope
        following = step if low < step < high else 0.5 * (low + high)
        if abs(following - y) <= 1e-14 * (1.0 + y):
            y = following
            break
        y = following
    return math.exp(log_worth - y)


@kernel
def shade_uniform(worth: float, highest: float, rivals: float) -> float:
    """Bid that maximises the surplus against the highest of *rivals* uniform on 0 .. *highest*: m / (m + 1) v.

    Nothing is gained by bidding more than *highest*. The equilibrium of the first-price auction (Vickrey 1961).
    """
    return min(worth * rivals / (rivals + 1.0), highest)
