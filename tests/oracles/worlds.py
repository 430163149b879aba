"""Small scenarios for tests: a base with everything required, any part of which a test may replace."""

from __future__ import annotations

from typing import Any

from exchange_sim.world import World
from experiments.compile.market import compile_world
from experiments.scenario.models import Scenario


def scenario_of(**parts: Any) -> Scenario:
    """One publisher, nobody else bidding, one constant bidder; *parts* replace or add top-level keys."""
    base: dict[str, Any] = {
        "name": "small",
        "days": 1.0,
        "people": {"count": 100},
        "publishers": {"site": {"slots": {"slot": {"format": "display"}}}},
        "rivals": {"nobody": {"kind": "none"}},
        "traffic": {"requests_per_day": 1000},
        "campaigns": {
            "c": {
                "budget": {"total": 1000.0},
                "goal": {"kind": "cpm", "value": 1.0},
                "bid": {"kind": "constant", "price": 1.0},
            }
        },
    }
    return Scenario.model_validate(base | parts)


def world_of(**parts: Any) -> World:
    """The world of such a scenario."""
    return compile_world(scenario_of(**parts))
