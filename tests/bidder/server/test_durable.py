"""The service over accounts on disk: what was acknowledged is there after a restart, once, whatever else happens."""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import sqlite3
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import pytest
from aiohttp import web

from bidder.build import build_book
from bidder.codec import nbr_of
from bidder.core.codes import CAPPED
from bidder.desk import Desk
from bidder.errors import ServeError
from bidder.plan import BidPlan, CampaignPlan, CapPlan, PacePlan, TargetPlan
from bidder.server.app import Service
from bidder.server.campaigns import Campaigns
from bidder.server.durable import Durable
from bidder.server.serve import WallClock, compile_kernels, runner_of
from bidder.server.signing import Signer
from bidder.server.state import State
from openrtb.notices import Conversion
from tests.bidder.server.test_app import REQUEST, Client
from tests.bidder.test_desk import BUDGET, CPM, DIRECTORY, People, plan
from tests.patience import HANG_S, until

BIG = 1000 * CPM
RESERVATION_S = 10.0 * HANG_S
"""No bid is given up while a test runs, however slow the machine."""
Story = Callable[[Client], Coroutine[Any, Any, None]]


def state_of(folder: Path, *plans: CampaignPlan, market: str = "m", hold_s: float = RESERVATION_S) -> State:
    """The folder, taken."""
    state = State(folder, market, start_of_day_s=0, hold_s=hold_s)
    state.begin(plans)
    return state


@contextlib.asynccontextmanager
async def worker(
    state: State,
    *plans: CampaignPlan,
    hold_s: float = RESERVATION_S,
    workers: int = 1,
    compact_after: int = 0,
    audience: Any = None,
) -> AsyncIterator[Client]:
    """A service over the folder, behind a real socket."""
    number = state.new_worker()
    clock = WallClock(state.clock)
    clock.start()
    people = audience or People()
    made = Desk(
        build_book(plans, DIRECTORY, people_count=len(people.rows), held=people.rows),
        plans,
        DIRECTORY,
        people,
        clock=clock,
        reservation_s=hold_s,
        bid_prefix=f"{number}-",
    )
    compile_kernels(made.book)
    accounts = Durable(made, plans, state.open(), number, workers, compact_after=compact_after)
    signer = Signer(lambda: client.wall_s, state.notice_key, state.conversion_key)
    service = Service(made, signer, currency="USD", accounts=accounts)
    runner = runner_of(service, 1.0)
    await accounts.start()
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    service.public_url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        async with aiohttp.ClientSession(auto_decompress=False) as http:
            client = Client(service, http, service.public_url)
            yield client
    finally:
        await runner.cleanup()
        await accounts.stop()


def served(folder: Path, story: Story, *plans: CampaignPlan, **options: Any) -> Client:
    """Let *story* happen to a service that is started over *folder* and stopped in the end."""
    plans = plans or (plan(total_nanos=BIG),)
    state = state_of(folder, *plans, hold_s=options.get("hold_s", RESERVATION_S))

    async def main() -> Client:
        async with worker(state, *plans, **options) as client:
            await story(client)
        return client

    try:
        return asyncio.run(main())
    finally:
        state.close()


def priced(url: str, price: str = "1.5") -> str:
    """A notice URL as the exchange calls it."""
    return url.replace("${AUCTION_PRICE}", price).replace("${AUCTION_LOSS}", "102")


def test_prices_told_reach_the_curve_through_the_accounts(tmp_path: Path) -> None:
    """Of a win and a loss; the same told twice counts once."""
    learning = plan(bid=BidPlan("shaded_lognormal", math.log(CPM), 0.5, learned=True), goal_value_nanos=4.0 * CPM)

    async def story(client: Client) -> None:
        rows = client.desk.book.campaigns
        before = rows["curve_seen"][0]
        lost, won = await client.bid(), await client.bid()
        urls = [priced(bid[kind], repr(bid["price"])) for bid, kind in ((lost, "lurl"), (won, "burl"))]
        for url, told in zip(urls, ("3.5", "0.6"), strict=True):
            for _ in range(2):
                assert await client.get(url.replace("${AUCTION_MIN_TO_WIN}", told)) == 204
        assert rows["curve_seen"][0] == before + 2.0
        assert rows["curve_sum"][0] == pytest.approx(math.log(3.5) + math.log(0.6))

    served(tmp_path, story, learning)


def test_a_restart_finds_the_book_as_it_was(tmp_path: Path) -> None:
    plans = (
        plan(total_nanos=BIG, daily_nanos=BIG, caps=(CapPlan(3, 3600.0, True),)),
        plan(campaign_id="other", target=TargetPlan(places=("country",))),
    )
    urls: list[str] = []

    async def first(client: Client) -> None:
        bids = [await client.bid() for _ in range(3)]
        for bid in bids[:2]:
            assert await client.get(priced(bid["burl"])) == 204
            assert await client.get(priced(bid["nurl"])) == 204
        assert await client.get(priced(bids[2]["lurl"])) == 204
        assert await client.get(bids[0]["ext"]["bidlab_click"]) == 204
        sold = Conversion("order 1", "pans", "p0", 12.5)
        query = client.service._signer.conversion_query(sold, 60.0)
        assert await client.get(f"{client.url}/openrtb2/notice/conversion?{query}") == 204
        urls.extend([priced(bids[0]["burl"]), bids[0]["ext"]["bidlab_click"], f"/openrtb2/notice/conversion?{query}"])

    async def second(client: Client) -> None:
        for url in urls:
            assert await client.get(client.url + url[url.index("/openrtb2") :]) == 204
        assert client.desk.counts.repeated == 3
        assert (await client.bid())["price"] == 2.0
        assert await client.nbr() == nbr_of(CAPPED)  # three within the hour, two of them before the restart

    before = served(tmp_path, first, *plans).desk.book
    after = served(tmp_path, second, *plans).desk.book
    for name in ("spent_nanos", "spent_day_nanos", "wins", "clicks", "conversions", "conversion_nanos", "day_ix"):
        np.testing.assert_array_equal(before.campaigns[name], after.campaigns[name])
    assert after.campaigns["conversion_nanos"][0] == 12_500_000_000
    np.testing.assert_array_equal(before.cells, after.cells)


def test_bids_in_flight_at_a_crash_are_paid_for_and_what_they_held_comes_back(tmp_path: Path) -> None:
    """The crash is real for the accounts: the second service begins while the first has never said goodbye. So much of
    their time passes at once that what it had bid lapses."""
    small = plan(total_nanos=BUDGET)
    state, jump_s = state_of(tmp_path, small), [0.0]
    clock = state.clock
    state.clock = lambda: clock() + jump_s[0]  # type: ignore[method-assign]

    async def main() -> None:
        async with worker(state, small) as first:
            bids = [await first.bid() for _ in range(5)]
            assert first.held() == (0, BUDGET)
            other = first.service.accounts
            assert isinstance(other, Durable)
            state.begin((small,))  # as a restart does
            async with worker(state, small) as second:
                assert (await second.post(REQUEST))[0] == 204  # all of it may have been won
                for bid in bids[:2]:
                    assert await second.get(priced(bid["burl"].replace(first.url, second.url))) == 204
                assert second.held() == (3 * CPM, 0)
                assert (await second.post(REQUEST))[0] == 204
                jump_s[0] = RESERVATION_S
                async with asyncio.timeout(HANG_S):
                    while (await second.post(REQUEST))[0] == 204:
                        await asyncio.sleep(0.05)
                assert second.desk.book.campaigns["reserved_nanos"][0] == 2 * CPM
                # too late now, and whatever is left is leased again
                for bid in bids[2:]:
                    assert await second.get(priced(bid["burl"].replace(first.url, second.url))) == 409
                assert second.desk.book.campaigns["spent_nanos"][0] == 3 * CPM
                assert not any(number == other.worker for number, _ in other._store.leases())

    asyncio.run(main())
    state.close()


async def maybe_bid(client: Client) -> dict[str, Any] | None:
    """The one bid a request is answered with, if it is."""
    status, body = await client.post(REQUEST)
    return json.loads(body)["seatbid"][0]["bid"][0] if status == 200 else None


def test_two_workers_share_a_budget_and_any_of_them_takes_any_notice(tmp_path: Path) -> None:
    shared = plan(total_nanos=40 * CPM)
    state = state_of(tmp_path, shared)

    async def main() -> None:
        async with worker(state, shared, workers=2) as a, worker(state, shared, workers=2) as b:
            spent, bids = 0, {a: 0, b: 0}
            async with asyncio.timeout(HANG_S):
                while spent < 40 * CPM:
                    for maker, hearer in ((a, b), (b, a)):
                        bid = await maybe_bid(maker)
                        if bid is not None:
                            burl = priced(bid["burl"].replace(maker.url, hearer.url), "2.0")
                            statuses = await asyncio.gather(hearer.get(burl), maker.get(burl))
                            assert statuses == [204, 204]
                            spent += 2 * CPM
                            bids[maker] += 1
                    await asyncio.sleep(0.01)
                while not a.held() == b.held() == (spent, 0):
                    await asyncio.sleep(0.02)
            assert min(bids.values()) > 0
            assert a.desk.counts.wins + b.desk.counts.wins == sum(bids.values()) == 20
            assert await maybe_bid(a) is None
            assert await maybe_bid(b) is None

    asyncio.run(main())
    state.close()


def test_a_smaller_budget_holds_for_all_workers_at_once(tmp_path: Path) -> None:
    """What they have leased goes back, so that the next bids already keep to it; what is in flight is paid for."""
    large, small = plan(total_nanos=100 * CPM), plan(total_nanos=12 * CPM)
    state = state_of(tmp_path, large)

    async def main() -> None:
        async with worker(state, large, workers=2) as a, worker(state, large, workers=2) as b:
            burls = [(await a.bid())["burl"], (await b.bid())["burl"]]
            assert all(client.desk.book.campaigns["total_nanos"][0] > 12 * CPM for client in (a, b))
            for client in (a, b):
                campaigns = Campaigns(
                    client.desk,
                    client.service.accounts,
                    (large,),
                    DIRECTORY,
                    lambda: 0.0,
                    lambda: ((small,), DIRECTORY),
                )
                await campaigns.reload()
            for _ in range(10):
                burls += [bid["burl"] for client in (a, b) if (bid := await maybe_bid(client)) is not None]
                await asyncio.sleep(0.05)
            for burl in burls:
                url = a.url + burl[burl.index("/openrtb2") :]
                assert await a.get(priced(url, "2.0")) == 204
            assert 2 <= len(burls) <= 6
            assert a.held() == (len(burls) * 2 * CPM, 0)

    asyncio.run(main())
    state.close()


def test_pacing_goes_on_where_it_stood(tmp_path: Path) -> None:
    """Reading the notices again does not count as auctions; another pacing begins anew."""
    paced = plan(total_nanos=BIG, pacing=PacePlan("adaptive", 0.5, 50.0, 1e-7, auctions=10_000.0))
    stood: list[float] = []

    async def spend(client: Client) -> None:
        for _ in range(4):
            assert await client.get(priced((await client.bid())["burl"], "0.5")) == 204
        client.service.accounts.tick()
        row = client.desk.book.campaigns[0]
        stood.extend([float(row["mu"]), float(row["multiplier"]), float(row["entered"])])
        assert row["entered"] == 4
        assert row["mu"] != 0.5

    async def look(client: Client) -> None:
        row = client.desk.book.campaigns[0]
        assert [float(row[name]) for name in ("mu", "multiplier", "entered")] == stood
        assert row["spent_nanos"] == 4 * CPM // 2

    async def anew(client: Client) -> None:
        assert client.desk.book.campaigns["mu"][0] == 0.25

    served(tmp_path, spend, paced)
    served(tmp_path, look, paced)
    served(tmp_path, anew, plan(total_nanos=BIG, pacing=PacePlan("adaptive", 0.25, 50.0, 1e-7, auctions=10_000.0)))


def test_conversions_are_signed_and_credited_once(tmp_path: Path) -> None:
    async def story(client: Client) -> None:
        signer = client.service._signer
        bid = await client.bid()
        assert await client.get(priced(bid["burl"])) == 204
        base = f"{client.url}/openrtb2/notice/conversion?"
        query = signer.conversion_query(Conversion("1&v=9", "pans", "p0", 3.0), 60.0)
        lies = {
            query.replace("v=3.0", "v=300.0"): 403,
            query.replace("u=p0", "u=p1"): 403,
            query.replace("i=1%26v%3D9", "i=1&v=9"): 403,
            query.partition("&s=")[0]: 400,
            signer.conversion_query(Conversion("2", "pans", "p0", -1.0), 60.0): 400,
            signer.conversion_query(Conversion("3", "pans", "p0", float("nan")), 60.0): 400,
            signer.conversion_query(Conversion("4", "forks", "p0", 3.0), 60.0): 410,
            signer.conversion_query(Conversion("5", "pans", "p0", 3.0), -60.0): 410,
        }
        for lie, status in lies.items():
            assert await client.get(base + lie) == status, lie
        assert client.desk.book.campaigns["conversions"][0] == 0
        for _ in range(3):
            assert await client.get(base + query) == 204
        row = client.desk.book.campaigns[0]
        assert (row["conversions"], row["conversion_nanos"]) == (1, 3_000_000_000)

    served(tmp_path, story)


def test_what_cannot_be_written_is_not_acknowledged(tmp_path: Path) -> None:
    async def story(client: Client) -> None:
        accounts = client.service.accounts
        assert isinstance(accounts, Durable)
        bids = [await client.bid() for _ in range(200)]
        accounts._store.limit_pages(1)  # the file may not grow any more, as on a full disk
        statuses = [await client.get(priced(bid["burl"])) for bid in bids]
        assert set(statuses) == {204, 503}
        kept = statuses.count(204)
        assert client.held() == (kept * 1_500_000, (200 - kept) * 2 * CPM)
        assert accounts.failures > 0
        accounts._store.limit_pages(1_000_000)  # room again: the exchange tries again
        assert {await client.get(priced(bid["burl"])) for bid in bids} == {204}
        assert client.held() == (200 * 1_500_000, 0)

    served(tmp_path, story, plan(total_nanos=10 * BIG))


def test_many_notices_share_a_commit(tmp_path: Path) -> None:
    """Those that come while the one before is written: here somebody else holds the file until all are there."""

    async def story(client: Client) -> None:
        accounts = client.service.accounts
        assert isinstance(accounts, Durable)
        bids = [await client.bid() for _ in range(90)]
        with contextlib.closing(sqlite3.connect(tmp_path / "accounts.sqlite", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            telling = asyncio.gather(*(client.get(priced(bid["burl"])) for bid in bids))
            await until(lambda: accounts._writer.waiting() >= len(bids) // 2)  # it has begun with some of the others
            other.execute("ROLLBACK")
            assert set(await telling) == {204}
            commits = other.execute("SELECT count(*) FROM notices GROUP BY heard_s").fetchall()
        assert sum(notices for (notices,) in commits) == len(bids)
        assert max(notices for (notices,) in commits) >= len(bids) // 2

    served(tmp_path, story, plan(total_nanos=10 * BIG))


def test_a_folder_is_for_one_service_of_one_market(tmp_path: Path) -> None:
    mine = plan()
    state = state_of(tmp_path, mine)
    with pytest.raises(ServeError, match="another service uses it"):
        state_of(tmp_path, mine)
    state.close()
    with pytest.raises(ServeError, match="other slots, products, people or start"):
        state_of(tmp_path, mine, market="n")
    (tmp_path / "notice.key").write_text("secret")
    with pytest.raises(ServeError, match="no key"):
        state_of(tmp_path, mine)
    with pytest.raises(ServeError, match="cannot be used"):
        state_of(tmp_path / "notice.key" / "x", mine)


def test_a_wall_clock_set_back_does_not_put_notices_in_the_future(tmp_path: Path) -> None:
    async def story(client: Client) -> None:
        assert await client.get(priced((await client.bid())["burl"])) == 204

    served(tmp_path, story)
    state = state_of(tmp_path, plan(total_nanos=BIG))
    store = state.open()
    with store.session() as session:
        session.execute("UPDATE notices SET heard_s = 1e6")
    store.close()
    state.close()
    again = state_of(tmp_path, plan(total_nanos=BIG))
    assert again.clock() >= 1e6
    again.close()
