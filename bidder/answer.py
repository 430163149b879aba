"""From a decision to a bid on the wire: what the creative is, what it looks like, whom to tell. Prices in CPM."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from msgspec.structs import replace

from bidder.markup.banner import banner_html
from bidder.markup.links import Links
from bidder.markup.native import native_json
from bidder.markup.vast import protocol_of, vast_xml
from bidder.plan import CreativePlan
from bidder.policy import Ask, lasting, sizes_of
from openrtb.codes import MarkupType
from openrtb.messages import Bid, BidExt, Imp
from openrtb.money import nanos_to_cpm

UNSAID_SIZE = (300, 250)
"""Size of a banner when neither side names one (pixels)."""
TYPES = {
    "banner": int(MarkupType.BANNER),
    "video": int(MarkupType.VIDEO),
    "audio": int(MarkupType.AUDIO),
    "native": int(MarkupType.NATIVE),
}
"""`mtype` of each kind."""


class Writer(Protocol):
    """Makes a decision a bid."""

    def __call__(
        self,
        bid_id: str,
        imp: Imp,
        ask: Ask,
        creative: CreativePlan,
        campaign_id: str,
        bid_nanos: int,
        deal_id: str | None,
    ) -> Bid:
        """The bid for *imp*, answered as *ask* says."""


class Shape(NamedTuple):
    """What an ad looks like; None: it has none of that."""

    width: int | None = None
    """Pixels."""
    height: int | None = None
    duration_s: int | None = None
    protocol: int | None = None
    """Code of its VAST version."""


_SHAPELESS = Shape()


def shape_of(imp: Imp, ask: Ask, creative: CreativePlan) -> Shape:
    """What *creative* looks like in *imp*, which it fits."""
    if ask.kind == "banner":
        assert imp.banner is not None
        size = creative.size or next(iter(sizes_of(imp.banner)), UNSAID_SIZE)
        return Shape(size[0], size[1])
    if ask.kind == "native":
        return _SHAPELESS
    media = imp.video if ask.kind == "video" else imp.audio
    assert media is not None
    duration_s, protocol = lasting(creative.duration_s, media), protocol_of(media.protocols)
    width = height = None
    if imp.video is not None and ask.kind == "video":
        width, height = creative.size or (imp.video.w or 640, imp.video.h or 360)
    return Shape(width, height, duration_s, protocol)


def bare_bid(
    bid_id: str, imp: Imp, ask: Ask, creative: CreativePlan, campaign_id: str, bid_nanos: int, deal_id: str | None
) -> Bid:
    """The bid without addresses and markup: nobody will show it."""
    width, height, duration_s, protocol = shape_of(imp, ask, creative)
    return Bid(
        bid_id,
        imp.id,
        nanos_to_cpm(bid_nanos),
        cid=campaign_id,
        crid=creative.creative_id,
        dealid=deal_id,
        adomain=list(creative.domains) or None,
        cat=list(creative.categories) or None,
        attr=list(creative.attributes) or None,
        mtype=TYPES[ask.kind],
        w=width,
        h=height,
        dur=duration_s,
        cattax=creative.category_taxonomy if creative.categories else None,
        bundle=creative.bundle,
        protocol=protocol,
    )


def full_bid(
    bid_id: str,
    imp: Imp,
    ask: Ask,
    creative: CreativePlan,
    campaign_id: str,
    bid_nanos: int,
    deal_id: str | None,
    links: Links,
) -> Bid:
    """The bid with addresses and markup; empty addresses are left out."""
    bid = bare_bid(bid_id, imp, ask, creative, campaign_id, bid_nanos, deal_id)
    size = None if bid.w is None or bid.h is None else (bid.w, bid.h)
    if ask.native is not None:
        markup = native_json(creative, ask.native, links)
    elif bid.dur is not None and bid.protocol is not None:
        markup = vast_xml(creative, bid.protocol, bid.dur, size, links, bid_id)
    else:
        assert size is not None
        markup = banner_html(creative, *size, links)
    return replace(
        bid,
        nurl=links.nurl or None,
        burl=links.burl or None,
        lurl=links.lurl or None,
        adm=markup,
        ext=BidExt(links.click) if links.click else None,
    )
