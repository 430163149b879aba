"""Between OpenRTB and the kernels: ids become indices, a decision becomes a response.

Prices are CPM on the wire and int64 nanos inside. The bidder's clock, not the message, says what time it is.
"""

from __future__ import annotations

import math
import struct
from hashlib import blake2b
from typing import Protocol

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from bidder.core.book import IMPRESSION
from bidder.core.codes import DEVICES, FORMATS, NOT_TARGETED
from bidder.plan import Directory
from bidder.policy import FIRST_CODE
from openrtb.codes import VENDOR_CODES, AuctionType, DeviceType
from openrtb.messages import Bid, BidRequest, BidResponse, Deal, Imp, SeatBid
from openrtb.money import price_nanos
from openrtb.places import position

_DEVICE_IX = {
    int(DeviceType.MOBILE_OR_TABLET): DEVICES.index("mobile"),
    int(DeviceType.PERSONAL_COMPUTER): DEVICES.index("desktop"),
    int(DeviceType.CONNECTED_TV): DEVICES.index("tv"),
    int(DeviceType.PHONE): DEVICES.index("mobile"),
    int(DeviceType.TABLET): DEVICES.index("tablet"),
    int(DeviceType.CONNECTED_DEVICE): DEVICES.index("tv"),
    int(DeviceType.SET_TOP_BOX): DEVICES.index("tv"),
}
_DESKTOP, _MOBILE = DEVICES.index("desktop"), DEVICES.index("mobile")
_FORMAT_IX = {name: k for k, name in enumerate(FORMATS)}
_LAST_BANNER = _FORMAT_IX["mobile"]

# `Codec.read` writes a whole row at once, in this order; the hour is the kernel's to fill in. A packed struct: NumPy
# takes three times as long to take a row apart.
_ROW = struct.Struct("=d3q2dq8i")
assert IMPRESSION.itemsize == _ROW.size
assert IMPRESSION.names == (
    *("now_s", "person_ix", "floor_nanos", "deal_floor_nanos", "lat", "lon", "request_no", "slot_ix", "publisher_ix"),
    *("deal_ix", "place_ix", "hour", "format_ix", "device_ix", "deal_first"),
)


class Audience(Protocol):
    """What the bidder may ask the audience platform."""

    @property
    def rows(self) -> NDArray[np.uint64]:
        """uint64[people, words]: the segment bitset of each person."""

    def row_ix(self, user_id: str | None) -> int:
        """Row of a wire identifier; -1: not recognised."""


class Seen(Struct, frozen=True, gc=False):
    """What the desk needs to know of an impression beside the kernels' row."""

    person_ix: int
    slot_ix: int
    deal_ix: int
    deal: Deal | None
    """What was said about the deal; None: no deal of ours."""
    floor_nanos: int
    deal_floor_nanos: int


def blank_row() -> tuple[NDArray[np.void], memoryview]:
    """One row for the kernels, IMPRESSION[1], and its bytes, which `Codec.read` writes."""
    row = np.zeros(1, IMPRESSION)
    return row, row.view(np.uint8).data


class Codec:
    """Reads requests and writes responses for one directory of names."""

    def __init__(self, directory: Directory, audience: Audience, currency: str, seat: str) -> None:
        self._publishers = {name: k for k, name in enumerate(directory.publishers)}
        self._slots = {name: k for k, name in enumerate(directory.slots)}
        self._places = {name: k for k, name in enumerate(directory.places)}
        self._deals = {name: k for k, name in enumerate(directory.deals)}
        self._deal_ids = directory.deals
        self._person_ix = audience.row_ix
        self._seat = seat
        self._currency = currency

    def read(self, request: BidRequest, imp: Imp, kind: str, known: bool, now_s: float, row: memoryview) -> Seen | None:
        """Write impression *imp*, as answered by an ad of *kind*, into *row*: the bytes of one IMPRESSION.

        None when it lies outside everything the bidder knows: a slot, publisher or place the directory does not name,
        or a floor in a currency that is not ours. Unless *known* the person is a stranger without a position. An
        unknown user is a stranger too; an unknown deal is no deal, an unknown device the one most common there.
        Raises `openrtb.errors.MoneyError` for a floor that is no price.
        """
        seller, device = request.site or request.app or request.dooh, request.device
        if seller is None or seller.publisher is None or imp.tagid is None:
            return None
        if imp.bidfloorcur != self._currency and imp.bidfloor != 0.0:  # no floor is none in any currency
            return None
        slot_ix = self._slots.get(imp.tagid, -1)
        publisher_ix = self._publishers.get(seller.publisher.id or "", -1)
        lat = lon = math.nan
        device_ix, place_ix = (_DESKTOP if request.app is None else _MOBILE), -1
        if device is not None:
            device_ix = _DEVICE_IX.get(device.devicetype or 0, device_ix)
            geo = device.geo
            if geo is not None:
                place_ix = self._places.get(geo.city or "", -1)
                if geo.lat is not None and known:
                    lat, lon = position(geo) or (lat, lon)
        if slot_ix < 0 or publisher_ix < 0 or place_ix < 0:
            return None
        deal_ix, deal_floor, deal = self._deal(imp)
        fixed = deal is not None and deal.at == AuctionType.DEAL_PRICE
        person_ix = -1 if request.user is None or not known else self._person_ix(request.user.id)
        floor, format_ix = price_nanos(imp.bidfloor), _format_ix(request, imp, kind)
        number = request_no(request.id)
        _ROW.pack_into(
            *(row, 0, now_s, person_ix, floor, deal_floor, lat, lon, number, slot_ix, publisher_ix, deal_ix),
            *(place_ix, 0, format_ix, device_ix, fixed),
        )
        return Seen(person_ix, slot_ix, deal_ix, deal, floor, deal_floor)

    def _deal(self, imp: Imp) -> tuple[int, int, Deal | None]:
        """Index and floor (nanos) of the first deal we are part of, and the deal; (-1, 0, None): none."""
        if imp.pmp is not None:
            for deal in imp.pmp.deals:
                deal_ix = self._deals.get(deal.id, -1)
                if deal_ix >= 0 and self.open_to_us(deal):
                    return deal_ix, price_nanos(deal.bidfloor), deal
        return -1, 0, None

    def open_to_us(self, deal: Deal) -> bool:
        """Whether our seat may bid in the deal, and in our currency."""
        return deal.bidfloorcur == self._currency and (not deal.wseat or self._seat in deal.wseat)

    def deal_id(self, deal_ix: int) -> str | None:
        """What the wire calls the deal; -1: the open market, which has no name."""
        return self._deal_ids[deal_ix] if deal_ix >= 0 else None

    def response(self, request: BidRequest, bids: list[Bid]) -> BidResponse:
        """An answer with bids."""
        return BidResponse(request.id, [SeatBid(bids, self._seat)], self._currency)

    def refusal(self, request: BidRequest, nbr: int) -> BidResponse:
        """An answer without bids and the reason why."""
        return BidResponse(request.id, [], self._currency, nbr)


def request_no(request_id: str) -> int:
    """A number for a request's id: the id itself where it is a short decimal number, else 63 bits of its hash."""
    if len(request_id) < 19 and request_id.isascii() and request_id.isdigit():
        return int(request_id)
    return int.from_bytes(blake2b(request_id.encode("utf-8", "surrogatepass"), digest_size=8).digest()) >> 1


def nbr_of(reason: int) -> int:
    """No-bid code of one of the bidder's reasons: the vendor range, in the order of `bidder.core.codes`."""
    return VENDOR_CODES + reason


def reason_of(nbr: int) -> int:
    """The kernels' reason behind the bidder's no-bid code: the inverse of `nbr_of`.

    A request that never came to them, because its seller ruled everything out, is one that nobody targets.
    """
    return nbr - VENDOR_CODES if nbr < FIRST_CODE else NOT_TARGETED


def _format_ix(request: BidRequest, imp: Imp, kind: str) -> int:
    """What the seller calls a banner; a silent one's is `mobile` in an app and `display` on a site."""
    if kind != "banner":
        return _FORMAT_IX[kind]
    named = -1 if imp.ext is None else _FORMAT_IX.get(imp.ext.format or "", -1)
    if 0 <= named <= _LAST_BANNER:
        return named
    return _FORMAT_IX["display" if request.app is None else "mobile"]
