"""The lines of a capture, see `bidder.server.capture`. Times in s, prices of decisions in CPM, all else in nanos."""

from __future__ import annotations

from msgspec import Struct

from bidder.tally import Spend
from openrtb.messages import BidRequest
from openrtb.notices import Billing, Click, Conversion, Loss

FORMAT = 1


class Start(Struct, frozen=True):
    """What a book began with, where that is not a fresh one: everything earlier notices had come to."""

    image: bytes
    """A `bidder.image.Image`, encoded; campaigns by position."""
    rows: dict[str, list[float]]
    """Where pacing stood: fields of the campaigns' rows."""
    paused: list[int]
    """Positions of campaigns that were paused."""
    bid_prefix: str
    """What the ids of the bids begin with."""


class People(Struct, frozen=True):
    """The audience a capture began with."""

    segments: list[str]
    rows: int
    words: int
    """Of 64 bits in each row."""


class Header(Struct, frozen=True, tag="header", omit_defaults=True):
    """What a fresh desk is made from: the resolved scenario, as text, and our number in the vendor list."""

    scenario_yaml: str
    vendor_id: int | None = None
    format: int = FORMAT
    start: Start | None = None
    people: People | None = None
    """None: the scenario's own."""


class Decision(Struct, frozen=True, array_like=True):
    """One bid without its addresses and markup (price in CPM)."""

    bid_id: str
    imp_id: str
    price: float
    campaign_id: str | None
    creative_id: str | None
    deal_id: str | None
    mtype: int | None
    w: int | None
    h: int | None


class Asked(Struct, frozen=True, tag="bid", omit_defaults=True):
    """A request and its answer."""

    clock: list[float]
    request: BidRequest
    bids: list[Decision]
    nbr: int | None
    person_ix: int = -1
    """Row of its person, where there is an audience."""


class Told(Struct, frozen=True, tag="notice", omit_defaults=True):
    """A notice and what it did (`bidder.desk.Heard`)."""

    clock: list[float]
    notice: Billing | Loss | Click | Conversion
    heard: int
    person_ix: int = -1


class Ticked(Struct, frozen=True, tag="tick"):
    """A control interval's tick."""

    clock: list[float]


class Expired(Struct, frozen=True, tag="expire"):
    """Reservations given up by a timer."""

    now_s: float


class Bounds(Struct, frozen=True, tag="bounds"):
    """What may be committed from here on (nanos by campaign), and up to when reservations may be given up; changed by
    the accounts."""

    total_nanos: list[int]
    horizon_s: float | None
    """None: no bound."""
    people: int | None = None
    """How many people the book has room for; None: as many as before."""


class Known(Struct, frozen=True, tag="person"):
    """What is known of a person from here on: a row of segment bits."""

    person_ix: int
    bits: list[int]


class Renewed(Struct, frozen=True, tag="audience"):
    """A newer version of the audience: its rows, and what is now known of everybody told of so far."""

    rows: int
    known: list[Known]


class Billed(Struct, frozen=True, tag="billed"):
    """A billing the accounts have accepted."""

    bid_id: str
    spend: Spend
    heard_s: float
    on_time: bool
    to_beat_nanos: int = 0


class Clicked(Struct, frozen=True, tag="clicked"):
    """A click the accounts have accepted."""

    campaign_ix: int
    person_ix: int
    touch: int
    shown_s: float


class Bought(Struct, frozen=True, tag="bought"):
    """A purchase the accounts have accepted, and the campaign credited."""

    product_ix: int
    person_ix: int
    value_nanos: int
    heard_s: float
    campaign_ix: int


class GivenUp(Struct, frozen=True, tag="given_up"):
    """A bid that holds nothing any more."""

    bid_id: str
    to_beat_nanos: int = 0


class End(Struct, frozen=True, tag="end"):
    """The service's end: a digest of the book."""

    book: str


Line = Header | Asked | Told | Ticked | Expired | Bounds | Billed | Clicked | Bought | GivenUp | Known | Renewed | End
