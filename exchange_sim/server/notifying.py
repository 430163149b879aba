"""Telling bidders what became of their bids: each notice is sent once, from here, whatever the page does."""

from __future__ import annotations

import asyncio
from collections import Counter

import aiohttp
from yarl import URL

WAIT_S = 5.0
"""How long a bidder may take to hear a notice."""
LARGEST_MARKUP = 1 << 20


class Notifier:
    """Sends notices in the background; `heard` counts them by kind and status (0: nobody answered)."""

    def __init__(self, http: aiohttp.ClientSession) -> None:
        self.heard: Counter[tuple[str, int]] = Counter()
        self.wait_s = WAIT_S
        self._http = http
        self._under_way: set[asyncio.Task[None]] = set()

    def send(self, kind: str, url: str | None) -> None:
        """Send a notice and do not wait for it."""
        if url:
            task = asyncio.get_running_loop().create_task(self._send(kind, url))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)

    async def fetch(self, kind: str, url: str, within_s: float) -> str | None:
        """Send a win notice that is answered with markup; None: it was not, in time."""
        try:
            async with asyncio.timeout(within_s), self._http.get(URL(url, encoded=True)) as answer:
                text = (await answer.content.read(LARGEST_MARKUP)).decode("utf-8", "replace")
                self.heard[kind, answer.status] += 1
                return text if answer.status == 200 and text.strip() else None
        except (aiohttp.ClientError, OSError, ValueError):
            self.heard[kind, 0] += 1
            return None

    async def finish(self) -> None:
        """Wait for what is under way."""
        while self._under_way:
            await asyncio.gather(*self._under_way)

    async def _send(self, kind: str, url: str) -> None:
        try:
            timeout = aiohttp.ClientTimeout(total=self.wait_s)
            async with self._http.get(URL(url, encoded=True), timeout=timeout) as answer:
                self.heard[kind, answer.status] += 1
        except (aiohttp.ClientError, OSError, ValueError):
            self.heard[kind, 0] += 1
