"""The event loop in lock-step with SimPy: simulated time, a fixed order, failures that are not swallowed."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from itertools import accumulate
from typing import Any

import pytest
import simpy
from hypothesis import given
from hypothesis import strategies as st

from experiments.drivers.lockstep import ExactEnvironment, LockstepLoop


@pytest.fixture
def env() -> ExactEnvironment:
    """A clock at 0."""
    return ExactEnvironment()


@pytest.fixture
def loop(env: ExactEnvironment) -> LockstepLoop:
    """The loop on it."""
    return LockstepLoop(env)


async def _slow(seconds: float, result: str) -> str:
    await asyncio.sleep(seconds)
    return result


async def _quick(result: str) -> str:
    return result


def test_sleep_takes_simulated_time_only(env: ExactEnvironment, loop: LockstepLoop) -> None:
    """Replies come out of order, each at its own moment."""
    heard: list[tuple[float, str]] = []
    for seconds, name in ((3600.0, "a"), (0.5, "b"), (86400.0 * 365, "c")):
        loop.submit(_slow(seconds, name), lambda result: heard.append((env.now, result)))
    env.run()
    assert heard == [(0.5, "b"), (3600.0, "a"), (86400.0 * 365, "c")]


def test_work_that_never_waits_is_done_at_once(loop: LockstepLoop) -> None:
    """Before `submit` returns."""
    heard: list[str] = []
    loop.submit(_quick("now"), heard.append)
    assert heard == ["now"]


def test_same_moment_first_come_first_served(env: ExactEnvironment, loop: LockstepLoop) -> None:
    """Timers of one moment ring in the order they were set."""
    heard: list[str] = []
    for name in "abc":
        loop.submit(_slow(1.0, name), heard.append)
    env.run()
    assert heard == ["a", "b", "c"]


def test_deadlines_queues_and_tasks_work(env: ExactEnvironment, loop: LockstepLoop) -> None:
    """What a server is made of: `asyncio.timeout`, queues, gather, cancelled timers."""
    heard: list[Any] = []

    async def server() -> None:
        queue: asyncio.Queue[int] = asyncio.Queue()
        asyncio.get_running_loop().call_later(2.0, queue.put_nowait, 7)
        try:
            async with asyncio.timeout(1.0):
                await queue.get()
        except TimeoutError:
            heard.append(("timeout", env.now))
        async with asyncio.timeout(10.0):
            heard.append((await queue.get(), env.now))
        heard.append(await asyncio.gather(_slow(1.0, "x"), _slow(0.5, "y")))

    loop.create_task(server())
    loop.run_ready()
    env.run()
    assert heard == [("timeout", 1.0), (7, 2.0), ["x", "y"]]


def test_failures_reach_the_simulation(env: ExactEnvironment, loop: LockstepLoop) -> None:
    """At once, or when they happen."""

    async def fail(seconds: float) -> None:
        if seconds:
            await asyncio.sleep(seconds)
        raise LookupError(f"after {seconds}")

    with pytest.raises(LookupError, match=r"after 0\.0"):
        loop.submit(fail(0.0), print)
    loop.submit(fail(5.0), print)
    with pytest.raises(LookupError, match=r"after 5\.0"):
        env.run()
    assert env.now == 5.0


def test_an_exception_can_be_caught_inside_after_waiting(env: ExactEnvironment, loop: LockstepLoop) -> None:
    """Cancelling what is waited for reaches the coroutine begun in place."""
    heard: list[str] = []
    future = loop.create_future()

    async def waits() -> str:
        try:
            await future
        except ValueError:
            await asyncio.sleep(1.0)
            return "mended"
        return "never"

    loop.submit(waits(), heard.append)
    loop.call_later(1.0, future.set_exception, ValueError())
    env.run()
    assert heard == ["mended"]
    assert env.now == 2.0


@given(st.lists(st.floats(0, 1e9), min_size=1, max_size=20))
def test_moments_are_exact(moments_s: list[float]) -> None:
    """The clock reads each moment itself, not a neighbour, wherever it is asked from; the past is now."""
    env, read = ExactEnvironment(), []

    def wait() -> Generator[simpy.Event, Any, None]:
        for moment_s in moments_s:
            yield env.at(moment_s)
            read.append(env.now)

    env.process(wait())
    env.run()
    assert read == list(accumulate(moments_s, max))
