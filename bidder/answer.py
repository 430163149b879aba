"""From a decision to a bid on the wire: what the creative is, what it looks like, whom to tell. Prices in CPM."""

from __future__ import annotations

from collections.abc import Callable

from bidder.markup.links import Links
from bidder.markup.press import Press
from bidder.markup.vast import protocol_of
from bidder.plan import CreativePlan
from bidder.policy import Ask, lasting, sizes_of
from openrtb.codes import MarkupType
from openrtb.messages import Bid, BidExt, Imp
from openrtb.money import nanos_to_cpm

UNSAID_SIZE = (300, 250)
"""Size of a banner when neither side names one (pixels)."""
_TYPES = {
    "banner": int(MarkupType.BANNER),
    "video": int(MarkupType.VIDEO),
    "audio": int(MarkupType.AUDIO),
    "native": int(MarkupType.NATIVE),
}
LinksOf = Callable[[str], Links]
"""The addresses of a bid, by its id."""


def bid_of(
    bid_id: str,
    imp: Imp,
    ask: Ask,
    creative: CreativePlan,
    campaign_id: str,
    bid_nanos: int,
    deal_id: str | None,
    links_of: LinksOf | None,
    press: Press,
) -> Bid:
    """The bid; without *links_of* it has neither addresses nor markup, because nobody will show it."""
    width = height = duration_s = protocol = None
    if ask.kind == "banner":
        assert imp.banner is not None
        width, height = creative.size or next(iter(sizes_of(imp.banner)), UNSAID_SIZE)
    elif ask.kind == "native":
        assert ask.native is not None
    else:
        media = imp.video if ask.kind == "video" else imp.audio
        assert media is not None
        duration_s, protocol = lasting(creative.duration_s, media), protocol_of(media.protocols)
        if imp.video is not None and ask.kind == "video":
            width, height = creative.size or (imp.video.w or 640, imp.video.h or 360)
    nurl = burl = lurl = markup = ext = None
    if links_of is not None:
        links = links_of(bid_id)
        nurl, burl, lurl = links.nurl or None, links.burl or None, links.lurl or None
        ext = BidExt(links.click) if links.click else None
        if ask.native is not None:
            markup = press.native(creative, ask.native, ask.text, links)
        elif duration_s is not None and protocol is not None:
            size = None if width is None or height is None else (width, height)
            markup = press.vast(creative, protocol, duration_s, size, links, bid_id)
        elif width is not None and height is not None:
            markup = press.banner(creative, width, height, links)
    return Bid(
        bid_id,
        imp.id,
        nanos_to_cpm(int(bid_nanos)),
        cid=campaign_id,
        crid=creative.creative_id,
        dealid=deal_id,
        adomain=list(creative.domains) or None,
        nurl=nurl,
        burl=burl,
        lurl=lurl,
        adm=markup,
        cat=list(creative.categories) or None,
        attr=list(creative.attributes) or None,
        mtype=_TYPES[ask.kind],
        w=width,
        h=height,
        dur=duration_s,
        cattax=creative.category_taxonomy if creative.categories else None,
        bundle=creative.bundle,
        protocol=protocol,
        ext=ext,
    )
