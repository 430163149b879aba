"""`bidlab bidder serve`: the bidder of a scenario as an HTTP service, on the wall clock."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from experiments.errors import RunError
from openrtb.money import nanos_to_units

if TYPE_CHECKING:
    from bidder.plan import CampaignPlan
    from bidder.server.app import Service
    from bidder.server.serve import WallClock
    from bidder.server.state import State
    from experiments.setting import Setting


def serve(
    scenario: Annotated[str, typer.Argument(help="A scenario file, or the name of a shipped one.")],
    overrides: Annotated[
        list[str] | None, typer.Option("--set", help="Change one setting: campaigns.launch.budget.total=5000.")
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0: any free one.")] = 8080,
    public_url: Annotated[str, typer.Option(help="How exchanges reach us, for notice URLs.")] = "",
    network_ms: Annotated[float, typer.Option(help="Part of tmax the network needs (ms).")] = 10.0,
    drain_s: Annotated[float, typer.Option(help="How long to wait for notices at the end (s).")] = 5.0,
    state: Annotated[Path | None, typer.Option(help="Folder that keeps money and notices across restarts.")] = None,
) -> None:
    """Answer OpenRTB requests over HTTP with a scenario's campaigns; ends on SIGTERM or Ctrl-C."""
    from bidder.errors import ServeError
    from bidder.server.serve import run
    from bidder.server.serve import serve as serve_http
    from experiments.scenario.loader import load
    from experiments.setting import make_ready

    for option, value in (("--network-ms", network_ms), ("--drain-s", drain_s)):
        if not 0.0 <= value < math.inf:
            raise RunError(f"{option} {value}: must be a number from 0")
    if public_url and not public_url.startswith(("http://", "https://")):
        raise RunError(f"--public-url {public_url}: must begin with http:// or https://")
    setting = make_ready(load(scenario, list(overrides or [])))
    plan = setting.scenario
    try:
        kept = None if state is None else _state(setting, state)
        service, clock = make_service(setting, kept, network_ms / 1000.0, public_url.rstrip("/"))
        run(
            serve_http(
                service,
                clock,
                host=host,
                port=port,
                tick_s=plan.tick_s,
                drain_s=drain_s,
                ready=lambda address: print(f"{plan.name} bids at {address}/openrtb2/bid", flush=True),
            )
        )
    except ServeError as error:
        raise RunError(str(error)) from None
    print(_summary(service, setting.plans, plan.currency), flush=True)


def _state(setting: Setting, folder: Path) -> State:
    """The state folder, with what earlier processes left and today's budgets."""
    from bidder.server.state import State, market_of
    from experiments.compile_market import start_offsets

    start = start_offsets(setting.scenario)
    market = market_of(setting.directory, setting.world.people_count, start)
    state = State(folder, market, start_of_day_s=start[1], hold_s=setting.scenario.wire.reservation_s)
    state.begin(setting.plans)
    return state


def make_service(
    setting: Setting, state: State | None, allowance_s: float, public_url: str, workers: int = 1
) -> tuple[Service, WallClock]:
    """A worker's service and its clock: over accounts in memory, or over those of *state*."""
    from bidder.desk import Desk
    from bidder.server.app import Service
    from bidder.server.durable import Durable
    from bidder.server.serve import WallClock
    from bidder.server.signing import Signer

    scenario = setting.scenario
    clock = WallClock(None if state is None else state.clock)
    worker = 0 if state is None else state.new_worker()
    desk = Desk(
        setting.new_book(),
        setting.plans,
        setting.directory,
        setting.audience,
        clock=clock,
        reservation_s=scenario.wire.reservation_s,
        currency=scenario.currency,
        bid_prefix="" if state is None else f"{worker}-",
    )
    keys = () if state is None else (state.notice_key, state.conversion_key)
    service = Service(
        desk,
        Signer(time.time, *keys),
        currency=scenario.currency,
        allowance_s=allowance_s,
        public_url=public_url,
        accounts=None if state is None else Durable(desk, setting.plans, state.open(), worker, workers),
    )
    return service, clock


def _summary(service: Service, plans: Sequence[CampaignPlan], currency: str) -> str:
    """What came and what was spent, by campaign."""
    desk, traffic = service.desk, service.traffic
    counts = desk.counts
    lines = [
        f"{counts.requests:,} requests, {traffic.malformed:,} malformed, {traffic.late:,} too late; "
        f"{counts.bids:,} bids, {counts.wins:,} billed, {counts.expired:,} expired, {traffic.bad_notices:,} bad notices"
    ]
    for c, plan in enumerate(plans):
        spent = nanos_to_units(int(desk.book.campaigns["spent_nanos"][c]))
        lines.append(f"{plan.campaign_id}: {spent:.9f} of {nanos_to_units(plan.total_nanos):,.2f} {currency}")
    return "\n".join(lines)
