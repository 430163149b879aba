"""When one of the workers replaces notices by an image of its book, and how it copies the book while bids go on.

While people are copied no notice is booked (those who sent them wait a moment longer), so the image is the book as of
one commit. Times in s.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import msgspec
import numpy as np

from bidder.desk import REMEMBER_S, Desk
from bidder.image import EXPOSURE, exposures_of, picture
from bidder.plan import CampaignPlan
from bidder.server.images import GRACE_S, cover, drop, name_of, remove_others, write_image
from bidder.server.store import Session, Store

COMPACT_AFTER = 250_000
"""Notices."""
PEOPLE_AT_ONCE = 1 << 14
"""People copied between two requests."""
SWEEP_EVERY_S = 10.0
RETRY_S = 60.0
Do = Callable[[Callable[[Session], Any]], Coroutine[Any, Any, Any]]
_log = logging.getLogger("bidlab.accounts")


class Compaction:
    """One worker's part: *after* notices more than the last image holds (0: never) it makes another, when it is the
    worker whose turn it is. *do* runs a job in the next transaction."""

    def __init__(self, desk: Desk, store: Store, worker: int, do: Do, after: int, keep_s: float) -> None:
        self._desk, self._folder, self._worker, self._do = desk, store.folder, worker, do
        self._after, self._keep_s = after, min(keep_s, REMEMBER_S) + GRACE_S
        self._before = store.meta().get("image", "")
        self._from = max(store.covered().values(), default=0)
        self.made = 0
        """Images so far."""
        self.copying = False
        """No notice may be booked now."""
        self.turn = False
        """Whether it is this worker that makes images and drops notices."""
        self._task: asyncio.Task[None] | None = None
        self._next_s = self._next_sweep_s = -math.inf
        self._swept: int | None = None

    def look(
        self, seq: int, plans: Sequence[CampaignPlan], numbers: Sequence[int], now_s: float, done: Callable[[], None]
    ) -> None:
        """The book has just booked everything up to *seq*: copy it if it is time; *done* when notices may be booked."""
        if not self.turn or self._after == 0 or seq < self._from + self._after or time.monotonic() < self._next_s:
            return
        if self._task is None or self._task.done():
            self.copying = True
            made = self._make(seq, tuple(plans), tuple(numbers), now_s, done)
            self._task = asyncio.get_running_loop().create_task(made)

    async def _make(
        self, seq: int, plans: Sequence[CampaignPlan], numbers: Sequence[int], now_s: float, done: Callable[[], None]
    ) -> None:
        try:
            try:
                image = picture(self._desk.book, plans, numbers, self._desk.directory)
                seen = [np.zeros(0, EXPOSURE)]
                for first in range(0, len(self._desk.book.persons), PEOPLE_AT_ONCE):
                    await asyncio.sleep(0)
                    people = slice(first, first + PEOPLE_AT_ONCE)
                    seen.append(exposures_of(self._desk.book, people, numbers, now_s))
            finally:
                self.copying = False
                done()
            name, before = name_of(seq, self._worker), self._before

            def write() -> None:
                exposures = np.concatenate(seen).tobytes()
                write_image(self._folder, name, msgspec.structs.replace(image, exposures=exposures), numbers, before)

            await asyncio.to_thread(write)
            if await self._do(lambda session: cover(session, name, numbers, seq, before)):
                self._before, self._from = name, seq
                self.made += 1
                _log.info("compacted", extra={"data": {"notices": seq}})
                await asyncio.to_thread(remove_others, self._folder, name)
        except Exception as error:
            self._next_s = time.monotonic() + RETRY_S
            _log.error("not compacted", extra={"data": {"error": str(error)}})

    def job(self, session: Session) -> bool:
        """Part of every round: whether it is this worker's turn; if so, some old notices are dropped."""
        ((first,),) = session.execute("SELECT coalesce(min(no), 0) FROM workers WHERE free_s IS NULL")
        if first != self._worker or self._after == 0:
            return False
        if self._swept is None and time.monotonic() >= self._next_sweep_s:
            self._swept, self._next_sweep_s = 0, time.monotonic() + SWEEP_EVERY_S
        if self._swept is not None:
            self._swept = drop(session, self._swept, self._keep_s)
        return True

    async def stop(self) -> None:
        """Finish what is under way, and begin nothing more."""
        self._after = 0
        if self._task is not None:
            await self._task
