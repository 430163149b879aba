"""Operators' side of the service: metrics, pausing, new campaigns between two requests, shedding, logs."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import re
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import pytest
from aiohttp import web

from bidder.build import build_book
from bidder.core.book import ROW_ACTIVE
from bidder.errors import ReloadError
from bidder.plan import CampaignPlan, CapPlan, Directory, TargetPlan
from bidder.reload import carry_over, draft_book, merge_plans
from bidder.server.app import Service
from bidder.server.campaigns import Campaigns
from bidder.server.control import Control
from bidder.server.logs import JsonLines
from bidder.server.metrics import METRICS
from bidder.server.samples import BOUNDS_S, Histogram
from bidder.server.serve import runner_of
from bidder.server.shedding import FEW, Pulse
from bidder.server.signing import Signer
from tests.bidder.server.test_app import REQUEST, Client
from tests.bidder.test_desk import BUDGET, CPM, DIRECTORY, desk, plan
from tests.patience import HANG_S, until

TOKEN = "a token of some length"
ROOT = Path(__file__).parents[3]


class File:
    """The plans a service reads anew."""

    def __init__(self, *plans: CampaignPlan) -> None:
        self.plans: Sequence[CampaignPlan] = plans
        self.directory = DIRECTORY
        self.error = ""

    def __call__(self) -> tuple[Sequence[CampaignPlan], Directory]:
        if self.error:
            raise ReloadError(self.error)
        return self.plans, self.directory


def operated(story: Callable[[Client, File], Coroutine[Any, Any, None]], *plans: CampaignPlan) -> None:
    """Let *story* happen to a service with an operator."""
    file = File(*plans)
    made = desk(*plans)

    async def main() -> None:
        service = Service(made, Signer(time.time), currency="USD")
        campaigns = Campaigns(made, service.accounts, plans, DIRECTORY, lambda: 0.0, file)
        service.campaigns = campaigns
        service.more_routes = Control(service, campaigns, TOKEN).add_to
        runner = runner_of(service, 1.0)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        service.public_url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            async with aiohttp.ClientSession(auto_decompress=False) as http:
                await story(Client(service, http, service.public_url), file)
        finally:
            await runner.cleanup()

    asyncio.run(main())


async def order(client: Client, path: str, token: str = TOKEN, method: str = "POST") -> tuple[int, str]:
    """Status and text of what an operator asks for."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with client.http.request(method, f"{client.url}{path}", headers=headers) as answer:
        return answer.status, await answer.text()


def samples(text: str) -> dict[str, float]:
    """Every sample of a page of metrics, by name and labels, its form checked."""
    found = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            match = re.fullmatch(r'([a-z_]+\{[a-z]+="[^"]*"(?:,[a-z]+="[^"]*")*\}) (\S+)', line)
            assert match, line
            found[match[1]] = float(match[2])
    return found


def test_metrics_count_what_happened() -> None:
    async def story(client: Client, file: File) -> None:
        bid = await client.bid()
        assert await client.get(bid["burl"].replace("${AUCTION_PRICE}", "1.5")) == 204
        await client.post(b"{")
        await client.bid()
        _, text = await order(client, "/metrics", token="", method="GET")
        told = samples(text)
        expected = {
            'bidlab_requests_total{worker="0"}': 2,
            'bidlab_bids_total{worker="0"}': 2,
            'bidlab_malformed_total{worker="0"}': 1,
            'bidlab_billed_total{worker="0"}': 1,
            'bidlab_in_flight_bids{worker="0"}': 1,
            'bidlab_answer_seconds_count{worker="0"}': 2,
            'bidlab_answer_seconds_bucket{worker="0",le="+Inf"}': 2,
            'bidlab_campaign_spent{worker="0",campaign="pans"}': 0.0015,
            'bidlab_campaign_reserved{worker="0",campaign="pans"}': 0.002,
            'bidlab_campaign_decisions_total{worker="0",campaign="pans",reason="bid"}': 2,
        }
        assert {name: told.get(name) for name in expected} == expected
        for name, (kind, _) in METRICS.items():
            assert (f"# TYPE {name} {kind}\n" in text) == any(sample.startswith(name) for sample in told)

    operated(story, plan())


def test_every_metric_is_documented_and_no_other() -> None:
    page = (ROOT / "docs/wire.md").read_text("utf-8")
    assert set(re.findall(r"^\| `(bidlab_[a-z_]+)` \|", page, flags=re.MULTILINE)) == set(METRICS)


def test_a_histogram_counts_each_value_once_at_its_bound() -> None:
    histogram = Histogram()
    for value in (*BOUNDS_S, 0.0, 99.0):
        histogram.add(value)
    buckets = [value for name, _, value in histogram.samples("h") if name == "h_bucket"]
    assert buckets == [*range(2, len(BOUNDS_S) + 2), len(BOUNDS_S) + 2]


def test_a_paused_campaign_does_not_bid_until_it_is_resumed() -> None:
    async def story(client: Client, file: File) -> None:
        assert await order(client, "/admin/pause?campaign=pans", token="") == (401, "")
        assert (await order(client, "/admin/pause?campaign=pans", token="another token"))[0] == 401
        assert (await order(client, "/admin/pause?campaign=forks"))[0] == 404
        burl = (await client.bid())["burl"]
        assert (await order(client, "/admin/pause?campaign=pans"))[0] == 204
        assert (await client.post(REQUEST))[0] == 204
        client.desk.tick()
        assert (await client.post(REQUEST))[0] == 204
        assert await client.get(burl.replace("${AUCTION_PRICE}", "1.5")) == 204
        _, told = await order(client, "/admin/campaigns", method="GET")
        assert json.loads(told) == {"pans": {"state": "paused", "spent": 0.0015, "budget": 0.01}}
        assert (await order(client, "/admin/resume?campaign=pans"))[0] == 204
        assert (await client.bid())["price"] == 2.0

    operated(story, plan())


def test_new_campaigns_take_over_between_two_requests() -> None:
    async def story(client: Client, file: File) -> None:
        first = await client.bid()
        file.plans = (plan(campaign_id="pots", goal_value_nanos=3.0 * CPM), plan(goal_value_nanos=1.0 * CPM))
        assert await order(client, "/admin/reload") == (204, "")
        assert [(await client.bid())[name] for name in ("cid", "price")] == ["pots", 3.0]
        assert await client.get(first["burl"].replace("${AUCTION_PRICE}", "1.5")) == 204
        assert client.held() == (1_500_000, 0)
        file.plans = (plan(goal_value_nanos=1.0 * CPM),)
        assert await order(client, "/admin/reload") == (204, "")
        assert [(await client.bid())[name] for name in ("cid", "price")] == ["pans", 1.0]
        _, told = await order(client, "/admin/campaigns", method="GET")
        assert [(id_, row["state"]) for id_, row in json.loads(told).items()] == [("pans", "on"), ("pots", "gone")]
        assert client.desk.counts.bids == 5

    operated(story, plan())


@pytest.mark.parametrize("broken", ["file", "market", "plan"])
def test_a_reload_that_fails_changes_nothing_and_says_why(broken: str) -> None:
    async def story(client: Client, file: File) -> None:
        if broken == "file":
            file.error = "campaigns.pans.budget: is missing"
        elif broken == "market":
            file.directory = replace(DIRECTORY, slots=("paper/bottom",))
        else:
            file.plans = (plan(target=TargetPlan(places=("moon",))),)
        status, text = await order(client, "/admin/reload")
        assert status == 409
        told = {"file": "budget: is missing", "market": "slots, places", "plan": "moon"}
        assert told[broken] in text
        assert (await client.bid())["price"] == 2.0
        campaigns = client.service.campaigns
        assert campaigns is not None
        assert (campaigns.reloads, campaigns.failed_reloads) == (0, 1)

    operated(story, plan())


def test_nothing_happened_is_lost_when_plans_change() -> None:
    """Spend, reservations, exposures and counts stay; a lower cap counts what was seen before."""
    old_plans = (plan(caps=(CapPlan(5, 3600.0, True),)), plan(campaign_id="gone"))
    made = desk(*old_plans)
    made.book.campaigns["spent_nanos"][:] = 7
    made.book.campaigns["reserved_nanos"][:] = 5
    made.book.cells[:, :, 2] = 3.0
    new = (plan(campaign_id="new"), plan(total_nanos=2 * BUDGET, caps=(CapPlan(1, 3600.0, True),)))
    plans = merge_plans(old_plans, new)
    assert [p.campaign_id for p in plans] == ["pans", "gone", "new"]
    book = carry_over(draft_book(plans, DIRECTORY, made.book), plans, made.book, old_plans)
    assert list(book.campaigns["spent_nanos"]) == [7, 7, 0]
    assert list(book.campaigns["reserved_nanos"]) == [5, 5, 0]
    assert list(book.campaigns["total_nanos"]) == [2 * BUDGET, BUDGET, BUDGET]
    assert list(book.cells[:, 0, 2]) == [3.0, 3.0, 0.0]
    assert book.persons is made.book.persons
    fresh = build_book(plans, DIRECTORY, people_count=3)
    for name in ("caps", "targets", "audiences", "prices"):
        np.testing.assert_array_equal(getattr(book, name), getattr(fresh, name))
    assert book.targets[book.index[ROW_ACTIVE], 0] == 0b111


def test_a_lower_cap_holds_for_what_was_seen_before() -> None:
    async def story(client: Client, file: File) -> None:
        bid = await client.bid()
        assert await client.get(bid["burl"].replace("${AUCTION_PRICE}", "1.5")) == 204
        file.plans = (plan(caps=(CapPlan(1, 3600.0, True),)),)
        assert await order(client, "/admin/reload") == (204, "")
        assert (await client.post(REQUEST))[0] == 204

    operated(story, plan(caps=(CapPlan(5, 3600.0, True),)))


def test_a_late_loop_sheds_and_a_quick_one_does_not() -> None:
    async def story(client: Client, file: File) -> None:
        client.service.pulse = pulse = Pulse(0.03)
        pulse.start()
        hogging = True

        def hog() -> None:
            time.sleep(0.05)  # whatever keeps the loop busy
            if hogging:
                asyncio.get_running_loop().call_soon(hog)

        async def taken() -> None:
            """It sheds at most for a while: a loaded machine may keep even a quick loop late for a moment."""
            async with asyncio.timeout(HANG_S):
                while (await client.post(REQUEST))[0] != 200:
                    await asyncio.sleep(0.01)

        await taken()
        hog()
        await until(lambda: pulse.late)
        shed = client.service.traffic.shed
        statuses = {(await client.post(REQUEST))[0] for _ in range(2)}
        assert statuses == {204}
        assert client.service.traffic.shed == shed + 2
        hogging = False
        await taken()
        pulse.stop()

    operated(story, plan(total_nanos=1000 * BUDGET))


def test_a_single_pause_without_a_crowd_sheds_nobody() -> None:
    async def main() -> None:
        pulse = Pulse(100.0)

        def beat(requests: int) -> bool:
            pulse.stop()
            pulse.due_s = time.monotonic() - 200.0
            for _ in range(requests):
                pulse.sheds(0.0)
            pulse.beat()
            return pulse.late

        pulse.start()
        assert [beat(FEW), beat(0)] == [False, True]  # the second in a row
        pulse.beat()
        assert not pulse.late
        assert beat(FEW + 1)
        pulse.stop()

    asyncio.run(main())


def test_one_long_turn_of_the_loop_sheds_before_the_timer_can_tell() -> None:
    """What comes after the loop has been busy for too long is turned away; what has waited is late by that much."""
    body, now_s = json.dumps({**REQUEST, "tmax": 1_000_000}).encode(), time.monotonic()
    service = Service(desk(plan(total_nanos=1000 * BUDGET)), Signer(time.time), currency="USD", allowance_s=0.0)
    service.pulse = Pulse(2000.0)
    assert service.reply(body, now_s, False)[0] == 200
    service.pulse.due_s = now_s - 0.01
    assert service.reply(body, now_s, False)[0] == 200
    service.pulse.due_s = now_s - 1000.01
    assert service.reply(body, now_s, False)[0] == 204
    assert (service.traffic.late, service.traffic.shed) == (1, 0)
    service.pulse.due_s = now_s - 2000.01
    assert {service.reply(body, now_s, False)[0] for _ in range(FEW)} == {204}
    assert (service.traffic.late, service.traffic.shed) == (FEW - 2, 3)


def test_logs_are_lines_of_json() -> None:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines(3))
    log = logging.Logger("bidlab.part")
    log.addHandler(handler)
    log.warning("it happened", extra={"data": {"path": Path("x\ny"), "n": 2}})
    try:
        raise ValueError("no")
    except ValueError:
        log.exception("it broke")
    first, second = (json.loads(line) for line in stream.getvalue().splitlines())
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", first.pop("time"))
    told = {"level": "warning", "part": "part", "event": "it happened", "worker": 3, "path": "x\ny", "n": 2}
    assert first == told
    assert "ValueError: no" in second["error"]
