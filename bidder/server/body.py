"""Request bodies: read whole, unpacked, never larger than the limit."""

from __future__ import annotations

import asyncio
import zlib

from aiohttp import web

from bidder.errors import BodyRefused

LARGEST_BODY = 1 << 20
"""Bytes, packed and unpacked. The largest real requests are some tens of kB."""
SLOWEST_BODY_S = 10.0
"""After this long a client that still sends is given up."""
TYPES = ("application/json", "text/plain", "application/octet-stream")
"""Browsers send text/plain to avoid a preflight; the last stands for no type at all."""


async def read_body(http: web.Request) -> bytes:
    """The unpacked body; raises `BodyRefused` with 400, 408, 413 or 415."""
    if http.content_type not in TYPES:
        raise BodyRefused(415, f"{http.content_type} is not JSON")
    encoding = http.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in ("identity", "gzip", ""):
        raise BodyRefused(415, f"{encoding} is not understood; gzip is")
    try:
        if http.content.is_eof():  # it is all here already, which needs no timer
            body = await http.read()
        else:
            async with asyncio.timeout(SLOWEST_BODY_S):
                body = await http.read()
    except web.HTTPRequestEntityTooLarge:
        raise BodyRefused(413, f"more than {LARGEST_BODY} bytes") from None
    except TimeoutError:
        raise BodyRefused(408, f"not sent within {SLOWEST_BODY_S} s") from None
    except (web.RequestPayloadError, ConnectionError):
        raise BodyRefused(400, "cut short") from None
    return _unpacked(body) if encoding == "gzip" else body


def _unpacked(body: bytes) -> bytes:
    unpacking = zlib.decompressobj(16 + zlib.MAX_WBITS)
    try:
        plain = unpacking.decompress(body, LARGEST_BODY + 1)
    except zlib.error:
        raise BodyRefused(400, "is not gzip") from None
    if len(plain) > LARGEST_BODY:
        raise BodyRefused(413, f"more than {LARGEST_BODY} bytes when unpacked")
    if not unpacking.eof or unpacking.unused_data:
        raise BodyRefused(400, "is not one whole gzip stream")
    return plain
