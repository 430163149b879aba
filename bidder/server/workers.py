"""Several processes on one port: the kernel deals connections out (SO_REUSEPORT), one parent starts, replaces and stops
them. The parent answers nothing itself. Times in s.

A worker that dies is replaced. When the parent dies, however, its workers end as on SIGTERM: they see the end of a pipe
that only it holds open.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn

from bidder.errors import CaptureError, ServeError

_SIGNALS = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD}
RESTLESS_S = 1.0
"""A worker that dies sooner after its start is replaced only after a pause of this length."""
_log = logging.getLogger("bidlab.workers")


class Voice:
    """What a worker can say to its parent."""

    def __init__(self, pipe: int) -> None:
        self._pipe = pipe

    def ready(self) -> None:
        """It takes requests."""
        self._say({"ready": True})

    def failed(self, reason: str) -> None:
        """It cannot be started."""
        self._say({"failed": reason})

    def counted(self, counts: dict[str, int]) -> None:
        """What it did, in the end."""
        self._say({"counts": counts})

    def _say(self, word: dict[str, Any]) -> None:
        os.write(self._pipe, json.dumps(word).encode() + b"\n")


Work = Callable[[int, Voice], None]
"""What a worker does, given its number and its voice; it returns when it has drained."""


@dataclass
class _Worker:
    number: int
    pid: int
    pipe: int
    began_s: float


def reserve_port(host: str, port: int) -> socket.socket:
    """A socket that keeps the port for workers that listen on it; raises `ServeError` when it cannot be had."""
    try:
        family, kind, proto, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        kept = socket.socket(family, kind, proto)
        kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Somebody who listens there without sharing must be noticed: only then is the port shared.
        kept.bind(address)
        kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror or error
        raise ServeError(f"{host}:{port} cannot be served ({reason}); choose another --host or --port") from None
    return kept


class Crew:
    """The parent. *new_number* gives a worker its number, *bury* is told of each that died without being asked to."""

    def __init__(self, count: int, work: Work, new_number: Callable[[], int], bury: Callable[[int], None]) -> None:
        self._count, self._work, self._new_number, self._bury = count, work, new_number, bury
        self._workers: dict[int, _Worker] = {}
        self._stopping = False
        self.counts: dict[str, int] = {}
        """What workers that ended in peace did, added up."""
        self.replaced = 0

    def run(self, ready: Callable[[], None]) -> None:
        """Start the workers, call *ready* when all take requests, and return when they have all ended.

        SIGTERM and SIGINT end all of them, SIGHUP goes to all. Raises `ServeError` when one cannot be started.
        """
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        # The end of this pipe tells workers that the parent is gone.
        self._lifeline, self._life = os.pipe()
        try:
            for _ in range(self._count):
                self._start()
            for worker in list(self._workers.values()):
                self._hear_ready(worker)
            ready()
            while self._workers:
                self._react(signal.sigwait(_SIGNALS))
        finally:
            for worker in self._workers.values():
                os.kill(worker.pid, signal.SIGTERM)
            for worker in self._workers.values():
                os.waitpid(worker.pid, 0)
            os.close(self._lifeline)
            os.close(self._life)
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def _start(self) -> None:
        number = self._new_number()
        hears, says = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(hears)
            self._be_worker(number, Voice(says))
        os.close(says)
        self._workers[pid] = _Worker(number, pid, hears, time.monotonic())

    def _be_worker(self, number: int, voice: Voice) -> NoReturn:
        """The life of a worker, from fork to exit."""
        code = 1
        try:
            os.close(self._life)
            for worker in self._workers.values():
                os.close(worker.pipe)
            # A terminal sends SIGINT to all of them; the parent alone hears it and passes on a SIGTERM. SIGHUP must
            # wait until somebody listens for it (`settle_in`).
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM, signal.SIGCHLD})
            self._work(number, voice)
            code = 0
        except (ServeError, CaptureError) as error:
            voice.failed(str(error))
        except BaseException:
            _log.exception("worker failed", extra={"data": {"number": number}})
        finally:
            os._exit(code)

    def settle_in(self, voice: Voice) -> None:
        """In a worker, on its loop, when it takes requests and listens for signals: say so; from now on end as on
        SIGTERM when the parent is gone. One that replaces another first does what SIGHUP asks for, because the others
        may have done so since the parent began."""
        loop = asyncio.get_running_loop()

        def gone() -> None:
            loop.remove_reader(self._lifeline)
            os.kill(os.getpid(), signal.SIGTERM)

        loop.add_reader(self._lifeline, gone)
        if self.replaced:
            os.kill(os.getpid(), signal.SIGHUP)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})
        voice.ready()

    def _hear_ready(self, worker: _Worker) -> None:
        with os.fdopen(os.dup(worker.pipe), "rb") as pipe:
            line = pipe.readline()
        word = json.loads(line) if line else {"failed": "a worker died before it was ready"}
        if "failed" in word:
            raise ServeError(word["failed"])

    def _react(self, number: int) -> None:
        if number == signal.SIGCHLD:
            self._reap()
            return
        self._stopping |= number != signal.SIGHUP
        for worker in self._workers.values():
            os.kill(worker.pid, signal.SIGHUP if number == signal.SIGHUP else signal.SIGTERM)

    def _reap(self) -> None:
        for pid in list(self._workers):
            found, status = os.waitpid(pid, os.WNOHANG)
            if not found:
                continue
            worker = self._workers.pop(pid)
            self._count_in(worker)
            if status == 0:
                continue
            self._bury(worker.number)
            _log.warning("worker died", extra={"data": {"number": worker.number, "status": status}})
            if not self._stopping:
                if time.monotonic() - worker.began_s < RESTLESS_S:
                    time.sleep(RESTLESS_S)
                self.replaced += 1
                self._start()

    def _count_in(self, worker: _Worker) -> None:
        """Read the last words of a worker."""
        with os.fdopen(worker.pipe, "rb") as pipe:
            for line in pipe:
                for name, count in json.loads(line).get("counts", {}).items():
                    self.counts[name] = self.counts.get(name, 0) + count
