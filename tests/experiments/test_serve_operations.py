"""`bidlab bidder serve` under an operator's hands: real workers, real signals, and requests that never stop."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import aiohttp
import pytest

from tests.crash.series import children
from tests.experiments.test_serve_command import REQUEST, call
from tests.patience import HANG_S, until, wait_until

TOKEN = "0123456789abcdef"
PEOPLE = itertools.count()
SCENARIO = Path(__file__).parents[2] / "experiments/scenario/shipped/learning.yaml"


@contextmanager
def service(folder: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], str, Path]]:
    """Two workers over a scenario file of their own; the process, its address and the file."""
    file, token = folder / "learning.yaml", folder / "token"
    text = SCENARIO.read_text("utf-8").replace("count: 10_000", "count: 500").replace("pacing: even", "pacing: asap")
    file.write_text(text, "utf-8")
    token.write_text(TOKEN, "utf-8")
    command = [sys.executable, "-m", "experiments.cli", "bidder", "serve", str(file), "--port", "0", "--workers", "2"]
    command += ["--state", str(folder / "state"), "--admin-token-file", str(token), "--drain-s", "0"]
    command += ["--shed-ms", "0", *options]  # a loaded machine's event loop is late
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line.startswith("learning bids at "), (line, process.communicate())
            yield process, line.split()[-1].removesuffix("/openrtb2/bid"), file
        finally:
            if process.poll() is None:
                process.terminate()
                process.communicate(timeout=HANG_S)


def order(url: str, method: str = "POST") -> tuple[int, str]:
    """Status and text of what an operator asks for."""
    request = urllib.request.Request(url, method=method, headers={"Authorization": f"Bearer {TOKEN}"})
    try:
        with urllib.request.urlopen(request, timeout=HANG_S) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, refused.read().decode()


def prices(url: str, count: int = 20) -> set[float | None]:
    """What a number of requests, each on a connection of its own, are answered with."""
    found = set()
    for _ in range(count):
        user = {"id": f"p{next(PEOPLE) % 500}"}  # somebody else each time: bids in flight count against caps
        status, body = call(f"{url}/openrtb2/bid", json.dumps({**REQUEST, "user": user}).encode())
        found.add(json.loads(body)["seatbid"][0]["bid"][0]["price"] if status == 200 else None)
    return found - {None} or found


def settled(url: str, wanted: set[float | None]) -> None:
    """Wait until every worker answers so."""
    wait_until(lambda: prices(url) == wanted)


def paused(url: str) -> list[str]:
    """What each worker says of the campaign: "1" paused, "0" not."""
    lines = order(f"{url}/metrics", "GET")[1].splitlines()
    return [line.split()[-1] for line in lines if line.startswith("bidlab_campaign_paused{") and '"awareness"' in line]


async def traffic(url: str, stop: asyncio.Event, statuses: Counter[int | str]) -> None:
    """Requests that never stop; their answers are counted by status, errors by name."""

    async def ask(http: aiohttp.ClientSession, k: int) -> None:
        body = json.dumps({**REQUEST, "user": {"id": f"p{k}"}})
        while not stop.is_set():
            try:
                async with http.post(f"{url}/openrtb2/bid", data=body) as answer:
                    await answer.read()
                    statuses[answer.status] += 1
            except aiohttp.ClientError as error:
                statuses[type(error).__name__] += 1

    headers = {"Content-Type": "application/json"}
    async with aiohttp.ClientSession(headers=headers) as http:
        await asyncio.gather(*(ask(http, k) for k in range(8)))


@pytest.mark.slow
def test_campaigns_change_under_load_and_no_request_is_dropped(tmp_path: Path) -> None:
    with service(tmp_path, "--log-level", "info") as (process, url, file):
        settled(url, {2.0})

        statuses: Counter[int | str] = Counter()

        async def story() -> None:
            stop = asyncio.Event()
            running = asyncio.create_task(traffic(url, stop, statuses))
            for count, price in enumerate(("1.5", "1.75", "1.25", None), start=1):
                await asyncio.sleep(0.4)
                await until(lambda: statuses.total() > 50 * count)  # noqa: B023  over before the next turn
                if price is None:
                    break
                text = file.read_text("utf-8")
                before = next(line for line in text.splitlines() if "kind: constant" in line)
                file.write_text(text.replace(before, f"    bid: {{kind: constant, price: {price}}}"), "utf-8")
                process.send_signal(signal.SIGHUP)
            stop.set()
            await running

        asyncio.run(story())
        assert set(statuses) <= {200, 204}
        settled(url, {1.25})
        # What cannot be read changes nothing; one worker asked by the API tells the other.
        good = file.read_text("utf-8")
        file.write_text(good.replace("price: 1.25", "price: -3"), "utf-8")
        status, text = order(f"{url}/admin/reload")
        assert status == 409
        assert "campaigns.awareness.bid" in text
        settled(url, {1.25})
        file.write_text(good.replace("price: 1.25", "price: 1.0"), "utf-8")
        assert order(f"{url}/admin/reload") == (204, "")
        settled(url, {1.0})
        # A worker that replaces another one bids as the others do now, not as they did at the start.
        before = set(children(process.pid))
        os.kill(min(before), signal.SIGKILL)
        wait_until(lambda: len(set(children(process.pid)) - before) == 1)
        wait_until(lambda: 'bidlab_draining{worker="3"} 0' in order(f"{url}/metrics", "GET")[1])
        settled(url, {1.0})
        assert order(f"{url}/admin/pause?campaign=awareness") == (204, "")
        wait_until(lambda: paused(url) == ["1", "1"])
        settled(url, {None})
        assert order(f"{url}/admin/resume?campaign=awareness") == (204, "")
        wait_until(lambda: paused(url) == ["0", "0"])
        settled(url, {1.0})
        told = [line for line in order(f"{url}/metrics", "GET")[1].splitlines() if "bidlab_draining{" in line]
        assert len(told) == 2
        process.terminate()
        _, logs = process.communicate(timeout=HANG_S)
        assert process.returncode == 0
        events = Counter((line.get("worker", 0), line["event"]) for line in map(json.loads, logs.splitlines()))
        assert events[0, "worker died"] == 1
        ended = [worker for worker in (1, 2, 3) if events[worker, "ended"]]
        assert len(ended) == 2
        for worker in ended:
            assert events[worker, "ready"] == events[worker, "draining"] == events[worker, "ended"] == 1
            assert events[worker, "reloaded"] >= 1
            assert events[worker, "paused"] == 2


def test_a_token_must_be_worth_the_name(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("two short words", "utf-8")
    command = [sys.executable, "-m", "experiments.cli", "bidder", "serve", "learning"]
    done = subprocess.run([*command, "--admin-token-file", str(file)], capture_output=True, text=True, timeout=HANG_S)
    assert done.returncode == 1
    assert "needs one line of 16 or more" in done.stderr
