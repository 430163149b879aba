"""Load on real bidders over real sockets: open loop, verdicts on answers, notices, money, faults, thresholds."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import sys
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from bidder.server.app import Service
from experiments.cli.load import load
from experiments.errors import ThresholdBroken
from experiments.load.faults import RequestFaults
from experiments.load.feedback import NoticeFaults, Ratios
from experiments.load.page import render
from experiments.load.run import LoadRun, LoadSpec, result_of
from experiments.load.traffic import Contents, Pace
from experiments.load.watch import Watch
from experiments.setting import Setting
from tests.exchange_sim.server.market import TestBidder
from tests.experiments.served import bidder_served, small_setting
from tests.patience import HANG_S, NO_LIMIT_MS

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def setting() -> Setting:
    """Whose traffic it is."""
    return small_setting()


@contextlib.asynccontextmanager
async def foreign(kind: type[TestBidder] = TestBidder) -> AsyncIterator[TestBidder]:
    """A bidder that is not ours."""
    bidder = kind("other")
    runner = web.AppRunner(bidder.app())
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    bidder.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield bidder
    finally:
        await runner.cleanup()


def spec(url: str, rate: float, duration_s: float = 1.0, **changes: Any) -> LoadSpec:
    """A short run in which no answer is too late: how fast the machine is does not matter."""
    made = LoadSpec(url, Pace(rate, duration_s), 8, HANG_S, HANG_S, "EUR", Ratios(0.5, 1.0))
    return made._replace(**changes)


async def loaded(setting: Setting, asked: LoadSpec, told_tmax_s: float | None = None) -> dict[str, Any]:
    """The result of a run; requests may tell another *told_tmax_s* than answers are judged by."""
    tmax_s = told_tmax_s or asked.tmax_s
    run = LoadRun(asked, Contents(setting, tmax_s * 1000.0), Watch(setting.plans))
    run.faults = RequestFaults(asked.url, asked.request_packs, asked.fault_share, tmax_s)
    await run.run()
    return result_of(run)


def spent_by(service: Service) -> dict[str, int]:
    """What the bidder itself has booked, by campaign."""
    campaigns = service.desk.book.campaigns["spent_nanos"].tolist()
    return {name: n for name, n in zip(("awareness", "buyers"), campaigns, strict=True) if n}


def bids_for(bidder: TestBidder, price: float = 2.0, **changes: Any) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Answers that suit any request of the scenario."""
    vast = '<VAST version="3.0"></VAST>'

    def answer(request: dict[str, Any]) -> dict[str, Any]:
        imp = request["imp"][0]
        room = imp.get("banner") or {"w": 1, "h": 1}
        adm = {"adm": vast} if "video" in imp else {}
        made = {"w": room["w"], "h": room["h"], **adm, "cid": "awareness", **changes}
        bid = bidder.bid(request["id"], imp["id"], price, **made)
        return {"id": request["id"], "cur": "EUR", "seatbid": [{"bid": [bid]}]}

    return answer


def test_our_own_bidder_takes_it(setting: Setting) -> None:
    async def main() -> None:
        async with bidder_served(setting) as service:
            result = await loaded(setting, spec(f"{service.public_url}/openrtb2/bid", 200, 2.0))
            assert 300 < result["sent"] < 500
            assert result["counts"]["answered"] == result["sent"] == service.desk.counts.requests
            assert result["counts"]["bids"] == service.desk.counts.bids > 50
            assert (result["counts"]["errors"], result["invalid"], result["violations"]) == (0, {}, [])
            assert result["notices"]["billing"] == {"204": result["wins"]}
            assert result["wins"] == service.desk.counts.wins > 10
            assert result["spent_nanos"] == spent_by(service)
            ms = result["latency_ms"]
            assert 0 < ms["p50"] <= ms["p99"] <= ms["p99.99"] <= ms["max"]
            assert sum(tick["sent"] for tick in result["seconds"]) == result["sent"]

    asyncio.run(main())


def test_a_stall_is_felt_by_every_request_it_keeps_waiting(setting: Setting) -> None:
    """Open loop: with one connection and one stall of 0.5 s, the requests behind it are late too, not absent."""

    async def main() -> None:
        async with foreign() as bidder:

            def answer(request: dict[str, Any]) -> None:
                bidder.delay_s = 0.5 if len(bidder.asked) == 20 else 0.0

            bidder.answer = answer
            asked = spec(f"{bidder.url}/bid", 100, 1.5, connections=1, tmax_s=0.1)
            result = await loaded(setting, asked)
            assert result["sent"] == len(bidder.asked) == result["counts"]["no_bid"]
            assert result["sent"] == pytest.approx(150, abs=45)
            assert result["latency_ms"]["max"] > 450
            # those that arrive in the first 0.4 s of the stall are more than 0.1 s late
            assert result["counts"]["timeouts"] > 20
            assert result["latency_ms"]["p75"] > 50

    asyncio.run(main())


@pytest.mark.parametrize(
    ("answer", "counts", "where", "reason"),
    [
        (lambda r: (500, b""), "errors", "errors", "HTTP 500"),
        (lambda r: (400, b""), "errors", "errors", "HTTP 400"),
        (lambda r: (200, b"{"), "invalid", "invalid", "unreadable answer"),
        (lambda r: {"id": "x", "seatbid": []}, "invalid", "invalid", "unreadable answer"),
        ({"price": 0.01}, "invalid", "invalid", "below floor"),
        ({"adm": None, "nurl": None}, "invalid", "invalid", "missing markup"),
        ({"impid": "9"}, "invalid", "invalid", "invalid response"),
    ],
)
def test_bad_answers_are_counted_by_reason(setting: Setting, answer: Any, counts: str, where: str, reason: str) -> None:
    async def main() -> None:
        async with foreign() as bidder:
            bidder.answer = answer if callable(answer) else lambda r: _changed(bids_for(bidder)(r), answer)
            result = await loaded(setting, spec(f"{bidder.url}/bid", 60, 0.5))
            touched = sum(result[where].values())
            assert result[where] == {reason: touched}
            assert result["counts"][counts] == touched > 3
            assert result["counts"]["bids"] == (result["sent"] - touched if isinstance(answer, dict) else 0)
            assert bidder.kinds().count("bill") == result["wins"] <= result["counts"]["bids"]

    asyncio.run(main())


def _changed(response: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    bid = {**response["seatbid"][0]["bid"][0], **changes}
    response["seatbid"][0]["bid"][0] = {key: value for key, value in bid.items() if value is not None}
    return response


def test_a_bidder_that_overspends_and_forgets_caps_is_found_out(setting: Setting) -> None:
    """`awareness` may spend 16 EUR and show each person three ads a day; this bidder pays 1,000 CPM."""

    async def main() -> None:
        async with foreign() as bidder:
            bidder.answer = bids_for(bidder, 1000.0)
            asked = spec(f"{bidder.url}/bid", 400, 1.5, ratios=Ratios(1.0, 1.0))
            few = replace(setting, world=setting.world._replace(people_count=20))
            result = await loaded(few, asked)
            assert result["wins"] == result["counts"]["bids"] > 400
            assert result["billed"]["awareness"] == result["wins"]
            assert result["spent_nanos"]["awareness"] == result["wins"] * 10**9
            told = "\n".join(result["violations"])
            assert "awareness: spent" in told
            assert "total budget of 16.0" in told
            assert "people above the cap of 3 in 86400 s (sliding)" in told

    asyncio.run(main())


def test_every_fault_pack_against_our_own_bidder(setting: Setting) -> None:
    async def main() -> None:
        async with bidder_served(setting) as service:
            asked = spec(
                f"{service.public_url}/openrtb2/bid",
                *(150, 2.0),
                request_packs=("malformed", "oversize", "slow", "vanish", "skewed"),
                fault_share=0.3,
                notice_faults=NoticeFaults(0.2, 0.2, 0.3, 0.3, 0.3, late_s=0.5),
                ratios=Ratios(1.0, 1.0),
            )
            result = await loaded(setting, asked, told_tmax_s=1.0)
            assert result["violations"] == []
            assert result["counts"]["errors"] == 0
            # "any": those that find too many others under way, as on a slow machine, are not sent
            assert set(result["faults"]) - {"any"} == {"malformed", "oversize", "slow", "vanish", "skewed"}
            assert set(result["faults"]["skewed"]) <= {"200", "204"}
            assert set(result["faults"]["malformed"]) == {"400"}
            assert set(result["faults"]["oversize"]) <= {"413", "closed"}
            assert set(result["faults"]["slow"]) <= {"204", "408"}
            heard = result["notices"]
            assert set(heard["forged"]) == {"403"}
            assert set(heard["late billing"]) <= {"204", "409"}
            assert set(heard["skewed billing"]) == {"204"}
            assert heard["billing"]["lost on purpose"] > 3
            assert service.desk.counts.repeated > 0
            assert result["spent_nanos"] == spent_by(service)

    asyncio.run(main())


def test_a_bidder_that_believes_forgeries_and_breaks_is_found_out(setting: Setting) -> None:
    async def main() -> None:
        async with foreign() as bidder:
            bidder.answer = bids_for(bidder)
            asked = spec(
                f"{bidder.url}/bid",
                *(150, 1.0),
                request_packs=("malformed",),
                fault_share=0.3,
                notice_faults=NoticeFaults(forged=1.0),
            )
            told = "\n".join((await loaded(setting, asked))["violations"])
            assert "forged billing notices were accepted" in told
            assert "malformed requests were answered 500" in told

    asyncio.run(main())


class Gullible(TestBidder):
    """A bidder that goes by other people's clocks."""

    async def _told(self, http: web.Request) -> web.Response:
        return web.Response(status=410) if "Date" in http.headers else await super()._told(http)


def test_a_bidder_that_goes_by_the_clock_of_others_is_found_out(setting: Setting) -> None:
    async def main() -> None:
        async with foreign(Gullible) as bidder:
            bids = bids_for(bidder)
            bidder.answer = lambda request: (400, b"") if "Date" in bidder.headers[-1] else bids(request)
            asked = spec(
                *(f"{bidder.url}/bid", 150, 1.0),
                request_packs=("skewed",),
                fault_share=0.3,
                notice_faults=NoticeFaults(skewed=0.5),
                ratios=Ratios(1.0, 1.0),
            )
            result = await loaded(setting, asked)
            told = "\n".join(result["violations"])
            assert "skewed requests were answered 400" in told
            assert f"{result['notices']['skewed billing']['410']} billing notices were refused for the date" in told
            days = [
                request["ext"]["timestamp"] / 86_400_000 - time.time() / 86400
                for request in bidder.asked
                if "ext" in request
            ]
            assert {round(day) for day in days} == {-1, 1}

    asyncio.run(main())


def test_the_command_writes_its_results_and_fails_on_a_broken_threshold(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async def command(url: str, *options: str) -> tuple[int, str, str]:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "experiments.cli", "load", url, "--set", "people.count=500", *options),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate()
        assert process.returncode is not None
        return process.returncode, out.decode(), err.decode()

    async def main() -> None:
        async with foreign() as bidder:
            bidder.answer = bids_for(bidder)
            url = f"{bidder.url}/bid"
            options = ("--rate", "80", "--duration", "1", "--tmax-ms", str(NO_LIMIT_MS))
            wanted = ("--require", "bids>90%", "--require", "p50<1us", "--json")
            code, out, err = await command(url, *options, *wanted, "--out", str(tmp_path))
            result = json.loads(out)
            assert code == 1
            assert re.match(r"bidlab: p50<1us is broken: it is [0-9.]+ ms$", err.strip())
            assert [r["met"] for r in result["requirements"]] == [True, False]
            (folder,) = tmp_path.iterdir()
            assert json.loads((folder / "result.json").read_text()) == result
            page = (folder / "report.html").read_text()
            assert page == render(result, "Load on a bidder: learning")
            assert "<script" not in page
            assert f"{result['sent']:,} requests to {url}" in page
            with pytest.raises(ThresholdBroken, match=r"not one request was answered \(HTTP 404: "):
                await asyncio.to_thread(load, f"{bidder.url}/nowhere", rate=20.0, duration=0.5, tmax_ms=NO_LIMIT_MS)
            search = {"find_max": True, "rate": 3.0, "duration": 1.0, "tmax_ms": NO_LIMIT_MS}
            with pytest.raises(ThresholdBroken, match="bids<1% is broken: it is 100 %"):
                await asyncio.to_thread(load, url, **search, require=["bids<1%"])
            assert "highest rate: 0/s" in capsys.readouterr().out

    asyncio.run(main())


def test_nobody_there(setting: Setting) -> None:
    async def main() -> None:
        with pytest.raises(OSError, match="Connect call failed"):
            await loaded(setting, spec("http://127.0.0.1:9/bid", 10))

    asyncio.run(main())
