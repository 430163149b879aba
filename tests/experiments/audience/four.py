"""A small market whose people go by several cookies, seen through sources."""

from __future__ import annotations

from typing import Any

from experiments.scenario.models import Scenario
from tests.oracles.worlds import scenario_of

SITE = {"identifiers": ["cookie", "email"], "interests": {"running": {}}, "event": "view"}
VENDOR = {"party": "third", "channel": "vendor_file", "identifiers": ["cookie"], "interests": {"running": {}}}


def market(sources: dict[str, Any], *, people: dict[str, Any] | None = None, **parts: Any) -> Scenario:
    """2,000 people with three cookies each, a fifth of them runners; *sources* fill the audience platform."""
    platform = {"sources": sources, **parts.pop("audience", {})}
    crowd = {"count": 2000, "cookies": 3.0, "household": 2.0, "interests": {"running": 0.2}, **(people or {})}
    campaign = {
        "budget": {"total": 1000.0},
        "goal": {"kind": "cpm", "value": 1.0},
        "bid": {"kind": "constant", "price": 1.0},
        "target": {"segments": {"any": ["runners"]}},
        "caps": [{"limit": 2, "per": "1d"}],
    }
    base: dict[str, Any] = {
        "people": crowd,
        "audience": platform,
        "segments": {"runners": {"rule": {"tag": "site:running"}}},
        "traffic": {"requests_per_day": 20_000},
        "campaigns": {"c": campaign},
        "products": {
            "shoe": {
                "interest": "running",
                "value": 10.0,
                "organic_per_1000_people_per_day": 50,
                "effect": {"conversion": 0.05, "off_interest": 0.5},
            }
        },
    }
    base["campaigns"]["c"]["product"] = "shoe"
    return scenario_of(**(base | parts))
