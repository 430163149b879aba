"""Running the service: a socket, timers for the desk, and an end without losing what is under way. Times in s."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import importlib
import importlib.util
import logging
import os
import signal
import time
from collections.abc import Callable
from typing import Any

from aiohttp import web

from bidder.core.book import Book
from bidder.core.kernel import direct
from bidder.core.settle import book_spend, click, convert, late_win, tick, withdraw
from bidder.desk import Desk
from bidder.errors import ReloadError, ServeError
from bidder.server.app import Service
from bidder.server.lane import Lanes

EXPIRY_EVERY_S = 0.25
"""How often reservations are looked through; requests and notices do it too."""
DRAIN_POLL_S = 0.05
_log = logging.getLogger("bidlab.serve")


class WallClock:
    """Seconds since time 0 of the plans, which is when the service is started, or what *source* says. Stands at 0
    until started."""

    def __init__(self, source: Callable[[], float] | None = None) -> None:
        self._source = source
        self._start_s: float | None = None

    def start(self) -> None:
        """Let time run."""
        self._start_s = time.monotonic() if self._source is None else time.monotonic() - self._source()

    def __call__(self) -> float:
        """Seconds since the start."""
        return 0.0 if self._start_s is None else time.monotonic() - self._start_s


def compile_kernels(book: Book) -> None:
    """Compile or load what the desk would otherwise compile while an exchange waits."""
    direct(book_spend, book, 0, 0, 0, 0, 0, 0.0)
    direct(late_win, book, 0, 0, 0, 0, 0.0)
    direct(click, book, 0, 0, 0, 0.0)
    direct(convert, book, 0, 0, 0, 0.0)
    direct(tick, book, 0.0)
    direct(withdraw, book, 0, 0, 0, 0)


def runner_of(service: Service, drain_s: float) -> web.AppRunner:
    """The service as something that can listen; bodies come packed, because `read_body` unpacks within limits."""
    return web.AppRunner(service.app(), access_log=None, auto_decompress=False, shutdown_timeout=drain_s)


def lanes_of(service: Service, runner: web.AppRunner) -> Lanes:
    """The service behind the fast lane; *runner*, which is set up, takes what is not for it."""
    assert runner.server is not None
    return Lanes(service.reply, runner.server)


async def listen(lanes: Lanes, host: str, port: int, shared_port: bool = False) -> asyncio.Server:
    """Take connections; raises `OSError`."""
    loop = asyncio.get_running_loop()
    return await loop.create_server(lanes, host, port, backlog=1024, reuse_port=shared_port or None)


class Timers:
    """The desk's ticks and expiries on the running loop; *tick* stands in for the desk's own."""

    def __init__(
        self, desk: Desk, clock: Callable[[], float], tick_s: float, tick: Callable[[], None] | None = None
    ) -> None:
        self._desk, self._clock, self._tick_s = desk, clock, tick_s
        self._desk_tick = desk.tick if tick is None else tick
        self._handles: dict[str, asyncio.TimerHandle] = {}
        self._ticks = 0

    def start(self) -> None:
        """Tick now, and from now on."""
        self._tick()
        self._expire()

    def stop(self) -> None:
        """Cancel what is due."""
        for handle in self._handles.values():
            handle.cancel()

    def _tick(self) -> None:
        self._desk_tick()
        # Moments, not distances: rounding and load must not make the intervals drift.
        self._ticks = max(self._ticks + 1, int(self._clock() // self._tick_s) + 1)
        self._later("tick", self._ticks * self._tick_s - self._clock(), self._tick)

    def _expire(self) -> None:
        self._desk.expire(self._clock())
        self._later("expire", EXPIRY_EVERY_S, self._expire)

    def _later(self, name: str, delay_s: float, callback: Callable[[], None]) -> None:
        self._handles[name] = asyncio.get_running_loop().call_later(max(0.0, delay_s), callback)


async def serve(
    service: Service,
    clock: WallClock,
    *,
    host: str,
    port: int,
    tick_s: float,
    drain_s: float,
    ready: Callable[[str], None],
    shared_port: bool = False,
) -> None:
    """Serve until SIGTERM or SIGINT, then drain; *ready* is called with the address.

    Draining means: no more bids, notices as before, until no bid is in flight or *drain_s* are over; a second signal
    ends the wait. Port 0 takes a free one; with *shared_port* other processes serve it too. Raises `ServeError` when
    the address cannot be had or the accounts cannot be written.
    """
    compile_kernels(service.desk.book)
    runner = runner_of(service, drain_s)
    await runner.setup()
    timers = Timers(service.desk, clock, tick_s, service.accounts.tick)
    clock.start()
    await service.accounts.start()
    lanes, server = lanes_of(service, runner), None
    try:
        try:
            server = await listen(lanes, host, port, shared_port)
        except OSError as error:
            # Above 0 it is the system's number, and its words are shorter than asyncio's; else a name was not found.
            reason = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror or error
            raise ServeError(f"{host}:{port} cannot be served ({reason}); choose another --host or --port") from None
        address = address_of(host, server.sockets[0].getsockname()[1])
        service.public_url = service.public_url or address
        signals = _signals()
        _reload_on_hangup(service)
        timers.start()
        # All there is now stays to the end. Looking through it for garbage takes longer than a request may.
        gc.collect()
        gc.freeze()
        service.pulse.start()
        if service.people is not None:
            service.people.start()
        _log.info("ready", extra={"data": {"address": address}})
        ready(address)
        await signals.get()
        service.draining = True
        _log.info("draining", extra={"data": {"in_flight": service.desk.in_flight()}})
        await _drain(service.desk, signals, drain_s)
    finally:
        timers.stop()
        service.pulse.stop()
        if service.people is not None:
            await service.people.stop()
        if server is not None:
            server.close()
        lanes.close()
        await runner.cleanup()
        await service.accounts.stop()
        _log.info("ended")


def _reload_on_hangup(service: Service) -> None:
    """On SIGHUP, or when another worker says so: read the campaigns anew."""
    tasks: set[asyncio.Task[None]] = set()  # somebody must hold those under way

    async def reload() -> None:
        if service.campaigns is not None:
            with contextlib.suppress(ReloadError):  # it is in the log
                await service.campaigns.reload()
        if service.people is not None:
            await service.people.look()

    def begin() -> None:
        task = asyncio.get_running_loop().create_task(reload())
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, begin)
    service.accounts.on_reload = begin


def address_of(host: str, port: int) -> str:
    """Where a service on this host and port is called."""
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def _signals() -> asyncio.Queue[int]:
    """SIGTERM and SIGINT as they come."""
    queue: asyncio.Queue[int] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, queue.put_nowait, int(number))
    return queue


async def _drain(desk: Desk, signals: asyncio.Queue[int], drain_s: float) -> None:
    end_s = time.monotonic() + drain_s
    while desk.in_flight() and signals.empty() and time.monotonic() < end_s:
        await asyncio.sleep(DRAIN_POLL_S)


def run(main: Any) -> None:
    """Run a coroutine to its end, on uvloop where it is installed."""
    factory = None
    if importlib.util.find_spec("uvloop") is not None:
        factory = importlib.import_module("uvloop").new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(main)
