"""Who plays: each rule without pacing, each pacing under the truthful rule, and two pairs.

Parameters are fixed beforehand. Settings as a scenario's campaign has them. Rules that follow a predicted rate have
nothing to follow where values are private, nor may random bids stand for them: they sit that market out.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import experiments

MARKETS = ("clicks-second", "clicks-first", "values-first")
PLAYER = "player"
BASELINE = "constant"
"""Differences are taken to this one."""

ADAPTIVE = {"kind": "adaptive", "step": 0.004}
SHADED: dict[str, Any] = {"kind": "shaded", "curve": {"kind": "lognormal", "median": 1.0, "sigma": 0.6}}
_STARTER = Path(experiments.__file__).with_name("starter_strategy.py")

CONTESTANTS: dict[str, dict[str, Any]] = {
    "constant": {"bid": {"kind": "constant", "price": 1.0}},
    "random": {"bid": {"kind": "random", "low": 0.2, "high": 1.8}},
    "truthful": {"bid": {"kind": "truthful"}},
    "truthful × 0.6": {"bid": {"kind": "truthful", "multiplier": 0.6}},
    "linear": {"bid": {"kind": "linear", "base_price": 1.0, "average_rate": 0.08}},
    "mcpc": {"bid": {"kind": "mcpc", "max_ecpc": 0.02}},
    "ortb1": {"bid": {"kind": "ortb1", "c": 1.0, "rate_per_cpm": 0.03}},
    "ortb2": {"bid": {"kind": "ortb2", "c": 1.0, "rate_per_cpm": 0.03}},
    "shaded": {"bid": SHADED},
    "shaded, learned curve": {"bid": {"kind": "shaded", "curve": SHADED["curve"] | {"learned": True}}},
    "shaded, learned curve, told": {"bid": {"kind": "shaded", "curve": SHADED["curve"] | {"learned": True}}},
    "own (starter)": {"strategy": "starter_strategy.py:bid", "strategy_source": _STARTER.read_text("utf-8")},
    "truthful, even": {"pacing": "even"},
    "truthful, adaptive": {"pacing": ADAPTIVE},
    "truthful, multiplicative": {"pacing": {"kind": "adaptive", "form": "multiplicative", "step": 0.01}},
    "truthful, pid": {"pacing": {"kind": "pid", "kp": 0.3, "ki": 0.02}},
    "truthful, throttled": {"pacing": {"kind": "throttled"}},
    "truthful, shaped": {"pacing": {"kind": "shaped"}},
    "ortb2, adaptive": {"bid": {"kind": "ortb2", "c": 1.0, "rate_per_cpm": 0.03}, "pacing": ADAPTIVE},
    "shaded, adaptive": {"bid": SHADED, "pacing": ADAPTIVE},
}
TOLD = ("shaded, learned curve, told",)
"""Whom the exchange tells the least bid that would have won."""
NOT_FOR_PRIVATE_VALUES = ("random", "linear", "mcpc", "ortb1", "ortb2", "ortb2, adaptive")


def plays(contestant: str, market: str) -> bool:
    """Whether the contestant has anything to go by in the market."""
    return not (market.startswith("values") and contestant in NOT_FOR_PRIVATE_VALUES)
