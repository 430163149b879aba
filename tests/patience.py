"""Waiting for what must come to pass, on a machine of any speed. Times in s.

A test says what must be so; how long a slow machine may take for it is said here, once. These times bound a hang and
measure nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

HANG_S = 240.0
"""Whoever needs longer than this hangs. A loaded machine of two cores needs a hundredth."""
NO_LIMIT_MS = 1000.0 * HANG_S
"""A `tmax` (ms) nobody exceeds, where a test is not about lateness."""


async def until(so: Callable[[], object], pause_s: float = 0.005) -> None:
    """Wait, on the event loop, until it is so."""
    async with asyncio.timeout(HANG_S):
        while not so():
            await asyncio.sleep(pause_s)


def wait_until(so: Callable[[], object], pause_s: float = 0.02, within_s: float = HANG_S) -> None:
    """Wait, in a thread that may be held up, until it is so."""
    end_s = time.monotonic() + within_s
    while not so():
        assert time.monotonic() < end_s, "it did not come to pass"
        time.sleep(pause_s)
