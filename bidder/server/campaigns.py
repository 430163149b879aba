"""Which campaigns buy now: pausing, resuming and new plans, between two requests. Times in s."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

from bidder.desk import Desk
from bidder.errors import PlanError, ReloadError
from bidder.plan import CampaignPlan, Directory
from bidder.reload import carry_over, draft_book, merge_plans, set_active
from bidder.server.accounts import Accounts

Load = Callable[[], tuple[Sequence[CampaignPlan], Directory]]
"""Reads the plans again; raises `ReloadError` with all that is wrong."""
_log = logging.getLogger("bidlab.campaigns")


class Campaigns:
    """The plans a desk works for. *load* reads them anew; without it they stay what they are."""

    def __init__(
        self,
        desk: Desk,
        accounts: Accounts,
        plans: Sequence[CampaignPlan],
        directory: Directory,
        clock: Callable[[], float],
        load: Load | None = None,
    ) -> None:
        self._desk, self._accounts, self._directory, self._clock, self._load = desk, accounts, directory, clock, load
        self.plans = tuple(plans)
        self.reloads = 0
        self.failed_reloads = 0
        self._planned = {plan.campaign_id for plan in plans}
        self._paused: frozenset[str] = frozenset()
        self._one_at_a_time = asyncio.Lock()
        accounts.on_paused = self.set_paused
        self.set_paused(accounts.paused())

    def is_paused(self, campaign_id: str) -> bool:
        """Whether it is paused."""
        return campaign_id in self._paused

    def is_planned(self, campaign_id: str) -> bool:
        """Whether the plans still hold it."""
        return campaign_id in self._planned

    def set_paused(self, paused: frozenset[str]) -> None:
        """These campaigns pause, and no others."""
        if paused != self._paused:
            _log.info("paused", extra={"data": {"campaigns": sorted(paused)}})
            self._paused = paused
            self._activate()

    async def pause(self, campaign_id: str, paused: bool) -> bool:
        """Pause a campaign or let it go on, at every worker; False: there is none of this id."""
        if campaign_id not in self._planned:
            return False
        await self._accounts.pause(campaign_id, paused)
        self.set_paused(self._paused | {campaign_id} if paused else self._paused - {campaign_id})
        return True

    def _activate(self) -> None:
        now_s = self._clock()
        for campaign_ix, plan in enumerate(self.plans):
            on = plan.campaign_id in self._planned and plan.campaign_id not in self._paused and now_s < plan.end_s
            set_active(self._desk.book, campaign_ix, on)

    async def reload(self) -> None:
        """Read the plans and go on with them; requests are answered meanwhile. Raises `ReloadError`, and nothing has
        changed."""
        async with self._one_at_a_time:
            try:
                await self._reload()
            except ReloadError as error:
                self.failed_reloads += 1
                _log.error("not reloaded", extra={"data": {"error": str(error)}})
                raise

    async def _reload(self) -> None:
        if self._load is None:
            raise ReloadError("this service has no file to read its campaigns from")
        new, directory = await asyncio.to_thread(self._load)
        if directory != self._directory:
            raise ReloadError(
                "publishers, slots, places, deals, segments or products have changed; "
                "only campaigns can be reloaded: restart the service for the rest"
            )
        plans = merge_plans(self.plans, new)
        try:
            draft = await asyncio.to_thread(draft_book, plans, directory, self._desk.book)
        except PlanError as error:
            raise ReloadError(str(error)) from None
        adopt = await self._accounts.prepare(plans)
        # From here on nothing waits: one request sees the old plans, the next one the new ones.
        book = carry_over(draft, plans, self._desk.book, self.plans)
        adopt(book)
        self._desk.adopt(book, plans)
        self.plans, self._planned = plans, {plan.campaign_id for plan in new}
        self._activate()
        self.reloads += 1
        _log.info("reloaded", extra={"data": {"campaigns": len(new)}})
