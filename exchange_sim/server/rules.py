"""What an exchange is told before it opens: its rules, whom it asks, and what it knows of places to sell.

Prices in int64 nanos per impression, times in s.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True)
class BidderAddress:
    """A bidder this exchange asks."""

    name: str
    """The seat its bids are passed on under; pages ask for it by this name."""
    url: str
    pack: bool = False
    """Whether requests to it are sent as gzip."""


@dataclass(frozen=True)
class FloorRule:
    """A floor for some impressions; what is None does not matter."""

    floor_nanos: int
    publishers: frozenset[str] | None = None
    """Ids."""
    placements: frozenset[str] | None = None
    """Names as in `Rules.placements`."""
    formats: frozenset[str] | None = None
    """Of banner, video, native and audio: an impression that could also be sold as something else is another."""
    places: frozenset[str] | None = None
    """Countries, regions or cities as `device.geo` has them."""
    hours: frozenset[int] | None = None
    """Of the week, Monday 00:00 UTC = 0."""


@dataclass(frozen=True)
class Seller:
    """What one publisher does not want to show."""

    blocked_advertisers: tuple[str, ...] = ()
    blocked_categories: tuple[str, ...] = ()


@dataclass(frozen=True)
class Rules:
    """The rules of every auction here."""

    currency: str
    bidders: tuple[BidderAddress, ...]
    at: int = 1
    """Auction type of requests that say none (`openrtb.codes.AuctionType`)."""
    increment_nanos: int = 0
    """What a second-price winner pays above the second bid."""
    floor_nanos: int = 0
    """Lowest price of an impression whose request has a lower floor or none."""
    floor_rules: tuple[FloorRule, ...] = ()
    """The first that fits stands in for `floor_nanos`."""
    sellers: Mapping[str, Seller] = field(default_factory=dict)
    """By publisher id."""
    tmax_s: float = 0.3
    """Time to answer of requests that say none, and the longest a page may ask for."""
    network_s: float = 0.01
    """Part of the time that the way back to the page needs."""
    deals_first: bool = True
    billing: Literal["answer", "render"] = "answer"
    """When `burl` is called: as the answer leaves, or when the page says that the ad is shown."""
    render_within_s: float = 3600.0
    """How long a page may take to show an ad that is billed when it is."""
    blocked_advertisers: tuple[str, ...] = ()
    blocked_categories: tuple[str, ...] = ()
    defaults: Mapping[str, Any] = field(default_factory=dict)
    """Parts of a request that fill in what a page does not say."""
    placements: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """The same for impressions, by `tagid`, `ext.gpid`, ad unit code or id."""
