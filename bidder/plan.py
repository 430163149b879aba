"""What a media plan tells the bidder, in the bidder's own terms: nanos, seconds, names.

The directory is what a bidder knows of the market before the first request: the names it may meet, in a fixed order.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from bidder.strategy import StrategyPlan


@dataclass(frozen=True, slots=True)
class Directory:
    """Names of everything an impression can refer to; the position of a name is its index."""

    publishers: tuple[str, ...]
    slots: tuple[str, ...]
    """As publisher/slot."""
    places: tuple[str, ...]
    deals: tuple[str, ...]
    segments: tuple[str, ...]
    products: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CapPlan:
    """At most *limit* exposures per person in *window_s* seconds."""

    limit: int
    window_s: float
    sliding: bool
    scope: Literal["campaign", "product", "all"] = "campaign"
    """Whose exposures count: the campaign's, those of its product's campaigns, those of all campaigns."""


@dataclass(frozen=True, slots=True)
class BidPlan:
    """A bidding rule and its parameters, see `bidder.core.bids` (money in nanos per impression).

    constant: a the bid; truthful: a the factor; linear: a the bid at rate b; mcpc: a the cost per click; ortb1, ortb2:
    a the win curve's constant, b lambda (rate per nano); shaded_lognormal: a and b mean and standard deviation of the
    logarithm of the highest rival's nanos; shaded_uniform: the highest of b rivals, each uniform up to a; random:
    uniform from a to b.
    """

    kind: Literal[
        "constant", "truthful", "linear", "mcpc", "ortb1", "ortb2", "shaded_lognormal", "shaded_uniform", "random"
    ]
    a: float
    b: float = 0.0
    max_nanos: int | None = None
    strategy: StrategyPlan | None = None
    """A user's own function instead of the rule; *max_nanos* holds for it too."""
    learned: bool = False
    """shaded_lognormal: a and b are where learning begins, see `bidder.core.curves`."""


@dataclass(frozen=True, slots=True)
class PacePlan:
    """How a campaign spreads its budget, see `bidder.core.budgets` (even) and `bidder.core.pacing` (the others)."""

    kind: Literal["asap", "even", "adaptive", "multiplicative", "pid", "ecpc", "throttled"] = "asap"
    start: float = 0.0
    """First mu; of pid, first multiplier; of throttled, first share."""
    highest: float = 1.0
    """Highest mu; of pid, highest multiplier."""
    step_per_nano: float = 0.0
    auctions: float = 0.0
    """Auctions the budget is planned for; 0: estimated at every tick."""
    gains: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """kp, ki, kd of pid and ecpc."""
    target: float = 0.0
    """Adaptive: cost allowed per unit of worth bought, 0: no such target; ecpc: nanos per click or purchase."""
    target_step: float = 0.05
    """How far the shadow price of that target moves per tick at most."""
    shape: tuple[float, ...] = ()
    """Weights of the 168 hours of a week, Monday 00:00 first; empty: every moment weighs the same."""


@dataclass(frozen=True, slots=True)
class TargetPlan:
    """Where a campaign may buy, by name; empty means anywhere."""

    formats: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    hours: tuple[int, ...] = ()
    places: tuple[str, ...] = ()
    publishers: tuple[str, ...] = ()
    deals: tuple[str, ...] = ()
    any_segments: tuple[str, ...] = ()
    all_segments: tuple[str, ...] = ()
    none_segments: tuple[str, ...] = ()
    fence: tuple[float, float, float] | None = None
    """Latitude, longitude (degrees) and radius (km)."""


@dataclass(frozen=True, slots=True)
class CreativePlan:
    """One ad of a campaign: what the wire says about it, and what its markup is written from (`bidder.markup`)."""

    creative_id: str
    kind: Literal["banner", "video", "native", "audio"]
    brand: str
    click_url: str
    """Where a click leads."""
    domains: tuple[str, ...]
    """`adomain`: domains of the advertiser, the first one the landing page's."""
    size: tuple[int, int] | None = None
    """Width and height in pixels; None: it is drawn to the size asked for."""
    duration_s: int | None = None
    """Of video and audio; None: cut to what is asked for."""
    categories: tuple[str, ...] = ()
    category_taxonomy: int = 1
    """`cattax` of *categories*: 1 the IAB Content Taxonomy 1.0."""
    attributes: tuple[int, ...] = ()
    """Creative attributes of AdCOM 1.0, which sellers block by `battr`."""
    secure: bool = True
    """Whether everything it loads comes over https."""
    bundle: str | None = None
    """The app it advertises, which sellers block by `bapp`."""
    title: str = ""
    text: str = ""
    call: str = "Find out more"
    """What the button says."""
    image_url: str | None = None
    """None: a drawn one that loads nothing."""
    media_url: str | None = None
    """The video or audio file."""
    mime: str = ""
    """Type of that file; of banners and native ads not asked for."""


@dataclass(frozen=True, slots=True)
class CampaignPlan:
    """One campaign as the bidder runs it."""

    campaign_id: str
    total_nanos: int
    start_s: float
    end_s: float
    goal: Literal["cpm", "cpc", "cpa", "private", "roas"]
    bid: BidPlan
    goal_value_nanos: float = 0.0
    """Worth of one impression, click or purchase; roas: believed value of a purchase divided by the target."""
    roas_target: float = 1.0
    """Value of purchases wanted per unit of spend."""
    signal_ix: int = -1
    daily_nanos: int | None = None
    pacing: PacePlan = PacePlan()
    product: str | None = None
    ctr: float = 0.0
    cvr: float = 0.0
    learned: bool = False
    prior_impressions: float = 1.0
    method: Literal["counts", "pooled", "model"] = "counts"
    """How rates are learned, see `bidder.core.pricing`, `bidder.core.pooling` and `bidder.core.rates`."""
    explores: bool = False
    """Bids on a draw from what is known of the rate (Thompson sampling); with a model only."""
    delay_s: float = 86400.0
    """Mean time from an ad to the purchase, as the buyer believes; learned with `pooled` and `model`."""
    worth_by_frequency: tuple[float, ...] = ()
    """Factor on the worth by number of earlier exposures to the product's ads; empty: 1."""
    lookback_s: float = 0.0
    target: TargetPlan = field(default_factory=TargetPlan)
    caps: tuple[CapPlan, ...] = ()
    creatives: tuple[CreativePlan, ...] = ()
    """Its ads; none: one made-up ad of each kind, see `bidder.creatives.made_up`."""

    @property
    def needs_person(self) -> bool:
        """Whether it can only bid for people it recognises: audiences, caps and discs on the map need that."""
        target = self.target
        rules = target.any_segments or target.all_segments or target.none_segments
        return bool(rules or self.caps or target.fence)
