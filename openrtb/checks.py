"""What the specification demands of a message beyond types. Each check raises `InvalidMessage` with path and rule.

Only what is forbidden is refused: advice the specification merely gives, and codes it does not know, pass.
"""

from __future__ import annotations

from openrtb.errors import InvalidMessage
from openrtb.messages import BidRequest, BidResponse, Format, Imp
from openrtb.money import HIGHEST_CPM

_FLOOR = f"must be a price between 0 and {HIGHEST_CPM:.0f} CPM"
_CURRENCY = "must be a currency code of three letters, as in ISO 4217"


def check_request(request: BidRequest) -> None:
    """Refuse a request that breaks the specification; raises `InvalidMessage`."""
    # What is in order must not cost: no call is made that finds nothing to say.
    if not request.id:
        _require(request.id, "id")
    if not request.imp:
        raise InvalidMessage("imp", "must hold at least one impression")
    if (request.site is not None) + (request.app is not None) + (request.dooh is not None) > 1:
        raise InvalidMessage("site, app, dooh", "only one of them may be there")
    if request.cur is not None:
        for k, currency in enumerate(request.cur):
            if currency != "USD":
                _check_currency(currency, "cur", k)
    several = len(request.imp) > 1
    seen: set[str] = set()
    for i, imp in enumerate(request.imp):
        if not imp.id:
            _require(imp.id, f"imp[{i}].id")
        if several:
            if imp.id in seen:
                raise InvalidMessage(f"imp[{i}].id", f"{imp.id!r} is the id of another impression too")
            seen.add(imp.id)
        _check_imp(imp, i)


def check_response(response: BidResponse) -> None:
    """Refuse a response that breaks the specification; raises `InvalidMessage`."""
    _require(response.id, "id")
    _check_currency(response.cur, "cur")
    seen: set[str] = set()
    for s, seat in enumerate(response.seatbid):
        if not seat.bid:
            raise InvalidMessage(f"seatbid[{s}].bid", "must hold at least one bid")
        for b, bid in enumerate(seat.bid):
            place = f"seatbid[{s}].bid[{b}]"
            _require(bid.id, f"{place}.id")
            _require(bid.impid, f"{place}.impid")
            if not 0.0 <= bid.price <= HIGHEST_CPM:
                raise InvalidMessage(f"{place}.price", _FLOOR)
            if bid.id in seen:
                raise InvalidMessage(f"{place}.id", f"{bid.id!r} is the id of another bid too")
            seen.add(bid.id)


def _check_imp(imp: Imp, i: int) -> None:
    if imp.banner is None and imp.video is None and imp.audio is None and imp.native is None:
        raise InvalidMessage(f"imp[{i}]", "must offer a banner, video, audio or native")
    if imp.banner is not None and imp.banner.format:
        _check_formats(imp.banner.format, i)
    if imp.video is not None and not imp.video.mimes:
        raise InvalidMessage(f"imp[{i}].video.mimes", "must name at least one MIME type")
    if imp.audio is not None and not imp.audio.mimes:
        raise InvalidMessage(f"imp[{i}].audio.mimes", "must name at least one MIME type")
    if not 0.0 <= imp.bidfloor <= HIGHEST_CPM:
        raise InvalidMessage(f"imp[{i}].bidfloor", _FLOOR)
    if imp.bidfloorcur != "USD":
        _check_currency(imp.bidfloorcur, f"imp[{i}].bidfloorcur")
    if imp.pmp is not None:
        for d, deal in enumerate(imp.pmp.deals):
            if not deal.id:
                _require(deal.id, f"imp[{i}].pmp.deals[{d}].id")
            if not 0.0 <= deal.bidfloor <= HIGHEST_CPM:
                raise InvalidMessage(f"imp[{i}].pmp.deals[{d}].bidfloor", _FLOOR)
            if deal.bidfloorcur != "USD":
                _check_currency(deal.bidfloorcur, f"imp[{i}].pmp.deals[{d}].bidfloorcur")


def _check_formats(formats: list[Format], i: int) -> None:
    for k, size in enumerate(formats):
        if not _is_size(size):
            rule = "must have either w and h, both above 0, or wmin, wratio and hratio"
            raise InvalidMessage(f"imp[{i}].banner.format[{k}]", rule)


def _is_size(size: Format) -> bool:
    """Whether it is a size in pixels or a flexible one, and not a mixture."""
    if size.wmin is None and size.wratio is None and size.hratio is None:
        return bool(size.w and size.h)
    return bool(size.wmin and size.wratio and size.hratio) and size.w is None and size.h is None


def _check_currency(currency: str, place: str, k: int | None = None) -> None:
    if not (len(currency) == 3 and currency.isascii() and currency.isalpha()):
        raise InvalidMessage(place if k is None else f"{place}[{k}]", _CURRENCY)


def _require(text: str, place: str) -> None:
    if not text:
        raise InvalidMessage(place, "must not be empty")
