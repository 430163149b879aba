"""The batch driver with all market rules on. The work is asserted, so that no run can get faster by doing less."""

from __future__ import annotations

from typing import Any

from benchmarks.world import market_scenario
from exchange_sim.selling.rules import LOST_ADVERTISER, LOST_CATEGORY
from experiments.drivers.batch import run_batch
from experiments.setting import fresh_truth, make_ready


def test_batch_with_all_market_rules(benchmark: Any) -> None:
    """Floors by hour and place, soft and learned ones, deals of every tier, a network, a mask, pages, every check."""
    setting = make_ready(market_scenario(1_000_000))

    def fresh() -> tuple[tuple[Any, ...], dict[str, Any]]:
        return (fresh_truth(setting),), {}

    ledger, book = benchmark.pedantic(run_batch, setup=fresh, rounds=3, warmup_rounds=1)
    benchmark.extra_info["auctions"] = ledger.auctions
    assert ledger.auctions == 953_214  # of a million and more, three to a view: the filter of bots stops the others
    assert len(ledger.exposures) == ledger.tallies.fates[:, -1].sum() > 190_000
    assert book.campaigns["spent_nanos"].sum() == ledger.exposures["price_nanos"].sum()
    assert set(ledger.exposures["way"].tolist()) == {0, 2, 3, 4}
    assert ledger.tallies.slots[:, 3].sum() > 50_000
    refused, _, stopped_ads, stopped_pages = ledger.tallies.blocks[0].sum(axis=(0, 1))[:4]
    assert refused > 10_000
    assert stopped_ads > 100_000 > stopped_pages > 3_000
    assert ledger.tallies.invalid[:, 0].sum() > 50_000
    advertiser, category = ledger.tallies.lost.sum(axis=(0, 1))[LOST_ADVERTISER : LOST_CATEGORY + 1]
    assert category > 50_000 > advertiser > 10_000
