"""Asking bidders: one POST each, all at once, none waited for beyond its time. Times in s."""

from __future__ import annotations

import asyncio
import gzip
import io
import time
from typing import NamedTuple

import aiohttp

from exchange_sim.server.rules import BidderAddress
from openrtb.decode import VERSION

LARGEST_ANSWER = 4 << 20
"""Bytes, unpacked."""


class Reply(NamedTuple):
    """What came back. *problem* says why nothing did: `timeout`, or in the system's words."""

    status: int
    body: bytes
    took_s: float
    problem: str | None = None


async def ask(http: aiohttp.ClientSession, bidder: BidderAddress, body: bytes, within_s: float) -> Reply:
    """Send a request and wait at most *within_s* for the whole answer."""
    began_s = time.monotonic()
    headers = {"Content-Type": "application/json", "x-openrtb-version": VERSION}
    if bidder.pack:
        body = gzip.compress(body, 1)
        headers["Content-Encoding"] = "gzip"
    try:
        async with (
            asyncio.timeout(within_s),
            # As a stream, because aiohttp warns of large bytes.
            http.post(bidder.url, data=io.BytesIO(body), headers=headers, allow_redirects=False) as answer,
        ):
            read = await _read(answer)
            problem = f"an answer above {LARGEST_ANSWER} bytes" if read is None else None
            return Reply(answer.status, read or b"", time.monotonic() - began_s, problem)
    except TimeoutError:
        return Reply(0, b"", time.monotonic() - began_s, "timeout")
    except (aiohttp.ClientError, OSError, ValueError) as error:
        return Reply(0, b"", time.monotonic() - began_s, str(error) or type(error).__name__)


async def _read(answer: aiohttp.ClientResponse) -> bytes | None:
    """The body; None when it is too large."""
    read = bytearray()
    async for chunk in answer.content.iter_chunked(1 << 16):
        read += chunk
        if len(read) > LARGEST_ANSWER:
            return None
    return bytes(read)
