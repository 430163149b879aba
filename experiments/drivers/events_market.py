"""The market's records in the `events` driver: what is cleared, shown and bought, in growing arrays."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from bidder.codec import reason_of
from bidder.core.codes import CAPPED
from bidder.core.kernel import direct
from bidder.desk import Heard
from bidder.reservations import Made
from exchange_sim.cable import CONVERSION, Wire, send
from exchange_sim.exchange import Bidder, Sale, bid_in
from exchange_sim.identities import purchase_cookie
from exchange_sim.outcomes import draw_organic
from exchange_sim.pending import PENDING
from exchange_sim.reaction import has_withdrawn
from exchange_sim.requests import Arrivals
from exchange_sim.selling.header import ASK, most_paths, set_path_terms
from exchange_sim.selling.reserve import learn_reserves
from exchange_sim.selling.rules import (
    LOST_ADVERTISER,
    LOST_BELOW_FLOOR,
    LOST_CATEGORY,
    LOST_ELSEWHERE,
    LOST_REFUSED,
    LOST_SEAT,
    LOST_STOPPED,
    LOST_TO_DEAL,
    LOST_TO_HIGHER,
    TERMS,
)
from exchange_sim.selling.terms import set_terms
from exchange_sim.selling.views import Views
from exchange_sim.world import OPPORTUNITY
from experiments.drivers.events_kernel import close_auction, purchase_key, take_purchase
from experiments.drivers.header_kernel import close_paths
from experiments.drivers.lockstep import ExactEnvironment
from experiments.errors import RunError
from experiments.ledger import (
    EXPOSURE,
    FATE_TIMED_OUT,
    PURCHASE,
    RESULT_TIMED_OUT,
    Ledger,
)
from experiments.setting import Setting
from openrtb.codes import LossReason
from openrtb.messages import Bid, BidResponse
from openrtb.money import cpm_to_nanos, nanos_to_units
from openrtb.notices import Conversion

LOSS_CODES = {
    LOST_TO_HIGHER: LossReason.LOST_TO_HIGHER_BID,
    LOST_BELOW_FLOOR: LossReason.BELOW_FLOOR,
    LOST_TO_DEAL: LossReason.LOST_TO_DEAL,
    LOST_REFUSED: LossReason.CREATIVE_FILTERED,
    LOST_STOPPED: LossReason.CREATIVE_DISAPPROVED,
    LOST_ELSEWHERE: LossReason.LOST_TO_HIGHER_BID,
    LOST_SEAT: LossReason.SEAT_BLOCKED,
    LOST_ADVERTISER: LossReason.ADVERTISER_EXCLUDED,
    LOST_CATEGORY: LossReason.CATEGORY_EXCLUDED,
}
"""What a lost bid's owner is told."""
FIRST_ROOM = 4096
"""Rows the records start with; they double."""


class Insight(Protocol):
    """What our own report asks of the bidder, and no exchange could."""

    @property
    def reasons(self) -> NDArray[np.int64]:
        """int64[C, reasons]: why each campaign did not bid."""

    def made(self, bid_id: str) -> Made | None:
        """What the bidder knows of one of its bids."""

    def credited(self, conversion_id: str) -> int:
        """Campaign a conversion was credited to; -1: none."""


class EventsMarket:
    """Implements `exchange_sim.exchange.Market` and delivers purchases when they come due."""

    def __init__(self, env: ExactEnvironment, setting: Setting, wire: Wire, bidder: Bidder, desk: Insight) -> None:
        self.auctions = 0
        self.spent_nanos = 0
        self._views = Views(setting.world.pages)
        self._env, self._setting, self._wire, self._bidder, self._desk = env, setting, wire, bidder, desk
        self._world = setting.world
        self._campaigns = {plan.campaign_id: c for c, plan in enumerate(setting.plans)}
        self._tallies = setting.new_tallies()
        self._asks = np.zeros(most_paths(self._world), ASK)
        self._worth: dict[str, int] = {}
        self._exposures, self._shown = np.zeros(FIRST_ROOM, EXPOSURE), 0
        self._purchases, self._bought = np.zeros(FIRST_ROOM, PURCHASE), 0
        self._pending, self._pending_size = np.zeros(FIRST_ROOM, PENDING), np.zeros(1, np.int64)
        self._organic_cursor = np.zeros((len(self._world.products), 2))
        self._next_due_s = math.inf
        self._set_terms = direct(set_terms, self._world, np.zeros(1, OPPORTUNITY), 0, np.zeros(1, TERMS), 0)
        self._close = direct(
            *(close_auction, self._world, np.zeros(1, OPPORTUNITY), 0, np.zeros(1, TERMS)),
            *(-1, 0, 0, False, 0, self._tallies),
            *(self._exposures, 0, self._pending, self._pending_size),
        )

    def tick(self) -> None:
        """Once per control interval: sellers who learn their floors look at what they have seen."""
        learn_reserves(self._world.selling.reserves, self._world.selling.observed)

    def offer(self, arrivals: Arrivals, i: int) -> None:
        """Settle on what terms opportunity *i* is offered, at this moment."""
        self._set_terms(self._world, arrivals.opps, i, arrivals.terms, i)
        arrivals.look_again(i)

    def answered(self, response: BidResponse, late: bool) -> None:
        """Keep what our own report wants to know of a bid, or count one that comes too late."""
        if not response.seatbid:
            return
        bid = response.seatbid[0].bid[0]
        if late:
            assert bid.cid is not None
            self._tallies.results[self._campaigns[bid.cid], RESULT_TIMED_OUT] += 1
            return
        made = self._desk.made(bid.id)
        assert made is not None
        self._worth[bid.id] = made.worth_nanos

    def clear(self, arrivals: Arrivals, i: int, response: BidResponse | None, bid: Bid | None) -> Sale:
        """Settle opportunity *i* against the rivals and record it."""
        self.auctions += 1
        campaign_ix, bid_nanos, worth, via_deal, fate = -1, 0, 0, False, FATE_TIMED_OUT
        if bid is not None:
            assert bid.cid is not None
            campaign_ix, bid_nanos = self._campaigns[bid.cid], cpm_to_nanos(bid.price)
            worth, via_deal = self._worth.pop(bid.id), bid.dealid is not None
            self._make_room()
        elif response is not None:
            fate = _fate(response)
        shown = self._shown
        slot_ix, auction_ix = arrivals.slot_ix[i], arrivals.auction_ix[i]
        self._views.take_up(slot_ix, auction_ix)
        won, price, clicked, lost, told = self._close(
            *(
                self._world,
                arrivals.opps,
                i,
                arrivals.terms,
                campaign_ix,
                bid_nanos,
                worth,
                via_deal,
                fate,
                self._tallies,
            ),
            *(self._exposures, shown, self._pending, self._pending_size),
        )
        self._views.put_down(slot_ix, auction_ix)
        if won:
            self._shown += 1
            self._wake_for_purchases()
        return Sale(won, price, clicked, shown, LOSS_CODES[lost], int(told))

    def offer_paths(self, arrivals: Arrivals, i: int) -> int:
        """Settle on what terms opportunity *i* is offered in several exchanges; 0: only in one, by `offer`."""
        terms = np.zeros(len(self._asks), TERMS)
        count = int(set_path_terms(self._world, arrivals.opps, i, terms))
        arrivals.look_again(i)
        if count:
            arrivals.path_terms[i] = terms
        return count

    def clear_paths(self, arrivals: Arrivals, i: int, responses: Sequence[BidResponse | None]) -> list[Sale]:
        """Settle opportunity *i* in all exchanges and record it."""
        self.auctions += 1
        asks, shown, count = self._asks, self._shown, len(responses)
        bids = [bid_in(response) for response in responses]
        for k, (bid, response) in enumerate(zip(bids, responses, strict=True)):
            asks[k] = 0
            asks["campaign_ix"][k] = -1
            asks["fate"][k] = FATE_TIMED_OUT if response is None else 0 if bid is not None else _fate(response)
            if bid is not None:
                assert bid.cid is not None
                asks["campaign_ix"][k] = self._campaigns[bid.cid]
                asks["bid_nanos"][k], asks["worth_nanos"][k] = cpm_to_nanos(bid.price), self._worth.pop(bid.id)
                asks["via_deal"][k] = bid.dealid is not None
        self._make_room()
        ours, clicked = close_paths(
            *(self._world, arrivals.opps, i, arrivals.path_terms.pop(i), asks, count, self._tallies),
            *(self._exposures, shown, self._pending, self._pending_size),
        )
        if ours:
            self._shown += 1
            self._wake_for_purchases()
        return [
            Sale(
                *(bool(ask["won"]), int(ask["price_nanos"]), bool(ask["won"]) and clicked, shown),
                *(LOSS_CODES[int(ask["lost"])], int(ask["to_beat_nanos"])),
            )
            for ask in asks[:count]
        ]

    def billed(self, sale: Sale, heard: Any) -> None:
        """Note that the bidder booked an exposure."""
        if heard is Heard.BOOKED:
            self._exposures["billed"][sale.exposure] = 1
            self.spent_nanos += sale.price_nanos

    def draw_organic(self, until_s: float) -> None:
        """Draw the purchases before *until_s* that happen anyway."""
        while not draw_organic(self._world, self._organic_cursor, until_s, self._pending, self._pending_size):
            self._pending = _doubled(self._pending)
        self._wake_for_purchases()

    def ledger(self) -> Ledger:
        """Everything recorded: exposures in order of auction, purchases in order of time."""
        exposures, purchases = self._exposures[: self._shown], self._purchases[: self._bought]
        return Ledger(
            self.auctions,
            exposures[np.argsort(exposures["auction_ix"], kind="stable")],
            purchases[np.argsort(purchases["time_s"], kind="stable")],
            self._tallies._replace(reasons=self._desk.reasons),
        )

    def _make_room(self) -> None:
        """Room for one more exposure and the purchase it may cause."""
        if self._shown == len(self._exposures):
            self._exposures = _doubled(self._exposures)
        if self._pending_size[0] == len(self._pending):
            self._pending = _doubled(self._pending)

    def _wake_for_purchases(self) -> None:
        """See to it that the earliest purchase is delivered when it comes due."""
        if self._pending_size[0] == 0:
            return
        due_s = float(self._pending["due_s"][0])
        if due_s < self._next_due_s:
            self._next_due_s = due_s
            alarm = self._env.at(due_s)
            assert alarm.callbacks is not None
            alarm.callbacks.append(lambda _: self._deliver_due(due_s))

    def _deliver_due(self, due_s: float) -> None:
        """Deliver what has come due, unless this alarm has been overtaken by an earlier one."""
        if due_s != self._next_due_s:
            return
        while self._pending_size[0] > 0 and self._pending["due_s"][0] <= self._env.now:
            if self._bought == len(self._purchases):
                self._purchases = _doubled(self._purchases)
            at = self._bought
            self._bought += 1
            take_purchase(self._pending, self._pending_size, self._purchases, at)
            self._report(at)
        self._next_due_s = math.inf
        self._wake_for_purchases()

    def _report(self, at: int) -> None:
        """Tell the bidder of purchase *at*; the buyer is named only with consent."""
        row, world = self._purchases[at], self._world
        person_ix, product_ix = int(row["person_ix"]), int(row["product_ix"])
        known = world.homes["consent"][person_ix] == 1 and not has_withdrawn(world.reaction, person_ix)
        cookie_ix = int(purchase_cookie(world, product_ix, person_ix, float(row["time_s"])))
        conversion = Conversion(
            str(at),
            self._setting.directory.products[product_ix],
            self._setting.user_id(cookie_ix) if known else None,
            nanos_to_units(int(row["value_nanos"])),
        )

        def credited(_: Any) -> None:
            self._purchases["attributed_ix"][at] = self._desk.credited(conversion.id)

        key = np.uint64(purchase_key(world, self._purchases, at))
        delay_ms = self._wire.delay_ms(self._wire.notice, key, CONVERSION)
        send(self._env, delay_ms, lambda: self._bidder.notice(conversion, credited))


def _fate(response: BidResponse) -> int:
    """The fate a no-bid code stands for."""
    fate = -1 if response.nbr is None else reason_of(response.nbr)
    if not 0 <= fate <= CAPPED:
        raise RunError(
            f"the bidder refused request {response.id} with no-bid code {response.nbr}, which is not its own"
        )
    return fate


def _doubled(rows: NDArray[np.void]) -> NDArray[np.void]:
    return np.concatenate([rows, np.zeros_like(rows)])
