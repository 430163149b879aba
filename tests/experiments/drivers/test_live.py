"""The `live` driver against real bidders over HTTP: the market's account and the bidder's own agree to the nano."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from experiments.accounting.tables import account
from experiments.drivers.live import LiveRun, _url, run_live
from experiments.errors import RunError
from experiments.ledger import FATE_TIMED_OUT, FATE_WON
from experiments.results.conservation import identities
from experiments.results.tables import build_tables
from experiments.setting import Setting, fresh_truth
from openrtb.messages import Bid
from openrtb.notices import Billing, Loss
from tests.experiments.load.test_load import bids_for, foreign
from tests.experiments.served import bidder_served, small_setting
from tests.patience import NO_LIMIT_MS

pytestmark = pytest.mark.slow
BUSY = ("traffic.requests_per_day=20_000_000", "traffic.hours=flat")
"""About 230 requests a second."""
PATIENT = (*BUSY, f"wire.tmax_ms={NO_LIMIT_MS}", "wire.reservation_s=3000")
"""Nothing is too late, however slow the machine: what the books hold must not depend on it."""


@pytest.fixture(scope="module")
def setting() -> Setting:
    """Two seconds and a bit of the learning scenario; its kernels compiled, since the bidder's clock will not wait."""
    product = "products.espresso-machine"
    often = (f"{product}.effect.ctr=0.2", f"{product}.organic_per_1000_people_per_day=20_000_000")
    made = small_setting(*PATIENT, "days=0.000025", *often)
    driven(made, "http://127.0.0.1:9/bid").market.draw_organic(0.0)
    return made


def driven(setting: Setting, url: str, conversion_key: bytes | None = None) -> LiveRun:
    """A run to be awaited."""
    return LiveRun(fresh_truth(setting), url, None, conversion_key)


def test_the_market_and_the_bidder_keep_the_same_books(setting: Setting) -> None:
    async def main() -> None:
        async with bidder_served(setting, conversion_key=b"advertiser") as service:
            run = driven(setting, f"{service.public_url}/openrtb2/bid", b"advertiser")
            began_s = time.monotonic()
            await run.run()
            assert time.monotonic() - began_s >= setting.end_s  # it is real time
            told = run.port.told_purchases
            ledger, book = run.end()
            assert told == len(service.desk._credited) > 3
            assert service.traffic.bad_notices == 0
            assert len(ledger.purchases) >= told
            counts = service.desk.counts
            assert run.port.problems == {}
            assert ledger.auctions == counts.requests == run.port.answered > 300
            assert len(ledger.exposures) == counts.wins > 50
            assert ledger.exposures["billed"].all()
            assert (book.campaigns["spent_nanos"] == service.desk.book.campaigns["spent_nanos"]).all()
            assert book.campaigns["spent_nanos"].sum() == ledger.exposures["price_nanos"].sum() > 0
            assert counts.losses == counts.bids - counts.wins
            clicked = service.desk.book.cells[..., 2:].sum()
            assert clicked >= ledger.exposures["clicked"].sum() > 3
            fates = ledger.tallies.fates.sum(axis=0)
            assert fates[FATE_WON] == counts.wins
            assert fates[FATE_TIMED_OUT] == 0
            assert fates.sum() == ledger.auctions
            told = fates[:FATE_TIMED_OUT]  # the bidder's own reasons came over the wire as no-bid codes
            assert told.sum() == counts.requests - counts.bids > 0
            broken = [words for words, kept in identities(build_tables(account(setting, ledger, book))) if not kept]
            assert broken == []

    asyncio.run(main())


def test_a_bidder_that_is_not_ours(setting: Setting) -> None:
    async def main() -> None:
        async with foreign() as bidder:
            bidder.answer = bids_for(bidder, 2.0)
            run = driven(setting, f"{bidder.url}/bid")
            await run.run()
            ledger, book = run.end()
            assert bidder.kinds().count("bill") == len(ledger.exposures) > 100
            assert book.campaigns["spent_nanos"][0] == ledger.exposures["price_nanos"].sum()
            bidder.answer = bids_for(bidder, 2.0, cid="nobody")
            run = driven(setting, f"{bidder.url}/bid")
            await run.run()
            ledger, _ = run.end()
            assert len(ledger.exposures) == 0
            assert run.port.problems == {"a bid for 'nobody', which is no campaign of the scenario": ledger.auctions}

    asyncio.run(main())


def test_late_answers_are_time_outs(setting: Setting) -> None:
    async def main() -> None:
        async with foreign() as bidder:
            bidder.answer, bidder.delay_s = bids_for(bidder, 2.0), 0.4
            hurried = small_setting(*BUSY, "days=0.00001", "wire.tmax_ms=100")
            run = driven(hurried, f"{bidder.url}/bid")
            await run.run()
            ledger, _ = run.end()
            assert ledger.tallies.fates.sum(axis=0)[FATE_TIMED_OUT] == ledger.auctions > 100
            assert bidder.told == []

    asyncio.run(main())


def test_an_address_that_is_no_bidder_s(setting: Setting) -> None:
    with pytest.raises(RunError, match="nobody can be reached there"):
        run_live(fresh_truth(setting), url="http://127.0.0.1:9/bid")

    async def main() -> str:
        async with foreign() as bidder:
            short: Any = small_setting(*PATIENT, "days=0.000005")
            with pytest.raises(RunError, match="no request was answered") as caught:
                await asyncio.to_thread(run_live, short, None, f"{bidder.url}/elsewhere")
            return str(caught.value)

    assert "HTTP 404" in asyncio.run(main())


def test_notices_carry_the_minimum_to_win() -> None:
    asked = "&m=${AUCTION_MIN_TO_WIN}"
    links = {"burl": f"http://h/b?p=${{AUCTION_PRICE}}{asked}", "lurl": f"http://h/l?l=${{AUCTION_LOSS}}{asked}"}
    bid = Bid("b", "1", 2.0, **links)
    assert _url(bid, Billing("b", 1.5, 0.75)) == "http://h/b?p=1.5&m=0.75"
    assert _url(bid, Loss("b", 102, 2.25)) == "http://h/l?l=102&m=2.25"
    assert _url(bid, Loss("b", 102)) == "http://h/l?l=102&m="
