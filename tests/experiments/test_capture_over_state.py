"""A capture of a bidder that goes on from what is on disk: it begins with that, and is reproduced bit for bit."""

from __future__ import annotations

import asyncio
import base64
import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from bidder.errors import CaptureError
from bidder.server.capture import Capture, digest, verify
from bidder.server.images import decoded, encoded
from bidder.server.serve import Timers, compile_kernels, runner_of
from experiments.cli.serve import Options, _state, make_service
from experiments.cli.verify import fresh_desk
from experiments.setting import Setting
from openrtb.notices import Conversion
from tests.crash.exchange import Exchange
from tests.crash.series import SLOTS
from tests.experiments.served import small_setting
from tests.patience import until

pytestmark = pytest.mark.slow
OPTIONS = Options("learning", (), "127.0.0.1", 0, "", 0.0, 1.0, 1, 0.0, "", "warning", compact_after=40)


ENOUGH = 60
"""Bids and acknowledged notices of a life."""


def life(setting: Setting, folder: Path, exchange: Exchange, capture: Capture | None = None) -> str:
    """The service trades over *folder* for a second, or longer where that is too little for the machine; returns the
    digest of the book it ends with."""

    async def main() -> str:
        service, clock = make_service(setting, state, OPTIONS, state.new_worker(), capture)
        compile_kernels(service.desk.book)
        runner = runner_of(service, 0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        exchange.base = service.public_url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        clock.start()
        await service.accounts.start()
        timers = Timers(service.desk, clock, 0.2, service.accounts.tick)
        timers.start()
        stop, bids, notices = asyncio.Event(), exchange.books.bids, exchange.books.notices
        trading = asyncio.create_task(exchange.trade(4, stop))
        await buy(service.public_url, service._signer.conversion_query)
        await asyncio.sleep(1.0)
        await until(lambda: min(exchange.books.bids - bids, exchange.books.notices - notices) > ENOUGH)
        stop.set()
        await trading
        timers.stop()
        await runner.cleanup()
        await service.accounts.stop()
        return digest(service.desk.book)

    async def buy(url: str, query_of: Any) -> None:
        async with aiohttp.ClientSession() as http:
            for k in range(5):
                await asyncio.sleep(0.05)
                sold = Conversion(f"{exchange.books.bids}-{k}", setting.directory.products[0], f"p{k}", 12.0)
                async with http.get(f"{url}/openrtb2/notice/conversion?{query_of(sold, 60.0)}") as answer:
                    assert answer.status == 204

    state = _state(setting, folder)
    try:
        return asyncio.run(main())
    finally:
        state.close()
        if capture is not None:
            capture.close()


@pytest.fixture(scope="module")
def captured(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, int]:
    """The file, the final book's digest, and the notices acknowledged before it began."""
    setting = small_setting("wire.reservation_s=0.4", "campaigns.buyers.budget.total=500")
    folder, path = tmp_path_factory.mktemp("state"), tmp_path_factory.mktemp("capture") / "calls.jsonl"
    exchange = Exchange(7, SLOTS, 400)
    life(setting, folder, exchange)
    before = exchange.books.notices
    return path, life(setting, folder, exchange, Capture(path)), before


def test_every_decision_after_a_restart_is_reproduced(captured: tuple[Path, str, int]) -> None:
    path, book, before = captured
    assert before > 40  # so there is an image, and notices after it
    held = asyncio.run(verify(path, fresh_desk))
    assert held.complete
    assert min(held.requests, held.bids, held.notices) > 30
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    kinds = {line["type"] for line in lines}
    assert kinds >= {"header", "bid", "tick", "bounds", "billed", "bought", "given_up", "end"}
    assert lines[-1]["book"] == book
    bids = [bid for line in lines if line["type"] == "bid" for bid in line["bids"]]
    assert bids[0][0] == "2-0"  # the second worker's first bid


@pytest.mark.parametrize("part", ["nothing", "spend", "people", "lease"])
def test_another_beginning_is_told(captured: tuple[Path, str, int], tmp_path: Path, part: str) -> None:
    """What was known before the capture matters: without it the outcome is another."""
    lines = [json.loads(line) for line in captured[0].read_text().splitlines()]
    start = lines[0]["start"]
    image = decoded(base64.b64decode(start["image"]))
    if part == "nothing":
        lines[0]["start"] = None
    elif part == "spend":
        image.campaigns[0].counts[0] += 1
    elif part == "people":
        assert image.exposures
        image.exposures = b""
    else:
        lines = [line for line in lines if line["type"] != "bounds"]
    if part in ("spend", "people"):
        start["image"] = base64.b64encode(encoded(image)).decode()
    other = tmp_path / "other.jsonl"
    other.write_text("".join(json.dumps(line) + "\n" for line in lines))
    with pytest.raises(CaptureError, match="differs"):
        asyncio.run(verify(other, fresh_desk))
