"""The batch driver on the benchmark world. Each run asserts the work done, so none can get faster by doing less."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.world import benchmark_scenario
from experiments.drivers.batch import run_batch
from experiments.setting import fresh_truth, make_ready


@pytest.mark.parametrize("campaigns", [50, 1_000])
def test_batch(benchmark: Any, campaigns: int) -> None:
    setting = make_ready(benchmark_scenario(1_000_000, campaigns=campaigns))

    def fresh() -> tuple[tuple[Any, ...], dict[str, Any]]:
        return (fresh_truth(setting),), {}

    ledger, book = benchmark.pedantic(run_batch, setup=fresh, rounds=3, warmup_rounds=1)
    benchmark.extra_info["auctions"] = ledger.auctions
    assert ledger.auctions == 1_026_358
    assert len(ledger.exposures) == ledger.tallies.fates[:, -1].sum() == 291_346
    assert book.campaigns["spent_nanos"].sum() == ledger.exposures["price_nanos"].sum()
