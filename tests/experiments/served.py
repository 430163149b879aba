"""The bidder of a scenario behind a real socket of this machine, for tests that meet it from outside."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from aiohttp import web

from bidder.desk import Desk
from bidder.server.app import Service
from bidder.server.serve import WallClock, compile_kernels, runner_of
from bidder.server.signing import Signer
from experiments.scenario.loader import load
from experiments.setting import Setting, make_ready

SMALL = ("people.count=500", "campaigns.awareness.pacing=asap")
"""The learning scenario for a test: few people, and bids from the first second on."""


def small_setting(*changes: str) -> Setting:
    """The learning scenario, small."""
    return make_ready(load("learning", [*SMALL, *changes]))


def setting_of(case: Path, *changes: str, days: float) -> Setting:
    """A scenario file cut to a length, whatever starts after it."""
    return make_ready(load(case, list(changes)).model_copy(update={"days": days}))


def desk_of(setting: Setting, clock: Callable[[], float]) -> Desk:
    """A fresh desk for a scenario, before its first tick."""
    return Desk(
        setting.new_book(),
        setting.plans,
        setting.directory,
        setting.audience,
        clock=clock,
        reservation_s=setting.scenario.wire.reservation_s,
        currency=setting.scenario.currency,
    )


@contextlib.asynccontextmanager
async def bidder_served(
    setting: Setting, desk: Desk | None = None, conversion_key: bytes | None = None
) -> AsyncIterator[Service]:
    """The service of a scenario's bidder: a fresh one on the wall clock, or *desk* under no deadline at all."""
    wall = WallClock()
    allowance_s = 0.01
    if desk is None:
        desk = desk_of(setting, wall)
        desk.tick()
    else:
        allowance_s = -1e9
    compile_kernels(desk.book)
    signer = Signer(time.time, conversion_key=conversion_key)
    service = Service(desk, signer, currency=setting.scenario.currency, allowance_s=allowance_s)
    runner = runner_of(service, 0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    service.public_url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    wall.start()
    try:
        yield service
    finally:
        await runner.cleanup()
