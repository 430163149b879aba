"""`bidlab bidder serve`: the bidder of a scenario as an HTTP service, on the wall clock."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from experiments.errors import RunError
from openrtb.money import nanos_to_units

if TYPE_CHECKING:
    from bidder.plan import CampaignPlan
    from bidder.server.app import Service


def serve(
    scenario: Annotated[str, typer.Argument(help="A scenario file, or the name of a shipped one.")],
    overrides: Annotated[
        list[str] | None, typer.Option("--set", help="Change one setting: campaigns.launch.budget.total=5000.")
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0: any free one.")] = 8080,
    public_url: Annotated[str, typer.Option(help="How exchanges reach us, for notice URLs.")] = "",
    network_ms: Annotated[float, typer.Option(help="Part of tmax the network needs (ms).")] = 10.0,
    vendor_id: Annotated[int | None, typer.Option(min=1, help="Our number in the global vendor list.")] = None,
    drain_s: Annotated[float, typer.Option(help="How long to wait for notices at the end (s).")] = 5.0,
) -> None:
    """Answer OpenRTB requests over HTTP with a scenario's campaigns; ends on SIGTERM or Ctrl-C."""
    from bidder.desk import Desk
    from bidder.errors import ServeError
    from bidder.server.app import Service
    from bidder.server.serve import WallClock, run
    from bidder.server.serve import serve as serve_http
    from bidder.server.signing import Signer
    from experiments.scenario.loader import load
    from experiments.setting import make_ready

    for option, value in (("--network-ms", network_ms), ("--drain-s", drain_s)):
        if not 0.0 <= value < math.inf:
            raise RunError(f"{option} {value}: must be a number from 0")
    if public_url and not public_url.startswith(("http://", "https://")):
        raise RunError(f"--public-url {public_url}: must begin with http:// or https://")
    plan = load(scenario, list(overrides or []))
    setting = make_ready(plan)
    clock = WallClock()
    desk = Desk(
        setting.new_book(),
        setting.plans,
        setting.directory,
        setting.audience,
        clock=clock,
        reservation_s=plan.wire.reservation_s,
        currency=plan.currency,
        vendor_id=vendor_id,
    )
    service = Service(
        desk,
        Signer(time.time),
        currency=plan.currency,
        allowance_s=network_ms / 1000.0,
        public_url=public_url.rstrip("/"),
    )
    try:
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
