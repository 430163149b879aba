"""What a seller rules out before anything is decided: which creatives may answer an impression, and why not.

Sets of creatives are integers with a bit for each, as in `bidder.creatives`. Sizes in pixels, durations in s.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
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

    @property
    def nbr(self) -> int:
        """Its no-bid code."""
        return FIRST_CODE + self


class Ask(NamedTuple):
    """One way an impression can be answered."""

    kind: str
    """banner, video, native or audio."""
    native: NativeRequest | None = None


def asks(imp: Imp, native: NativeRequest | None) -> Iterator[Ask]:
    """The ways *imp* can be answered, the dearest first; *native* is its native request, read."""
    if imp.video is not None:
        yield Ask("video")
    if native is not None:
        yield Ask("native", native)
    if imp.audio is not None:
        yield Ask("audio")
    if imp.banner is not None:
        yield Ask("banner")


def general(shelf: Shelf, request: BidRequest, currency: str, seat: str) -> Iterator[Step]:
    """What holds for every impression of a request: currency, seat, blocked advertisers, apps and categories."""
    if request.cur and currency not in request.cur:
        yield Ruled.CURRENCY, 0
    if (request.wseat and seat not in request.wseat) or (request.bseat and seat in request.bseat):
        yield Ruled.SEAT, 0
    if request.badv:
        blocked = _lower(request.badv)
        if not shelf.domains.keys().isdisjoint(blocked):
            yield Ruled.ADVERTISER, ~shelf.any_of(shelf.domains, blocked)
    if request.bapp and not shelf.bundles.keys().isdisjoint(request.bapp):
        yield Ruled.APP, ~shelf.any_of(shelf.bundles, request.bapp)
    if request.bcat or request.acat:
        yield Ruled.CATEGORY, _in_category(shelf, request)


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


Step = tuple[Ruled, int]
"""A reason, and the creatives that pass."""


def fitting(shelf: Shelf, imp: Imp, ask: Ask, deal: Deal | None) -> Iterator[Step]:
    """What the impression asks for, one check after the other; *deal* None: it is in no deal of ours."""
    if imp.pmp is not None and imp.pmp.private_auction == 1:
        yield Ruled.PRIVATE_AUCTION, shelf.via_deal if deal is not None else 0
    if deal is not None and deal.wadomain:
        yield Ruled.DEAL_ADVERTISER, ~shelf.via_deal | shelf.any_of(shelf.domains, _lower(deal.wadomain))
    yield Ruled.KIND, shelf.kinds[ask.kind]
    if ask.kind == "banner":
        assert imp.banner is not None
        yield from _banner(shelf, imp.banner)
        blocked = imp.banner.battr
    elif ask.kind == "video":
        assert imp.video is not None
        yield from _media(shelf, imp.video)
        blocked = imp.video.battr
    elif ask.kind == "audio":
        assert imp.audio is not None
        yield from _media(shelf, imp.audio)
        blocked = imp.audio.battr
    else:
        assert imp.native is not None
        assert ask.native is not None
        if not answerable(ask.native):
            yield Ruled.ASSETS, 0
        blocked = imp.native.battr
    if imp.secure == 1 and shelf.insecure:
        yield Ruled.SECURE, ~shelf.insecure
    if blocked and not shelf.attributes.keys().isdisjoint(blocked):
        yield Ruled.ATTRIBUTE, ~shelf.any_of(shelf.attributes, blocked)


def sizes_of(banner: Banner) -> list[tuple[int, int]]:
    """Sizes a banner may have, the seller's favourite first; empty: nothing is said. Ratios stay out of it."""
    sizes = [(size.w, size.h) for size in banner.format or () if size.w and size.h]
    if banner.w and banner.h and (banner.w, banner.h) not in sizes:
        sizes.insert(0, (banner.w, banner.h))
    return sizes


def _banner(shelf: Shelf, banner: Banner) -> Iterator[Step]:
    sizes = sizes_of(banner)
    if sizes:
        yield Ruled.SIZE, shelf.any_size | shelf.any_of(shelf.sizes, sizes)
    elif banner.format:
        yield Ruled.SIZE, 0
    if banner.mimes and "text/html" not in banner.mimes:
        yield Ruled.MIME, 0


def _media(shelf: Shelf, media: Video | Audio) -> Iterator[Step]:
    if media.mimes:
        yield Ruled.MIME, shelf.any_of(shelf.mimes, media.mimes)
    if protocol_of(media.protocols) is None:
        yield Ruled.PROTOCOL, 0
    if media.minduration > 0 or media.maxduration is not None or media.rqddurs:
        yield Ruled.DURATION, sum(which for length, which in shelf.durations.items() if lasting(length, media))


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


def keep(steps: Iterable[Step], creatives: int, took: list[int]) -> tuple[int, Ruled | None]:
    """What of *creatives* passes every step, and the reason when that is nothing; *took* counts who took any away."""
    for reason, passing in steps:
        left = creatives & passing
        if left != creatives:
            took[reason] += 1
            if not left:
                return 0, reason
            creatives = left
    return creatives, None
