"""The bidder under an open loop of requests: at 70 % of what it can take, at twice as much, and at 70 % again.

`python -m benchmarks.overload` prints what came of it. The service runs as `bidlab bidder serve` runs it, in a process
and on a core of its own, with a million people and 50 campaigns. Requests are ready-made, so that sending one costs a
fraction of answering it; they leave when they are due (a Poisson process), whatever has become of the ones before, and
latency counts from that moment to the last byte of the answer. Times in s, latencies in ms.
"""

from __future__ import annotations

import asyncio
import gc
import itertools
import math
import os
import resource
import select
import signal
import socket
import time
from collections import deque
from collections.abc import Iterator
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.wire import CALLERS, Server, as_http, ask, bodies, clock_of_noon, keeping_to, service_of, world
from bidder.server.serve import serve
from bidder.server.shedding import Pulse
from experiments.load.require import requirement
from experiments.load.search import find_max
from experiments.setting import Setting

TMAX_S = 0.1
SHED_S = 0.025
"""As `bidlab bidder serve` has it."""
CONNECTIONS = 2000
"""Kept open. An exchange opens more when answers are late: so there are enough for all that waits at twice the load."""
STEP_S, CALM_S, OVER_S, AFTER_S = 4.0, 5.0, 5.0, 4.0
"""Of each rate of the search (a rate held for a moment only is none the bidder can take), and of the phases."""
WINDOW_S = 0.05
"""Recovery is looked for in windows this long."""
LASTING = 10
"""So many good windows, one after another, are recovery."""
GIVE_UP_S = 2.0


class Seen(NamedTuple):
    """What became of each request, in the order they were due."""

    due_s: NDArray[np.float64]
    """Since the first."""
    lag_ms: NDArray[np.float64]
    """How much later than that it left."""
    latency_ms: NDArray[np.float64]
    """NaN: never answered."""
    bid: NDArray[np.bool_]
    """Answered with a bid."""

    def between(self, from_s: float, to_s: float) -> Seen:
        """Those due within."""
        return self.of((self.due_s >= from_s) & (self.due_s < to_s))

    def of(self, chosen: NDArray[np.bool_]) -> Seen:
        """Those chosen."""
        return Seen(self.due_s[chosen], self.lag_ms[chosen], self.latency_ms[chosen], self.bid[chosen])

    @property
    def late(self) -> int:
        """Answered after `tmax`, or never."""
        return int((~(self.latency_ms <= TMAX_S * 1000.0)).sum())

    def percentile(self, percent: float) -> float:
        """Of the latency (ms); a request nobody answered has waited for ever."""
        waited = np.where(np.isnan(self.latency_ms), np.inf, self.latency_ms)
        return float(np.percentile(waited, percent, method="higher")) if len(waited) else 0.0

    def left_late_ms(self) -> float:
        """99th percentile of how late they left: where it is of the size of the latencies, the machine is too small."""
        return float(np.nanpercentile(self.lag_ms, 99))


class Open:
    """Connections to the bidder and the requests on them."""

    def __init__(self, port: int, requests: Iterator[bytes]) -> None:
        self._requests = requests
        self._poll = select.epoll()
        self._sockets: dict[int, socket.socket] = {}
        self._idle: list[socket.socket] = []
        for _ in range(CONNECTIONS):
            made = socket.create_connection(("127.0.0.1", port))
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            made.setblocking(False)
            self._poll.register(made.fileno(), select.EPOLLIN)
            self._sockets[made.fileno()] = made
            self._idle.append(made)

    def close(self) -> None:
        """Hang up."""
        for made in self._sockets.values():
            made.close()
        self._poll.close()

    def send(self, due_s: NDArray[np.float64]) -> Seen:
        """Send a request at each of the moments, and wait for the answers."""
        count, moments = len(due_s), due_s.tolist()
        lag, latency = np.full(count, np.nan), np.full(count, np.nan)
        bid = np.zeros(count, np.bool_)
        under_way: dict[int, int] = {}
        unsent: deque[int] = deque()
        parts: dict[int, bytes] = {}
        clock, sockets, idle, poll = time.perf_counter, self._sockets, self._idle, self._poll
        at, start_s = 0, clock() + 0.01
        end_s = start_s + moments[-1] + GIVE_UP_S
        while (now_s := clock()) < end_s and (at < count or under_way or unsent):
            while at < count and start_s + moments[at] <= now_s:
                unsent.append(at)
                at += 1
            while unsent and idle:
                k, link = unsent.popleft(), idle.pop()
                link.send(next(self._requests))
                under_way[link.fileno()] = k
                lag[k] = clock() - start_s - moments[k]
            wait_s = start_s + moments[at] - clock() if at < count else 0.01
            for number, _ in poll.poll(max(0.0, wait_s - 0.0005), 256):
                data = sockets[number].recv(65536)
                if number in parts:
                    data = parts.pop(number) + data
                if not _whole(data):
                    assert data, "the bidder hung up"
                    parts[number] = data
                    continue
                k = under_way.pop(number)
                latency[k] = clock() - start_s - moments[k]
                bid[k] = data.startswith(b"HTTP/1.1 200")
                assert bid[k] or data.startswith(b"HTTP/1.1 204"), data
                idle.append(sockets[number])
        return Seen(due_s, lag * 1000.0, latency * 1000.0, bid)


def _whole(data: bytes) -> bool:
    end = data.find(b"\r\n\r\n")
    at = data.find(b"Content-Length: ", 0, end) if end >= 0 else -1
    return end >= 0 and (at < 0 or len(data) >= end + 4 + int(data[at + 16 : data.index(b"\r", at)]))


def moments(phases: list[tuple[float, float]], seed: int = 1) -> NDArray[np.float64]:
    """Moments of a Poisson process, phase by phase: (requests a second, s)."""
    luck, parts, start_s = np.random.default_rng(seed), [], 0.0
    for rate_per_s, length_s in phases:
        parts.append(start_s + np.sort(luck.random(luck.poisson(rate_per_s * length_s))) * length_s)
        start_s += length_s
    return np.concatenate(parts)


async def _served(pipe: Connection, setting: Setting) -> None:
    """The service as the command runs it; the pipe answers with CPU time and how many were turned away."""
    clock = clock_of_noon()
    service = service_of(setting, clock)
    service.pulse = Pulse(SHED_S)
    loop = asyncio.get_running_loop()

    def asked() -> None:
        try:
            pipe.recv()
        except EOFError:
            loop.remove_reader(pipe.fileno())
            os.kill(os.getpid(), signal.SIGTERM)
            return
        pipe.send((time.process_time(), service.traffic.shed, service.traffic.late))

    def ready(address: str) -> None:
        loop.add_reader(pipe.fileno(), asked)
        pipe.send(int(address.rpartition(":")[2]))

    await serve(service, clock, host="127.0.0.1", port=0, tick_s=60.0, drain_s=0.1, ready=ready)


class Found(NamedTuple):
    """What the whole run found."""

    most_per_s: float
    calm: Seen
    """At 70 %."""
    over: Seen
    """At 200 %."""
    shed: int
    """Requests the bidder turned away or found too late, over and after."""
    after: Seen
    """At 70 % again."""
    recovery_s: float
    """From the end of the overload to the first window from which on all is as it was."""


def recovery_s(after: Seen, start_s: float, calm: Seen) -> float:
    """When the first half second begins in which no window is slow (half of it slower than 10 ms and than 99 % when it
    was calm) or poor in bids (below 0.9 of what was usual, beyond what luck explains); infinity: none does."""
    slow_ms, usual, well = max(10.0, calm.percentile(99)), float(calm.bid.mean()), 0
    for k in range(int(AFTER_S / WINDOW_S)):
        window = after.between(start_s + k * WINDOW_S, start_s + (k + 1) * WINDOW_S)
        luck = 3.0 * (usual * (1.0 - usual) / max(1, len(window.bid))) ** 0.5
        bad = len(window.bid) > 0 and (window.percentile(50) > slow_ms or window.bid.mean() < 0.9 * usual - luck)
        well = 0 if bad else well + 1
        if well == LASTING:
            return (k + 1 - LASTING) * WINDOW_S
    return math.inf


def find() -> Found:
    """Do it all: about a minute."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    setting = world(50)
    requests = [as_http(body) for body in bodies(setting, tmax_ms=TMAX_S * 1000.0)]
    server = Server(_served, setting)
    with keeping_to(CALLERS):
        calls = itertools.cycle(requests)
        first_per_s = ask(server, calls, 1.0).requests / 1.0
        link = Open(server.port, calls)
        gc.collect()
        gc.disable()  # nothing here makes garbage in cycles, and a search for it would look like a slow answer
        try:
            most, _ = find_max(lambda rate: _step(server, link, rate), first_per_s, [requirement("timeouts<0.1%")])
            assert most is not None
            rate = most.rate_per_s
            calm = link.send(moments([(0.7 * rate, CALM_S)]))
            before = server.figures()
            seen = link.send(moments([(0.7 * rate, 1.0), (2.0 * rate, OVER_S), (0.7 * rate, AFTER_S)]))
            then = server.figures()
        finally:
            gc.enable()
            link.close()
            server.stop()
    end_s = 1.0 + OVER_S
    after = seen.between(end_s, end_s + AFTER_S)
    shed = _turned_away(before, then)
    return Found(rate, calm, seen.between(1.0, end_s), shed, after, recovery_s(after, end_s, calm))


def _step(server: Server, link: Open, rate_per_s: float) -> dict[str, Any]:
    """One rate of the search: as bad as late is turned away."""
    before = server.figures()
    seen = link.send(moments([(rate_per_s, STEP_S)]))
    bad = seen.late + _turned_away(before, server.figures())
    return {"asked": {"duration_s": STEP_S, "ramp_s": 0.0}, "sent": len(seen.due_s), "counts": {"timeouts": bad}}


def _turned_away(before: tuple[float, ...], then: tuple[float, ...]) -> int:
    return int(sum(then[1:]) - sum(before[1:]))


def main() -> None:
    """Measure and print."""
    found = find()
    print(f"{found.most_per_s:12,.0f} requests a second are answered in time, none turned away")
    for name, seen in (("70 %", found.calm), ("200 %", found.over), ("70 % again", found.after)):
        print(
            f"{name:>12} {len(seen.due_s):,} requests, {seen.late} past tmax; p50 {seen.percentile(50):.1f} ms, "
            f"p99 {seen.percentile(99):.1f} ms, max {seen.percentile(100):.1f} ms; {seen.bid.mean():.0%} with bids, "
            f"of these p99 {seen.of(seen.bid).percentile(99):.1f} ms; left late by {seen.left_late_ms():.1f} ms (p99)"
        )
    print(f"{found.shed:12,} turned away at 200 % and after")
    print(f"{found.recovery_s:12.2f} s until all was as before")


if __name__ == "__main__":
    main()
