"""The bidder over HTTP beside a bare aiohttp echo of the same bodies: requests per CPU-second of the server.

`python -m benchmarks.wire` prints the table. One worker, 64 connections kept open, a million people, 50 campaigns with
every feature on; requests carry consent strings, floors, deals and private data as the simulated market makes them.
Each bid holds its money until it expires a second later, so that no body meets a cap the same body has filled. Echo and
bidder take turns in short rounds on one core while the callers have another, so that a busy neighbour slows both.
Times in ns and s.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import itertools
import os
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any, NamedTuple, cast

import numpy as np
from aiohttp import web

from benchmarks.world import benchmark_scenario
from bidder.build import build_book
from bidder.desk import Desk
from bidder.server.app import Service
from bidder.server.serve import WallClock, compile_kernels, lanes_of, listen, run, runner_of
from bidder.server.signing import Signer
from exchange_sim.requests import Arrivals, RequestMaker
from exchange_sim.traffic import draw_opportunities
from exchange_sim.world import OPPORTUNITY
from experiments.compile.wire import slot_cards
from experiments.setting import Setting, make_ready
from openrtb.decode import encode_request

CONNECTIONS = 64
BODIES = 20_000
"""Different ones: more than a second's worth."""
ROUND_S, ROUNDS = 0.5, 16
NOON_S = 4.5 * 86400.0
"""Moment of the scenario at which the service begins: budgets are half gone to time and hours are day."""


SERVERS, CALLERS = 0, 1
"""Which of the cores they run on."""


@contextlib.contextmanager
def keeping_to(core: int) -> Iterator[None]:
    """Run this process on one of the cores it may use, if there are several."""
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    if len(cores) > 1:
        os.sched_setaffinity(0, {cores[core]})
    yield
    if len(cores) > 1:
        os.sched_setaffinity(0, cores)


class Load(NamedTuple):
    """What a round of requests did."""

    requests: int
    bids: int
    refused: int
    """Answers other than 200 and 204."""
    cpu_s: float
    """Of the server."""

    @property
    def per_cpu_s(self) -> float:
        """Requests per CPU-second of the server."""
        return self.requests / self.cpu_s


def world(campaigns: int, people: int = 1_000_000) -> Setting:
    """The benchmark world with budgets that last."""
    setting = make_ready(benchmark_scenario(10_000_000, people=people, campaigns=campaigns))
    rich = tuple(replace(plan, total_nanos=10**15, daily_nanos=10**14) for plan in setting.plans)
    return replace(setting, plans=rich)


def bodies(setting: Setting, count: int = BODIES, tmax_ms: float = 1000.0) -> list[bytes]:
    """Requests of the simulated market as JSON."""
    opps = np.zeros(count, OPPORTUNITY)
    cursor = np.array([0.0, NOON_S])
    drawn = draw_opportunities(setting.world, opps, count, cursor, setting.end_s)
    assert drawn == count
    user_id = setting.user_id
    maker = RequestMaker(
        setting.world, slot_cards(setting), setting.directory.places, user_id, currency="USD", tmax_ms=tmax_ms
    )
    arrivals = Arrivals(opps, np.zeros((0, 0), np.int64))
    return [encode_request(maker.make(arrivals, i)) for i in range(count)]


def clock_of_noon() -> WallClock:
    """A clock that begins at noon of the fifth day."""
    return WallClock(lambda: NOON_S)


def service_of(setting: Setting, clock: WallClock | None = None) -> Service:
    """The bidder of the world, its clock at noon of the fifth day."""
    book = build_book(setting.plans, setting.directory, people_count=setting.world.people_count)
    clock = clock or clock_of_noon()
    desk = Desk(book, setting.plans, setting.directory, setting.audience, clock=clock, reservation_s=1.0)
    service = Service(desk, Signer(time.time), currency="USD", public_url="http://bidder.example:8080")
    compile_kernels(book)
    clock.start()
    desk.tick()
    return service


def echo_app() -> web.Application:
    """The bare aiohttp service everything is measured against."""

    async def echo(http: web.Request) -> web.Response:
        return web.Response(body=await http.read(), content_type="application/json")

    app = web.Application()
    app.router.add_post("/openrtb2/bid", echo)
    return app


async def _echo(pipe: Connection) -> None:
    runner = web.AppRunner(echo_app(), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=1024).start()
    await _told(pipe, runner.addresses[0][1])
    await runner.cleanup()


async def _bidder(pipe: Connection, setting: Setting) -> None:
    service = service_of(setting)
    runner = runner_of(service, 1.0)
    await runner.setup()
    lanes = lanes_of(service, runner)
    server = await listen(lanes, "127.0.0.1", 0)
    await _told(pipe, server.sockets[0].getsockname()[1])
    server.close()
    lanes.close()
    await runner.cleanup()


async def _told(pipe: Connection, port: int) -> None:
    """Say the port, then the CPU time used so far whenever it is asked for; return at the end of the pipe."""
    loop, over = asyncio.get_running_loop(), asyncio.Event()

    def asked() -> None:
        try:
            pipe.recv()
        except EOFError:
            over.set()
            return
        pipe.send((time.process_time(),))

    loop.add_reader(pipe.fileno(), asked)
    pipe.send(port)
    await over.wait()
    loop.remove_reader(pipe.fileno())


class Server:
    """A server in a process of its own, forked so that it shares the world."""

    def __init__(self, main: Callable[..., Any], *arguments: Any) -> None:
        context = get_context("fork")
        self._pipe, theirs = context.Pipe()

        def work() -> None:
            self._pipe.close()
            gc.freeze()
            with keeping_to(SERVERS):
                run(main(theirs, *arguments))

        self._process = context.Process(target=work, daemon=True)
        self._process.start()
        theirs.close()
        self.port: int = self._pipe.recv()

    def figures(self) -> tuple[float, ...]:
        """The CPU seconds it has used, and what else it tells."""
        self._pipe.send(None)
        told: tuple[float, ...] = self._pipe.recv()
        return told

    def stop(self) -> None:
        """End it."""
        self._pipe.close()
        self._process.join(10)


class _Caller(asyncio.Protocol):
    """One connection that always has one request under way."""

    def __init__(self, caller: Callers) -> None:
        self._caller, self._data = caller, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(self._caller.next())

    def data_received(self, data: bytes) -> None:
        self._data += data
        end = self._data.find(b"\r\n\r\n")
        if end < 0:
            return
        status = int(self._data[9:12])
        at = self._data.find(b"Content-Length: ", 0, end)
        length = 0 if at < 0 else int(self._data[at + 16 : self._data.index(b"\r", at)])
        if len(self._data) >= end + 4 + length:
            self._data = b""
            more = self._caller.took(status)
            if more is not None:
                self._transport.write(more)


class Callers:
    """Connections that send *requests* in turn until time is over."""

    def __init__(self, requests: Iterator[bytes], until_s: float) -> None:
        self.next, self._until_s = requests.__next__, until_s
        self.statuses: Counter[int] = Counter()
        self.over = asyncio.get_running_loop().create_future()
        self._busy = CONNECTIONS

    def took(self, status: int) -> bytes | None:
        """Count an answer; the next request, or None at the end."""
        self.statuses[status] += 1
        if time.monotonic() < self._until_s:
            return self.next()
        self._busy -= 1
        if self._busy == 0:
            self.over.set_result(None)
        return None


async def _round(port: int, requests: Iterator[bytes], seconds: float) -> Counter[int]:
    """Send for a while; the answers by status."""
    loop = asyncio.get_running_loop()
    callers = Callers(requests, time.monotonic() + seconds)
    opened = [await loop.create_connection(lambda: _Caller(callers), "127.0.0.1", port) for _ in range(CONNECTIONS)]
    await callers.over
    for transport, _ in opened:
        transport.close()
    return callers.statuses


def ask(server: Server, requests: Iterator[bytes], seconds: float = ROUND_S) -> Load:
    """One round against a server."""
    before = server.figures()[0]
    statuses = asyncio.run(_round(server.port, requests, seconds))
    cpu_s = server.figures()[0] - before
    return Load(statuses.total(), statuses[200], statuses.total() - statuses[200] - statuses[204], cpu_s)


def as_http(body: bytes) -> bytes:
    """A request with the head an exchange sends."""
    head = (
        "POST /openrtb2/bid HTTP/1.1\r\nHost: bidder.example:8080\r\nAccept: application/json\r\n"
        "User-Agent: exchange/1.0\r\nContent-Type: application/json\r\nx-openrtb-version: 2.6\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def inside_ns(service: Service, requests: list[bytes]) -> tuple[float, float]:
    """Median of the time from a request's bytes to the answer's, no network, and mean CPU time (ns)."""
    spent = []
    began = time.process_time_ns()
    for body in requests:
        started = time.perf_counter_ns()
        status, _ = service.reply(body, time.monotonic(), False)
        spent.append(time.perf_counter_ns() - started)
        assert status in (200, 204)
    return statistics.median(spent), (time.process_time_ns() - began) / len(requests)


class Result(NamedTuple):
    """Side by side."""

    echo: Load
    bidder: Load
    ratio: float
    """Requests per CPU-second, bidder over echo: the median of the rounds."""
    median_ns: float
    """Inside the bidder."""
    growth: float
    """CPU time inside with 1,000 campaigns over that with 50."""


def compare(rounds: int = ROUNDS) -> Result:
    """Measure everything."""
    setting = world(50)
    made = bodies(setting)
    echo, bidder = Server(_echo), Server(_bidder, setting)
    try:
        requests = [as_http(body) for body in made]
        calls = (itertools.cycle(requests), itertools.cycle(requests))
        with keeping_to(CALLERS):
            for server, each in zip((echo, bidder), calls, strict=True):
                ask(server, each)  # warm
            pairs = [(ask(echo, calls[0]), ask(bidder, calls[1])) for _ in range(rounds)]
    finally:
        echo.stop()
        bidder.stop()
    ratios = sorted((ours.per_cpu_s / theirs.per_cpu_s, k) for k, (theirs, ours) in enumerate(pairs))
    ratio, k = ratios[len(ratios) // 2]
    few, many = service_of(setting), service_of(world(1_000))
    inside = [(inside_ns(few, made), inside_ns(many, made)) for _ in range(3)]
    return Result(
        *pairs[k],
        ratio,
        min(ours[0] for ours, _ in inside),
        min(large[1] for _, large in inside) / min(small[1] for small, _ in inside),
    )


def main() -> None:
    """Measure and print."""
    done = compare()
    for name, load in (("echo", done.echo), ("bidder", done.bidder)):
        print(
            f"{name:10} {load.per_cpu_s:12,.0f} requests per CPU-second of the server "
            f"({load.requests:,} requests, {load.bids / load.requests:.0%} with status 200, {load.refused} refused)"
        )
    print(f"{'':10} {done.ratio:12.2f} of the echo (bar: 0.80)")
    print(f"{'':10} {done.median_ns / 1000:12.1f} µs in the median inside the bidder (bar: 60)")
    print(f"{'':10} {done.growth:12.2f} time inside with 1,000 campaigns against 50 (bar: 1.30)")


if __name__ == "__main__":
    main()
