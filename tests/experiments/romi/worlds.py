"""Worlds whose response to spend is known in closed form."""

from __future__ import annotations

from typing import Any

import numpy as np

from experiments.scenario.models import Scenario
from tests.oracles.worlds import scenario_of

QUANTILES = 4001
HIGHEST_U = 0.9995


def hill_world(value_cpm: float, half_cpm: float, shape: float, requests: int, seed: int = 5) -> Scenario:
    """Bid b: spend s per auction and value value_cpm * s^h / (half^h + s^h), for h <= 1.

    Won share F as a function of spend is the Hill curve; second price, so ds/dF is the price at quantile F:
    half / h * (F / (1 - F))^(1/h - 1) / (1 - F)^2.
    """
    u = np.linspace(0.0, HIGHEST_U, QUANTILES)
    prices = half_cpm / shape * (u / (1.0 - u)) ** (1.0 / shape - 1.0) / (1.0 - u) ** 2
    # The grid of a scenario runs to probability 1: stretch it, and bid far below the end.
    full = np.interp(np.linspace(0.0, 1.0, QUANTILES), u, prices)
    campaign: dict[str, Any] = {
        "budget": {"total": 1e6},
        "goal": {"kind": "private", "value": {"kind": "quantiles", "values": [value_cpm, value_cpm]}},
        "bid": {"kind": "constant", "price": half_cpm},
    }
    return scenario_of(
        name="hill-world",
        seed=seed,
        rivals={"market": {"kind": "highest", "price": {"kind": "quantiles", "values": [float(p) for p in full]}}},
        traffic={"requests_per_day": requests},
        auction={"kind": "second_price"},
        campaigns={"c": campaign},
    )


def price_at(share: float, half_cpm: float, shape: float) -> float:
    """Bid that wins *share* of the auctions of `hill_world`."""
    return float(half_cpm / shape * (share / (1.0 - share)) ** (1.0 / shape - 1.0) / (1.0 - share) ** 2)
