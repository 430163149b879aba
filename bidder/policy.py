"""What a seller rules out before anything is decided: which creatives may answer an impression, and why not.

Sets of creatives are integers with a bit for each, as in `bidder.creatives`. Sizes in pixels, durations in s.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import IntEnum
from typing import NamedTuple

from bidder.creatives import USUAL_S, Shelf
from bidder.markup.native import answerable
from bidder.markup.vast import protocol_of
from openrtb.codes import VENDOR_CODES
from openrtb.messages import Audio, Banner, BidRequest, Imp, Video
from openrtb.native import NativeRequest

FIRST_CODE = VENDOR_CODES + 20
"""No-bid code of the first of these reasons; the kernels' own come before."""


class Ruled(IntEnum):
    """Why nothing of ours may be shown, in the order of the checks."""

    CURRENCY = 0
    SEAT = 1
    UNKNOWN_PLACE = 2
    """A slot, seller or place nobody told us of."""
    PRIVATE_AUCTION = 3
    KIND = 4
    SIZE = 5
    MIME = 6
    PROTOCOL = 7
    DURATION = 8
    SECURE = 9
    ATTRIBUTE = 10
    ASSETS = 11
    ADVERTISER = 12
    APP = 13
    CATEGORY = 14
    DEAL_ADVERTISER = 15

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
    """What holds for every impression of a request."""
    if request.cur and currency not in request.cur:
        yield Ruled.CURRENCY, 0
    if (request.wseat and seat not in request.wseat) or (request.bseat and seat in request.bseat):
        yield Ruled.SEAT, 0


Step = tuple[Ruled, int]
"""A reason, and the creatives that pass."""


def fitting(shelf: Shelf, imp: Imp, ask: Ask, deal_ix: int) -> Iterator[Step]:
    """What the impression asks for, one check after the other; *deal_ix* -1: it is in no deal of ours."""
    if imp.pmp is not None and imp.pmp.private_auction == 1:
        yield Ruled.PRIVATE_AUCTION, shelf.via_deal if deal_ix >= 0 else 0
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
