"""OpenRTB 2.6 requests and responses as typed structs: the fields this project uses or checks, by their own names.

Prices are CPM in `cur` as floats (see `openrtb.money`), times ms. Fields not named here are ignored when a message is
decoded; codes are plain integers, so that unknown ones pass. Structs are frozen, so that parts of a request that never
change can be shared by all requests. Where 2.5 kept a field in an `ext`, `openrtb.places` reads both places.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

Integer = Annotated[int, Meta(ge=-(2**53), le=2**53)]
"""Beyond this JSON numbers are not exact, and arrays of int64 are not far away."""
Nanos = Annotated[int, Meta(ge=0, le=2**53)]
_OURS = {"format": "bidlab_format", "values_nanos": "bidlab_values_nanos"}


class Format(Struct, frozen=True, omit_defaults=True, gc=False):
    """A size a banner may have: pixels, or a ratio with the least width."""

    w: Integer | None = None
    h: Integer | None = None
    wratio: Integer | None = None
    hratio: Integer | None = None
    wmin: Integer | None = None


class Banner(Struct, frozen=True, omit_defaults=True, gc=False):
    """A display ad's room (pixels)."""

    w: Integer | None = None
    h: Integer | None = None
    format: list[Format] | None = None
    btype: list[Integer] | None = None
    battr: list[Integer] | None = None
    mimes: list[str] | None = None
    pos: Integer | None = None
    api: list[Integer] | None = None


class Video(Struct, frozen=True, omit_defaults=True, gc=False):
    """A video ad's room (pixels) and what plays in it."""

    mimes: list[str] = []
    minduration: Integer = 0
    maxduration: Integer | None = None
    protocols: list[Integer] | None = None
    w: Integer | None = None
    h: Integer | None = None
    startdelay: Integer | None = None
    placement: Integer | None = None
    plcmt: Integer | None = None
    linearity: Integer | None = None
    skip: Integer | None = None
    minbitrate: Integer | None = None
    maxbitrate: Integer | None = None
    battr: list[Integer] | None = None
    playbackmethod: list[Integer] | None = None
    delivery: list[Integer] | None = None
    api: list[Integer] | None = None
    rqddurs: list[Integer] | None = None
    podid: str | None = None
    slotinpod: Integer | None = None


class Audio(Struct, frozen=True, omit_defaults=True, gc=False):
    """An audio ad's room and what plays in it (seconds)."""

    mimes: list[str] = []
    minduration: Integer = 0
    maxduration: Integer | None = None
    protocols: list[Integer] | None = None
    battr: list[Integer] | None = None
    api: list[Integer] | None = None
    rqddurs: list[Integer] | None = None


class Native(Struct, frozen=True, omit_defaults=True, gc=False):
    """A native ad's room: a request of its own as JSON text, see `openrtb.native`."""

    request: str | None = None
    ver: str | None = None
    api: list[Integer] | None = None
    battr: list[Integer] | None = None


class Deal(Struct, frozen=True, omit_defaults=True, gc=False):
    """A private agreement the impression may be bought under (floor in CPM)."""

    id: str
    bidfloor: float = 0.0
    bidfloorcur: str = "USD"
    at: Integer | None = None
    wseat: list[str] | None = None
    wadomain: list[str] | None = None


class Pmp(Struct, frozen=True, omit_defaults=True, gc=False):
    """The private marketplace: its deals, and whether (1) nobody else may bid."""

    private_auction: Integer = 0
    deals: list[Deal] = []


class ImpExt(Struct, frozen=True, omit_defaults=True, gc=False, rename=_OURS):
    """This project's additions to an impression, under names no other vendor uses."""

    format: str | None = None
    """What the seller calls the slot: display, mobile or video."""
    values_nanos: list[Nanos] | None = None
    """Private values of the impression to the campaigns that have one (textbook auctions), nanos."""


class Qty(Struct, frozen=True, omit_defaults=True, gc=False):
    """How many impressions are bought, and billed, as one: people before a screen."""

    multiplier: float = 1.0


class Imp(Struct, frozen=True, omit_defaults=True, gc=False):
    """One impression on offer (floor in CPM)."""

    id: str
    banner: Banner | None = None
    video: Video | None = None
    pmp: Pmp | None = None
    tagid: str | None = None
    bidfloor: float = 0.0
    bidfloorcur: str = "USD"
    secure: Integer | None = None
    ext: ImpExt | None = None
    audio: Audio | None = None
    native: Native | None = None
    instl: Integer | None = None
    exp: Integer | None = None
    qty: Qty | None = None


class Publisher(Struct, frozen=True, omit_defaults=True, gc=False):
    """Who sells."""

    id: str | None = None
    name: str | None = None
    domain: str | None = None
    cat: list[str] | None = None


class Site(Struct, frozen=True, omit_defaults=True, gc=False):
    """The web site the ad is shown on."""

    id: str | None = None
    name: str | None = None
    domain: str | None = None
    page: str | None = None
    publisher: Publisher | None = None
    cat: list[str] | None = None
    ref: str | None = None
    keywords: str | None = None
    mobile: Integer | None = None


class App(Struct, frozen=True, omit_defaults=True, gc=False):
    """The app the ad is shown in."""

    id: str | None = None
    name: str | None = None
    bundle: str | None = None
    domain: str | None = None
    publisher: Publisher | None = None
    storeurl: str | None = None
    ver: str | None = None
    cat: list[str] | None = None
    keywords: str | None = None


class Dooh(Struct, frozen=True, omit_defaults=True, gc=False):
    """The screen in a public place the ad is shown on."""

    id: str | None = None
    name: str | None = None
    domain: str | None = None
    publisher: Publisher | None = None
    keywords: str | None = None


class Geo(Struct, frozen=True, omit_defaults=True, gc=False):
    """Where: degrees, and a place by name."""

    lat: float | None = None
    lon: float | None = None
    type: Integer | None = None
    country: str | None = None
    city: str | None = None
    region: str | None = None
    metro: str | None = None
    zip: str | None = None
    accuracy: Integer | None = None


class Device(Struct, frozen=True, omit_defaults=True, gc=False):
    """What the ad is shown on."""

    devicetype: Integer | None = None
    geo: Geo | None = None
    ua: str | None = None
    ip: str | None = None
    ifa: str | None = None
    lmt: Integer | None = None
    dnt: Integer | None = None
    ipv6: str | None = None
    make: str | None = None
    model: str | None = None
    os: str | None = None
    osv: str | None = None
    language: str | None = None
    carrier: str | None = None
    connectiontype: Integer | None = None
    w: Integer | None = None
    h: Integer | None = None
    pxratio: float | None = None
    js: Integer | None = None


class Uid(Struct, frozen=True, omit_defaults=True, gc=False):
    """An identifier of a person, and what kind of agent it is bound to."""

    id: str | None = None
    atype: Integer | None = None


class Eid(Struct, frozen=True, omit_defaults=True, gc=False):
    """Identifiers of a person from one source."""

    source: str | None = None
    uids: list[Uid] = []


class UserExt(Struct, frozen=True, omit_defaults=True, gc=False):
    """Where 2.5 kept consent and extended identifiers."""

    consent: str | None = None
    eids: list[Eid] | None = None


class User(Struct, frozen=True, omit_defaults=True, gc=False):
    """Who sees it, by the exchange's or the buyer's identifier."""

    id: str | None = None
    buyeruid: str | None = None
    consent: str | None = None
    eids: list[Eid] | None = None
    geo: Geo | None = None
    yob: Integer | None = None
    gender: str | None = None
    keywords: str | None = None
    ext: UserExt | None = None


class RegsExt(Struct, frozen=True, omit_defaults=True, gc=False):
    """Where 2.5 kept what the request is under."""

    gdpr: Integer | None = None
    us_privacy: str | None = None
    gpp: str | None = None
    gpp_sid: list[Integer] | None = None
    coppa: Integer | None = None


class Regs(Struct, frozen=True, omit_defaults=True, gc=False):
    """Rules the request is under."""

    coppa: Integer | None = None
    gdpr: Integer | None = None
    us_privacy: str | None = None
    gpp: str | None = None
    gpp_sid: list[Integer] | None = None
    ext: RegsExt | None = None


class SupplyNode(Struct, frozen=True, omit_defaults=True, gc=False):
    """One seller between the publisher and us."""

    asi: str
    sid: str
    hp: Integer | None = None
    rid: str | None = None
    name: str | None = None
    domain: str | None = None


class SupplyChain(Struct, frozen=True, omit_defaults=True, gc=False):
    """Everybody the request has passed through; `complete` 1: nobody is left out."""

    complete: Integer
    nodes: list[SupplyNode]
    ver: str


class SourceExt(Struct, frozen=True, omit_defaults=True, gc=False):
    """Where 2.5 kept the supply chain."""

    schain: SupplyChain | None = None


class Source(Struct, frozen=True, omit_defaults=True, gc=False):
    """Where the request comes from."""

    fd: Integer | None = None
    tid: str | None = None
    pchain: str | None = None
    schain: SupplyChain | None = None
    ext: SourceExt | None = None


class BidRequest(Struct, frozen=True, omit_defaults=True, gc=False):
    """An impression opportunity offered to bidders."""

    id: str
    imp: list[Imp] = []
    site: Site | None = None
    app: App | None = None
    device: Device | None = None
    user: User | None = None
    at: Integer = 2
    tmax: Integer | float | str | None = None
    """Advice rather than data: see `openrtb.places.tmax_ms` for what is made of a text."""
    cur: list[str] | None = None
    regs: Regs | None = None
    dooh: Dooh | None = None
    source: Source | None = None
    test: Integer = 0
    allimps: Integer = 0
    wseat: list[str] | None = None
    bseat: list[str] | None = None
    bcat: list[str] | None = None
    badv: list[str] | None = None
    bapp: list[str] | None = None
    acat: list[str] | None = None
    cattax: Integer | None = None
    wlang: list[str] | None = None


class BidExt(Struct, frozen=True, omit_defaults=True, gc=False):
    """This project's additions to a bid: where to tell of a click."""

    bidlab_click: str | None = None


class Bid(Struct, frozen=True, omit_defaults=True, gc=False):
    """An offer for one impression (price in CPM, length of the media in s; `bundle` is what is advertised)."""

    id: str
    impid: str
    price: float
    cid: str | None = None
    crid: str | None = None
    dealid: str | None = None
    adomain: list[str] | None = None
    nurl: str | None = None
    burl: str | None = None
    lurl: str | None = None
    adm: str | None = None
    adid: str | None = None
    iurl: str | None = None
    cat: list[str] | None = None
    attr: list[Integer] | None = None
    mtype: Integer | None = None
    w: Integer | None = None
    h: Integer | None = None
    exp: Integer | None = None
    dur: Integer | None = None
    cattax: Integer | None = None
    bundle: str | None = None
    protocol: Integer | None = None
    ext: BidExt | None = None


class SeatBid(Struct, frozen=True, omit_defaults=True, gc=False):
    """Bids made for one buyer."""

    bid: list[Bid]
    seat: str | None = None


class ResponseExt(Struct, frozen=True, omit_defaults=True, gc=False):
    """This project's additions to an answer: what is wrong with impressions passed over, `path: rule` each."""

    bidlab_problems: list[str] = []


class BidResponse(Struct, frozen=True, omit_defaults=True, gc=False):
    """A bidder's answer; `nbr` says why there is no bid."""

    id: str
    seatbid: list[SeatBid] = []
    cur: str = "USD"
    nbr: Integer | None = None
    ext: ResponseExt | None = None
