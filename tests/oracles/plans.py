"""Random plans, directories and impressions from a `random.Random`, for comparing kernels with oracles.

Times are multiples of 1/4 s and windows whole seconds, so that both sides' arithmetic on them is exact.
"""

from __future__ import annotations

import math
from random import Random
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bidder.core.book import IMPRESSION
from bidder.plan import BidPlan, CampaignPlan, CapPlan, Directory, PacePlan, TargetPlan

DAY_S = 86400.0
WINDOWS_S = (600.0, 3600.0, 7200.0, 25_000.0, DAY_S, 2 * DAY_S)


def random_directory(rng: Random, segments: int) -> Directory:
    """A few publishers, slots, places and deals; *segments* segments."""
    publishers = tuple(f"pub{k}" for k in range(rng.randint(1, 4)))
    slots = tuple(f"{publisher}/s{k}" for publisher in publishers for k in range(rng.randint(1, 2)))
    return Directory(
        publishers=publishers,
        slots=slots,
        places=tuple(f"place{k}" for k in range(rng.randint(1, 3))),
        deals=tuple(f"deal{k}" for k in range(rng.randint(0, 3))),
        segments=tuple(f"seg{k}" for k in range(segments)),
        products=tuple(f"product{k}" for k in range(rng.randint(1, 3))),
    )


def _some(rng: Random, names: tuple[Any, ...], chance: float) -> tuple[Any, ...]:
    """Now and then a non-empty choice of *names*."""
    if not names or rng.random() > chance:
        return ()
    return tuple(rng.sample(names, rng.randint(1, len(names))))


def _few_segments(rng: Random, names: tuple[str, ...]) -> tuple[str, ...]:
    if not names or rng.random() < 0.6:
        return ()
    return tuple(rng.sample(names, min(len(names), rng.randint(1, 3))))


def random_bid(rng: Random, goal: str = "cpm") -> BidPlan:
    """Any rule; parameters of the size of real prices, drawn from few values so that bids tie."""
    kind = rng.choice(["constant", "truthful", "linear", "mcpc", "ortb1", "ortb2", "shaded_uniform"])
    highest = rng.choice([None, None, 700_000, 1_500_000])
    if goal != "private" and rng.random() < 0.1:
        return BidPlan("random", rng.choice([0.0, 500_000.0]), 1_200_000.0, highest)
    if kind == "constant":
        return BidPlan(kind, rng.choice([0.0, 400_000.0, 900_000.0, 900_000.0, 1_000_000.5]), 0.0, highest)
    if kind == "truthful":
        return BidPlan(kind, rng.choice([0.7, 1.0, 1.3]), 0.0, highest)
    if kind == "linear":
        return BidPlan(kind, 900_000.0, rng.choice([0.001, 0.01]), highest)
    if kind == "mcpc":
        return BidPlan(kind, 300e6, 0.0, highest)
    if kind == "shaded_uniform":
        return BidPlan(kind, 900_000.0, rng.choice([1.0, 4.0]), highest)
    return BidPlan(kind, 600_000.0, rng.choice([1e-9, 1e-8]), highest)


def random_pacing(rng: Random) -> PacePlan:
    """Any pacing; steps so large that mu moves, now and then against its bounds."""
    kind = rng.choice(["asap", "asap", "even", "adaptive", "multiplicative", "pid", "throttled", "ecpc", "shaped"])
    week = tuple(float(rng.randint(0, 4)) for _ in range(168))
    if kind == "shaped":
        return PacePlan("even", shape=week)
    if kind == "throttled":
        return PacePlan(kind, rng.choice([0.1, 1.0]), step_per_nano=0.4, shape=rng.choice([(), week]))
    if kind == "ecpc":
        return PacePlan(kind, 1.0, 7.4, gains=(0.5, 0.05, 0.1), target=rng.choice([5e4, 5e6]))
    if kind == "pid":
        gains = (rng.choice([0.2, 1.0]), rng.choice([0.0, 0.1]), 0.05)
        return PacePlan(kind, rng.choice([0.0, 1.0]), 1.5, gains=gains, shape=rng.choice([(), (), week]))
    if kind in ("asap", "even"):
        return PacePlan(kind)
    target = rng.choice([0.0, 0.5])
    step, auctions = rng.choice([1e-7, 1e-5]), rng.choice([0.0, 100.0])
    return PacePlan(kind, 0.1, rng.choice([0.3, 50.0]), step, auctions, target=target, target_step=0.3)


def random_plan(rng: Random, name: str, directory: Directory, signals: int, picky: float) -> CampaignPlan:
    """One campaign: any goal, rule, target, budget, pacing and up to four caps at once.

    *picky* (0 to 1) says how often it restricts where it buys, and how short its flight and budget may be.
    """
    goal = rng.choice(["cpm", "cpc", "cpa", "roas", *(["private"] if signals else [])])
    hard = rng.random() < picky
    start_s = rng.choice([0.0, 0.0, 0.25 * DAY_S]) if hard else 0.0
    end_s = start_s + (rng.choice([0.5, 1.0, 2.0]) if hard else rng.choice([2.0, 30.0])) * DAY_S
    total = rng.choice([2_500_000, 12_000_000, 10**9]) if hard else rng.choice([12_000_000, 10**8, 10**9])
    return CampaignPlan(
        campaign_id=name,
        total_nanos=total,
        start_s=start_s,
        end_s=end_s,
        goal=goal,
        bid=random_bid(rng, goal),
        goal_value_nanos={"cpm": 1_000_000.0, "cpc": 200e6, "cpa": 5e9, "roas": 5e9}.get(goal, 0.0),
        roas_target=rng.choice([1.0, 3.0]),
        worth_by_frequency=rng.choice([(), (), (1.0, 0.5), (1.0, 1.2, 0.8, 0.0)]),
        signal_ix=rng.randrange(signals) if goal == "private" else -1,
        daily_nanos=rng.choice([None, total // 3, total]),
        pacing=random_pacing(rng),
        product=rng.choice([None, *directory.products]),
        ctr=rng.choice([0.0, 0.002, 0.01]),
        cvr=rng.choice([0.0001, 0.0003]),
        learned=rng.random() < 0.4,
        prior_impressions=rng.choice([3.0, 50.0]),
        lookback_s=rng.choice([900.0, 7200.0, DAY_S]),
        target=_random_target(rng, directory) if rng.random() < picky else TargetPlan(),
        caps=tuple(
            CapPlan(
                rng.randint(1, 4),
                rng.choice(WINDOWS_S),
                rng.random() < 0.5,
                rng.choice(["campaign", "campaign", "product", "all"]),
            )
            for _ in range(rng.choice([0, 1, 2, 4]))
        ),
    )


def _random_target(rng: Random, directory: Directory) -> TargetPlan:
    fence = (50.0 + rng.random(), 10.0 + rng.random(), rng.choice([20.0, 60.0])) if rng.random() < 0.15 else None
    return TargetPlan(
        formats=_some(rng, ("display", "mobile", "video"), 0.3),
        devices=_some(rng, ("desktop", "mobile", "tablet", "tv"), 0.3),
        hours=tuple(sorted(rng.sample(range(168), 120))) if rng.random() < 0.2 else (),
        places=_some(rng, directory.places, 0.2),
        publishers=_some(rng, directory.publishers, 0.3),
        deals=_some(rng, directory.deals, 0.2),
        any_segments=_few_segments(rng, directory.segments),
        all_segments=_few_segments(rng, directory.segments)[:1],
        none_segments=_few_segments(rng, directory.segments)[:1],
        fence=fence,
    )


def random_impression(rng: Random, directory: Directory, people: int, now_s: float, hour: int) -> dict[str, Any]:
    """A request as a dict; person -1 (unknown) now and then."""
    person_ix = -1 if rng.random() < 0.15 else rng.randrange(people)
    position = person_ix >= 0 and rng.random() < 0.8
    return {
        "now_s": now_s,
        "request_no": rng.randrange(2**40),
        "person_ix": person_ix,
        "floor_nanos": rng.choice([0, 0, 400_000, 900_000]),
        "deal_floor_nanos": rng.choice([300_000, 1_000_000]),
        "lat": 50.0 + rng.random() if position else math.nan,
        "lon": 10.0 + rng.random() if position else math.nan,
        "slot_ix": rng.randrange(len(directory.slots)),
        "publisher_ix": rng.randrange(len(directory.publishers)),
        "deal_ix": rng.randrange(-1, len(directory.deals)),
        "place_ix": rng.randrange(len(directory.places)),
        "hour": hour,
        "format_ix": rng.randrange(3),
        "device_ix": rng.randrange(4),
        "deal_first": rng.randrange(2),
    }


def impression_row(imp: dict[str, Any]) -> NDArray[np.void]:
    """The same request as IMPRESSION[1]."""
    row = np.zeros(1, IMPRESSION)
    for name, value in imp.items():
        row[name][0] = value
    return row
