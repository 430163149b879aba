"""What a seller rules out before anything is decided: which creatives may answer an impression, and why not.

Sets of creatives are integers with a bit for each, as in `bidder.creatives`. Sizes in pixels, durations in s.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

from bidder.creatives import CONTENT_TAXONOMY_1, USUAL_S, Shelf, and_parent
from bidder.markup.native import answerable
from bidder.markup.vast import protocol_of
from openrtb.codes import VENDOR_CODES
from openrtb.messages import Audio, Banner, BidRequest, Deal, Imp, Video
from openrtb.native import NativeRequest

FIRST_CODE = VENDOR_CODES + 20
"""No-bid code of the first of these reasons; the kernels' own come before."""


class Ruled(IntEnum):
    """Why nothing of ours may be shown, in the order of the checks."""

    CURRENCY = 0
    """None of the request's currencies is ours."""
    SEAT = 1
    """Our seat is blocked, or not among those that may bid."""
    ADVERTISER = 2
    """`badv`."""
    APP = 3
    """`bapp`."""
    CATEGORY = 4
    """`bcat` or `acat`."""
    UNKNOWN_PLACE = 5
    """A slot, seller or place nobody told us of."""
    PRIVATE_AUCTION = 6
    """Only deals may bid, and none is ours."""
    DEAL_ADVERTISER = 7
    """The deal is for other advertisers."""
    KIND = 8
    """No creative is a banner, video, native or audio ad, whichever is asked for."""
    SIZE = 9
    """None has a size that is asked for."""
    MIME = 10
    """None has a type of file that is asked for."""
    PROTOCOL = 11
    """No VAST version of ours."""
    DURATION = 12
    """None is as long as is asked for."""
    SECURE = 13
    """None loads over https alone."""
    ATTRIBUTE = 14
    """`battr`."""
    ASSETS = 15
    """A native asset that is required and that we have nothing for."""
    DUPLICATE = 16
    """The impression is one we have bid for already, through another exchange."""
    QUANTITY = 17
    """Several impressions are sold, and billed, as one (`qty`); our budgets, caps and prices are for single ones."""

    @property
    def nbr(self) -> int:
        """Its no-bid code."""
        return FIRST_CODE + self


class Ask(NamedTuple):
    """One way an impression can be answered."""

    kind: str
    """banner, video, native or audio."""
    native: NativeRequest | None = None
    text: str = ""
    """What *native* was read from."""


_VIDEO, _AUDIO, _BANNER = Ask("video"), Ask("audio"), Ask("banner")


def asks(imp: Imp, native: NativeRequest | None) -> list[Ask]:
    """The ways *imp* can be answered, the dearest first; *native* is its native request, read."""
    found = []
    if imp.video is not None:
        found.append(_VIDEO)
    if native is not None and imp.native is not None:
        found.append(Ask("native", native, imp.native.request or ""))
    if imp.audio is not None:
        found.append(_AUDIO)
    if imp.banner is not None:
        found.append(_BANNER)
    return found


def general(
    shelf: Shelf, request: BidRequest, currency: str, seat: str, creatives: int, took: list[int]
) -> tuple[int, Ruled | None]:
    """What of *creatives* passes what holds for every impression of a request, and why nothing does.

    Currency, seat, blocked advertisers, apps and categories. *took* counts for each `Ruled` how often it took any away.
    """
    if request.cur and currency not in request.cur:
        took[Ruled.CURRENCY] += 1
        return 0, Ruled.CURRENCY
    if (request.wseat and seat not in request.wseat) or (request.bseat and seat in request.bseat):
        took[Ruled.SEAT] += 1
        return 0, Ruled.SEAT
    left, why = creatives, None
    if request.badv:
        blocked = _lower(request.badv)
        if not shelf.domains.keys().isdisjoint(blocked):
            left, why = _pass(left, ~shelf.any_of(shelf.domains, blocked), Ruled.ADVERTISER, took)
    if left and request.bapp and not shelf.bundles.keys().isdisjoint(request.bapp):
        left, why = _pass(left, ~shelf.any_of(shelf.bundles, request.bapp), Ruled.APP, took)
    if left and (request.bcat or request.acat):
        left, why = _pass(left, _in_category(shelf, request), Ruled.CATEGORY, took)
    return left, why


def _pass(creatives: int, passing: int, reason: Ruled, took: list[int]) -> tuple[int, Ruled | None]:
    """What of *creatives* passes a check, and its reason when that is nothing."""
    left = creatives & passing
    if left == creatives:
        return left, None
    took[reason] += 1
    return left, None if left else reason


def _in_category(shelf: Shelf, request: BidRequest) -> int:
    """Creatives none of whose categories is blocked and all of which are allowed, where there is a list of those.

    A creative that names no category passes a list of blocked ones and not one of allowed ones. One that names its
    categories in another taxonomy than the seller's cannot be told apart, so it passes neither.
    """
    taxonomy = request.cattax or CONTENT_TAXONOMY_1
    known = shelf.categories.get(taxonomy, {})
    passing = shelf.all & ~shelf.categorised | shelf.taxonomies.get(taxonomy, 0)
    if request.bcat and not known.keys().isdisjoint(request.bcat):
        passing &= ~shelf.any_of(known, request.bcat)
    if request.acat:
        allowed = set(request.acat)
        passing &= shelf.categorised
        for code, which in shelf.codes.get(taxonomy, {}).items():
            if allowed.isdisjoint(and_parent(code, taxonomy)):
                passing &= ~which
    return passing


def _lower(domains: list[str]) -> list[str]:
    """The same in small letters, which they mostly are already."""
    joined = "\n".join(domains)
    return domains if joined.islower() else joined.lower().split("\n")


def fit(
    shelf: Shelf, imp: Imp, ask: Ask, deal: Deal | None, creatives: int, took: list[int]
) -> tuple[int, Ruled | None]:
    """What of *creatives* can be shown in the impression, and why nothing can; *deal* None: in no deal of ours."""
    if imp.qty is not None and imp.qty.multiplier != 1.0:
        return _pass(creatives, 0, Ruled.QUANTITY, took)
    left, why = creatives, None
    if imp.pmp is not None and imp.pmp.private_auction == 1:
        left, why = _pass(left, shelf.via_deal if deal is not None else 0, Ruled.PRIVATE_AUCTION, took)
    if left and deal is not None and deal.wadomain:
        passing = ~shelf.via_deal | shelf.any_of(shelf.domains, _lower(deal.wadomain))
        left, why = _pass(left, passing, Ruled.DEAL_ADVERTISER, took)
    if not left:
        return 0, why
    left &= shelf.kinds[ask.kind]
    if not left:
        took[Ruled.KIND] += 1
        return 0, Ruled.KIND
    if imp.banner is not None and ask.kind == "banner":
        blocked, (left, why) = imp.banner.battr, _fit_banner(shelf, imp.banner, left, took)
    elif imp.video is not None and ask.kind == "video":
        blocked, (left, why) = imp.video.battr, _fit_media(shelf, imp.video, left, took)
    elif imp.audio is not None and ask.kind == "audio":
        blocked, (left, why) = imp.audio.battr, _fit_media(shelf, imp.audio, left, took)
    else:
        assert imp.native is not None
        assert ask.native is not None
        blocked = imp.native.battr
        if not answerable(ask.native):
            left, why = _pass(left, 0, Ruled.ASSETS, took)
    if left and imp.secure == 1 and shelf.insecure:
        left, why = _pass(left, ~shelf.insecure, Ruled.SECURE, took)
    if left and blocked and not shelf.attributes.keys().isdisjoint(blocked):
        left, why = _pass(left, ~shelf.any_of(shelf.attributes, blocked), Ruled.ATTRIBUTE, took)
    return left, why


def sizes_of(banner: Banner) -> list[tuple[int, int]]:
    """Sizes a banner may have, the seller's favourite first; empty: nothing is said. Ratios stay out of it."""
    sizes = [(size.w, size.h) for size in banner.format or () if size.w and size.h]
    if banner.w and banner.h and (banner.w, banner.h) not in sizes:
        sizes.insert(0, (banner.w, banner.h))
    return sizes


def _fit_banner(shelf: Shelf, banner: Banner, left: int, took: list[int]) -> tuple[int, Ruled | None]:
    why = None
    if left & ~shelf.any_size:
        sizes = sizes_of(banner)
        if sizes:
            left, why = _pass(left, shelf.any_size | shelf.any_of(shelf.sizes, sizes), Ruled.SIZE, took)
        elif banner.format:
            left, why = _pass(left, 0, Ruled.SIZE, took)
    elif banner.format and not (banner.w and banner.h) and not sizes_of(banner):
        left, why = _pass(left, 0, Ruled.SIZE, took)
    if left and banner.mimes and "text/html" not in banner.mimes:
        left, why = _pass(left, 0, Ruled.MIME, took)
    return left, why


def _fit_media(shelf: Shelf, media: Video | Audio, left: int, took: list[int]) -> tuple[int, Ruled | None]:
    why = None
    if media.mimes:
        left, why = _pass(left, shelf.any_of(shelf.mimes, media.mimes), Ruled.MIME, took)
    if left and protocol_of(media.protocols) is None:
        left, why = _pass(left, 0, Ruled.PROTOCOL, took)
    if left and (media.minduration > 0 or media.maxduration is not None or media.rqddurs):
        passing = sum(which for length, which in shelf.durations.items() if lasting(length, media))
        left, why = _pass(left, passing, Ruled.DURATION, took)
    return left, why


def lasting(length_s: int | None, media: Video | Audio) -> int | None:
    """The length (s) of a creative that plays here, *length_s* None being cut to fit; None: none does."""
    if media.rqddurs:
        if length_s is None:
            return next((length for length in media.rqddurs if length > 0), None)
        return length_s if length_s in media.rqddurs else None
    least = max(0, media.minduration)
    most = media.maxduration if media.maxduration is not None else max(least, length_s or USUAL_S)
    if length_s is None:
        length_s = min(max(USUAL_S, least), most)
        return length_s if length_s >= max(1, least) else None
    return length_s if least <= length_s <= most else None


def further(nbr: int, other: int) -> int:
    """Of two no-bid codes the one whose check comes later: what sellers rule out is looked at before our own plans."""
    own, other_own = nbr < FIRST_CODE, other < FIRST_CODE
    if nbr < 0 or other < 0 or own == other_own:
        return max(nbr, other)
    return nbr if own else other
