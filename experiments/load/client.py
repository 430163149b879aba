"""A small HTTP/1.1 client for one host: kept connections, no pipelining, and a queue that does not wait for answers.

aiohttp's client costs more than many a bidder's whole answer, and the generator must not be what is measured. Times in
s on the event loop's clock.
"""

from __future__ import annotations

import asyncio
import re
import ssl
import time
import zlib
from collections import deque
from collections.abc import Callable
from email.utils import formatdate
from typing import Any

from yarl import URL

LARGEST_HEAD = 1 << 16
LARGEST_ANSWER = 4 << 20
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding:[^\r]*chunked", re.IGNORECASE)
_GZIP = re.compile(rb"\r\ncontent-encoding:[ \t]*gzip", re.IGNORECASE)
_CLOSE = re.compile(rb"\r\nconnection:[ \t]*close", re.IGNORECASE)
_NO_BODY = (204, 304)


class Job:
    """One message: what to send, when it should have left, and whom to tell. *about* is the caller's own."""

    __slots__ = ("about", "done", "intended_s", "payload", "sent_s")

    def __init__(self, payload: bytes, intended_s: float, done: Callable[[Job, int, bytes, str], None], about: Any):
        self.payload, self.intended_s, self.done, self.about = payload, intended_s, done, about
        self.sent_s = 0.0


class Pool:
    """Connections to one host. `send` never waits: what finds no free connection stands in line.

    A job ends with (status, body, ""), or with (0, b"", what went wrong).
    """

    def __init__(self, url: str, connections: int, give_up_s: float) -> None:
        target = URL(url, encoded=True)
        assert target.host is not None
        self.host, self.port = target.host, target.port or 80
        self.opened = 0
        self.reopened = 0
        self._tls = ssl.create_default_context() if target.scheme == "https" else None
        self._give_up_s = give_up_s
        self._idle: deque[_Connection] = deque()
        self._line: deque[Job] = deque()
        self._busy: set[_Connection] = set()
        self._connecting: set[asyncio.Task[None]] = set()
        self._count, self._closed = connections, False
        self._sweep: asyncio.TimerHandle | None = None

    async def open(self) -> None:
        """Open every connection; raises `OSError` when the host cannot be reached at all."""
        await asyncio.gather(*(self._connect() for _ in range(self._count)))
        self._sweep = asyncio.get_running_loop().call_later(0.05, self._sweep_up)

    def close(self) -> None:
        """Drop everything; jobs that are not done end with `given up`."""
        self._closed = True
        if self._sweep is not None:
            self._sweep.cancel()
        for connection in [*self._idle, *self._busy]:
            connection.drop("given up")
        for task in self._connecting:
            task.cancel()
        while self._line:
            self._fail(self._line.popleft(), "given up")

    @property
    def waiting(self) -> int:
        """Jobs in line or under way."""
        return len(self._line) + len(self._busy)

    def send(self, job: Job) -> None:
        """Send a job now, or as soon as a connection is free."""
        while self._idle:
            connection = self._idle.popleft()
            if not connection.lost:
                self._busy.add(connection)
                connection.begin(job)
                return
        self._line.append(job)

    def _free(self, connection: _Connection) -> None:
        """A connection has done its job."""
        if self._line and not self._closed:
            connection.begin(self._line.popleft())
        else:
            self._busy.discard(connection)
            self._idle.append(connection)

    def _gone(self, connection: _Connection) -> None:
        """A connection is lost: another one takes its place."""
        self._busy.discard(connection)
        if not self._closed:
            self.reopened += 1
            task = asyncio.get_running_loop().create_task(self._again())
            self._connecting.add(task)
            task.add_done_callback(self._connecting.discard)

    async def _again(self) -> None:
        while not self._closed:
            try:
                await self._connect()
            except OSError:
                await asyncio.sleep(0.1)
            else:
                return

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(lambda: _Connection(self), self.host, self.port, ssl=self._tls)
        self.opened += 1
        self._busy.add(connection)
        self._free(connection)

    def _sweep_up(self) -> None:
        """End what has been under way for too long."""
        loop = asyncio.get_running_loop()
        before_s = loop.time() - self._give_up_s
        for connection in list(self._busy):
            if connection.job is not None and connection.job.intended_s < before_s:
                connection.drop("no answer")
        while self._line and self._line[0].intended_s < before_s:
            self._fail(self._line.popleft(), "never sent: no connection was free")
        self._sweep = loop.call_later(0.05, self._sweep_up)

    @staticmethod
    def _fail(job: Job, why: str) -> None:
        job.done(job, 0, b"", why)


class _Connection(asyncio.Protocol):
    """One connection with at most one message under way."""

    def __init__(self, pool: Pool) -> None:
        self.job: Job | None = None
        self.lost = False
        self._pool = pool
        self._buffer = bytearray()
        self._head_end = -1
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def begin(self, job: Job) -> None:
        """Send a message."""
        self.job = job
        job.sent_s = asyncio.get_running_loop().time()
        self._transport.write(job.payload)

    def drop(self, why: str) -> None:
        """Close at once; the message under way fails."""
        job, self.job = self.job, None
        self._transport.abort()
        if job is not None:
            job.done(job, 0, b"", why)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if self.job is None:
            self._transport.abort()  # nobody asked
            return
        if self._head_end < 0:
            self._head_end = self._buffer.find(b"\r\n\r\n")
            if self._head_end < 0:
                if len(self._buffer) > LARGEST_HEAD:
                    self.drop("an endless header")
                return
        try:
            body = self._body(ended=False)
        except (ValueError, zlib.error):
            self.drop("an answer that is not HTTP")
            return
        if body is not None:
            self._finish(body)
        elif len(self._buffer) > LARGEST_ANSWER:
            self.drop("an endless answer")

    def connection_lost(self, error: Exception | None) -> None:
        self.lost = True
        if self.job is not None and self._head_end >= 0:
            try:
                body = self._body(ended=True)
            except (ValueError, zlib.error):
                body = None
            if body is not None:
                self._finish(body, keep=False)
        job, self.job = self.job, None
        self._pool._gone(self)
        if job is not None:
            job.done(job, 0, b"", "the connection was closed")

    def _finish(self, body: bytes, keep: bool = True) -> None:
        job, head = self.job, bytes(self._buffer[: self._head_end])
        assert job is not None
        status = int(head[9:12])
        self.job, self._buffer, self._head_end = None, bytearray(), -1
        if keep and _CLOSE.search(head) is None and not head.startswith(b"HTTP/1.0"):
            self._pool._free(self)
        elif keep:
            self._transport.close()
        job.done(job, status, body, "")

    def _body(self, *, ended: bool) -> bytes | None:
        """The unpacked body once it is whole; raises `ValueError` when this is not HTTP."""
        head, start = bytes(self._buffer[: self._head_end]), self._head_end + 4
        if not head.startswith(b"HTTP/1."):
            raise ValueError(head[:20])
        length = _LENGTH.search(head)
        if int(head[9:12]) in _NO_BODY:
            return b""
        body: bytes | None
        if _CHUNKED.search(head):
            body = _unchunked(self._buffer, start)
        elif length is not None:
            end = start + int(length[1])
            body = bytes(self._buffer[start:end]) if len(self._buffer) >= end else None
        else:
            body = bytes(self._buffer[start:]) if ended else None
        if body and _GZIP.search(head):
            return zlib.decompressobj(16 + zlib.MAX_WBITS).decompress(body, LARGEST_ANSWER)
        return body


def _unchunked(buffer: bytearray, at: int) -> bytes | None:
    """The body sent in chunks from *at* on; None while some are missing."""
    parts: list[bytes] = []
    while True:
        line_end = buffer.find(b"\r\n", at)
        if line_end < 0:
            return None
        size = int(bytes(buffer[at:line_end]).split(b";")[0], 16)
        start = line_end + 2
        if len(buffer) < start + size + 2:
            return None
        if size == 0:
            return b"".join(parts) if buffer[start : start + 2] == b"\r\n" else None
        parts.append(bytes(buffer[start : start + size]))
        at = start + size + 2


class Poster:
    """Makes bid requests to one URL."""

    def __init__(self, url: str) -> None:
        target = URL(url, encoded=True)
        self._head = (
            f"POST {target.raw_path_qs} HTTP/1.1\r\nHost: {target.host_port_subcomponent}\r\n"
            "Content-Type: application/json\r\nx-openrtb-version: 2.6\r\nContent-Length: "
        ).encode("latin-1", "replace")

    def message(self, body: bytes) -> bytes:
        """The bytes of an HTTP message."""
        return b"%b%d\r\n\r\n%b" % (self._head, len(body), body)


def get_of(url: str) -> bytes:
    """A notice as the bytes of an HTTP message."""
    target = URL(url, encoded=True)
    return f"GET {target.raw_path_qs} HTTP/1.1\r\nHost: {target.host_port_subcomponent}\r\n\r\n".encode(
        "latin-1", "replace"
    )


def dated(message: bytes, skew_s: float) -> bytes:
    """An HTTP message with the time at which it was made, by a clock that is *skew_s* ahead."""
    line, end, rest = message.partition(b"\r\n")
    return b"%b%bDate: %b\r\n%b" % (line, end, formatdate(time.time() + skew_s, usegmt=True).encode(), rest)
