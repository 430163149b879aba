"""Request bodies: read whole, unpacked, never larger than the limit."""

from __future__ import annotations

import asyncio

from aiohttp import web

from bidder.errors import BodyRefused
from openrtb.errors import NotPacked, TooLarge
from openrtb.packing import unpacked

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
    if encoding != "gzip":
        return body
    try:
        return unpacked(body, LARGEST_BODY)
    except TooLarge as error:
        raise BodyRefused(413, str(error)) from None
    except NotPacked as error:
        raise BodyRefused(400, str(error)) from None
