"""What operators ask of a service: figures for anybody, changes for who has the token.

| path | answer |
|---|---|
| GET /metrics | Prometheus' text format |
| GET /admin/campaigns | 200, JSON: spend, budget and state of each campaign |
| POST /admin/reload | 204 when the campaigns were read anew, 409 with the reason when not |
| POST /admin/pause, /admin/resume `?campaign=ID` | 204, 404 for an unknown id |

Everything under /admin is 401 without `Authorization: Bearer TOKEN`, and 404 in a service that has no token.
"""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable

from aiohttp import web

from bidder.errors import ReloadError
from bidder.server.app import Service
from bidder.server.campaigns import Campaigns
from bidder.server.metrics import render, samples_of
from openrtb.money import nanos_to_units

Handler = Callable[[web.Request], Awaitable[web.Response]]


class Control:
    """The handlers; *token* empty: none under /admin."""

    def __init__(self, service: Service, campaigns: Campaigns, token: str) -> None:
        self._service, self._campaigns, self._token = service, campaigns, token

    def add_to(self, app: web.Application) -> None:
        """Add the routes."""
        app.router.add_get("/metrics", self.metrics)
        if self._token:
            app.router.add_get("/admin/campaigns", self._allowed(self.campaigns))
            app.router.add_post("/admin/reload", self._allowed(self.reload))
            app.router.add_post("/admin/{what:pause|resume}", self._allowed(self.pause))

    def _allowed(self, handler: Handler) -> Handler:
        async def checked(http: web.Request) -> web.Response:
            given = http.headers.get("Authorization", "")
            if not hmac.compare_digest(given.encode("utf-8", "surrogateescape"), f"Bearer {self._token}".encode()):
                return web.Response(status=401, headers={"WWW-Authenticate": "Bearer"})
            return await handler(http)

        return checked

    async def metrics(self, http: web.Request) -> web.Response:
        """Every figure, of every worker."""
        accounts = self._service.accounts
        workers = {**accounts.other_workers(), str(accounts.worker): samples_of(self._service)}
        return web.Response(text=render(workers), headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})

    async def campaigns(self, http: web.Request) -> web.Response:
        """The campaigns by id."""
        rows = self._service.desk.book.campaigns
        told = {}
        for c, plan in enumerate(self._campaigns.plans):
            planned = self._campaigns.is_planned(plan.campaign_id)
            state = "paused" if self._campaigns.is_paused(plan.campaign_id) else "on"
            told[plan.campaign_id] = {
                "state": state if planned else "gone",
                "spent": nanos_to_units(int(rows["spent_nanos"][c])),
                "budget": nanos_to_units(plan.total_nanos),
            }
        return web.json_response(told)

    async def reload(self, http: web.Request) -> web.Response:
        """Read the campaigns anew, here and at all other workers."""
        try:
            await self._campaigns.reload()
        except ReloadError as error:
            return web.Response(status=409, text=f"{error}\n")
        if self._service.people is not None:
            await self._service.people.look()
        await self._service.accounts.tell_reload()
        return web.Response(status=204)

    async def pause(self, http: web.Request) -> web.Response:
        """Pause a campaign or let it go on, here and at all other workers."""
        paused = http.match_info["what"] == "pause"
        if not await self._campaigns.pause(http.query.get("campaign", ""), paused):
            return web.Response(status=404, text="no such campaign\n")
        return web.Response(status=204)
