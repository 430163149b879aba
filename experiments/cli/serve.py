"""`bidlab bidder serve`: the bidder of a scenario as an HTTP service, on the wall clock."""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from logging import getLogger
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from experiments.errors import BidlabError, RunError
from openrtb.money import nanos_to_units

if TYPE_CHECKING:
    from bidder.desk import Desk
    from bidder.plan import CampaignPlan, Directory
    from bidder.server.accounts import Accounts
    from bidder.server.app import Service
    from bidder.server.capture import Capture
    from bidder.server.captured import Header, Start
    from bidder.server.serve import WallClock
    from bidder.server.state import State
    from experiments.setting import Setting


SHORTEST_TOKEN = 16
"""Characters."""


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
    state: Annotated[Path | None, typer.Option(help="Folder that keeps money and notices across restarts.")] = None,
    compact_after: Annotated[
        int, typer.Option(min=0, help="Notices after which the state is compacted; 0: never. Only with --state.")
    ] = 250_000,
    keep_notices_s: Annotated[
        float, typer.Option(min=1.0, max=3600.0, help="How long after its bid a notice is taken (s); with --state.")
    ] = 3600.0,
    workers: Annotated[int, typer.Option(min=1, max=256, help="Processes that share the port; needs --state.")] = 1,
    shed_ms: Annotated[
        float, typer.Option(help="Turn requests away while the event loop is later than this (ms).")
    ] = 25.0,
    admin_token_file: Annotated[
        Path | None, typer.Option(help="File with the token for /admin; without it there is no /admin.")
    ] = None,
    log_level: Annotated[str, typer.Option(help="Log from here on: debug, info, warning or error.")] = "warning",
    audience: Annotated[Path | None, typer.Option(help="An audience's folder: bid on its active people.")] = None,
    capture: Annotated[
        Path | None, typer.Option(help="Write down every call and decision; no --admin-token-file.")
    ] = None,
) -> None:
    """Answer OpenRTB requests over HTTP with a scenario's campaigns; ends on SIGTERM or Ctrl-C."""
    from bidder.errors import BidderError
    from bidder.server.logs import LEVELS, log_to_stderr

    for option, value in (("--network-ms", network_ms), ("--drain-s", drain_s), ("--shed-ms", shed_ms)):
        if not 0.0 <= value < math.inf:
            raise RunError(f"{option} {value}: must be a number from 0")
    if public_url and not public_url.startswith(("http://", "https://")):
        raise RunError(f"--public-url {public_url}: must begin with http:// or https://")
    if workers > 1 and state is None:
        raise RunError(f"--workers {workers}: workers share their budgets on disk; say where with --state FOLDER")
    if log_level not in LEVELS:
        raise RunError(f"--log-level {log_level}: must be one of {', '.join(LEVELS)}")
    token = "" if admin_token_file is None else _token(admin_token_file)
    if capture is not None and token:
        raise RunError(f"--capture {capture}: a capture keeps its campaigns; leave out --admin-token-file")
    options = Options(
        *(scenario, tuple(overrides or ()), host, port, public_url.rstrip("/"), network_ms / 1000.0, drain_s, workers),
        *(shed_ms / 1000.0, token, log_level, vendor_id, capture, audience),
        *(compact_after, keep_notices_s),
    )
    log_to_stderr(log_level)
    try:
        print(_serve(state, options), flush=True)
    except BidderError as error:
        raise RunError(str(error)) from None


@dataclass(frozen=True)
class Options:
    """What to serve, and how. Times in s."""

    scenario: str
    overrides: tuple[str, ...]
    host: str
    port: int
    public_url: str
    allowance_s: float
    drain_s: float
    workers: int
    shed_s: float
    token: str
    log_level: str
    vendor_id: int | None = None
    capture: Path | None = None
    audience: Path | None = None
    compact_after: int = 250_000
    keep_notices_s: float = 3600.0


def _token(path: Path) -> str:
    """The token in the file."""
    try:
        token = path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise RunError(f"--admin-token-file {path}: cannot be read ({reason})") from None
    if len(token) < SHORTEST_TOKEN or not token.isascii() or not token.isprintable() or " " in token:
        raise RunError(
            f"--admin-token-file {path}: needs one line of {SHORTEST_TOKEN} or more ASCII characters without spaces"
        )
    return token


def _serve(folder: Path | None, options: Options) -> str:
    """Serve to the end; returns what was done."""
    from experiments.scenario.loader import load
    from experiments.setting import make_ready

    setting = make_ready(load(options.scenario, list(options.overrides)))
    if options.audience is not None:
        setting = _with_people(setting, options.audience)
    state = None if folder is None else _state(setting, folder)
    say = f"{setting.scenario.name} bids at"
    if options.workers > 1:
        assert state is not None
        return _serve_together(setting, state, options, say)
    record = None if options.capture is None else _capture(options.capture, setting, options, fresh=state is None)
    service, clock = make_service(setting, state, options, 0 if state is None else state.new_worker(), record)
    try:
        _run(service, clock, setting, options, lambda address: print(f"{say} {address}/openrtb2/bid", flush=True))
    finally:
        if record is not None:
            record.close()
    assert service.campaigns is not None
    plans, spent = service.campaigns.plans, service.desk.book.campaigns["spent_nanos"].tolist()
    return _summary(
        _counts(service),
        plans,
        dict(zip((plan.campaign_id for plan in plans), spent, strict=True)),
        setting.scenario.currency,
    )


def _with_people(setting: Setting, folder: Path) -> Setting:
    """The setting with the people of an audience in place of the scenario's own."""
    from bidder.server.people import MappedAudience

    audience = MappedAudience(folder)
    missing = sorted(set(setting.scenario.segments) - set(audience.segments))
    if missing:
        raise RunError(
            f"--audience {folder}: no segment {missing[0]!r}, which the scenario names; "
            f"its segments: {', '.join(audience.segments) or 'none'}"
        )
    return replace(setting, audience=audience, directory=replace(setting.directory, segments=audience.segments))


def _serve_together(setting: Setting, state: State, options: Options, say: str) -> str:
    """Serve with several processes."""
    from bidder.server.logs import log_to_stderr
    from bidder.server.serve import address_of, compile_kernels
    from bidder.server.workers import Crew, Voice, reserve_port

    kept = reserve_port(options.host, options.port)
    shared = replace(options, port=kept.getsockname()[1])
    compile_kernels(make_service(setting, None, shared, 0)[0].desk.book)  # once, for all of them

    def work(number: int, voice: Voice) -> None:
        log_to_stderr(options.log_level, number)
        record = None
        if options.capture is not None:  # each its own file, as no two workers see the same calls
            own = options.capture.with_stem(f"{options.capture.stem}-{number}")
            record = _capture(own, setting, options, fresh=False)
        service, clock = make_service(setting, state, shared, number, record)

        def ready(address: str) -> None:
            crew.settle_in(voice)

        try:
            _run(service, clock, setting, shared, ready)
        finally:
            if record is not None:
                record.close()
        voice.counted(_counts(service))

    crew = Crew(options.workers, work, state.new_worker, state.bury)
    address = address_of(shared.host, shared.port)
    with kept:
        crew.run(lambda: print(f"{say} {address}/openrtb2/bid", flush=True))
    return _summary(crew.counts, setting.plans, state.spent(), setting.scenario.currency)


def _run(service: Service, clock: WallClock, setting: Setting, options: Options, ready: Callable[[str], None]) -> None:
    from bidder.server.serve import run, serve

    run(
        serve(
            service,
            clock,
            host=options.host,
            port=options.port,
            tick_s=setting.scenario.tick_s,
            drain_s=options.drain_s,
            ready=ready,
            shared_port=options.workers > 1,
        )
    )


def _state(setting: Setting, folder: Path) -> State:
    """The state folder, with what earlier processes left and today's budgets."""
    from bidder.server.people import MappedAudience
    from bidder.server.state import State, market_of
    from experiments.compile.market import start_offsets

    start, audience = start_offsets(setting.scenario), setting.audience
    mapped = isinstance(audience, MappedAudience)
    market = market_of(setting.directory, "audience" if mapped else setting.world.people_count, start)
    state = State(folder, market, start_of_day_s=start[1], hold_s=setting.scenario.wire.reservation_s)
    if not isinstance(audience, MappedAudience):
        state.begin(setting.plans)
    elif state.begin(setting.plans, audience.active.numbering, audience.moved_from):
        getLogger("bidlab.serve").warning(
            "people numbered anew", extra={"data": {"audience": audience.active.numbering}}
        )
    return state


def _capture(path: Path, setting: Setting, options: Options, *, fresh: bool) -> Capture:
    """The file everything is written down in; where books are not *fresh*, from when they have been read."""
    from bidder.server.capture import Capture

    return Capture(path, _header(setting, options) if fresh else None)


def _header(setting: Setting, options: Options, start: Start | None = None) -> Header:
    """What a capture begins with."""
    from bidder.server.captured import Header, People
    from bidder.server.people import MappedAudience
    from experiments.scenario.loader import dump_yaml

    people, audience = None, setting.audience
    if isinstance(audience, MappedAudience):
        people = People(list(audience.segments), *audience.rows.shape)
    return Header(dump_yaml(setting.scenario), options.vendor_id, start=start, people=people)


def _begin_capture(capture: Capture, desk: Desk, setting: Setting, accounts: Accounts, options: Options) -> None:
    """Write down what the book has come to, and go on from what was written."""
    from bidder.server.capture import begin_with, start_of

    start = start_of(desk, setting.plans, accounts.paused(), f"{accounts.worker}-")
    begin_with(desk, setting.new_book(), setting.plans, start)
    capture.begin(_header(setting, options, start))


def make_service(
    setting: Setting, state: State | None, options: Options, worker: int, capture: Capture | None = None
) -> tuple[Service, WallClock]:
    """A worker's service and its clock: over accounts in memory, or over those of *state* under number *worker*."""
    from bidder.desk import Desk
    from bidder.server.app import Service
    from bidder.server.campaigns import Campaigns
    from bidder.server.control import Control
    from bidder.server.durable import Durable
    from bidder.server.metrics import samples_of
    from bidder.server.people import MappedAudience, People
    from bidder.server.serve import WallClock
    from bidder.server.shedding import Pulse
    from bidder.server.signing import Signer

    scenario = setting.scenario
    clock = WallClock(None if state is None else state.clock)
    desk = (Desk if capture is None else capture.desk)(
        setting.new_book(),
        setting.plans,
        setting.directory,
        setting.audience,
        clock=clock,
        reservation_s=scenario.wire.reservation_s,
        currency=scenario.currency,
        vendor_id=options.vendor_id,
        bid_prefix="" if state is None else f"{worker}-",
        skips_duplicates=scenario.duplicates == "skip",
    )
    keys = () if state is None else (state.notice_key, state.conversion_key)
    durable = (
        None
        if state is None
        else Durable(
            *(desk, setting.plans, state.open(), worker, options.workers),
            compact_after=options.compact_after,
            keep_s=options.keep_notices_s,
        )
    )
    if capture is not None and durable is not None:
        _begin_capture(capture, desk, setting, durable, options)
    service = Service(
        desk,
        Signer(time.time, *keys),
        currency=scenario.currency,
        allowance_s=options.allowance_s,
        public_url=options.public_url,
        accounts=durable,
    )
    service.campaigns = Campaigns(
        desk, service.accounts, setting.plans, setting.directory, clock, lambda: _campaigns_again(setting, options)
    )
    if isinstance(setting.audience, MappedAudience):
        service.people = People(desk, setting.audience)
    service.pulse = Pulse(options.shed_s or math.inf)
    service.more_routes = Control(service, service.campaigns, options.token).add_to
    if durable is not None:
        durable.samples = lambda: samples_of(service)
    return service, clock


def _campaigns_again(setting: Setting, options: Options) -> tuple[Sequence[CampaignPlan], Directory]:
    """The campaigns as the file has them now; raises `ReloadError`."""
    from bidder.errors import ReloadError
    from experiments.compile.buyer import compile_directory, compile_plans
    from experiments.scenario.loader import load

    if options.capture is not None:
        raise ReloadError("a capture is written, which keeps its campaigns")
    try:
        fresh = load(options.scenario, list(options.overrides))
    except BidlabError as error:
        raise ReloadError(str(error)) from None
    old = setting.scenario
    for part in ("start", "people", "segments", "currency", "wire"):
        if getattr(fresh, part) != getattr(old, part):
            raise ReloadError(f"{part} has changed; only campaigns can be reloaded: restart the service for the rest")
    directory = compile_directory(fresh)
    if options.audience is not None:
        directory = replace(directory, segments=setting.directory.segments)
    return compile_plans(fresh), directory


def _counts(service: Service) -> dict[str, int]:
    """What came, by name."""
    counts, traffic = service.desk.counts, service.traffic
    return {
        "requests": counts.requests,
        "malformed": traffic.malformed,
        "late": traffic.late,
        "bids": counts.bids,
        "wins": counts.wins,
        "expired": counts.expired,
        "bad_notices": traffic.bad_notices,
    }


def _summary(
    counts: Mapping[str, int], plans: Sequence[CampaignPlan], spent_nanos: Mapping[str, int], currency: str
) -> str:
    """What came and what was spent, by campaign."""
    n = defaultdict(int, counts)
    lines = [
        f"{n['requests']:,} requests, {n['malformed']:,} malformed, {n['late']:,} too late; "
        f"{n['bids']:,} bids, {n['wins']:,} billed, {n['expired']:,} expired, {n['bad_notices']:,} bad notices"
    ]
    for plan in plans:
        spent, total = nanos_to_units(spent_nanos[plan.campaign_id]), nanos_to_units(plan.total_nanos)
        lines.append(f"{plan.campaign_id}: {spent:.9f} of {total:,.2f} {currency}")
    return "\n".join(lines)
