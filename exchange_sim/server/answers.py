"""A bidder's answer taken apart, bid by bid: one bad bid costs itself and nothing else.

What cannot be read is a `Dropped` with a loss code of the specification and a sentence; prices in CPM as on the wire.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec
from msgspec import Raw, Struct

from openrtb.codes import LossReason
from openrtb.decode import read_json
from openrtb.errors import InvalidMessage
from openrtb.messages import Bid


class Dropped(NamedTuple):
    """A bid, or a whole answer, that takes no part, and why."""

    bidder: str
    imp_id: str
    bid_id: str
    loss: int
    rule: str


class Taken(NamedTuple):
    """A bid that could be read: typed for the checks, as it came for whoever renders it."""

    bid: Bid
    raw: dict[str, Any]
    seat: str | None
    response_id: str | None
    """The answer's `bidid`."""


class Answer(NamedTuple):
    """What an HTTP answer held."""

    bids: list[Taken]
    dropped: list[tuple[Dropped, dict[str, Any]]]
    """Bids that could not be read, with what could be read of them."""
    problem: str | None = None
    """Why the whole answer is of no use; None: it is."""
    nbr: int | None = None


class _Seat(Struct, gc=False):
    bid: list[Raw] = []
    seat: str | None = None


class _Response(Struct, gc=False):
    id: str
    seatbid: list[_Seat] | None = None
    cur: str | None = None
    bidid: str | None = None
    nbr: int | None = None


_RESPONSE = msgspec.json.Decoder(_Response)
_BID = msgspec.json.Decoder(Bid)
_PLAIN = msgspec.json.Decoder()


def read_answer(bidder: str, status: int, body: bytes, request_id: str, currencies: list[str]) -> Answer:
    """What *bidder* answered to request *request_id*, which takes bids in *currencies*."""
    if status == 204 or (status == 200 and not body.strip()):
        return Answer([], [])
    if status != 200:
        return Answer([], [], f"HTTP status {status}")
    try:
        response = read_json(_RESPONSE, body)
    except InvalidMessage as error:
        return Answer([], [], str(error))
    problem = _problem(response, request_id, currencies)
    if problem is not None:
        return Answer([], _all_dropped(bidder, response, problem), problem, response.nbr)
    answer = Answer([], [], nbr=response.nbr)
    seen: set[str] = set()
    for seat in response.seatbid or []:
        for raw in seat.bid:
            _take(answer, bidder, raw, seat.seat, response.bidid, seen)
    return answer


def _problem(response: _Response, request_id: str, currencies: list[str]) -> str | None:
    if response.id != request_id:
        return f"id: answers request {response.id!r}, not {request_id!r}"
    currency = response.cur or "USD"
    if response.seatbid and currency not in currencies:
        return f"cur: {currency} is not among {', '.join(currencies)}"
    return None


def _all_dropped(bidder: str, response: _Response, problem: str) -> list[tuple[Dropped, dict[str, Any]]]:
    raws = [_plain(raw) for seat in response.seatbid or [] for raw in seat.bid]
    return [(_dropped(bidder, raw, problem), raw) for raw in raws]


def _take(answer: Answer, bidder: str, raw: Raw, seat: str | None, response_id: str | None, seen: set[str]) -> None:
    plain = _plain(raw)
    try:
        bid = read_json(_BID, bytes(raw), "bid")
    except InvalidMessage as error:
        loss = LossReason.MISSING_PRICE if plain.get("price") is None else LossReason.INVALID_RESPONSE
        answer.dropped.append((_dropped(bidder, plain, str(error), loss), plain))
        return
    for rule in (
        "bid.id: must not be empty" if not bid.id else None,
        f"bid.id: {bid.id!r} is the id of another bid too" if bid.id in seen else None,
    ):
        if rule is not None:
            answer.dropped.append((_dropped(bidder, plain, rule), plain))
            return
    seen.add(bid.id)
    answer.bids.append(Taken(bid, plain, seat, response_id))


def _plain(raw: Raw) -> dict[str, Any]:
    try:
        value = _PLAIN.decode(bytes(raw))
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _dropped(bidder: str, raw: dict[str, Any], rule: str, loss: int = LossReason.INVALID_RESPONSE) -> Dropped:
    return Dropped(bidder, str(raw.get("impid", "")), str(raw.get("id", "")), int(loss), rule)
