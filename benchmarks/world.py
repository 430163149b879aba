"""The benchmark world: every feature on, so that a speed quoted is the speed of the real thing.

1,000,000 people with interests, places and consent; six publishers in three formats; 50 campaigns with audiences, two
frequency caps, daily budgets, pacing, fences, hours and deals; clicks and purchases with their truth.
"""

from __future__ import annotations

from typing import Any

from experiments.scenario.models import Scenario

FORMATS = ("display", "mobile", "video")
INTERESTS = 16
ELIGIBLE = 50
"""Campaigns the traffic is made for; more than that are the same number of eligible ones among idle others."""


REQUESTS_PER_DAY = 1_000_000


def benchmark_scenario(auctions: int, *, people: int = 1_000_000, campaigns: int = ELIGIBLE, seed: int = 1) -> Scenario:
    """About *auctions* requests (Poisson) over ten days; the first 50 campaigns are the same whatever *campaigns* is.

    Further campaigns target publishers that are not in the market's traffic mix often enough to matter, so the number
    eligible per request stays the same.
    """
    publishers: dict[str, Any] = {}
    for p in range(6):
        publishers[f"publisher-{p}"] = {
            "kind": "app" if p % 2 else "site",
            "share": 1.0 + p / 3,
            "rivals": "many" if p % 2 else "few",
            "slots": {
                f"slot-{s}": {
                    "format": FORMATS[(p + s) % 3],
                    "floor": 0.1 + 0.05 * s,
                    "devices": {"desktop": 0.4, "mobile": 0.5, "tablet": 0.1},
                }
                for s in range(3)
            },
        }
    publishers["quiet"] = {"share": 1e-6, "rivals": "few", "slots": {format: {"format": format} for format in FORMATS}}
    return Scenario.model_validate(
        {
            "name": "benchmark",
            "seed": seed,
            "days": auctions / REQUESTS_PER_DAY,
            "people": {
                "count": people,
                "activity_skew": 2.0,
                "consent_share": 0.85,
                "interests": {f"interest-{j}": 0.05 + 0.02 * j for j in range(INTERESTS)},
            },
            "places": {
                "north": {"share": 0.5, "lat": 52.5, "lon": 13.4},
                "west": {"share": 0.3, "lat": 50.9, "lon": 6.9},
                "south": {"share": 0.2, "lat": 48.1, "lon": 11.6},
            },
            "segments": {
                f"segment-{j}": {"interest": f"interest-{j}", "recall": 0.7, "precision": 0.8} for j in range(INTERESTS)
            },
            "products": {
                f"product-{g}": {
                    "interest": f"interest-{g}",
                    "value": 40.0,
                    "value_sigma": 0.5,
                    "margin": 0.4,
                    "organic_per_1000_people_per_day": 0.05,
                    "in_market": {"cycle_days": 90, "window_days": 30},
                    "effect": {"ctr": 0.002, "conversion": 0.001, "off_interest": 0.3, "off_window": 0.2},
                }
                for g in range(5)
            },
            "publishers": publishers,
            "deals": {"premium": {"publisher": "publisher-0", "floor": 0.5}},
            "rivals": {
                "few": {"kind": "highest", "price": {"kind": "lognormal", "median": 0.6, "sigma": 0.8}},
                "many": {
                    "kind": "independent",
                    "count": 5,
                    "price": {"kind": "lognormal", "median": 0.3, "sigma": 0.7},
                },
            },
            "traffic": {"requests_per_day": REQUESTS_PER_DAY, "hours": "diurnal"},
            "auction": {"kind": "second_price"},
            "campaigns": {f"campaign-{c}": _campaign(c) for c in range(campaigns)},
        }
    )


def _campaign(c: int) -> dict[str, Any]:
    kinds = ("cpm", "cpc", "cpa")
    target: dict[str, Any] = {
        "segments": {"any": [f"segment-{(c + k) % INTERESTS}" for k in range(1 + c % 2)]},
        "formats": [FORMATS[c % 3]],
    }
    if c % 5 == 1:
        target["segments"]["none"] = [f"segment-{(c + 5) % INTERESTS}"]
    if c % 7 == 3:
        target["hours"] = [h for h in range(168) if 8 <= h % 24 < 22]
    if c % 10 == 7:
        target["geofence"] = {"lat": 52.5, "lon": 13.4, "radius_km": 12}
    if c >= ELIGIBLE:
        target["publishers"] = ["quiet"]
    elif c % 10 == 9:
        target["deals"] = ["premium"]
    return {
        "product": f"product-{c % 5}",
        "budget": {"total": 30.0, "daily": 3.0},
        "pacing": "even" if c % 2 else "asap",
        "goal": {"kind": kinds[c % 3], "value": (0.9, 0.5, 2.0)[c % 3]},
        "rates": {"ctr": 0.0016, "cvr": 0.0004, "learned": True},
        "target": target,
        "caps": [{"limit": 3, "per": "1d"}, {"limit": 8, "per": "1w", "window": "fixed"}],
    }


def market_scenario(auctions: int, *, people: int = 1_000_000, seed: int = 1) -> Scenario:
    """The benchmark world with all of the sellers' rules on: every slot but the quiet ones is sold by some of them."""
    data = benchmark_scenario(auctions, people=people, seed=seed).model_dump()
    publishers = data["publishers"]
    for p in range(6):
        publisher = publishers[f"publisher-{p}"]
        publisher["floor_rules"] = [
            {"floor": 0.3, "hours": list(range(8, 60)), "buyer": "rivals"},
            {"floor": 0.2, "places": ["north"], "formats": ["display", "video"]},
        ]
        slots = publisher["slots"]
        slots["slot-0"]["soft_floor"] = 0.4
        slots["slot-1"]["reserve"] = {"kind": "adaptive", "explore": 0.1}
        slots["slot-2"]["reserve"] = {
            "kind": "myerson",
            "values": {"kind": "lognormal", "median": 0.3, "sigma": 0.7},
        }
    publishers["publisher-3"] |= {"anonymous": True, "discount": 0.2}
    data["deals"] = {
        "order": {
            "publisher": "publisher-0",
            "kind": "guaranteed",
            "slots": ["slot-0"],
            "floor": 0.6,
            "impressions": int(auctions / 100),
            "pace": "even",
        },
        "premium": {"publisher": "publisher-0", "kind": "preferred", "slots": ["slot-0", "slot-1"], "floor": 0.5},
        "club": {"publisher": "publisher-2", "kind": "private_auction", "floor": 0.4, "rivals": "few"},
    }
    data["networks"] = {
        "network": {
            "buys": {"publisher-5": {"share": 0.5, "price": 0.15}, "publisher-4": {"share": 0.5, "price": 0.15}},
            "rivals": "many",
            "discount": 0.3,
            "slots": {format: {"format": format, "floor": 0.05} for format in FORMATS},
        }
    }
    data["fees"] = {"trading_desk": 0.05, "dsp": 0.1, "exchange": 0.1, "ssp": 0.08}
    for c in range(9, ELIGIBLE, 10):
        data["campaigns"][f"campaign-{c}"]["target"]["deals"] = [("order", "premium", "club")[c // 10 % 3]]
        data["campaigns"][f"campaign-{c}"]["target"] |= {"formats": [], "segments": {}}
        data["campaigns"][f"campaign-{c}"] |= {"bid": {"kind": "constant", "price": 0.7}}
    verify(data)
    lay_out(data)
    return Scenario.model_validate(data)


def lay_out(data: dict[str, Any]) -> None:
    """Every publisher but the quiet one sells its three slots on one page, categories or advertisers kept apart."""
    for p in range(6):
        publisher = data["publishers"][f"publisher-{p}"]
        separation = "advertiser" if p % 2 else "category"
        publisher["pages"] = {"front": {"slots": list(publisher["slots"]), "separation": separation}}
    data["traffic"]["requests_per_day"] /= 3.0  # a view brings three requests
    for g, product in enumerate(data["products"].values()):
        product["category"] = ("finance", "travel", "food")[g % 3]
    for group in data["rivals"].values():
        group["categories"] = {"finance": 0.2, "travel": 0.2, "cars": 0.3}


def verify(data: dict[str, Any]) -> None:
    """Every check on: ads and pages that declare and hide things, detectors, bots, views, levels of brand safety."""
    publishers, campaigns = data["publishers"], data["campaigns"]
    publishers["publisher-1"] |= {"refuses": ["adult"], "page": {"undeclared": {"violence": 0.1, "adult": 0.02}}}
    publishers["publisher-2"] |= {"refuses": ["adult", "competitor"]}
    publishers["publisher-3"] |= {"page": {"declared": ["violence"], "undeclared": {"wrong_language": 0.1}}}
    publishers["publisher-5"] |= {"refuses": ["oversize"], "page": {"undeclared": {"violence": 0.05}}}
    for p in range(6):
        for s, slot in enumerate(publishers[f"publisher-{p}"]["slots"].values()):
            slot["viewability"] = 0.8 - 0.2 * s
    for c in range(ELIGIBLE):
        campaign = campaigns[f"campaign-{c}"]
        campaign["brand_safety"] = {"level": ("none", "basic", "standard", "strict")[c % 4]}
        campaign["pays"] = "viewable" if c % 3 == 2 and c % 10 != 9 else "impression"
        campaign["ad"] = ({}, {"declared": ["oversize"]}, {"undeclared": ["adult", "malware"]})[c % 7 % 3]
    data["verification"] = {
        "refuses": ["malware"],
        "ads": {"recall": 0.8, "precision": 0.9},
        "pages": {"recall": 0.7, "precision": 0.9},
        "mistaken": 0.01,
        "bots": {
            "farm": {"share": 0.1, "count": 2000, "filtered": 0.5, "discovered": 0.5, "ctr": 0.1},
            "sleepless": {
                "share": 0.1,
                "count": 500,
                "filtered": 0.5,
                "discovered": 0.2,
                "hours": list(range(0, 168, 4)),
            },
        },
    }
