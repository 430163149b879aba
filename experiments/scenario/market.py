"""The market of a scenario: people, places, products, rivals, traffic, the auction and the wire."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Discriminator, Field, Tag, model_validator

from dmp.rules import Rule
from experiments.scenario.parts import (
    Distribution,
    Format,
    Name,
    NonNegative,
    Part,
    Positive,
    Share,
)


class Place(Part):
    """Where people live: a share of them, spread evenly over a disc."""

    share: Positive
    """Weight of this place among all places (normalised)."""
    lat: Annotated[float, Field(ge=-90, le=90)] = 0.0
    """Latitude of the centre (degrees)."""
    lon: Annotated[float, Field(ge=-180, le=180)] = 0.0
    """Longitude of the centre (degrees)."""
    radius_km: NonNegative = 20.0
    """Radius of the disc people are spread over (km)."""


class Reaction(Part):
    """What people make of the ads of the scenario's campaigns: each annoys, narrowly aimed ones more."""

    tolerance: Positive = 20.0
    """Annoyance at which an ad does half of what it would; an ad to everybody adds 1."""
    half_life_h: Positive = 72.0
    """Hours after which half of the annoyance is forgotten."""
    creep: NonNegative = 1.0
    """What an ad adds for each factor of ten by which its segments are narrower than everybody."""
    opt_out: NonNegative = 0.0005
    """Probability, per unit of annoyance, that whoever has just seen an ad withdraws consent."""


class People(Part):
    """The people who see the ads."""

    count: Annotated[int, Field(ge=1, le=50_000_000)]
    """How many people there are."""
    activity_skew: Annotated[float, Field(ge=1, le=10)] = 1.0
    """1: everyone sees equally many pages; larger: a few see most of them (request person = count * u ** skew)."""
    consent_share: Share = 1.0
    """Share of people who consent to being recognised."""
    interests: dict[Name, Share] = Field(default_factory=dict, max_length=64)
    """Share of people who hold each interest (independently)."""
    cookies: Annotated[float, Field(ge=1, le=20)] = 1.0
    """Mean number of cookies per person (at least one, geometric); a request shows one of them. Needs `audience`."""
    household: Annotated[float, Field(ge=1, le=20)] = 1.0
    """Mean number of people per household (geometric); they live at one address. Needs `audience`."""
    reaction: Reaction | None = None
    """What annoys people, and what follows; none: nobody minds."""
    interest_half_life_days: Positive | None = None
    """Days after which half of the people's interests have been drawn anew: what makes old data wrong. None: never."""


class Segment(Part):
    """An audience segment: an interest seen through noise, or, with `audience`, a rule over what the sources told."""

    interest: Name | None = None
    """The interest it tries to find; or give a rule."""
    rule: Rule | None = None
    """Who is in, from the sources' tags, events and other segments; needs `audience`."""
    ttl_days: Positive | None = None
    """With a rule: evidence older than this no longer counts (days)."""
    recall: Share = 1.0
    """Share of the people with the interest who are in the segment."""
    precision: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Share of the segment's members who really hold the interest."""

    @model_validator(mode="after")
    def _one(self) -> Segment:
        if (self.interest is None) == (self.rule is None):
            raise ValueError("give either an interest or a rule")
        if self.rule is not None and (self.recall, self.precision) != (1.0, 1.0):
            raise ValueError("recall and precision belong to the sources of a rule; write them under audience.sources")
        if self.interest is not None and self.ttl_days is not None:
            raise ValueError("ttl_days belongs to a rule; leave it out")
        return self


class InMarket(Part):
    """When a person can be won: one window per cycle, its start differing from person to person."""

    cycle_days: Positive
    """Length of one cycle (days), for example 365 for a yearly renewal."""
    window_days: Positive
    """Length of the window in which the person decides (days)."""

    @model_validator(mode="after")
    def _fits(self) -> InMarket:
        if self.window_days > self.cycle_days:
            raise ValueError(f"window_days ({self.window_days:g}) must not exceed cycle_days ({self.cycle_days:g})")
        return self


class Effect(Part):
    """The truth of what one exposure does: never shown to the bidder."""

    ctr: Share = 0.001
    """Probability that a fresh exposure to a fitting person is clicked."""
    conversion: Share = 0.0
    """Probability that a fresh exposure to a fitting person in the market causes a purchase; 0: the ads do nothing."""
    off_interest: Share = 1.0
    """Multiplier for people without the product's interest."""
    off_window: Share = 1.0
    """Multiplier outside the person's in-market window."""
    formats: dict[Format, NonNegative] = Field(default_factory=dict)
    """Multiplier per format (missing: 1)."""
    half_life_h: Positive = 72.0
    """Hours after which half of an earlier exposure is forgotten (adstock)."""
    saturation: Positive = 4.0
    """Remembered exposures at which the next one is worth half of the first."""
    delay_h: NonNegative = 12.0
    """Mean delay from exposure to purchase (hours, exponential)."""


class Product(Part):
    """Something people buy, with or without advertising."""

    interest: Name | None = None
    """The interest that makes a person fit; none: everyone fits."""
    category: Name | None = None
    """What it competes in: a page that keeps categories apart shows one ad of each (missing: with nobody)."""
    value: NonNegative = 0.0
    """Mean value of a purchase (currency)."""
    value_sigma: NonNegative = 0.0
    """Spread of a customer's value over people (standard deviation of the logarithm; the mean stays `value`)."""
    margin: Share = 1.0
    """Share of the value that is profit before advertising."""
    organic_per_1000_people_per_day: NonNegative = 0.0
    """Purchases without any advertising, per thousand fitting people in the market and day."""
    in_market: InMarket | None = None
    """When each person decides; none: always."""
    effect: Effect = Effect()
    """What advertising causes."""


class _Competitors(Part):
    """Whose ads rivals show."""

    categories: dict[Name, Share] = Field(default_factory=dict, max_length=64)
    """Share of their ads in each category (`products.*.category`), drawn for each bid; the rest compete with nobody."""

    @model_validator(mode="after")
    def _all(self) -> Self:
        if sum(self.categories.values()) > 1.0 + 1e-9:
            raise ValueError(f"categories: the shares add up to {sum(self.categories.values()):g}; to 1 at most")
        return self


class IndependentRivals(_Competitors):
    """A fixed number of rival bidders, each drawing its bid from the same distribution."""

    kind: Literal["independent"]
    count: Annotated[int, Field(ge=1, le=10_000)]
    """How many rivals bid on every request; on a page each is an advertiser of its own."""
    price: Distribution
    """The distribution of one rival's bid (CPM)."""


class HighestRival(_Competitors):
    """The highest rival bid as one distribution, as bid logs record it."""

    kind: Literal["highest"]
    price: Distribution
    """The distribution of the highest rival bid (CPM)."""


class NoRivals(Part):
    """Nobody else bids."""

    kind: Literal["none"]


Rivals = Annotated[IndependentRivals | HighestRival | NoRivals, Field(discriminator="kind")]


def _hours_form(value: object) -> str:
    return "weights" if isinstance(value, list) else "shape"


HourlyShape = Literal["flat", "diurnal"]
Hours = Annotated[
    Annotated[HourlyShape, Tag("shape")] | Annotated[list[NonNegative], Tag("weights")], Discriminator(_hours_form)
]


class Traffic(Part):
    """How requests arrive: a Poisson process whose rate follows the hour of the week."""

    requests_per_day: Annotated[float, Field(gt=0, le=1e9)]
    """Mean number of requests per day over a whole week; a view of a page with several slots counts once."""
    hours: Hours = "flat"
    """Shape over the week: flat, the built-in diurnal shape, or 168 weights beginning Monday 00:00."""
    hours_file: str | None = None
    """CSV file `dow,hour,share` (Monday = 0) instead of `hours`, relative to the scenario file."""

    @model_validator(mode="after")
    def _week(self) -> Traffic:
        if isinstance(self.hours, list) and (len(self.hours) != 168 or sum(self.hours) <= 0):
            raise ValueError(f"hours must list 168 weights, not all zero (Monday 00:00 first), not {len(self.hours)}")
        return self


class Auction(Part):
    """The rules of the auction."""

    kind: Literal["first_price", "second_price"] = "first_price"
    """What the winner pays: its own bid, or the larger of the floor and the best rival bid."""
    tie: Literal["rival", "bidder", "coin"] = "rival"
    """Who wins when our bid equals the best rival bid."""
    min_to_win: Literal["nobody", "losers", "winners", "everybody"] = "nobody"
    """Who is told the least bid that would have won, in loss and billing notices; learned win curves use it."""


class ConstantDelay(Part):
    """The same delay for every message."""

    kind: Literal["constant"]
    ms: NonNegative
    """Delay (ms)."""


class LognormalDelay(Part):
    """A lognormal delay: mostly short, sometimes long."""

    kind: Literal["lognormal"]
    median_ms: Positive
    """Median delay (ms)."""
    sigma: NonNegative
    """Standard deviation of the logarithm."""


class EmpiricalDelay(Part):
    """Delays drawn from measured ones."""

    kind: Literal["empirical"]
    values_ms: Annotated[list[NonNegative], Field(min_length=1)]
    """Measured delays (ms), each equally likely."""


Delay = Annotated[ConstantDelay | LognormalDelay | EmpiricalDelay, Field(discriminator="kind")]
_NO_DELAY = ConstantDelay(kind="constant", ms=0.0)


class Wire(Part):
    """The wire between exchange and bidder; only the `events` driver has one."""

    tmax_ms: Positive = 100.0
    """Time the exchange waits for an answer (ms)."""
    request_delay: Delay = _NO_DELAY
    """Delay of the request on its way to the bidder."""
    response_delay: Delay = _NO_DELAY
    """Delay of the answer on its way back."""
    notice_delay: Delay = _NO_DELAY
    """Delay of win, loss and conversion notices."""
    lost_notices: Share = 0.0
    """Share of win and loss notices that never arrive."""
    duplicated_notices: Share = 0.0
    """Share of win and loss notices that arrive twice."""
    reservation_s: Positive = 60.0
    """How long an unanswered bid holds its budget before it is released (s)."""
