"""The buying side of a scenario: campaigns with goals, bids, budgets, pacing, caps and targeting."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from experiments.scenario.creatives import Creative
from experiments.scenario.pacing import Pacing
from experiments.scenario.parts import (
    Device,
    Distribution,
    Duration,
    Format,
    LocalTime,
    Money,
    Name,
    NonNegative,
    Part,
    Positive,
    Share,
)
from experiments.scenario.verification import AdTraits, BrandSafety


class CpmGoal(Part):
    """Every impression is worth the same."""

    kind: Literal["cpm"]
    value: Positive
    """Worth of a thousand impressions (CPM)."""


class CpcGoal(Part):
    """Impressions are worth their expected clicks."""

    kind: Literal["cpc"]
    value: Positive
    """Worth of a click (currency)."""


class CpaGoal(Part):
    """Impressions are worth their expected purchases."""

    kind: Literal["cpa"]
    value: Positive
    """Worth of a purchase (currency)."""


class RoasGoal(Part):
    """Purchases must bring `target` times what is spent on them: worth = predicted value of purchases / target."""

    kind: Literal["roas"]
    target: Positive
    """Return on ad spend wanted: value of credited purchases per unit of spend."""
    basket: Positive
    """Mean value of a purchase as the buyer believes (currency); learned where rates are."""


class PrivateGoal(Part):
    """Textbook world: each impression has an independent private value, known to the campaign before it bids."""

    kind: Literal["private"]
    value: Distribution
    """Distribution of the private value (CPM)."""


Goal = Annotated[CpmGoal | CpcGoal | CpaGoal | RoasGoal | PrivateGoal, Field(discriminator="kind")]


class Bidding(Part):
    """Fields every kind of bid has."""

    max: Annotated[float, Field(gt=0, le=1_000_000)] | None = None
    """Highest bid (CPM); missing: no cap."""


class ConstantBid(Bidding):
    """Always the same bid."""

    kind: Literal["constant"]
    price: Annotated[float, Field(gt=0, le=1_000_000)]
    """The bid (CPM)."""


class RandomBid(Bidding):
    """A bid drawn uniformly for each request: to explore prices, and as a baseline."""

    kind: Literal["random"]
    low: Annotated[float, Field(ge=0, le=1_000_000)] = 0.0
    """Lowest bid (CPM)."""
    high: Annotated[float, Field(gt=0, le=1_000_000)]
    """Highest bid (CPM)."""


class TruthfulBid(Bidding):
    """Bid what the impression is worth, times a multiplier."""

    kind: Literal["truthful"]
    multiplier: Positive = 1.0
    """Factor on the worth; below 1 it shades the bid for first-price auctions."""


class LinearBid(Bidding):
    """Bid in proportion to the predicted rate (Perlich et al. 2012): base_price * rate / average rate."""

    kind: Literal["linear"]
    base_price: Positive
    """Bid at the average rate (CPM)."""
    average_rate: Annotated[float, Field(gt=0, le=1)]
    """Average predicted rate of the goal's outcome (click rate, or purchase rate for cpa)."""


class McpcBid(Bidding):
    """Bid the highest cost per click times the predicted click rate."""

    kind: Literal["mcpc"]
    max_ecpc: Positive
    """Highest effective cost per click (currency)."""


class Ortb1Bid(Bidding):
    """Optimal bid for the win curve b/(b+c) (Zhang, Yuan, Wang 2014): sqrt(c/lambda * rate + c^2) - c."""

    kind: Literal["ortb1"]
    c: Positive
    """Constant of the win curve (CPM)."""
    rate_per_cpm: Positive
    """Lagrange multiplier lambda: predicted rate bought per unit of CPM at the margin."""


class Ortb2Bid(Bidding):
    """Optimal bid for the win curve b^2/(b^2+c^2) (Zhang, Yuan, Wang 2014): b^3 + 3 c^2 b = 2 c^2 rate / lambda."""

    kind: Literal["ortb2"]
    c: Positive
    """Constant of the win curve (CPM): the bid that wins half of the auctions."""
    rate_per_cpm: Positive
    """Lagrange multiplier lambda: predicted rate bought per unit of CPM at the margin."""


class LognormalCurve(Part):
    """Win curve of a highest rival whose logarithm is normal."""

    kind: Literal["lognormal"]
    median: Positive
    """Median of the highest rival bid (CPM)."""
    sigma: Annotated[float, Field(ge=0.01, le=20)]
    """Standard deviation of its logarithm."""
    learned: bool = False
    """Begin there and learn the curve from the campaign's own wins and losses, refreshed at every tick."""


class UniformCurve(Part):
    """Win curve of the highest of several uniform rivals."""

    kind: Literal["uniform"]
    rivals: Annotated[int, Field(ge=1, le=1000)]
    """How many rivals bid."""
    high: Positive
    """Each bids uniformly from 0 to this (CPM)."""


class ShadedBid(Bidding):
    """First price: the bid b with the highest expected surplus (worth - b) * P(win at b)."""

    kind: Literal["shaded"]
    curve: Annotated[LognormalCurve | UniformCurve, Field(discriminator="kind")]
    """What the buyer believes the highest rival bids."""


Bid = Annotated[
    ConstantBid | RandomBid | TruthfulBid | LinearBid | McpcBid | Ortb1Bid | Ortb2Bid | ShadedBid,
    Field(discriminator="kind"),
]


class Budget(Part):
    """Hard limits on spend; nothing may break them."""

    total: Money
    """Limit over the whole campaign (currency)."""
    daily: Money | None = None
    """Limit per calendar day (currency); missing: none."""


class Cap(Part):
    """At most `limit` exposures per person and window."""

    limit: Annotated[int, Field(ge=1, le=100)]
    """Exposures allowed in one window."""
    per: Duration
    """Window length, for example 1d."""
    scope: Literal["campaign", "product", "all"] = "campaign"
    """Whose exposures count: this campaign's, those of every campaign of its product, those of all campaigns."""
    window: Literal["fixed", "sliding"] = "sliding"
    """sliding: any stretch of that length; fixed: counted from the scenario's start (days begin at midnight)."""


class SegmentRule(Part):
    """Which segments a person must or must not be in."""

    any: list[Name] = Field(default_factory=list)
    """In at least one of these."""
    all: list[Name] = Field(default_factory=list)
    """In every one of these."""
    none: list[Name] = Field(default_factory=list)
    """In none of these."""


class Geofence(Part):
    """A disc on the map."""

    lat: Annotated[float, Field(ge=-90, le=90)]
    """Latitude of the centre (degrees)."""
    lon: Annotated[float, Field(ge=-180, le=180)]
    """Longitude of the centre (degrees)."""
    radius_km: Positive
    """Radius (km)."""


class Target(Part):
    """Where a campaign may buy; an empty list means anywhere."""

    segments: SegmentRule = SegmentRule()
    """Audience segments."""
    formats: list[Format] = Field(default_factory=list)
    """Formats."""
    devices: list[Device] = Field(default_factory=list)
    """Devices."""
    hours: list[Annotated[int, Field(ge=0, le=167)]] = Field(default_factory=list)
    """Hours of the week, Monday 00:00 = 0."""
    places: list[Name] = Field(default_factory=list)
    """Places."""
    geofence: Geofence | None = None
    """Only inside this disc (needs the person's position, so consent)."""
    publishers: list[Name] = Field(default_factory=list)
    """Publishers."""
    deals: list[Name] = Field(default_factory=list)
    """Buy only inside these deals."""


class Rates(Part):
    """Predicted rates the bids use: what the buyer believes, not the truth."""

    ctr: Share = 0.001
    """Predicted click rate."""
    cvr: Share = 0.0001
    """Predicted purchase rate per impression."""
    learned: bool = False
    """Update both per slot from the campaign's own feedback at every tick."""
    prior_impressions: Positive = 2000.0
    """How many impressions the predictions above are worth when learning."""
    method: Literal["counts", "pooled", "model"] = "counts"
    """counts: each slot by itself; pooled: slots share by empirical Bayes; model: every impression by its features."""
    explore: bool = False
    """Bid on a draw from what is known of the rate, not on its mean (Thompson sampling); with method model."""
    delay_h: Annotated[float, Field(ge=0.01, le=10_000)] = 24.0
    """Mean time from an ad to its purchase, as the buyer believes; learned too, with pooled and model (hours)."""


class Campaign(Part):
    """One campaign."""

    product: Name | None = None
    """What it advertises; missing: nothing that people buy (textbook worlds)."""
    seat: Name | None = None
    """Whose campaign it is: `seats` says what it may buy; in a tournament seats bid against each other.
    Missing: a seat of the campaign's own name."""
    start: LocalTime | None = None
    """First moment it may bid (local time); missing: the scenario's start."""
    end: LocalTime | None = None
    """Moment it stops (local time); missing: the scenario's end."""
    budget: Budget
    """Hard limits on spend."""
    pacing: Pacing = "asap"
    """asap: as fast as the limits allow; even: never ahead of a straight line from start to end; or by price."""
    goal: Goal
    """What it wants and what that is worth."""
    bid: Bid = TruthfulBid(kind="truthful")
    """How worth becomes a bid."""
    strategy: Annotated[str, Field(pattern=r"^[^:]+\.py:[A-Za-z_][A-Za-z0-9_]*$")] | None = None
    """Your own bid instead, as file.py:function (see strategies.md); of `bid` only `max` holds then."""
    strategy_source: Annotated[str, Field(min_length=1, max_length=1_000_000)] | None = None
    """Text of that file; missing: read when the scenario is loaded, so that a run's scenario.yaml carries it."""
    rates: Rates = Rates()
    """Predicted click and purchase rates."""
    worth_by_frequency: list[Annotated[float, Field(ge=0, le=100)]] = Field(default_factory=list, max_length=100)
    """Factor on the worth by number of ads of the product the person has seen: [first, second, ...]; the last holds."""
    target: Target = Target()
    """Where it may buy."""
    caps: list[Cap] = Field(default_factory=list, max_length=8)
    """Frequency caps; all of them hold at once."""
    creatives: dict[Name, Creative] = Field(default_factory=dict)
    """Its ads by name; missing: made-up ones of every kind that fit any size and length."""
    ad: AdTraits = AdTraits()
    """What is about its ads that sellers may refuse."""
    brand_safety: BrandSafety = BrandSafety()
    """Which pages it refuses."""
    pays: Literal["impression", "viewable"] = "impression"
    """For every impression, or only for those that could be viewed."""
    lookback_days: NonNegative = 7.0
    """A purchase counts as the campaign's when its last exposure is at most this old (days)."""


__all__ = ["Bid", "Budget", "Campaign", "Cap", "Geofence", "Goal", "Rates", "SegmentRule", "Target"]
