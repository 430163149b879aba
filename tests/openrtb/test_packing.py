"""Packed bodies: one whole stream, within limits."""

from __future__ import annotations

import gzip

import pytest

from openrtb.errors import NotPacked, TooLarge
from openrtb.packing import unpacked

BODY = b"{}" * 50


def test_a_whole_stream_is_unpacked() -> None:
    assert unpacked(gzip.compress(BODY), 100) == BODY


@pytest.mark.parametrize("body", [b"", b"no", BODY, gzip.compress(BODY)[:-1], gzip.compress(BODY) + b"more"])
def test_anything_else_is_not(body: bytes) -> None:
    with pytest.raises(NotPacked):
        unpacked(body, 1000)


def test_a_bomb_is_given_up_at_the_limit() -> None:
    with pytest.raises(TooLarge, match="more than 99 bytes"):
        unpacked(gzip.compress(BODY), 99)
