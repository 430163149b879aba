"""A page with Prebid.js in headless Chromium buys a banner, a video and a native ad, from page to bidder and back.

Everything is real: the browser, Prebid.js from npm, `exchange serve` and `bidder serve` as processes of their own.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import shutil
import signal
import socket
import subprocess
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from experiments.errors import RunError
from experiments.exchange.page import FOLDER, PublisherPage, prebid_js
from tests.experiments.report.test_report_in_browser import BROWSERS, QUIET
from tests.patience import HANG_S

pytestmark = pytest.mark.slow
BIDLAB = [sys.executable, "-m", "experiments.cli"]
TMAX_MS = 60_000
PATIENT = ("--port", "0", "--shed-ms", "0", "--set", "wire.reservation_s=3000")
"""A loaded machine's event loop is late, and a browser on it takes its time to show what was won."""


@pytest.fixture(scope="module")
def browser() -> str:
    """The browser's command."""
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip("no Chromium or Chrome on this machine to open the page in")
    return found


@pytest.fixture(scope="module")
def prebid(browser: str) -> str:
    """Prebid.js, installed from the page's own lock file when it is not there yet."""
    with contextlib.suppress(RunError):
        return prebid_js()
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("no npm on this machine to install Prebid.js with")
    command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", str(FOLDER)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    except subprocess.TimeoutExpired:
        pytest.skip("npm did not install Prebid.js within five minutes")
    if done.returncode != 0:
        pytest.skip(f"npm could not install Prebid.js: {done.stderr.strip().splitlines()[-1:]}")
    return prebid_js()


@contextlib.asynccontextmanager
async def process(*command: str, says: str) -> AsyncIterator[tuple[Process, str]]:
    """A process of ours and the address it prints once it is ready; ended at the end."""
    started = await asyncio.create_subprocess_exec(*BIDLAB, *command, stdout=PIPE)
    try:
        assert started.stdout is not None
        async with asyncio.timeout(HANG_S):
            line = (await started.stdout.readline()).decode()
        assert says in line, line
        yield started, line.split()[-1]
    finally:
        if started.returncode is None:
            started.kill()
            await started.wait()


async def ended(started: Process) -> str:
    """What a process says at its end."""
    started.send_signal(signal.SIGTERM)
    assert started.stdout is not None
    told = (await started.stdout.read()).decode()
    assert await started.wait() == 0
    return told


async def opened(browser: str, page: PublisherPage, address: str, profile: Path) -> dict[str, Any]:
    """What the page reports once everything is shown."""
    command = [browser, *QUIET, f"--user-data-dir={profile}", "--autoplay-policy=no-user-gesture-required", address]
    chromium = await asyncio.create_subprocess_exec(
        *command, "--enable-logging=stderr", "--remote-debugging-port=0", stdout=DEVNULL, stderr=PIPE
    )
    assert chromium.stderr is not None
    console = asyncio.create_task(chromium.stderr.read())
    try:
        async with asyncio.timeout(HANG_S):
            while not page.reported:
                await asyncio.sleep(0.05)
    except TimeoutError:
        chromium.kill()
        pytest.fail("the page never finished:\n" + (await console).decode()[-4000:])
    finally:
        if chromium.returncode is None:
            chromium.terminate()
            await chromium.wait()
        await console
    return page.reported[0]


async def story(browser: str, folder: Path) -> None:
    """Two page views, the second with packed requests, and what everybody says at the end."""
    async with contextlib.AsyncExitStack() as stack:
        http = await stack.enter_async_context(aiohttp.ClientSession())
        # Kept from here on: the bidder must know the address of the film before the page is there.
        kept = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        port = kept.getsockname()[1]
        media = f"campaigns.pans.creatives.film.media=http://127.0.0.1:{port}/clip.webm"
        bidder, bid_url = await stack.enter_async_context(
            process("bidder", "serve", str(FOLDER / "scenario.yaml"), "--set", media, *PATIENT, says="bids at")
        )
        config = folder / "exchange.yaml"
        text = (FOLDER / "exchange.yaml").read_text().replace("http://127.0.0.1:8080/openrtb2/bid", bid_url)
        config.write_text(text.replace("tmax_ms: 1500", f"tmax_ms: {TMAX_MS}"))
        exchange, auction_url = await stack.enter_async_context(
            process("exchange", "serve", str(config), "--port", "0", says="bid at")
        )
        base = auction_url.removesuffix("/openrtb2/auction")
        for view, gzip in enumerate((False, True), start=1):
            page = PublisherPage(auction_url, gzip=gzip, tmax_ms=TMAX_MS)
            runner = web.AppRunner(page.app())
            await runner.setup()
            await web.SockSite(runner, kept.dup()).start()
            # another origin than the exchange's, so that CORS is needed
            shown = await opened(browser, page, f"http://localhost:{port}/", folder / f"profile-{view}")
            await runner.cleanup()
            check_shown(shown)
            stats = await _billed(http, base, 3 * view)
            assert stats["shown"] == {"first": 3 * view, **({"repeated": 3 * (view - 1)} if view > 1 else {})}
            for outcome in shown.values():
                (billing,) = outcome["billing"]
                async with http.get(billing) as again:
                    assert again.status == 204
        stats = await _billed(http, base, 6)
        assert stats["shown"] == {"first": 6, "repeated": 6}
        assert stats["notices"] == {"billing 204": 6, "win 204": 6}
        assert (stats["auctions"], stats["sold"], stats["dropped"]) == (2, 6, {})
        assert "billing notices answered 204: 6" in await ended(exchange)
        told = await ended(bidder)
        assert re.search(r"\b6 bids, 6 billed, 0 expired, 0 bad notices", told), told
        assert "pans: 0.018000000 of 100.00 EUR" in told


def check_shown(shown: dict[str, Any]) -> None:
    """One ad of each kind was bought at the asked price and is to be seen."""
    kinds = {code: outcome.get("mediaType") for code, outcome in shown.items()}
    assert kinds == {kind: kind for kind in ("banner", "video", "native")}, shown
    assert {(o["seat"], o["cpm"], o["currency"]) for o in shown.values()} == {("bidlab", 3, "EUR")}
    assert "Pans that last" in shown["banner"]["shown"]["text"]
    assert "Pans that last" in shown["native"]["shown"]["text"]
    assert "data:image/svg" in shown["native"]["shown"]["html"]
    video = shown["video"]["shown"]
    assert video["seconds"] > 1
    assert (video["width"], video["height"]) == (320, 180)


async def _billed(http: aiohttp.ClientSession, base: str, count: int) -> dict[str, Any]:
    """The exchange's counts once so many billing notices have been heard."""
    async with asyncio.timeout(HANG_S):
        while True:
            async with http.get(f"{base}/stats") as answer:
                stats = dict(json.loads(await answer.read()))
            if stats["notices"].get("billing 204") == count:
                return stats
            await asyncio.sleep(0.05)


def test_a_banner_a_video_and_a_native_ad_are_won_shown_and_billed_once(
    browser: str, prebid: str, tmp_path: Path
) -> None:
    assert "processQueue" in prebid
    asyncio.run(story(browser, tmp_path))


def test_without_prebid_the_page_says_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="npm ci --ignore-scripts"):
        prebid_js(tmp_path)
