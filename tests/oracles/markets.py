"""Random small scenarios in which budgets, caps, deals, ties and consent all bind at once."""

from __future__ import annotations

import os
from random import Random
from typing import Any

from experiments.scenario.models import Scenario

INTERPRETED = os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0")
STEP = 0.25
"""Grid of prices (CPM): constant bids, floors and rival prices stand on it, so ties really happen."""


def random_market(seed: int, *, learned: bool | None = None) -> dict[str, Any]:
    """A scenario as data. *learned*: whether campaigns may learn their rates (None: by chance)."""
    rng = Random(seed)
    requests = rng.randint(100, 500) if INTERPRETED else rng.randint(500, 5000)
    days = rng.choice([0.6, 1.0, 2.0, 3.0])
    second_price = rng.random() < 0.5
    selling = Random(seed ^ 0xFEED)
    deals = {"deal": {"publisher": "paper", "floor": STEP * rng.randint(0, 3)}} if rng.random() < 0.6 else {}
    data: dict[str, Any] = {
        "name": "random",
        "seed": rng.randrange(2**62),
        "start": rng.choice(["2026-01-05 00:00", "2026-01-09 17:40:30", "2026-01-11 23:59"]),
        "days": days,
        "tick_s": rng.choice([500.0, 700.0, 3600.0]),
        "people": {
            "count": rng.randint(50, 500),
            "activity_skew": rng.choice([1.0, 2.5]),
            "consent_share": rng.choice([0.0, 0.6, 0.6, 1.0]),
            "interests": {"cars": 0.4, "food": 0.7, "nothing": 0.0},
        },
        "places": {
            "town": {"share": 2.0, "lat": 52.5, "lon": 13.4, "radius_km": 15.0},
            "shore": {"share": 1.0, "lat": 54.3, "lon": 10.1, "radius_km": 30.0},
        },
        "segments": {
            "drivers": {"interest": "cars", "recall": 0.8, "precision": 0.7},
            "cooks": {"interest": "food", "recall": 0.9, "precision": 0.9},
            "nobody": {"interest": "nothing"},
        },
        "products": {
            "tyres": _product(rng, "cars"),
            "pans": _product(rng, "food"),
        },
        "publishers": {
            "paper": {
                "rivals": "crowd",
                "share": 2.0,
                "slots": {
                    "top": {"format": "display", "floor": STEP * rng.randint(0, 3), "devices": {"desktop": 1.0}},
                    "clip": {"format": "video", "devices": {"tv": 1.0, "tablet": 2.0}},
                },
            },
            "radar": {
                "rivals": "grid",
                "kind": "app",
                "slots": {"bar": {"format": "mobile", "floor": STEP * rng.randint(0, 2), "devices": {"mobile": 1.0}}},
            },
        },
        "deals": deals,
        "rivals": {
            "crowd": rng.choice(
                [
                    {"kind": "none"},
                    {"kind": "independent", "count": 3, "price": {"kind": "uniform", "low": 0.0, "high": 1.2}},
                    {"kind": "independent", "count": 2, "price": {"kind": "lognormal", "median": 0.5, "sigma": 0.7}},
                ]
            ),
            "grid": {"kind": "highest", "price": {"kind": "histogram", "step": STEP, "counts": [3, 4, 5, 3, 1]}},
        },
        "traffic": {"requests_per_day": requests / days, "hours": rng.choice(["flat", "diurnal"])},
        "auction": {
            "kind": "second_price" if second_price else "first_price",
            "tie": rng.choice(["rival", "bidder", "coin"]),
        },
        "campaigns": {f"c{k}": _campaign(rng, requests, days, bool(deals), learned) for k in range(rng.randint(1, 8))},
    }
    if selling.random() < 0.6:
        sell_by_rules(selling, data, second_price, learns=learned is not False)
    return data


def sell_by_rules(rng: Random, data: dict[str, Any], second_price: bool, *, learns: bool = True) -> None:
    """Give the sellers floors by rule, soft and learned ones, deals of every tier, a network, masks and fees."""
    paper, radar = data["publishers"]["paper"], data["publishers"]["radar"]
    top, bar = paper["slots"]["top"], radar["slots"]["bar"]
    paper["floor_rules"] = rng.choice(
        [
            [],
            [{"floor": 0.5, "hours": list(range(8, 60)), "buyer": "rivals"}, {"floor": 0.25, "places": ["shore"]}],
            [{"floor": 0.75, "slots": ["clip"], "buyer": "campaigns"}, {"floor": 0.1, "formats": ["display"]}],
        ]
    )
    if second_price:
        top["soft_floor"] = rng.choice([0.0, 0.9])
        reserves: list[Any] = [None, {"kind": "myerson", "values": {"kind": "lognormal", "median": 0.5, "sigma": 0.7}}]
        reserves += [{"kind": "adaptive", "explore": 0.3, "half_life_ticks": 4.0}] if learns else []
        bar["reserve"], paper["slots"]["clip"]["reserve"] = rng.choice(reserves), rng.choice(reserves)
    radar["anonymous"] = rng.random() < 0.5
    radar["discount"] = rng.choice([0.0, 0.3])
    if "deal" in data["deals"] and rng.random() < 0.8:
        least = max(top.get("floor", 0.0), 0.25)
        kind = rng.choice(["private_auction", "preferred", "guaranteed"])
        body: dict[str, Any] = {"publisher": "paper", "kind": kind, "floor": least + STEP * rng.randint(0, 1)}
        if kind == "private_auction" and rng.random() < 0.7:
            body["rivals"] = "grid"
        if kind == "guaranteed":
            body |= {
                "impressions": rng.choice([2, 5] if INTERPRETED else [5, 40]),
                "days": 0.3,
                "pace": rng.choice(["even", "asap"]),
            }
            body |= {"probability": 1e-9, "prepaid": rng.random() < 0.5}
        data["deals"]["second"] = body
        for campaign in data["campaigns"].values():
            if "deals" in campaign["target"]:
                campaign["target"]["deals"] = rng.choice([["deal"], ["second"], ["deal", "second"]])
    if rng.random() < 0.5:
        data["networks"] = {
            "blind": {
                "buys": {"paper": {"share": rng.choice([0.4, 1.0]), "price": 0.2}},
                "discount": rng.choice([0.0, 0.4]),
                "rivals": "crowd",
                "slots": {"banner": {"format": "display", "floor": STEP * rng.randint(0, 2)}},
            }
        }
    for campaign in data["campaigns"].values():
        if rng.random() < 0.2:
            campaign["target"].pop("deals", None)
            campaign["target"]["publishers"] = ["paper", *data.get("networks", {})]
            campaign["target"].pop("formats", None)
    if rng.random() < 0.3:
        radar["blocked"] = ["tyres"]
    data["fees"] = rng.choice([{}, {"trading_desk": 0.05, "dsp": 0.1, "exchange": 0.15, "ssp": 0.07}])


def with_header(data: dict[str, Any], rng: Random) -> dict[str, Any]:
    """The same market, its first seller asking further exchanges for each impression."""
    kinds = [None, "first_price", "second_price"]
    data["exchanges"] = {
        name: {
            "fee": rng.choice([0.0, 0.05, 0.2, 0.123456789]),
            "auction": rng.choice(kinds),
            "rivals": rng.choice([None, "crowd", "grid"]),
            "floor": STEP * rng.randint(0, 3),
        }
        for name in ("blue", "green", "red")
    }
    paper = data["publishers"]["paper"]
    paper["header"] = rng.choice([["blue"], ["green", "blue"], ["red", "blue", "green"]])
    for slot in paper["slots"].values():
        if slot.get("reserve", None) is not None and slot["reserve"]["kind"] == "adaptive":
            slot["reserve"] = None
    data["duplicates"] = rng.choice(["answer", "answer", "skip"])
    return data


def _product(rng: Random, interest: str) -> dict[str, Any]:
    cycle = {"in_market": {"cycle_days": 3, "window_days": 1.5}} if rng.random() < 0.4 else {}
    return {
        "interest": interest,
        "value": 40.0,
        "value_sigma": rng.choice([0.0, 0.5]),
        "organic_per_1000_people_per_day": rng.choice([0.0, 60.0]),
        "effect": {
            "ctr": 0.1,
            "conversion": 0.15,
            "off_interest": 0.3,
            "formats": {"video": 1.5},
            "half_life_h": 10.0,
            "delay_h": rng.choice([0.0, 3.0]),
        },
    } | cycle


def _campaign(rng: Random, requests: int, days: float, deals: bool, learned: bool | None) -> dict[str, Any]:
    product = rng.choice([None, "tyres", "pans"])
    goal = rng.choice(["cpm", "private"] if product is None else ["cpm", "cpc", "cpa", "private"])
    total = requests * rng.choice([1e-5, 5e-5, 2e-4, 1.0])
    budget: dict[str, float] = {"total": total}
    if rng.random() < 0.6:
        budget["daily"] = total / rng.choice([1.0, 2.0, 5.0])
    return {
        "product": product,
        "budget": budget,
        "pacing": rng.choice(["asap", "even", *([] if learned is False else _PACINGS)]),
        "goal": _goal(goal),
        "bid": _bid(rng, goal),
        "rates": {
            "ctr": 0.02,
            "cvr": 0.005,
            "learned": rng.random() < 0.5 if learned is None else learned,
            "prior_impressions": 50.0,
        },
        "target": _target(rng, deals),
        "caps": [
            {
                "limit": rng.randint(1, 4),
                "per": rng.choice(["20m", "3h", "1d", "2d"]),
                "window": rng.choice(["fixed", "sliding"]),
            }
            for _ in range(rng.choice([0, 1, 2, 3]))
        ],
        "lookback_days": rng.choice([0.1, 1.0, 7.0]),
    }


_PACINGS = [
    {"kind": "adaptive", "step": 0.02},
    {"kind": "adaptive", "step": 0.05, "auctions": 200, "start": 0.5, "highest": 3.0},
    {"kind": "adaptive", "form": "multiplicative", "step": 0.1},
    {"kind": "pid", "kp": 0.5, "ki": 0.02, "kd": 0.1},
]


def _goal(kind: str) -> dict[str, Any]:
    if kind == "private":
        return {"kind": kind, "value": {"kind": "uniform", "low": 0.0, "high": 2.0}}
    return {"kind": kind, "value": {"cpm": 1.0, "cpc": 0.05, "cpa": 0.2}[kind]}


def _bid(rng: Random, goal: str) -> dict[str, Any]:
    highest = rng.choice([None, None, 1.1])
    rules: list[dict[str, Any]] = [
        {"kind": "constant", "price": STEP * rng.randint(1, 5)},
        {"kind": "truthful", "multiplier": rng.choice([0.8, 1.0])},
        {"kind": "shaded", "curve": {"kind": "lognormal", "median": 0.5, "sigma": 0.7}},
        {"kind": "shaded", "curve": {"kind": "uniform", "rivals": 3, "high": 1.2}},
    ]
    if goal in ("cpc", "cpa"):
        rate = 0.02 if goal == "cpc" else 0.005
        rules += [
            {"kind": "linear", "base_price": 0.8, "average_rate": rate},
            {"kind": "mcpc", "max_ecpc": 0.04},
            {"kind": "ortb1", "c": 0.6, "rate_per_cpm": rate / 3},
            {"kind": "ortb2", "c": 0.6, "rate_per_cpm": rate / 3},
        ]
    return rng.choice(rules) | {"max": highest}


def _target(rng: Random, deals: bool) -> dict[str, Any]:
    target: dict[str, Any] = {}
    if rng.random() < 0.3:
        target["segments"] = {"any": ["drivers", "cooks"][: rng.randint(1, 2)]}
    elif rng.random() < 0.2:
        target["segments"] = {"all": ["cooks"], "none": ["drivers"]}
    if deals and rng.random() < 0.35:
        return target | {"deals": ["deal"]}
    if rng.random() < 0.2:
        target["formats"] = rng.choice([["display"], ["video", "mobile"]])
    if rng.random() < 0.15:
        target["places"] = ["town"]
    if rng.random() < 0.15:
        target["geofence"] = {"lat": 52.5, "lon": 13.4, "radius_km": 8.0}
    if rng.random() < 0.15:
        target["hours"] = [hour for hour in range(168) if hour % 24 >= 8]
    return target


def market(data: dict[str, Any]) -> Scenario:
    """The scenario in *data*."""
    return Scenario.model_validate(data)
