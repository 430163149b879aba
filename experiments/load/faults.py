"""Requests that go wrong on purpose, each on a connection of its own: what a bidder must survive, not be measured by.

| pack | what is sent | what it may be answered with |
|---|---|---|
| malformed | JSON cut short, wrong types, NaN, bytes that are no text | 4xx |
| oversize | a body of 2 MiB | 4xx, or a closed connection |
| slow | half a body, a pause of two time-outs, the rest | anything but 5xx |
| vanish | a whole request, and nobody waits for the answer | |
| skewed | a request from an exchange whose clock is a day off: its `Date`, and `ext.timestamp` as many send | 2xx |
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Sequence

from yarl import URL

from experiments.load.client import Poster, dated
from experiments.load.traffic import Due

REQUEST_PACKS = ("malformed", "oversize", "slow", "vanish", "skewed")
NOTICE_PACKS = ("lost", "late", "duplicate", "forged", "skewed")
SKEW_S = 86_400.0
"""How far off a skewed clock is, one way or the other."""
OVERSIZE = 2 << 20
MOST_AT_ONCE = 64


class RequestFaults:
    """Sends faulty requests; `answers` counts what they were answered with, by pack."""

    def __init__(self, url: str, packs: Sequence[str], share: float, tmax_s: float) -> None:
        self.answers: Counter[tuple[str, str]] = Counter()
        self.packs, self.share = tuple(packs), share if packs else 0.0
        self._poster, self._target, self._tmax_s = Poster(url), URL(url, encoded=True), tmax_s
        self._tasks: set[asyncio.Task[None]] = set()

    def send(self, due: Due, u: float) -> None:
        """Send a faulty version of a request; *u* in [0, 1) chooses which."""
        if len(self._tasks) >= MOST_AT_ONCE:
            self.answers["any", "skipped: too many at once"] += 1
            return
        pack = self.packs[int(u * len(self.packs))]
        task = asyncio.get_running_loop().create_task(self._send(pack, due, u))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def finish(self, within_s: float) -> None:
        """Wait for what is under way."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=within_s)
        for task in self._tasks:
            task.cancel()

    def violations(self) -> list[str]:
        """What no fault may be answered with."""
        told = []
        for (pack, answer), n in sorted(self.answers.items()):
            bad = answer.startswith("5") or (pack in ("malformed", "oversize") and answer.startswith("2"))
            bad = bad or (pack == "skewed" and answer.startswith("4"))
            if bad:
                told.append(f"{n:,} {pack} requests were answered {answer}")
        return told

    async def _send(self, pack: str, due: Due, u: float) -> None:
        try:
            async with asyncio.timeout(10.0 + 4.0 * self._tmax_s):
                self.answers[pack, await self._answer(pack, due, u)] += 1
        except TimeoutError:
            self.answers[pack, "no answer"] += 1
        except OSError:
            self.answers[pack, "closed"] += 1

    async def _answer(self, pack: str, due: Due, u: float) -> str:
        assert self._target.host is not None
        reader, writer = await asyncio.open_connection(
            self._target.host, self._target.port, ssl=True if self._target.scheme == "https" else None
        )
        try:
            if pack == "slow":
                message = self._poster.message(due.body)
                writer.write(message[: -len(due.body) // 2])
                await writer.drain()
                await asyncio.sleep(2.0 * self._tmax_s)
                writer.write(message[-len(due.body) // 2 :])
            elif pack == "oversize":
                writer.write(self._poster.message(b" " * OVERSIZE))
            elif pack == "malformed":
                writer.write(self._poster.message(malformed(due.body, u)))
            elif pack == "skewed":
                writer.write(skewed(self._poster, due.body, SKEW_S if int(u * 7919) % 2 else -SKEW_S))
            else:
                writer.write(self._poster.message(due.body))
                await writer.drain()
                return "left"
            line = await reader.readline()
            return line[9:12].decode("latin-1") if line.startswith(b"HTTP/1.") else "closed"
        finally:
            writer.transport.abort()


def skewed(poster: Poster, body: bytes, skew_s: float) -> bytes:
    """A request as sent by somebody whose clock is *skew_s* ahead."""
    told_s = time.time() + skew_s
    return dated(poster.message(b'%b,"ext":{"timestamp":%d}}' % (body[:-1], told_s * 1000.0)), skew_s)


def malformed(body: bytes, u: float) -> bytes:
    """One of several ways in which a body cannot be a request."""
    kinds = (
        body[: len(body) // 2],
        b"",
        b"[" + body + b"]",
        body.replace(b'"imp":[', b'"imp":7,"x":[', 1),
        body.replace(b'"id":"', b'"id":7,"x":"', 1),
        body[:-1] + b',"tmax":NaN}',
        b"\xff\xfe" + body,
        b'{"a":' * 5000,
    )
    return kinds[int(u * 7919) % len(kinds)]
