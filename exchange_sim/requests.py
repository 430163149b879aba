"""From an impression opportunity to the OpenRTB request that offers it.

Nothing of the truth passes: a person's identifier and position only with consent, interests never.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from exchange_sim.selling.header import path_request_no
from exchange_sim.selling.rules import TERMS
from exchange_sim.world import DEVICES, FIRST_PRICE, World
from openrtb.codes import AuctionType, DeviceType, LocationType
from openrtb.messages import (
    App,
    Audio,
    Banner,
    BidRequest,
    Deal,
    Device,
    Format,
    Geo,
    Imp,
    ImpExt,
    Native,
    Pmp,
    Publisher,
    Regs,
    Site,
    Source,
    SupplyChain,
    SupplyNode,
    User,
    Video,
)
from openrtb.money import nanos_to_cpm

_DEVICE_TYPES = {
    "desktop": DeviceType.PERSONAL_COMPUTER,
    "mobile": DeviceType.PHONE,
    "tablet": DeviceType.TABLET,
    "tv": DeviceType.CONNECTED_TV,
}
EXCHANGE_DOMAIN = "exchange.bidlab"
"""Who the supply chain says sells: this exchange."""
SSP_DOMAIN = "ssp.bidlab"
"""The selling platform in the supply chain, where it takes a fee."""
MOST_KEPT = 10_000
"""Impressions made ready and kept, by their terms."""
IMP_ID = "1"
"""Every request offers one impression."""
CONSENT = "CPXegUAPXegVkEsAHBENCWEgAP_gAAAAAAqIPoQAYAAg-gAAAAA"
"""What people who consent say: a TCF string for all purposes and the vendors 1 to 2000."""
NATIVE_REQUEST = (
    '{"ver":"1.2","context":1,"plcmttype":1,"assets":[{"id":1,"required":1,"title":{"len":90}},'
    '{"id":2,"required":1,"img":{"type":3,"w":1200,"h":627}},{"id":3,"data":{"type":1,"len":25}},'
    '{"id":4,"data":{"type":2,"len":140}}],"eventtrackers":[{"event":1,"methods":[1]}]}'
)
"""What a native slot asks for: title and image, sponsor and description if there are any."""


@dataclass(frozen=True)
class SlotCard:
    """What the seller says about a slot (sizes in pixels, floors in nanos per impression)."""

    publisher_id: str
    kind: Literal["site", "app"]
    domain: str
    tag_id: str
    format: str
    width: int
    height: int
    floor_nanos: int
    deal_id: str | None
    deal_floor_nanos: int
    exchange: str = EXCHANGE_DOMAIN
    """Who the supply chain says sells."""
    through_ssp: bool = False
    """Whether a selling platform stands between the seller and the exchange."""
    resold: bool = False
    """Whether a network offers it as its own."""
    blocked: tuple[str, ...] = ()
    """Advertisers the seller does not show."""
    blocked_categories: tuple[str, ...] = ()
    """Codes of categories it does not show."""
    blocked_attributes: tuple[int, ...] = ()
    """Creative attributes it does not show."""
    start_delay: int | None = None
    """When a video ad plays: 0 before the content, -1 in it, -2 after it."""
    position: int = -1
    """Where it stands on its page, from 0; -1: it is on none."""
    pod: tuple[str, int] | None = None
    """The pod of video ads it is part of, and where: 1 first, -1 last, 0 between."""


class DealCard(NamedTuple):
    """What a request says about a deal."""

    deal_id: str
    fixed: bool
    """Whether its floor is the agreed price."""
    guaranteed: bool


class Arrivals:
    """A block of opportunities (OPPORTUNITY[n]), with the columns requests are made of as plain lists."""

    def __init__(self, opps: NDArray[np.void], signals: NDArray[np.int64]) -> None:
        self.opps = opps
        self.terms: NDArray[np.void] = np.zeros(len(opps), TERMS)
        """TERMS[n]: how each is offered; filled when it is."""
        self.path_terms: dict[int, NDArray[np.void]] = {}
        """TERMS[paths] of each that is being sold by header bidding."""
        self.auction_ix: list[int] = opps["auction_ix"].tolist()
        self.time_s: list[float] = opps["time_s"].tolist()
        self.cookie_ix: list[int] = opps["cookie_ix"].tolist()
        self.consent: list[int] = opps["consent"].tolist()
        self.slot_ix: list[int] = opps["slot_ix"].tolist()
        self.place_ix: list[int] = opps["place_ix"].tolist()
        self.device_ix: list[int] = opps["device_ix"].tolist()
        self.signals: list[list[int]] = signals.tolist()
        """Private values of each, [n][V] nanos."""

    def look_again(self, i: int) -> None:
        """Take over whether the person of *i* still consents, which may have changed since they were drawn."""
        self.consent[i] = int(self.opps["consent"][i])

    @cached_property
    def lat(self) -> list[float]:
        """Degrees, NaN without consent."""
        lat: list[float] = self.opps["lat"].tolist()
        return lat

    @cached_property
    def lon(self) -> list[float]:
        """Degrees, NaN without consent."""
        lon: list[float] = self.opps["lon"].tolist()
        return lon


class RequestMaker:
    """Makes requests; what does not change from one to the next is made once."""

    def __init__(
        self,
        world: World,
        cards: Sequence[SlotCard],
        places: Sequence[str],
        user_id: Callable[[int], str],
        *,
        currency: str,
        tmax_ms: float,
        deals: Sequence[DealCard] = (),
    ) -> None:
        self._user_id = user_id
        self._with_position = world.with_position == 1
        self._places = places
        paths = world.selling.paths
        kinds = paths["auction_kind"].tolist() if len(paths) else [world.auction_kind] * len(cards)
        self._at = [int(AuctionType.FIRST_PRICE if k == FIRST_PRICE else AuctionType.SECOND_PRICE_PLUS) for k in kinds]
        self._tmax = int(tmax_ms)
        self._cur = [currency]
        self._regs = Regs(gdpr=1)
        self._currency = currency
        self._deals = deals
        self._cards = cards
        self._on_terms: dict[tuple[int, int, int, int], list[Imp]] = {}
        self._plain = [world.slots["rules"][s] == 0 for s in range(len(cards))]
        self._imps = [[_imp(card, currency)] for card in cards]
        self._sources = [_source(card) for card in cards]
        self._positions = [card.position for card in cards]
        self._blocked = [list(card.blocked) or None for card in cards]
        self._categories = [list(card.blocked_categories) or None for card in cards]
        self._sites = [_site(card) if card.kind == "site" else None for card in cards]
        self._apps = [_app(card) if card.kind == "app" else None for card in cards]
        self._formats = [card.format for card in cards]
        types = [int(_DEVICE_TYPES[name]) for name in DEVICES]
        self._devices = [
            [Device(devicetype, Geo(type=LocationType.IP_ADDRESS, city=place)) for place in places]
            for devicetype in types
        ]
        self._types = types

    def make(self, arrivals: Arrivals, i: int) -> BidRequest:
        """The request for opportunity *i* of a block."""
        slot_ix = arrivals.slot_ix[i]
        if self._plain[slot_ix]:
            imps = self._imps[slot_ix]
        else:
            slot_ix, imps = self._offered(arrivals.terms[i])
        source, position = self._sources[slot_ix], self._positions[arrivals.slot_ix[i]]
        if position >= 0:  # all requests of a view are one transaction
            source = Source(tid=str(arrivals.auction_ix[i] - position), schain=source.schain)
        return self._request(arrivals, i, str(arrivals.auction_ix[i]), slot_ix, imps, source)

    def make_path(self, arrivals: Arrivals, i: int, path: int) -> BidRequest:
        """The request for opportunity *i* on one path of header bidding; `source.tid` tells that they are the same."""
        slot_ix, imps = self._offered(arrivals.path_terms[i][path])
        auction_ix = arrivals.auction_ix[i]
        source = Source(tid=str(auction_ix), schain=self._sources[slot_ix].schain)
        return self._request(arrivals, i, str(path_request_no(auction_ix, path)), slot_ix, imps, source)

    def _request(
        self, arrivals: Arrivals, i: int, request_id: str, slot_ix: int, imps: list[Imp], source: Source
    ) -> BidRequest:
        if arrivals.signals:
            imps = [_with_values(imps[0], self._formats[slot_ix], arrivals.signals[i])]
        device = self._devices[arrivals.device_ix[i]][arrivals.place_ix[i]]
        user = None
        if arrivals.consent[i]:
            user = User(self._user_id(arrivals.cookie_ix[i]), None, CONSENT)
            if self._with_position:
                device = self._located(arrivals, i)
        return BidRequest(
            request_id,
            imps,
            self._sites[slot_ix],
            self._apps[slot_ix],
            device,
            user,
            self._at[slot_ix],
            self._tmax,
            self._cur,
            self._regs,
            source=source,
            badv=self._blocked[slot_ix],
            bcat=self._categories[slot_ix],
        )

    def _offered(self, terms: np.void) -> tuple[int, list[Imp]]:
        """The slot as the buyer meets it, and its impression with the floors and the deal of these terms."""
        slot_ix, deal_ix = int(terms["slot_ix"]), int(terms["deal_ix"])
        floor, deal_floor = int(terms["floor_nanos"]), int(terms["deal_floor_nanos"])
        wanted = slot_ix, deal_ix, floor, deal_floor
        imps = self._on_terms.get(wanted)
        if imps is None:
            if len(self._on_terms) >= MOST_KEPT:
                self._on_terms.clear()
            deal = self._deals[deal_ix] if deal_ix >= 0 else None
            card = replace(
                self._cards[slot_ix],
                floor_nanos=floor,
                deal_id=None if deal is None else deal.deal_id,
                deal_floor_nanos=deal_floor,
            )
            imps = self._on_terms[wanted] = [_imp(card, self._currency, deal is not None and deal.fixed)]
        return slot_ix, imps

    def _located(self, arrivals: Arrivals, i: int) -> Device:
        """The device with its position."""
        place = self._places[arrivals.place_ix[i]]
        geo = Geo(arrivals.lat[i], arrivals.lon[i], int(LocationType.GPS), None, place)
        return Device(self._types[arrivals.device_ix[i]], geo)


def _source(card: SlotCard) -> Source:
    """The chain of sellers, from the publisher on: its account with the selling platform, that one's with the exchange.

    Without a selling platform the account is with the exchange. A network does not say whose impression it is.
    """
    nodes = [SupplyNode(card.exchange, card.publisher_id, 1)]
    if card.through_ssp:
        nodes = [SupplyNode(SSP_DOMAIN, card.publisher_id, 1), SupplyNode(card.exchange, SSP_DOMAIN, 1)]
    return Source(schain=SupplyChain(0 if card.resold else 1, nodes, "1.0"))


def _imp(card: SlotCard, currency: str, fixed: bool = False) -> Imp:
    banner = video = pmp = audio = native = None
    no = list(card.blocked_attributes) or None
    if card.format == "video":
        pod, place = card.pod or (None, None)
        video = Video(
            ["video/mp4", "video/webm"],
            w=card.width,
            h=card.height,
            startdelay=card.start_delay,
            battr=no,
            podid=pod,
            slotinpod=place,
        )
    elif card.format == "audio":
        audio = Audio(mimes=["audio/mpeg", "audio/mp4", "audio/ogg"], battr=no)
    elif card.format == "native":
        native = Native(NATIVE_REQUEST, "1.2", battr=no)
    else:
        banner = Banner(card.width, card.height, [Format(card.width, card.height)], battr=no)
    if card.deal_id is not None:
        at = int(AuctionType.DEAL_PRICE) if fixed else None
        pmp = Pmp(0, [Deal(card.deal_id, nanos_to_cpm(card.deal_floor_nanos), currency, at)])
    floor, ext = nanos_to_cpm(card.floor_nanos), ImpExt(format=card.format)
    return Imp(IMP_ID, banner, video, pmp, card.tag_id, floor, currency, 1, ext, audio, native)


def _with_values(imp: Imp, format_name: str, values_nanos: list[int]) -> Imp:
    """The same impression with its private values."""
    return Imp(
        *(imp.id, imp.banner, imp.video, imp.pmp, imp.tagid, imp.bidfloor, imp.bidfloorcur, imp.secure),
        *(ImpExt(format_name, values_nanos), imp.audio, imp.native),
    )


def _site(card: SlotCard) -> Site:
    return Site(domain=card.domain, publisher=Publisher(card.publisher_id, domain=card.domain))


def _app(card: SlotCard) -> App:
    return App(bundle=card.domain, publisher=Publisher(card.publisher_id))
