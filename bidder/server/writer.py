"""One thread that writes to the accounts: everything waiting goes into one transaction, so many notices share a commit.

What comes after the commit runs on the event loop, in the order of the commits.
"""

from __future__ import annotations

import asyncio
import logging
import os
import queue
import signal
import threading
from collections.abc import Callable
from typing import Any

from bidder.server.entries import Entry
from bidder.server.store import Behind, Session, Store

_log = logging.getLogger("bidlab.accounts")
MOST_AT_ONCE = 4096
"""Jobs in a transaction: more would let the first ones wait too long."""
Job = Callable[[Session], Any]
"""Something to do in a session; what it returns is handed to the callback given with it."""


class Committed:
    """A transaction that is on the disk: what other workers had heard before it, and what each job returned.

    `last` is the number of the last notice: who has booked these has booked all up to it."""

    def __init__(
        self, now_s: float, last: int, others: list[Entry], done: list[tuple[Callable[[Any], None], Any]]
    ) -> None:
        self.now_s, self.last, self.others, self.done = now_s, last, others, done


class Writer:
    """The thread and its queue. *on_commit* and *on_failure* are called on the loop that `start` was called on."""

    def __init__(self, store: Store, worker: int, after: int) -> None:
        self._store, self._worker, self._last = store, worker, after
        self._queue: queue.SimpleQueue[tuple[Job, Callable[[Any], None], Callable[[Exception], None]] | None]
        self._queue = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="accounts", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._on_commit: Callable[[Committed], None] = lambda committed: None
        self.die: Callable[[], None] = lambda: os.kill(os.getpid(), signal.SIGKILL)
        """What to do when what others heard is no longer on the disk: whoever begins anew finds it in the image."""
        self.commits = 0
        """Transactions so far."""

    def start(self, on_commit: Callable[[Committed], None]) -> None:
        """Begin to write."""
        self._on_commit = on_commit
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    def submit(self, job: Job, done: Callable[[Any], None], failed: Callable[[Exception], None]) -> None:
        """Have *job* done in the next transaction; *done* gets what it returns once that is on the disk."""
        self._queue.put((job, done, failed))

    def waiting(self) -> int:
        """Jobs nobody has begun with."""
        return self._queue.qsize()

    async def stop(self) -> None:
        """Finish what was submitted and end the thread."""
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join)

    def _run(self) -> None:
        while True:
            jobs = [self._queue.get()]
            while len(jobs) < MOST_AT_ONCE and not self._queue.empty():
                jobs.append(self._queue.get())
            work = [job for job in jobs if job is not None]
            if work:
                self._write(work)
            if len(work) < len(jobs):
                return

    def _write(self, work: list[tuple[Job, Callable[[Any], None], Callable[[Exception], None]]]) -> None:
        assert self._loop is not None
        try:
            with self._store.session(self._worker) as session:
                _, others = session.heard_by_others(self._last)
                results = [(done, job(session)) for job, done, _ in work]
                last = session.last_seq()
        except Behind as error:
            _log.critical("behind", extra={"data": {"error": str(error)}})
            self.die()
        except Exception as error:
            # Nothing of it is on the disk: whoever waits is told, and may ask again.
            self._tell([(failed, error) for _, _, failed in work])
            return
        self._last = last
        self.commits += 1
        self._loop.call_soon_threadsafe(self._on_commit, Committed(session.now_s, last, others, results))

    def _tell(self, calls: list[tuple[Callable[[Exception], None], Exception]]) -> None:
        assert self._loop is not None
        for call, error in calls:
            self._loop.call_soon_threadsafe(call, error)
