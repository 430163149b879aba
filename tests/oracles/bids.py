"""Slow, obvious arithmetic of one bid: rules, distances, and the draws a request holds. Money in nanos."""

from __future__ import annotations

import math
from typing import Any

from scipy import optimize, special

from bidder.core.ftrl import hashed
from bidder.plan import BidPlan

EARTH_RADIUS_KM = 6371.0088


def distance_km(lat_a: float, lon_a: float, lat_b: float, lon_b: float) -> float:
    """Great-circle distance by the angle between two unit vectors (not by haversines)."""
    a, b = _unit_vector(lat_a, lon_a), _unit_vector(lat_b, lon_b)
    cross = (a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0])
    sine = math.sqrt(sum(x * x for x in cross))
    cosine = sum(x * y for x, y in zip(a, b, strict=True))
    return EARTH_RADIUS_KM * math.atan2(sine, cosine)


def _unit_vector(lat: float, lon: float) -> tuple[float, float, float]:
    phi, theta = math.radians(lat), math.radians(lon)
    return math.cos(phi) * math.cos(theta), math.cos(phi) * math.sin(theta), math.sin(phi)


def bid_nanos(bid: BidPlan, worth: float, ctr: float, rate: float) -> int:
    """What a bidding rule bids for an impression of this worth, click rate and rate of the goal's outcome."""
    if bid.kind == "constant":
        amount = bid.a
    elif bid.kind == "truthful":
        amount = bid.a * worth
    elif bid.kind == "linear":
        amount = bid.a * rate / bid.b
    elif bid.kind == "mcpc":
        amount = bid.a * ctr
    elif bid.kind == "ortb2":
        amount = 2.0 * bid.a * math.sinh(math.asinh(rate / (bid.b * bid.a)) / 3.0)
    elif bid.kind == "shaded_uniform":
        amount = min(worth * bid.b / (bid.b + 1.0), bid.a)
    elif bid.kind == "shaded_lognormal":
        amount = _best_against_lognormal(worth, bid.a, bid.b)
    else:
        amount = math.sqrt(bid.a / bid.b * rate + bid.a * bid.a) - bid.a
    if bid.max_nanos is not None and amount > bid.max_nanos:
        return bid.max_nanos
    return int(amount)


def _best_against_lognormal(worth: float, mu: float, sigma: float) -> float:
    """Root of (v - b) f(b) = F(b) between 0 and the worth, by bracketing on the share v / b - 1."""
    if worth <= 0.0:
        return 0.0

    def condition(log_excess: float) -> float:
        z = (math.log(worth) - math.log1p(math.exp(log_excess)) - mu) / sigma
        return float(log_excess - z * z / 2 - math.log(2 * math.pi) / 2 - special.log_ndtr(z) - math.log(sigma))

    root = optimize.brentq(condition, -700.0, 700.0, xtol=1e-13, rtol=1e-15)
    return worth / (1.0 + math.exp(root))


def draw(imp: dict[str, Any], c: int, purpose: int) -> float:
    """The uniform number a request holds for a campaign; the hash is shared with the kernels."""
    return (int(hashed(imp["request_no"] ^ purpose, (c << 20) ^ imp["slot_ix"])) >> 12) / 2**52
