"""OpenRTB Native 1.2: the request that travels as JSON text inside `imp.native.request`, and what it must hold.

Codes are plain integers: a list's own values, or a vendor's from 500 on. Sizes in pixels, durations in s.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from msgspec import Struct

from openrtb.codes import VENDOR_CODES
from openrtb.decode import read_json
from openrtb.errors import InvalidMessage
from openrtb.messages import BidRequest, Imp, Integer

PLACEMENT_TYPES, DATA_TYPES, EVENTS, EVENT_METHODS = 4, 12, 4, 2
"""Last code of each list."""


class Title(Struct, frozen=True, gc=False):
    """A title of at most `len` characters."""

    len: Integer


class Image(Struct, frozen=True, gc=False):
    """An image."""

    type: Integer | None = None
    w: Integer | None = None
    h: Integer | None = None
    wmin: Integer | None = None
    hmin: Integer | None = None


class NativeVideo(Struct, frozen=True, gc=False):
    """A video; all four are required."""

    mimes: list[str]
    minduration: Integer
    maxduration: Integer
    protocols: list[Integer]


class Data(Struct, frozen=True, gc=False):
    """A text with a meaning: sponsor, rating, price."""

    type: Integer
    len: Integer | None = None


class Asset(Struct, frozen=True, gc=False):
    """One part of the ad."""

    id: Integer | None = None
    required: Integer = 0
    title: Title | None = None
    img: Image | None = None
    video: NativeVideo | None = None
    data: Data | None = None


class EventTracker(Struct, frozen=True, gc=False):
    """What may be tracked, and how."""

    event: Integer
    methods: list[Integer]


class NativeRequest(Struct, frozen=True, gc=False):
    """What the seller wants the ad to be made of."""

    assets: list[Asset]
    ver: str | None = None
    context: Integer | None = None
    contextsubtype: Integer | None = None
    plcmttype: Integer | None = None
    plcmtcnt: Integer = 1
    eventtrackers: list[EventTracker] = []


class _Wrapped(Struct, frozen=True, gc=False):
    """Native 1.0 put everything under one name; many still do."""

    native: NativeRequest | None = None


_PLAIN = msgspec.json.Decoder(NativeRequest)
_WRAPPED = msgspec.json.Decoder(_Wrapped)


def decode_native(imp: Imp, i: int) -> NativeRequest:
    """The native request of impression *i*, which offers one; raises `InvalidMessage`."""
    assert imp.native is not None
    place, text = f"imp[{i}].native.request", imp.native.request
    if not text:
        raise InvalidMessage(place, "must hold a native request")
    wrapped = read_json(_WRAPPED, text, place).native
    native = read_json(_PLAIN, text, place) if wrapped is None else wrapped
    _check(native, place)
    return native


def readable_native(imp: Imp, i: int, problems: list[str]) -> NativeRequest | None:
    """The native request of impression *i*; a broken one is no way to answer, and noted among *problems*."""
    try:
        return decode_native(imp, i)
    except InvalidMessage as problem:
        problems.append(str(problem))
        return None


def native_problems(request: BidRequest) -> Iterator[tuple[int, InvalidMessage]]:
    """Impressions whose native request is broken, and what is wrong with each: no bid can be made for them."""
    for i, imp in enumerate(request.imp):
        if imp.native is not None:
            try:
                decode_native(imp, i)
            except InvalidMessage as problem:
                yield i, problem


def _check(native: NativeRequest, place: str) -> None:
    if not native.assets:
        raise InvalidMessage(f"{place}.assets", "must hold at least one asset")
    if native.plcmttype is not None:
        _check_code(native.plcmttype, PLACEMENT_TYPES, f"{place}.plcmttype")
    seen: set[int] = set()
    for k, asset in enumerate(native.assets):
        if asset.id is not None and asset.id in seen:
            raise InvalidMessage(f"{place}.assets[{k}].id", f"{asset.id} is the id of another asset too")
        if asset.id is not None:
            seen.add(asset.id)
        _check_asset(asset, f"{place}.assets[{k}]")
    for k, tracker in enumerate(native.eventtrackers):
        _check_code(tracker.event, EVENTS, f"{place}.eventtrackers[{k}].event")
        for method in tracker.methods:
            _check_code(method, EVENT_METHODS, f"{place}.eventtrackers[{k}].methods")


def _check_asset(asset: Asset, place: str) -> None:
    kinds = sum(part is not None for part in (asset.title, asset.img, asset.video, asset.data))
    if kinds != 1:
        raise InvalidMessage(place, "must be exactly one of title, img, video and data")
    if asset.title is not None and asset.title.len <= 0:
        raise InvalidMessage(f"{place}.title.len", "must be above 0")
    if asset.data is not None:
        _check_code(asset.data.type, DATA_TYPES, f"{place}.data.type")
    if asset.video is not None and not asset.video.mimes:
        raise InvalidMessage(f"{place}.video.mimes", "must name at least one MIME type")
    if asset.video is not None and not asset.video.protocols:
        raise InvalidMessage(f"{place}.video.protocols", "must name at least one protocol")


def _check_code(code: int, last: int, place: str) -> None:
    if not (1 <= code <= last or code >= VENDOR_CODES):
        raise InvalidMessage(
            place, f"must be a code from 1 to {last}, or a vendor's from {VENDOR_CODES} on; it is {code}"
        )
