"""The fast lane: bid requests as nearly all exchanges send them, answered without a framework in between.

A connection begins here. As long as it brings plain `POST /openrtb2/bid` requests (a length, no encoding, nothing odd
in the head) they are read and answered in place, which saves most of what a request costs. The first one that is
anything else, and all that follows on that connection, goes to aiohttp, which answers the same. Times in s.
"""

from __future__ import annotations

import asyncio
import gzip
import logging
import re
import time
from collections.abc import Callable
from email.utils import formatdate
from typing import NamedTuple, cast

from bidder.server.body import LARGEST_BODY, SLOWEST_BODY_S, TYPES
from openrtb.decode import VERSION

WORTH_PACKING = 4096
"""Bytes from which an answer is packed for a client that takes gzip: packing one bid costs more than sending it."""
LONGEST_HEAD, LONGEST_KEPT = 8192, 1024
"""Bytes of a head: those of a longer one are aiohttp's to read, and its meaning is not kept."""
REMEMBERED = 4096
"""Heads whose meaning is kept: one client's differ by the length of the body only."""
TOGETHER = 16
"""Answers that wait for one another: those to requests read together are sent together, so that who waits for them is
woken once. With the callers on the same machine, waking them for each answer was a quarter of its cost. Sixteen take
less than a millisecond.
"""
IDLE_S = 75.0
"""After this long without a request a connection is closed."""
_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\x21-\x7e](?:[\x20-\x7e\t]*[\x21-\x7e])?)?[ \t]*")
_STARTS = {b"POST /openrtb2/bid HTTP/1.1": False, b"POST /openrtb2/bid?nbr=1 HTTP/1.1": True}
_BEGINNING = b"POST /openrtb2/bid"
_UNUSUAL = {b"transfer-encoding", b"content-encoding", b"expect", b"upgrade", b"connection", b"trailer", b"te"}
_log = logging.getLogger("bidlab.lane")

Reply = Callable[[bytes, float, bool], tuple[int, bytes]]
"""Status and body for a request's body, the moment it came, and whether to say why there is no bid."""


class Head(NamedTuple):
    """What a plain head says."""

    length: int
    say_why: bool
    packs: bool
    """The client takes gzip."""


def read_head(head: bytes) -> Head | None:
    """The meaning of a head without its empty line; None when it is not one for the fast lane."""
    start, *lines = head.split(b"\r\n")
    say_why = _STARTS.get(start)
    if say_why is None:
        return None
    length, packs = -1, False
    for line in lines:
        match = _LINE.fullmatch(line)
        if match is None:
            return None
        name, value = match[1].lower(), match[2] or b""
        if name == b"content-length":
            if length >= 0 or not value.isdigit() or len(value) > 7:
                return None
            length = int(value)
        elif name == b"content-type":
            if value.partition(b";")[0].strip().lower().decode() not in TYPES:
                return None
        elif name == b"accept-encoding":
            packs = packs or b"gzip" in value.lower()
        elif name in _UNUSUAL and (name, value.lower()) != (b"connection", b"keep-alive"):
            return None
    return Head(length, say_why, packs) if 0 <= length <= LARGEST_BODY else None


class Lanes:
    """Every connection in the fast lane. *reply* answers a body, *slow* makes the protocol for everything else."""

    def __init__(self, reply: Reply, slow: Callable[[], asyncio.Protocol]) -> None:
        self.reply, self.slow = reply, slow
        self.open: set[Lane] = set()
        self._heads: dict[bytes, Head | None] = {}
        self._second, self._date = -1, b""
        self._timer: asyncio.TimerHandle | None = None
        self._answers: list[tuple[asyncio.Transport, bytes]] = []

    def __call__(self) -> Lane:
        """A protocol for a new connection."""
        if self._timer is None:
            self._sweep()
        return Lane(self)

    def head(self, head: bytes) -> Head | None:
        """What a head means, looked up or read."""
        try:
            return self._heads[head]
        except KeyError:
            if len(self._heads) >= REMEMBERED:
                self._heads.clear()
            meaning = read_head(head)
            if len(head) <= LONGEST_KEPT:
                self._heads[head] = meaning
            return meaning

    def response(self, status: int, body: bytes, packs: bool) -> bytes:
        """The whole answer as bytes."""
        second = int(time.time())
        if second != self._second:
            self._second = second
            self._date = f"x-openrtb-version: {VERSION}\r\nDate: {formatdate(second, usegmt=True)}\r\n".encode()
        if status == 204:
            return b"HTTP/1.1 204 No Content\r\n" + self._date + b"\r\n"
        if status != 200:
            return b"HTTP/1.1 %d \r\n%bContent-Length: 0\r\n\r\n" % (status, self._date)
        packed = b""
        if packs and len(body) >= WORTH_PACKING:
            body, packed = gzip.compress(body, 1), b"Content-Encoding: gzip\r\n"
        return b"HTTP/1.1 200 OK\r\n%bContent-Type: application/json\r\n%bContent-Length: %d\r\n\r\n%b" % (
            *(self._date, packed, len(body), body),
        )

    def send(self, transport: asyncio.Transport, answer: bytes) -> None:
        """Send an answer, together with those to the other requests that have been read by now."""
        answers = self._answers
        answers.append((transport, answer))
        if len(answers) == 1:
            asyncio.get_running_loop().call_soon(self.flush)
        elif len(answers) >= TOGETHER:
            self.flush()

    def flush(self) -> None:
        """Send what is waiting to be sent."""
        answers, self._answers = self._answers, []
        for transport, answer in answers:
            if not transport.is_closing():
                transport.write(answer)

    def close(self) -> None:
        """Close all connections."""
        if self._timer is not None:
            self._timer.cancel()
        for lane in list(self.open):
            lane.give_up()

    def _sweep(self) -> None:
        """Close what has been idle too long, now and from now on."""
        now_s = time.monotonic()
        for lane in list(self.open):
            if now_s - lane.came_s > (SLOWEST_BODY_S if lane.waiting else IDLE_S):
                lane.give_up()
        self._timer = asyncio.get_running_loop().call_later(SLOWEST_BODY_S / 4, self._sweep)


class Lane(asyncio.Protocol):
    """One connection."""

    transport: asyncio.Transport

    def __init__(self, lanes: Lanes) -> None:
        self._lanes = lanes
        self._parts: list[bytes] = []
        """A request that has come in part."""
        self._missing = 0
        """How many bytes of it are to come."""
        self.came_s = time.monotonic()
        """When the request now under way, or the last one, came."""

    @property
    def waiting(self) -> bool:
        """Whether a request has come in part only."""
        return bool(self._parts)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client is there."""
        self.transport = cast(asyncio.Transport, transport)
        self._lanes.open.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """It is gone."""
        self._lanes.open.discard(self)

    def pause_writing(self) -> None:
        """It does not read its answers: no more questions from it."""
        self.transport.pause_reading()

    def resume_writing(self) -> None:
        """It reads again."""
        self.transport.resume_reading()

    def data_received(self, data: bytes) -> None:
        """Answer every request that is whole; hand over at the first that is not for this lane."""
        if self._parts:
            self._parts.append(data)
            self._missing -= len(data)
            if self._missing > 0:
                return
            data = b"".join(self._parts)
            self._parts.clear()
        else:
            self.came_s = time.monotonic()
        lanes, at = self._lanes, 0
        while at < len(data):
            end = data.find(b"\r\n\r\n", at, at + LONGEST_HEAD)
            if end < 0 and len(data) - at < LONGEST_HEAD and _BEGINNING.startswith(data[at : at + len(_BEGINNING)]):
                self._wait(data[at:], 1)
                return
            head = lanes.head(data[at:end]) if end > 0 else None
            if head is None:
                self._hand_over(data[at:])
                return
            last = end + 4 + head.length
            if len(data) < last:
                self._wait(data[at:], last - len(data))
                return
            self._answer(head, data[end + 4 : last])
            at = last

    def _wait(self, part: bytes, missing: int) -> None:
        """Keep what has come until at least *missing* more bytes are there."""
        self._parts.append(part)
        self._missing = missing

    def give_up(self) -> None:
        """Close the connection, telling a client that is in the middle of a request why."""
        self._lanes.flush()
        if self.transport.get_write_buffer_size():  # it does not even read what it has been told
            self.transport.abort()
            return
        if self.waiting:
            self.transport.write(self._lanes.response(408, b"", False))
        self.transport.close()

    def _answer(self, head: Head, body: bytes) -> None:
        try:
            status, answer = self._lanes.reply(body, self.came_s, head.say_why)
        except Exception:
            _log.exception("a request could not be answered")
            status, answer = 500, b""
        lanes = self._lanes
        lanes.send(self.transport, lanes.response(status, answer, head.packs))

    def _hand_over(self, data: bytes) -> None:
        """Let aiohttp go on from here."""
        self._lanes.flush()  # answers keep their order
        self._lanes.open.discard(self)
        protocol = self._lanes.slow()
        self.transport.set_protocol(protocol)
        protocol.connection_made(self.transport)
        protocol.data_received(data)
