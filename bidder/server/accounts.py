"""Where notices are booked: in memory for as long as the process lives. `bidder.server.durable` keeps them on disk."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from bidder.core.book import Book
from bidder.desk import Desk, Heard
from bidder.plan import CampaignPlan
from bidder.reservations import State
from bidder.server.samples import Sample
from bidder.server.signing import Kind, Ticket
from openrtb.notices import Billing, Click, Conversion, Loss


class Accounts(Protocol):
    """What the service asks of its accounts. `worker` is the number of this process among them."""

    worker: int
    on_reload: Callable[[], None]
    """Called when another worker wants all to read their campaigns anew."""
    on_paused: Callable[[frozenset[str]], None]
    """Called with the ids of all paused campaigns when they have changed."""

    def ticket(self, bid_id: str) -> Ticket:
        """What a bid's notice URLs carry, for a bid just made."""

    async def hear(
        self, kind: Kind, ticket: Ticket, price_cpm: float, reason: int, min_to_win_cpm: float | None = None
    ) -> Heard:
        """Take in a notice about a bid, once; prices and *reason* as far as its kind has them."""

    async def hear_conversion(self, conversion: Conversion, expires_unix_s: float) -> Heard:
        """Take in a conversion, once; *expires_unix_s*: it cannot come again after this moment."""

    def tick(self) -> None:
        """Once per control interval."""

    def paused(self) -> frozenset[str]:
        """Ids of the campaigns that are paused from before."""

    async def pause(self, campaign_id: str, paused: bool) -> None:
        """Keep in mind, for every worker, that a campaign is paused or not."""

    async def prepare(self, plans: Sequence[CampaignPlan]) -> Callable[[Book], None]:
        """Make ready for *plans*; what is returned is called with their book just before the desk adopts it."""

    async def tell_reload(self) -> None:
        """Have all other workers read their campaigns anew."""

    def figures(self) -> dict[str, float]:
        """Metrics of the accounts themselves."""

    def other_workers(self) -> dict[str, list[Sample]]:
        """The last metrics of the other workers, by their number."""

    async def start(self) -> None:
        """Before the first request; raises `bidder.errors.ServeError`."""

    async def stop(self) -> None:
        """After the last one."""


class Memory:
    """Accounts that end with the process."""

    worker = 0

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.on_reload: Callable[[], None] = lambda: None
        self.on_paused: Callable[[frozenset[str]], None] = lambda paused: None

    def ticket(self, bid_id: str) -> Ticket:
        """What the bid's notice URLs carry."""
        return ticket_of(self._desk, bid_id, lambda campaign_ix: campaign_ix)

    async def hear(
        self, kind: Kind, ticket: Ticket, price_cpm: float, reason: int, min_to_win_cpm: float | None = None
    ) -> Heard:
        """Take in a notice about a bid."""
        if kind is Kind.BILLING:
            heard = await self._desk.notice(Billing(ticket.bid_id, price_cpm, min_to_win_cpm))
            made = self._desk.made(ticket.bid_id)
            # Told twice, a disputed bill is still not acknowledged.
            return Heard.REFUSED if made is not None and made.state is State.REFUSED else heard
        if kind is Kind.LOSS:
            return await self._desk.notice(Loss(ticket.bid_id, reason, min_to_win_cpm))
        if kind is Kind.CLICK:
            return await self._desk.notice(Click(ticket.bid_id))
        return Heard.UNKNOWN if self._desk.made(ticket.bid_id) is None else Heard.BOOKED

    async def hear_conversion(self, conversion: Conversion, expires_unix_s: float) -> Heard:
        """Take in a conversion."""
        return await self._desk.notice(conversion)

    def tick(self) -> None:
        """The desk's tick."""
        self._desk.tick()

    def paused(self) -> frozenset[str]:
        """None."""
        return frozenset()

    async def pause(self, campaign_id: str, paused: bool) -> None:
        """Nothing to do."""

    async def prepare(self, plans: Sequence[CampaignPlan]) -> Callable[[Book], None]:
        """Nothing to do."""
        return lambda book: None

    async def tell_reload(self) -> None:
        """Nothing to do."""

    def figures(self) -> dict[str, float]:
        """None."""
        return {}

    def other_workers(self) -> dict[str, list[Sample]]:
        """None."""
        return {}

    async def start(self) -> None:
        """Nothing to do."""

    async def stop(self) -> None:
        """Nothing to do."""


def ticket_of(desk: Desk, bid_id: str, campaign_no: Callable[[int], int]) -> Ticket:
    """The ticket of a bid just made."""
    made = desk.made(bid_id)
    assert made is not None
    return Ticket(
        *(bid_id, campaign_no(made.campaign_ix), made.person_ix, made.touch, made.most_nanos, made.least_nanos),
        *(made.day_ix, int(made.made_s * 1000.0)),
    )
