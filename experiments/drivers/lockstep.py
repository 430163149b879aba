"""An asyncio event loop in lock-step with SimPy: its clock is the simulation's, its timers are simulated events.

A coroutine may sleep, wait for futures or time out as on any loop; between two moments of simulated time it takes none.
Callbacks run in the order they were scheduled, so two runs are the same to the last step. Times in s.
"""

from __future__ import annotations

import asyncio
import types
from asyncio import events
from collections import deque
from collections.abc import Callable, Coroutine, Generator
from contextvars import Context
from functools import partial
from heapq import heappush
from typing import Any, TypeVar, TypeVarTuple, Unpack

import simpy
from simpy.events import NORMAL

Result = TypeVar("Result")
Arguments = TypeVarTuple("Arguments")


class ExactEnvironment(simpy.Environment):
    """A SimPy environment that can also be asked for a moment rather than a delay.

    `now + (moment - now)` is not always the moment: rounding may miss it by a bit, and with it the exact parity of the
    drivers. SimPy's queue holds moments anyway.
    """

    def at(self, moment_s: float) -> simpy.Event:
        """An event that happens when the clock reads *moment_s* exactly (now, when that has passed)."""
        event = simpy.Event(self)
        event._ok, event._value = True, None
        heappush(self._queue, (max(moment_s, self._now), NORMAL, next(self._eid), event))
        return event


class LockstepLoop(asyncio.AbstractEventLoop):
    """The part of an event loop that needs no operating system: tasks, futures, timers."""

    def __init__(self, env: ExactEnvironment) -> None:
        self._env = env
        self._ready: deque[asyncio.Handle] = deque()
        self._failure: BaseException | None = None

    def submit(self, work: Coroutine[Any, Any, Result], then: Callable[[Result], None]) -> None:
        """Run *work* and hand its result to *then*: at once unless it waits for something.

        As with asyncio's eager tasks the first step is taken in place, so work that never waits costs no task; what
        asks for the current task (`asyncio.timeout`) must come after the first wait, or be run by `create_task`. An
        exception of *work* is raised here, or by the simulation when it happens later.
        """
        outer = events._get_running_loop()
        events._set_running_loop(self)
        try:
            waits_for = work.send(None)
        except StopIteration as done:
            result = done.value
        else:
            task = asyncio.Task(_rest(work, waits_for), loop=self)
            task.add_done_callback(lambda done: then(done.result()))
            self.run_ready()
            return
        finally:
            events._set_running_loop(outer)
        if self._ready:
            self.run_ready()
        then(result)

    def run_ready(self) -> None:
        """Run whatever can run now."""
        outer = events._get_running_loop()
        events._set_running_loop(self)
        ready = self._ready
        try:
            while ready:
                handle = ready.popleft()
                if not handle.cancelled():
                    handle._run()
        finally:
            events._set_running_loop(outer)
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure

    def time(self) -> float:
        """The simulation's clock."""
        return self._env.now

    def call_soon(
        self, callback: Callable[[Unpack[Arguments]], object], *args: *Arguments, context: Context | None = None
    ) -> asyncio.Handle:
        """Run *callback* in this moment, after what is already waiting."""
        handle = asyncio.Handle(callback, args, self, context)
        self._ready.append(handle)
        return handle

    def call_later(
        self,
        delay: float,
        callback: Callable[[Unpack[Arguments]], object],
        *args: *Arguments,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """Run *callback* in *delay* simulated seconds."""
        return self.call_at(self._env.now + delay, callback, *args, context=context)

    def call_at(
        self,
        when: float,
        callback: Callable[[Unpack[Arguments]], object],
        *args: *Arguments,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """Run *callback* at a simulated time; one in the past means now."""
        timer = asyncio.TimerHandle(when, callback, args, self, context)
        alarm = self._env.at(when)
        assert alarm.callbacks is not None
        alarm.callbacks.append(lambda _: self._ring(timer))
        return timer

    def _ring(self, timer: asyncio.TimerHandle) -> None:
        if not timer.cancelled():
            self._ready.append(timer)
            self.run_ready()

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """A cancelled timer rings in vain."""

    def create_future(self) -> asyncio.Future[Any]:
        """A future of this loop."""
        return asyncio.Future(loop=self)

    def create_task(self, coro: Any, *, name: str | None = None, context: Context | None = None) -> asyncio.Task[Any]:
        """A task of this loop; it takes its first step when the loop next runs."""
        return asyncio.Task(coro, loop=self, name=name, context=context)

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Keep the first failure nobody caught; the simulation raises it."""
        if self._failure is None:
            self._failure = context.get("exception") or RuntimeError(context["message"])

    def get_debug(self) -> bool:
        """Never: debug mode measures wall time."""
        return False

    def is_running(self) -> bool:
        """As long as the simulation."""
        return True

    def is_closed(self) -> bool:
        """Never."""
        return False


@types.coroutine
def _rest(work: Coroutine[Any, Any, Result], waits_for: Any) -> Generator[Any, Any, Result]:
    """What is left of *work* after it has begun to wait for *waits_for*: what `await work` would do from there on."""
    while True:
        try:
            yield waits_for
        except BaseException as error:
            step = partial(work.throw, error)
        else:
            step = partial(work.send, None)
        try:
            waits_for = step()
        except StopIteration as done:
            result: Result = done.value
            return result
