"""Bodies that come packed with gzip, unpacked within limits. Sizes in bytes."""

from __future__ import annotations

import zlib

from openrtb.errors import NotPacked, TooLarge


def unpacked(body: bytes, largest: int) -> bytes:
    """What the one whole gzip stream in *body* holds; raises `NotPacked`, or `TooLarge` when it exceeds *largest*."""
    unpacking = zlib.decompressobj(16 + zlib.MAX_WBITS)
    try:
        plain = unpacking.decompress(body, largest + 1)
    except zlib.error:
        raise NotPacked("is not gzip") from None
    if len(plain) > largest:
        raise TooLarge(f"more than {largest} bytes when unpacked")
    if not unpacking.eof or unpacking.unused_data:
        raise NotPacked("is not one whole gzip stream")
    return plain
