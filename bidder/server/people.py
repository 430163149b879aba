"""The people a running service knows: the active audience, mapped, and newer versions of it as they are activated.

Versions are opened and loaded in a thread; between two requests the desk goes over to what is ready. Times in s.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import mmap
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bidder.desk import Desk
from bidder.errors import ServeError
from dmp.active import Active
from dmp.errors import AudienceError
from dmp.identifiers import key_of
from dmp.moved import read_moved
from dmp.store import Store

LOOK_EVERY_S = 1.0
_log = logging.getLogger("bidlab.people")


class MappedAudience:
    """The active audience of *folder*, as the codec asks for it; raises `ServeError` where there is none."""

    def __init__(self, folder: Path) -> None:
        try:
            # A copy on write, which never happens: arrays that may not be written are another type to the kernels.
            self._store = Store(folder)
            self.active = Active(self._store, mmap.ACCESS_COPY)
            self.active.compile()
        except AudienceError as error:
            raise ServeError(f"--audience {folder}: {error}") from None

    @property
    def rows(self) -> NDArray[np.uint64]:
        """uint64[rows, words]: the segment bitset of each person."""
        return self.active.rows

    @property
    def segments(self) -> tuple[str, ...]:
        """Names of the segments, in the order of the bits."""
        return self.active.segments

    def moved_from(self, numbering: str) -> NDArray[np.int32] | None:
        """int32[rows then]: the rows now of whoever was in those of another numbering, below 0 for those who are gone;
        None: nobody knows."""
        return read_moved(self._store, numbering, self.active.numbering)

    def row_ix(self, user_id: str | None) -> int:
        """Row of whom a cookie, or else a device, of this name belongs to; -1: nobody active has it."""
        if not user_id:
            return -1
        row_ix = self.active.row_ix(np.uint64(key_of("cookie", user_id)))
        return row_ix if row_ix >= 0 else self.active.row_ix(np.uint64(key_of("device", user_id.lower())))


class People:
    """Takes newer versions of *audience* into *desk*, while requests are answered."""

    def __init__(self, desk: Desk, audience: MappedAudience) -> None:
        self._desk, self._active = desk, audience.active
        self.swaps = 0
        self.refused = 0
        self._passed_over = ""
        self._one_at_a_time = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Look for newer versions from now on."""
        self._task = asyncio.get_running_loop().create_task(self._watch())

    async def stop(self) -> None:
        """Look no more."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _watch(self) -> None:
        while True:
            await self.look()
            await asyncio.sleep(LOOK_EVERY_S)

    async def look(self) -> None:
        """Go over to a newer version, if there is one that can be used; what is wrong with it goes into the log."""
        async with self._one_at_a_time:
            try:
                if not await asyncio.to_thread(self._active.prepare, self._passed_over):
                    return
            except AudienceError as error:
                self._refuse("", str(error))
                return
            coming = self._active.coming()
            assert coming is not None
            reason = self._unlike(coming.segments, coming.numbering)
            if reason:
                self._active.turn_down()
                self._refuse(coming.name, reason)
            elif self._active.swap():
                # Nothing waits from the swap to here: one request sees the old people, the next one the new ones.
                self._desk.renew_people()
                self.swaps += 1
                _log.info("new audience", extra={"data": {"version": coming.name, "rows": len(coming.rows)}})

    def _unlike(self, segments: tuple[str, ...], numbering: str) -> str:
        """Why a version cannot take the place of the one in use; "": it can."""
        if segments != self._active.segments:
            return "its segments are others, or in another order: restart the service"
        if numbering != self._active.numbering:
            return "its rows are numbered anew, and caps count by row: restart the service"
        return ""

    def _refuse(self, version: str, reason: str) -> None:
        self._passed_over = version
        self.refused += 1
        _log.error("audience not taken", extra={"data": {"version": version, "error": reason}})
