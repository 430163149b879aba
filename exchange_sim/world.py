"""The world: every array the market and its truth need, in one NamedTuple that compiled code takes whole.

Money in int64 nanos per impression, time in seconds since the scenario's start. Nothing in here ever reaches a bidder
except through `opportunity` fields a request would carry and outcomes an advertiser would see.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from exchange_sim.reaction import Reaction
from exchange_sim.selling.rules import Pages, Selling
from exchange_sim.verification.rules import Verification

Format = Literal["display", "mobile", "video", "native", "audio"]
FORMATS: tuple[Format, ...] = ("display", "mobile", "video", "native", "audio")
DEVICES: tuple[Literal["desktop", "mobile", "tablet", "tv"], ...] = ("desktop", "mobile", "tablet", "tv")

FIRST_PRICE, SECOND_PRICE = 0, 1
TIE_RIVAL, TIE_BIDDER, TIE_COIN = 0, 1, 2
TELLS_LOSERS, TELLS_WINNERS = 1, 2
"""Bits of `World.tells`."""

SLOT = np.dtype(
    [
        ("publisher_ix", "i4"),
        ("format_ix", "i4"),
        ("rivals_ix", "i4"),
        ("deal_ix", "i4"),  # -1: none
        ("floor_nanos", "i8"),
        ("deal_floor_nanos", "i8"),
        ("alias_share", "f8"),  # Walker's alias method: keep this slot with that probability, else take alias_ix
        ("alias_ix", "i4"),
        ("rules", "i4"),  # 0: one floor and at most one deal, as above, and plain auctions; 1: what follows holds
        ("deals_first", "i4"),  # its deals are slot_deals[deals_first : deals_first + deals_count]
        ("deals_count", "i4"),
        ("reserve_ix", "i4"),  # -1: no learned floor
        ("network_slot_ix", "i4"),  # what a share of its impressions is resold as
        ("network_share", "f8"),
        ("rival_scale", "f8"),  # rivals who cannot see what they buy bid less
    ],
    align=True,
)

HOME = np.dtype([("lat", "f4"), ("lon", "f4"), ("place_ix", "i2"), ("consent", "i2")], align=True)

PLACE_DTYPE = np.dtype([("cumulative_share", "f8"), ("lat", "f8"), ("lon", "f8"), ("radius_km", "f8")], align=True)

NO_RIVALS, HIGHEST, INDEPENDENT = 0, 1, 2
RIVALS = np.dtype(
    [
        ("kind", "i4"),
        ("count", "i4"),
        ("distribution_ix", "i4"),
        ("first_advertiser", "i4"),  # its rivals are the advertisers from this number on
        ("categories", "i4"),  # entries used in the row of the tables with their cumulative shares; 0: of none
        ("category_row", "i4"),
    ],
    align=True,
)

PRODUCT = np.dtype(
    [
        ("key", "u8"),
        ("interest_ix", "i4"),  # -1: everyone fits
        ("value_nanos", "f8"),
        ("value_sigma", "f8"),
        ("organic_per_s", "f8"),  # candidates per second over all people
        ("cycle_s", "f8"),  # 0: always in the market
        ("window_s", "f8"),
        ("ctr", "f8"),
        ("conversion", "f8"),
        ("off_interest", "f8"),
        ("off_window", "f8"),
        ("half_life_s", "f8"),
        ("saturation", "f8"),
        ("delay_s", "f8"),
    ],
    align=True,
)

OPPORTUNITY = np.dtype(
    [
        ("auction_ix", "i8"),
        ("key", "u8"),  # every further draw about this auction comes from it
        ("time_s", "f8"),
        ("person_ix", "i8"),
        ("cookie_ix", "i8"),  # under which name the request shows the person
        ("buyer_ix", "i8"),  # the same as the buyer numbers it: written by the driver
        ("lat", "f8"),
        ("lon", "f8"),
        ("slot_ix", "i4"),
        ("place_ix", "i4"),
        ("device_ix", "i4"),
        ("consent", "i4"),
    ],
    align=True,
)


class World(NamedTuple):
    """A market. S slots, P people, K groups of rivals, G products, D distributions."""

    seed_key: np.uint64
    people_count: int
    activity_skew: float
    with_position: int
    """1: requests carry the person's position."""
    auction_kind: int
    tie: int
    tells: int
    """Which bidders the exchange tells the least bid that would have won, as bits."""
    start_of_day_s: int
    start_hour: int
    rate_per_s: NDArray[np.float64]
    """float64[168]: mean requests per second in each hour of the week."""
    slots: NDArray[np.void]
    """SLOT[S]."""
    device_shares: NDArray[np.float64]
    """float64[S, 4]: cumulative shares of the devices."""
    homes: NDArray[np.void]
    """HOME[P]: where each person lives and whether they may be recognised."""
    interests: NDArray[np.uint64]
    """uint64[P]: bit j: the person holds interest j."""
    cookies: NDArray[np.int64]
    """int64[P + 1]: each person's first cookie; int64[0]: everybody has one, of the person's number."""
    heads: NDArray[np.int64]
    """int64[P]: the first person of each person's household; int64[0] like `cookies`."""
    rivals: NDArray[np.void]
    """RIVALS[K]."""
    rival_knots: NDArray[np.float64]
    """float64[K, KNOTS + 1]: see `exchange_sim.rivals`."""
    distributions: NDArray[np.void]
    """DISTRIBUTION[D]; prices in nanos per impression."""
    tables: NDArray[np.float64]
    products: NDArray[np.void]
    """PRODUCT[G]."""
    format_effects: NDArray[np.float64]
    """float64[G, 3]: multiplier of each format."""
    campaign_products: NDArray[np.int64]
    """int64[C]: what each campaign advertises; -1: nothing."""
    signal_keys: NDArray[np.uint64]
    """uint64[V]: keys of the private values campaigns see."""
    signal_distributions: NDArray[np.int64]
    """int64[V]: which distribution each private value comes from."""
    stock: NDArray[np.float32]
    """float32[P, G, 2]: remembered exposures, and when last brought up to date (s) (changes)."""
    selling: Selling
    """The sellers' rules; some of it changes."""
    pages: Pages
    """Slots seen together; what the view at hand shows changes."""
    verification: Verification
    """What may be shown where, and who is not a person; its counts change."""
    reaction: Reaction
    """What people make of the ads they see."""
