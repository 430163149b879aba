"""The desk: the bidder as others meet it. Requests and notices in, responses out; transport is somebody else's job.

All state lives in the book and in the reservations beside it. Times in s on the clock it is given, money in nanos.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cached_property, partial
from typing import Any

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from bidder.answer import Writer, bare_bid
from bidder.charges import charges
from bidder.codec import Audience, Codec, Seen, blank_row, nbr_of
from bidder.consent import Gate
from bidder.core.book import Book
from bidder.core.codes import NOT_TARGETED, REASONS
from bidder.core.decide import DEALS_FIRST
from bidder.core.kernel import direct
from bidder.core.offer import offer
from bidder.core.pacing import pace_auction
from bidder.core.settle import book_spend, click, convert, late_win, release, tick, win, withdraw
from bidder.creatives import Shelf
from bidder.deals import by_deal
from bidder.plan import CampaignPlan, Directory
from bidder.policy import Ask, Ruled, asks, fit, further, general
from bidder.reservations import Answered, Made, Reservations, State, agreed_price, told_nanos
from bidder.room import ensure_people, ensure_room
from bidder.tally import Counts, Heard, Spend
from openrtb.codes import NoBidReason
from openrtb.errors import MoneyError
from openrtb.messages import Bid, BidRequest, BidResponse, Imp, ResponseExt
from openrtb.money import units_to_nanos
from openrtb.native import NativeRequest, readable_native
from openrtb.notices import Billing, Click, Conversion, Loss, Notice

__all__ = ["REMEMBER_S", "Counts", "Desk", "Heard", "Spend"]

_NOTHING = -1
"""No reason yet: below every code."""
REMEMBER_S = 3600.0
"""How long a bid's id is known after it was made; a notice about an older one is refused."""
ROOM = 64
"""Exposures the book is given room for at a time."""


class Desk:
    """A bidder over one book. Its coroutines never wait; they are coroutines because transports await them."""

    def __init__(
        self,
        book: Book,
        plans: Sequence[CampaignPlan],
        directory: Directory,
        audience: Audience,
        *,
        clock: Callable[[], float],
        reservation_s: float,
        currency: str = "USD",
        seat: str = "bidlab",
        vendor_id: int | None = None,
        bid_prefix: str = "",
        skips_duplicates: bool = False,
    ) -> None:
        self._made_with: dict[str, Any] = {"clock": clock, "reservation_s": reservation_s, "currency": currency}
        self._made_with |= {"seat": seat, "vendor_id": vendor_id, "bid_prefix": bid_prefix}
        self._made_with |= {"skips_duplicates": skips_duplicates}
        self.directory = directory
        self.book = book
        self.horizon_s = math.inf
        """No reservation is given up beyond this moment: up to it everything billed elsewhere is known here."""
        self._bid_prefix = bid_prefix
        self._answered = Answered(reservation_s) if skips_duplicates else None
        self.counts = Counts()
        self.reasons = np.zeros((len(plans), len(REASONS)), np.int64)
        """int64[C, reasons]: why each campaign did not bid; targeted requests only."""
        self.ruled = [0] * len(Ruled)
        """How often each rule of a seller's took creatives out."""
        self.shelf = Shelf(plans)
        self.seat = seat
        self.no_bids: dict[int, int] = {}
        """How often each no-bid code was the answer."""
        self.gate = Gate(vendor_id)
        self.currency = currency
        self._campaign_ids = tuple(plan.campaign_id for plan in plans)
        self.codec = Codec(directory, audience, currency, seat)
        self._audience = audience
        self.rows = audience.rows
        self._products = {name: k for k, name in enumerate(directory.products)}
        self._via_deal = [bool(plan.target.deals) for plan in plans]
        bought = frozenset(deal_id for plan in plans for deal_id in plan.target.deals)
        self.by_deal = partial(by_deal, bought=bought, open_to_us=self.codec.open_to_us)
        self._clock = clock
        self._reservations = Reservations(reservation_s, REMEMBER_S)
        self._credited: dict[str, int] = {}
        self._impression, self._row = blank_row()
        private = max([0, *(plan.signal_ix + 1 for plan in plans)])
        self._private = private > 0
        self._signals = np.zeros(max(1, private), np.int64)
        self._room = 0
        nobody = self.shelf.among(0)
        self._offer_kernel = direct(offer, book, self.rows, self._impression, 0, self._signals, self.reasons, nobody)
        self._win = direct(win, book, 0, 0, 0, 0, 0, 0, 0, 0.0)
        self._release_kernel = direct(release, book, 0, 0, 0, 0, 0)

    def adopt(self, book: Book, plans: Sequence[CampaignPlan]) -> None:
        """Go on with *book*, made by `bidder.reload.carry_over` for *plans*; what is under way goes on too."""
        kept = self.counts, self._reservations, self._credited, self.horizon_s, self.ruled, self.no_bids
        reasons, answered = self.reasons, self._answered
        self.__dict__.pop("_book_spend", None)
        Desk.__init__(self, book, plans, self.directory, self._audience, **self._made_with)
        self.counts, self._reservations, self._credited, self.horizon_s, self.ruled, self.no_bids = kept
        self._answered = answered
        self.reasons[: len(reasons)] = reasons

    def renew_people(self) -> None:
        """The audience has other rows now, each person's in the place it was in: go on with them."""
        self.rows = self._audience.rows
        held = self.rows if len(self.book.held) else self.book.held
        self.book = ensure_people(self.book, len(self.rows))._replace(held=held)

    async def bid(self, request: BidRequest, write: Writer = bare_bid) -> BidResponse:
        """`answer` for transports that wait for one."""
        return self.answer(request, write)

    def answer(self, request: BidRequest, write: Writer = bare_bid) -> BidResponse:
        """Answer a request; without a bid the response carries `nbr`. Every bid holds its money until it is settled.

        *write* makes a decision a bid; a bare one has neither addresses nor markup. A trial (`test` 1) is decided like
        any other and holds nothing.
        """
        now_s = self._clock()
        self.expire(now_s)
        self.counts.requests += 1
        bids: list[Bid] = []
        problems: list[str] = []
        tid = None if self._answered is None or request.source is None else request.source.tid
        shown, ruled = general(self.shelf, request, self.currency, self.seat, self.shelf.all, self.ruled)
        if tid is not None and self._answered is not None and self._answered.knows(tid, now_s):
            shown, ruled = 0, Ruled.DUPLICATE
            self.ruled[ruled] += 1
        furthest = _NOTHING if ruled is None else ruled.nbr
        broken = not request.imp
        known = self.gate.open(request)
        self.counts.unconsented += request.user is not None and not known
        for i, imp in enumerate(request.imp if shown else ()):
            try:
                native = None if imp.native is None else readable_native(imp, i, problems)
                bid, nbr = self._impression_bid(request, imp, native, shown, known, now_s, write)
            except MoneyError:
                broken = True
                continue
            if bid is not None:
                bids.append(bid)
            elif not bids:
                furthest = further(furthest, nbr)
        if bids:
            response = self.codec.response(request, bids)
            if tid is not None and self._answered is not None and request.test != 1:
                self._answered.note(tid, now_s)
        elif broken:
            self.counts.invalid += 1
            response = self.codec.refusal(request, NoBidReason.INVALID_REQUEST)
        else:
            response = self.codec.refusal(request, furthest if furthest >= 0 else nbr_of(NOT_TARGETED))
        if response.nbr is not None:
            self.no_bids[response.nbr] = self.no_bids.get(response.nbr, 0) + 1
        return replace(response, ext=ResponseExt(problems)) if problems else response

    def _impression_bid(
        self,
        request: BidRequest,
        imp: Imp,
        native: NativeRequest | None,
        shown: int,
        known: bool,
        now_s: float,
        write: Writer,
    ) -> tuple[Bid | None, int]:
        """The bid for one impression, or none and why: the no-bid code that came furthest."""
        furthest, offered = _NOTHING, (imp,) if imp.pmp is None else self.by_deal(imp)
        for ask in asks(imp, native):
            imp = offered[0]
            if len(offered) > 1:  # the dearest bid, the first of equals
                imp = max(offered, key=partial(self._dry, request, ask, shown, known, now_s))
            seen = self.codec.read(request, imp, ask.kind, known, now_s, self._row)
            if seen is None:
                self.ruled[Ruled.UNKNOWN_PLACE] += 1
                return None, Ruled.UNKNOWN_PLACE.nbr
            creatives, ruled = fit(self.shelf, imp, ask, seen.deal, shown, self.ruled)
            if ruled is not None:
                furthest = further(furthest, ruled.nbr)
                continue
            bid, reason = self._offer(request, imp, ask, seen, creatives, now_s, write)
            if bid is not None:
                return bid, reason
            furthest = further(furthest, nbr_of(reason))
        return None, furthest

    def _dry(self, request: BidRequest, ask: Ask, shown: int, known: bool, now_s: float, imp: Imp) -> int:
        """What would be bid for *imp* (nanos; what goes first, above all else), with nothing held; -1: nothing."""
        seen = self.codec.read(request, imp, ask.kind, known, now_s, self._row)
        creatives = 0 if seen is None else fit(self.shelf, imp, ask, seen.deal, shown, [0] * len(Ruled))[0]
        campaign_ix = -1
        if seen is not None and creatives:
            campaign_ix, bid_nanos, _, _, day_ix, _ = self._decide(imp, creatives, np.zeros_like(self.reasons))
        if seen is None or campaign_ix < 0:
            return -1
        withdraw(self.book, campaign_ix, seen.person_ix, bid_nanos, day_ix)
        return int(bid_nanos) + DEALS_FIRST * int(self._via_deal[campaign_ix] and self._impression["deal_first"][0])

    def _decide(self, imp: Imp, creatives: int, reasons: NDArray[np.int64]) -> Any:
        """What `offer` makes of the impression just read; *reasons* are counted up."""
        if self._private:
            values = None if imp.ext is None else imp.ext.values_nanos
            self._signals[:] = values if values is not None and len(values) == len(self._signals) else 0
        self._take_room()
        allowed = self.shelf.among(creatives)
        return self._offer_kernel(self.book, self.rows, self._impression, 0, self._signals, reasons, allowed)

    def _offer(
        self, request: BidRequest, imp: Imp, ask: Ask, seen: Seen, creatives: int, now_s: float, write: Writer
    ) -> tuple[Bid | None, int]:
        """Decide on the impression just read and hold what the bid needs; the reason when there is none."""
        campaign_ix, bid_nanos, worth_nanos, reason, day_ix, touch = self._decide(imp, creatives, self.reasons)
        if campaign_ix < 0:
            return None, reason
        bid_nanos = int(bid_nanos)  # NumPy's own kind where kernels are not compiled, which no JSON holds
        bid_id = f"{self._bid_prefix}{self.counts.bids}"
        self.counts.bids += 1
        via = self._via_deal[campaign_ix]
        deal_ix, deal, floor = (seen.deal_ix, seen.deal, seen.deal_floor_nanos) if via else (-1, None, seen.floor_nanos)
        least, most = charges(request.at, deal, floor, bid_nanos)
        made = Made(campaign_ix, seen.person_ix, touch, bid_nanos, worth_nanos, day_ix, now_s, least, most)
        self._reservations.add(bid_id, made)
        if request.test == 1:  # nobody sells it, so nobody loses it either: pacing and bidding learn nothing
            withdraw(self.book, campaign_ix, seen.person_ix, bid_nanos, day_ix)
            made.state = State.LOST
        campaign_id, creative = self._campaign_ids[campaign_ix], self.shelf.first(creatives, campaign_ix)
        return write(bid_id, imp, ask, creative, campaign_id, bid_nanos, self.codec.deal_id(deal_ix)), reason

    async def notice(self, notice: Notice) -> Heard:
        """Take in a notice; hearing it again changes nothing."""
        self.expire(self._clock())
        if isinstance(notice, Billing):
            heard = self._billing(notice)
        elif isinstance(notice, Loss):
            heard = self._loss(notice)
        elif isinstance(notice, Click):
            heard = self._click(notice)
        else:
            heard = self._conversion(notice)
        if heard is Heard.REPEATED:
            self.counts.repeated += 1
        elif heard is Heard.UNKNOWN:
            self.counts.unknown += 1
        return heard

    def _billing(self, notice: Billing) -> Heard:
        made = self._reservations.find(notice.bid_id)
        if made is None:
            return Heard.UNKNOWN
        if made.state is State.WON or made.state is State.REFUSED:
            return Heard.REPEATED
        self._take_room()
        now_s = self._clock()
        price = agreed_price(notice, made)
        if made.state is not State.IN_FLIGHT:
            self.counts.late += 1
            booked = price is not None and late_win(
                self.book, made.campaign_ix, made.person_ix, made.touch, price, now_s
            )
        elif price is not None:
            self._book_win(made, price, told_nanos(notice.min_to_win_cpm), now_s)
            booked = True
        else:
            self._release(made)
            booked = False
        made.state = State.WON if booked else State.REFUSED
        self.counts.wins += booked
        self.counts.refused += not booked
        return Heard.BOOKED if booked else Heard.REFUSED

    def _loss(self, notice: Loss) -> Heard:
        made = self._reservations.find(notice.bid_id)
        if made is None:
            return Heard.UNKNOWN
        if made.state is not State.IN_FLIGHT:
            return Heard.REPEATED
        self._release(made, told_nanos(notice.min_to_win_cpm))
        made.state = State.LOST
        self.counts.losses += 1
        return Heard.BOOKED

    def _click(self, notice: Click) -> Heard:
        made = self._reservations.find(notice.bid_id)
        if made is None:
            return Heard.UNKNOWN
        if made.clicked:
            return Heard.REPEATED
        made.clicked = True
        click(self.book, made.campaign_ix, made.person_ix, made.touch, made.made_s)
        return Heard.BOOKED

    def _conversion(self, notice: Conversion) -> Heard:
        if notice.id in self._credited:
            return Heard.REPEATED
        product_ix, person_ix = self.buyer(notice)
        if product_ix < 0:
            return Heard.UNKNOWN
        value_nanos = units_to_nanos(notice.value)
        self._credited[notice.id] = convert(self.book, product_ix, person_ix, value_nanos, self._clock())
        return Heard.BOOKED

    def book_billing(self, bid_id: str, spend: Spend, heard_s: float, *, on_time: bool, to_beat_nanos: int = 0) -> None:
        """Take in a billing that was accepted for good elsewhere; *on_time*: what its bid holds here pays for it."""
        self._take_room()
        made = self._reservations.find(bid_id)
        if made is not None and made.state is State.IN_FLIGHT:
            if on_time:
                made.state = State.WON
                self._book_win(made, spend.price_nanos, to_beat_nanos, heard_s)
                return
            self._release(made)
        if made is not None:
            made.state = State.WON
            # its auction is taken in already
            pace_auction(self.book.campaigns, spend.campaign_ix, spend.price_nanos, 0)
        self._book_spend(self.book, *spend, heard_s)

    @cached_property
    def _book_spend(self) -> Callable[..., Any]:
        return direct(book_spend, self.book, 0, 0, 0, 0, 0, 0.0)

    def book_click(self, campaign_ix: int, person_ix: int, touch: int, shown_s: float) -> None:
        """Take in a click that was accepted for good elsewhere."""
        click(self.book, campaign_ix, person_ix, touch, shown_s)

    def book_conversion(self, product_ix: int, person_ix: int, value_nanos: int, heard_s: float) -> int:
        """Take in a purchase that was accepted for good elsewhere; returns the campaign credited or -1."""
        return int(convert(self.book, product_ix, person_ix, value_nanos, heard_s))

    def buyer(self, notice: Conversion) -> tuple[int, int]:
        """Product and person of a conversion; -1: not known."""
        return self._products.get(notice.product_id, -1), self._audience.row_ix(notice.user_id)

    def give_up(self, bid_id: str, to_beat_nanos: int = 0) -> None:
        """Give back what a bid holds, if it still does; *to_beat_nanos* as in `settle`."""
        made = self._reservations.find(bid_id)
        if made is not None and made.state is State.IN_FLIGHT:
            self._release(made, to_beat_nanos)
            made.state = State.LOST

    def _book_win(self, made: Made, price_nanos: int, to_beat_nanos: int, now_s: float) -> None:
        campaign_ix, person_ix, bid_nanos, day_ix = made.campaign_ix, made.person_ix, made.bid_nanos, made.day_ix
        touch = made.touch
        self._win(self.book, campaign_ix, person_ix, touch, bid_nanos, price_nanos, day_ix, to_beat_nanos, now_s)

    def _release(self, made: Made, to_beat_nanos: int = 0) -> None:
        bid_nanos, day_ix = made.bid_nanos, made.day_ix
        self._release_kernel(self.book, made.campaign_ix, made.person_ix, bid_nanos, day_ix, to_beat_nanos)

    def expire(self, now_s: float) -> None:
        """Give back what bids hold that nobody has settled within the reservation time."""
        if now_s < self._reservations.due_s:
            return
        for made in self._reservations.overdue(min(now_s, self.horizon_s)):
            self._release(made)
            made.state = State.EXPIRED
            self.counts.expired += 1

    def tick(self) -> None:
        """Once per control interval."""
        now_s = self._clock()
        self.expire(now_s)
        tick(self.book, now_s)

    def in_flight(self) -> int:
        """Bids that hold budget now."""
        return len(self._reservations)

    def made(self, bid_id: str) -> Made | None:
        """What the desk knows of one of its bids: for reports, never for the exchange."""
        return self._reservations.find(bid_id)

    def credited(self, conversion_id: str) -> int:
        """Campaign a conversion was credited to; -1: none."""
        return self._credited.get(conversion_id, -1)

    def _take_room(self) -> None:
        """Count one more exposure the book must have room for."""
        if self._room == 0:
            self.book = ensure_room(self.book, ROOM)
            self._room = ROOM
        self._room -= 1
