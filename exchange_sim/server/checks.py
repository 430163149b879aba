"""Whether a bid may take part: price, deal, seat, markup, advertiser, category, attributes, size, security.

Each refusal is a loss code of the specification and a sentence. Prices in nanos per impression inside.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from exchange_sim.server.answers import Taken
from exchange_sim.server.markup import fits, markup_problem, markup_type, offered_types, plain_http, room_of, type_name
from openrtb.codes import LossReason, MarkupType
from openrtb.errors import MoneyError
from openrtb.messages import Audio, Banner, Bid, BidRequest, Deal, Imp, Native, Video
from openrtb.money import nanos_to_cpm, price_nanos

CONTENT_TAXONOMY_1 = 1
"""`cattax` of the IAB Content Taxonomy 1.0, which is meant where a request names none."""


class Refused(NamedTuple):
    """Why a bid is dropped."""

    loss: int
    rule: str


class Sound(NamedTuple):
    """A bid that may win, and what was found out on the way."""

    bid_nanos: int
    floor_nanos: int
    mtype: int
    deal: Deal | None


def check_bid(taken: Taken, request: BidRequest, imps: dict[str, Imp], currency: str) -> Sound | Refused:
    """Check a bid for *request*, whose impressions are *imps* by id; its answer's currency has been checked."""
    bid = taken.bid
    imp = imps.get(bid.impid)
    if imp is None:
        return Refused(LossReason.INVALID_RESPONSE, f"bid.impid: the request has no impression {bid.impid!r}")
    deal = _deal(bid, imp)
    for refused in (_seat(taken.seat, request, deal), _deal_problem(bid, imp, deal)):
        if refused is not None:
            return refused
    price = _price(bid, imp, deal, currency)
    if isinstance(price, Refused):
        return price
    mtype = markup_type(bid, imp)
    refused = _wrong_type(mtype, bid, imp)
    if refused is not None:
        return refused
    assert mtype is not None
    refused = _excluded(taken, request, room_of(imp, mtype)) or _media(bid, imp, mtype)
    if refused is not None:
        return refused
    return _markup(bid, imp, mtype) or Sound(*price, mtype, deal)


def check_markup(bid: Bid, imp: Imp, mtype: int) -> Refused | None:
    """The checks of markup once more, for some that came with the win notice."""
    if not bid.adm:
        return Refused(LossReason.MISSING_MARKUP, "the win notice was answered without markup")
    return _markup(bid, imp, mtype)


def _deal(bid: Bid, imp: Imp) -> Deal | None:
    deals = imp.pmp.deals if imp.pmp is not None else []
    return next((deal for deal in deals if deal.id == bid.dealid), None)


def _seat(seat: str | None, request: BidRequest, deal: Deal | None) -> Refused | None:
    for place, allowed in (("wseat", request.wseat), ("deal.wseat", None if deal is None else deal.wseat)):
        if allowed and seat not in allowed:
            return Refused(LossReason.SEAT_BLOCKED, f"seat: {seat!r} is not among {place}")
    if request.bseat and seat in request.bseat:
        return Refused(LossReason.SEAT_BLOCKED, f"seat: {seat!r} is blocked (bseat)")
    return None


def _deal_problem(bid: Bid, imp: Imp, deal: Deal | None) -> Refused | None:
    if bid.dealid is not None and deal is None:
        return Refused(LossReason.INVALID_DEAL, f"bid.dealid: the impression has no deal {bid.dealid!r}")
    if bid.dealid is None and imp.pmp is not None and imp.pmp.private_auction == 1:
        return Refused(LossReason.INVALID_DEAL, "bid.dealid: the auction is private, so a deal must be named")
    wanted = None if deal is None else deal.wadomain
    if wanted and not any(_within(domain, wanted) for domain in bid.adomain or []):
        return Refused(LossReason.NOT_ALLOWED_IN_DEAL, "bid.adomain: not an advertiser of the deal (wadomain)")
    return None


def _price(bid: Bid, imp: Imp, deal: Deal | None, currency: str) -> tuple[int, int] | Refused:
    """The bid and the floor that holds for it."""
    floor_cpm, floor_currency = (imp.bidfloor, imp.bidfloorcur) if deal is None else (deal.bidfloor, deal.bidfloorcur)
    try:
        bid_nanos, floor_nanos = price_nanos(bid.price), price_nanos(floor_cpm)
    except MoneyError as error:
        return Refused(LossReason.INVALID_RESPONSE, f"bid.price: {error}")
    if bid_nanos == 0:
        return Refused(LossReason.MISSING_PRICE, "bid.price: must be above 0")
    if floor_nanos and floor_currency != currency:
        return Refused(
            LossReason.INTERNAL_ERROR, f"the floor is in {floor_currency}, which cannot be compared with {currency}"
        )
    if bid_nanos < floor_nanos:
        code = LossReason.BELOW_FLOOR if deal is None else LossReason.BELOW_DEAL_FLOOR
        return Refused(code, f"bid.price: {bid.price:g} is below the floor of {nanos_to_cpm(floor_nanos):g}")
    return bid_nanos, floor_nanos


def _wrong_type(mtype: int | None, bid: Bid, imp: Imp) -> Refused | None:
    if mtype is None or mtype not in offered_types(imp):
        named = f"code {bid.mtype}" if mtype is None else type_name(mtype)
        return Refused(LossReason.WRONG_FORMAT, f"bid.mtype: the impression has no room for {named}")
    return None


def _excluded(taken: Taken, request: BidRequest, room: Banner | Video | Audio | Native) -> Refused | None:
    """Advertisers, apps, categories and attributes the seller does not want, the last in the room the ad is for."""
    bid = taken.bid
    blocked = next((domain for domain in bid.adomain or [] if _within(domain, request.badv or [])), None)
    if blocked is not None:
        return Refused(LossReason.ADVERTISER_EXCLUDED, f"bid.adomain: {blocked} is blocked (badv)")
    bundle = taken.raw.get("bundle")
    if isinstance(bundle, str) and bundle in (request.bapp or []):
        return Refused(LossReason.APP_EXCLUDED, f"bid.bundle: {bundle} is blocked (bapp)")
    # Codes of different taxonomies say nothing about each other. A bid that names none is taken at its codes.
    categories = bid.cat or [] if bid.cattax in (None, request.cattax or CONTENT_TAXONOMY_1) else []
    category = next((cat for cat in categories if _category(cat, request.bcat or [])), None)
    if category is not None:
        return Refused(LossReason.CATEGORY_EXCLUDED, f"bid.cat: {category} is blocked (bcat)")
    if request.acat and not any(_category(cat, request.acat) for cat in categories):
        return Refused(LossReason.CATEGORY_EXCLUDED, "bid.cat: none of acat")
    unwanted = room.battr or []
    attribute = next((code for code in bid.attr or [] if code in unwanted), None)
    if attribute is not None:
        return Refused(LossReason.ATTRIBUTE_EXCLUDED, f"bid.attr: {attribute} is blocked (battr)")
    return None


def _media(bid: Bid, imp: Imp, mtype: int) -> Refused | None:
    """Length and VAST version of a video or audio ad, where the bid names them."""
    media = imp.video if mtype == MarkupType.VIDEO else imp.audio if mtype == MarkupType.AUDIO else None
    if media is None:
        return None
    if bid.protocol is not None and media.protocols and bid.protocol not in media.protocols:
        return Refused(LossReason.WRONG_FORMAT, f"bid.protocol: {bid.protocol} is none of protocols")
    if bid.dur is not None and not _lasts(bid.dur, media):
        return Refused(LossReason.CREATIVE_FILTERED, f"bid.dur: {bid.dur} s is no length the impression takes")
    return None


def _lasts(duration_s: int, media: Video | Audio) -> bool:
    if media.rqddurs:
        return duration_s in media.rqddurs
    return media.minduration <= duration_s <= (duration_s if media.maxduration is None else media.maxduration)


def _markup(bid: Bid, imp: Imp, mtype: int) -> Refused | None:
    if not bid.crid and not bid.adid:
        return Refused(LossReason.MISSING_CREATIVE_ID, "bid.crid: must not be empty")
    if not bid.adm and not bid.nurl:
        return Refused(LossReason.MISSING_MARKUP, "bid.adm: there is none, and no nurl to fetch it from")
    if mtype == MarkupType.BANNER and not fits(bid, imp):
        size = "unknown" if bid.w is None or bid.h is None else f"{bid.w}x{bid.h}"
        return Refused(LossReason.SIZE_NOT_ALLOWED, f"bid.w, bid.h: the size {size} is none of the impression's")
    problem = markup_problem(bid.adm, mtype) if bid.adm else None
    if problem is not None:
        return Refused(LossReason.WRONG_FORMAT, f"bid.adm: {problem}")
    insecure = plain_http(bid, mtype) if imp.secure == 1 else None
    if insecure is not None:
        return Refused(LossReason.NOT_SECURE, f"bid.adm: {insecure} is not https, and the page is secure")
    return None


def _within(domain: str, listed: Iterable[str]) -> bool:
    """Whether a domain is one of those listed, or below one."""
    name = domain.strip().lower().removeprefix("http://").removeprefix("https://").split("/")[0].removeprefix("www.")
    others = [other.strip().lower().removeprefix("www.") for other in listed]
    return any(name == other or name.endswith(f".{other}") for other in others if other)


def _category(category: str, listed: Iterable[str]) -> bool:
    """Whether a category is one of those listed, or below one (`IAB26-1` below `IAB26`)."""
    return any(category == other or category.startswith(f"{other}-") for other in listed)
