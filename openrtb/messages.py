"""OpenRTB 2.6 requests and responses as typed structs: the fields this project uses, under the specification's names.

Prices are CPM in `cur` as floats (see `openrtb.money`), times ms. Fields not named here are ignored when a message is
decoded. Structs are frozen, so that parts of a request that never change can be shared by all requests.
"""

from __future__ import annotations

from msgspec import Struct


class Format(Struct, frozen=True, omit_defaults=True, gc=False):
    """A size a banner may have (pixels)."""

    w: int | None = None
    h: int | None = None


class Banner(Struct, frozen=True, omit_defaults=True, gc=False):
    """A display ad's room (pixels)."""

    w: int | None = None
    h: int | None = None
    format: list[Format] | None = None


class Video(Struct, frozen=True, omit_defaults=True, gc=False):
    """A video ad's room (pixels) and what plays in it."""

    mimes: list[str] = []
    minduration: int = 0
    maxduration: int | None = None
    protocols: list[int] | None = None
    w: int | None = None
    h: int | None = None


class Deal(Struct, frozen=True, omit_defaults=True, gc=False):
    """A private agreement the impression may be bought under (floor in CPM)."""

    id: str
    bidfloor: float = 0.0
    bidfloorcur: str = "USD"
    at: int | None = None


class Pmp(Struct, frozen=True, omit_defaults=True, gc=False):
    """The private marketplace: its deals, and whether (1) nobody else may bid."""

    private_auction: int = 0
    deals: list[Deal] = []


class ImpExt(Struct, frozen=True, omit_defaults=True, gc=False):
    """This project's additions to an impression."""

    format: str | None = None
    """What the seller calls the slot: display, mobile or video."""
    values_nanos: list[int] | None = None
    """Private values of the impression to the campaigns that have one (textbook auctions), nanos."""


class Imp(Struct, frozen=True, omit_defaults=True, gc=False):
    """One impression on offer (floor in CPM)."""

    id: str
    banner: Banner | None = None
    video: Video | None = None
    pmp: Pmp | None = None
    tagid: str | None = None
    bidfloor: float = 0.0
    bidfloorcur: str = "USD"
    secure: int | None = None
    ext: ImpExt | None = None


class Publisher(Struct, frozen=True, omit_defaults=True, gc=False):
    """Who sells."""

    id: str | None = None
    name: str | None = None
    domain: str | None = None


class Site(Struct, frozen=True, omit_defaults=True, gc=False):
    """The web site the ad is shown on."""

    id: str | None = None
    name: str | None = None
    domain: str | None = None
    page: str | None = None
    publisher: Publisher | None = None


class App(Struct, frozen=True, omit_defaults=True, gc=False):
    """The app the ad is shown in."""

    id: str | None = None
    name: str | None = None
    bundle: str | None = None
    domain: str | None = None
    publisher: Publisher | None = None


class Geo(Struct, frozen=True, omit_defaults=True, gc=False):
    """Where: degrees, and a place by name."""

    lat: float | None = None
    lon: float | None = None
    type: int | None = None
    country: str | None = None
    city: str | None = None


class Device(Struct, frozen=True, omit_defaults=True, gc=False):
    """What the ad is shown on."""

    devicetype: int | None = None
    geo: Geo | None = None
    ua: str | None = None
    ip: str | None = None
    ifa: str | None = None
    lmt: int | None = None


class User(Struct, frozen=True, omit_defaults=True, gc=False):
    """Who sees it, by the exchange's or the buyer's identifier."""

    id: str | None = None
    buyeruid: str | None = None
    consent: str | None = None


class Regs(Struct, frozen=True, omit_defaults=True, gc=False):
    """Rules the request is under."""

    coppa: int | None = None
    gdpr: int | None = None


class BidRequest(Struct, frozen=True, omit_defaults=True, gc=False):
    """An impression opportunity offered to bidders."""

    id: str
    imp: list[Imp] = []
    site: Site | None = None
    app: App | None = None
    device: Device | None = None
    user: User | None = None
    at: int = 2
    tmax: int | None = None
    cur: list[str] | None = None
    regs: Regs | None = None


class Bid(Struct, frozen=True, omit_defaults=True, gc=False):
    """An offer for one impression (price in CPM)."""

    id: str
    impid: str
    price: float
    cid: str | None = None
    crid: str | None = None
    dealid: str | None = None
    adomain: list[str] | None = None


class SeatBid(Struct, frozen=True, omit_defaults=True, gc=False):
    """Bids made for one buyer."""

    bid: list[Bid]
    seat: str | None = None


class BidResponse(Struct, frozen=True, omit_defaults=True, gc=False):
    """A bidder's answer; `nbr` says why there is no bid."""

    id: str
    seatbid: list[SeatBid] = []
    cur: str = "USD"
    nbr: int | None = None
