"""From a scenario to what the buyer has: its plans, its directory of names, its view of the audience."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numba import njit
from numpy.typing import NDArray

from bidder.plan import BidPlan, CampaignPlan, CapPlan, Directory, PacePlan, TargetPlan
from bidder.strategy import StrategyPlan
from dmp.snapshot import Snapshot, build_snapshot
from exchange_sim.draws import OBSERVATION, name_key, uniform
from exchange_sim.people import person_key
from exchange_sim.world import World
from experiments.compile.creatives import compile_creatives
from experiments.compile.market import private_campaigns
from experiments.compile.selling import masked_names, masked_slots
from experiments.compile.verification import kept_apart
from experiments.scenario.campaigns import (
    Bid,
    Campaign,
    ConstantBid,
    Goal,
    LinearBid,
    LognormalCurve,
    McpcBid,
    Ortb1Bid,
    Ortb2Bid,
    RandomBid,
    ShadedBid,
)
from experiments.scenario.models import Scenario
from experiments.scenario.pacing import (
    AdaptivePacing,
    EcpcPacing,
    Pacing,
    PidPacing,
    ShapedPacing,
    ThrottledPacing,
)
from experiments.scenario.parts import duration_s
from experiments.traffic_shape import hour_weights
from openrtb.money import NANOS_PER_CPM, NANOS_PER_UNIT, cpm_to_nanos, units_to_nanos


def compile_directory(scenario: Scenario) -> Directory:
    """The names a request can carry, in the order the market numbers them."""
    return Directory(
        publishers=tuple(masked_names(scenario)),
        slots=tuple(masked_slots(scenario)),
        places=tuple(scenario.places),
        deals=tuple(scenario.deals),
        segments=tuple(scenario.segments),
        products=tuple(scenario.products),
    )


def compile_plans(scenario: Scenario) -> list[CampaignPlan]:
    """Every campaign in the bidder's terms, in scenario order."""
    signals = private_campaigns(scenario)
    return [_plan(scenario, name, campaign, signals) for name, campaign in scenario.campaigns.items()]


def _plan(scenario: Scenario, name: str, campaign: Campaign, signals: list[str]) -> CampaignPlan:
    goal, budget, target, rates = campaign.goal, campaign.budget, campaign.target, campaign.rates
    fence = target.geofence
    if goal.kind == "private":
        goal_value_nanos = 0.0
    elif goal.kind == "roas":
        goal_value_nanos = goal.basket * NANOS_PER_UNIT / goal.target
    else:
        goal_value_nanos = goal.value * (NANOS_PER_CPM if goal.kind == "cpm" else NANOS_PER_UNIT)
    return CampaignPlan(
        campaign_id=name,
        total_nanos=units_to_nanos(budget.total),
        daily_nanos=None if budget.daily is None else units_to_nanos(budget.daily),
        start_s=0.0 if campaign.start is None else (campaign.start - scenario.start).total_seconds(),
        end_s=scenario.days * 86400.0 if campaign.end is None else (campaign.end - scenario.start).total_seconds(),
        pacing=_pacing(campaign.pacing, goal),
        goal=goal.kind,
        goal_value_nanos=goal_value_nanos,
        roas_target=goal.target if goal.kind == "roas" else 1.0,
        signal_ix=signals.index(name) if name in signals else -1,
        bid=replace(_bid(campaign.bid), strategy=_strategy(campaign)),
        product=campaign.product,
        ctr=rates.ctr,
        cvr=rates.cvr,
        learned=rates.learned,
        prior_impressions=rates.prior_impressions,
        method=rates.method,
        explores=rates.explore,
        delay_s=rates.delay_h * 3600.0,
        worth_by_frequency=tuple(campaign.worth_by_frequency),
        lookback_s=campaign.lookback_days * 86400.0,
        target=TargetPlan(
            formats=tuple(target.formats),
            devices=tuple(target.devices),
            hours=tuple(target.hours),
            places=tuple(target.places),
            publishers=_publishers(scenario, campaign),
            deals=tuple(target.deals),
            any_segments=tuple(target.segments.any),
            all_segments=tuple(target.segments.all),
            none_segments=tuple(target.segments.none),
            fence=None if fence is None else (fence.lat, fence.lon, fence.radius_km),
        ),
        caps=tuple(
            CapPlan(cap.limit, duration_s(cap.per), cap.window == "sliding", cap.scope) for cap in campaign.caps
        ),
        creatives=compile_creatives(name, campaign),
    )


def _publishers(scenario: Scenario, campaign: Campaign) -> tuple[str, ...]:
    """Sellers it may buy from, by the names buyers know: those it targets, neither refusing the other."""
    known_as = dict(zip(scenario.publishers, masked_names(scenario), strict=False))
    blocking = [name for name, seller in scenario.publishers.items() if kept_apart(scenario, seller, campaign)]
    if not blocking:
        return tuple(campaign.target.publishers)
    wanted = campaign.target.publishers or [*scenario.publishers, *scenario.networks]
    return tuple(known_as.get(name, name) for name in wanted if name not in blocking)


def _pacing(pacing: Pacing, goal: Goal) -> PacePlan:
    if isinstance(pacing, EcpcPacing):
        gains = (pacing.kp, pacing.ki, pacing.kd)
        return PacePlan("ecpc", 1.0, pacing.highest, gains=gains, target=pacing.target * NANOS_PER_UNIT)
    if isinstance(pacing, ThrottledPacing):
        shape = () if pacing.shape == "flat" else tuple(hour_weights(pacing.shape).tolist())
        return PacePlan("throttled", pacing.start, step_per_nano=pacing.step, shape=shape)
    if isinstance(pacing, ShapedPacing):
        return PacePlan("even", shape=tuple(hour_weights(pacing.shape).tolist()))
    if isinstance(pacing, PidPacing):
        return PacePlan("pid", pacing.start, pacing.highest, gains=(pacing.kp, pacing.ki, pacing.kd))
    if isinstance(pacing, AdaptivePacing):
        additive = pacing.form == "additive"
        first = 0.0 if additive else 0.1
        return PacePlan(
            "adaptive" if additive else "multiplicative",
            min(first if pacing.start is None else pacing.start, pacing.highest),
            pacing.highest,
            pacing.step / NANOS_PER_CPM,
            pacing.auctions or 0.0,
            target=pacing.target_cpa / goal.value if pacing.target_cpa is not None and goal.kind == "cpa" else 0.0,
            target_step=pacing.target_step,
        )
    return PacePlan(pacing)


def _bid(bid: Bid) -> BidPlan:
    highest = None if bid.max is None else cpm_to_nanos(bid.max)
    if isinstance(bid, ConstantBid):
        return BidPlan("constant", bid.price * NANOS_PER_CPM, 0.0, highest)
    if isinstance(bid, RandomBid):
        return BidPlan("random", bid.low * NANOS_PER_CPM, bid.high * NANOS_PER_CPM, highest)
    if isinstance(bid, LinearBid):
        return BidPlan("linear", bid.base_price * NANOS_PER_CPM, bid.average_rate, highest)
    if isinstance(bid, McpcBid):
        return BidPlan("mcpc", bid.max_ecpc * NANOS_PER_UNIT, 0.0, highest)
    if isinstance(bid, Ortb1Bid | Ortb2Bid):
        return BidPlan(bid.kind, bid.c * NANOS_PER_CPM, bid.rate_per_cpm / NANOS_PER_CPM, highest)
    if isinstance(bid, ShadedBid):
        curve = bid.curve
        if isinstance(curve, LognormalCurve):
            median_log = math.log(curve.median * NANOS_PER_CPM)
            return BidPlan("shaded_lognormal", median_log, curve.sigma, highest, learned=curve.learned)
        return BidPlan("shaded_uniform", curve.high * NANOS_PER_CPM, float(curve.rivals), highest)
    return BidPlan("truthful", bid.multiplier, 0.0, highest)


def _strategy(campaign: Campaign) -> StrategyPlan | None:
    if campaign.strategy is None or campaign.strategy_source is None:
        return None
    file, _, function = campaign.strategy.rpartition(":")
    return StrategyPlan(file, campaign.strategy_source, function)


def observe_audience(scenario: Scenario, world: World) -> Snapshot:
    """What the audience platform learns of the people: each segment an interest seen through its own noise.

    Of the people with the interest, *recall* are found; others are taken in so that *precision* holds.
    """
    interests = list(scenario.people.interests)
    members = {}
    for name, segment in scenario.segments.items():
        assert segment.interest is not None  # a rule needs an audience platform, see `experiments.audience`
        share = scenario.people.interests[segment.interest]
        mistaken = 0.0
        if share < 1.0:
            mistaken = segment.recall * share * (1.0 - segment.precision) / segment.precision / (1.0 - share)
        interest_ix = interests.index(segment.interest)
        members[name] = _observe(
            world.seed_key, world.interests, interest_ix, name_key(f"segment {name}"), segment.recall, mistaken
        )
    return build_snapshot(members, world.homes["consent"] == 1)


@njit(cache=True)
def _observe(
    seed_key: np.uint64,
    interests: NDArray[np.uint64],
    interest_ix: int,
    segment_key: np.uint64,
    recall: float,
    mistaken: float,
) -> NDArray[np.bool_]:
    found = np.zeros(interests.shape[0], np.bool_)
    for p in range(interests.shape[0]):
        holds = (interests[p] >> np.uint64(interest_ix)) & np.uint64(1)
        u = uniform(person_key(seed_key, p) + segment_key, OBSERVATION)
        found[p] = u < (recall if holds == 1 else mistaken)
    return found
