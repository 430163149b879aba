"""Speed of the `events` driver: every request an OpenRTB message, every answer from the asyncio bidder."""

from __future__ import annotations

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.world import benchmark_scenario
from experiments.drivers.batch import run_batch
from experiments.drivers.events import run_events
from experiments.setting import Setting, fresh_truth, make_ready

REQUESTED = 300_000
"""A third of them: the scenario begins at midnight, when traffic is low."""


@pytest.fixture(scope="module")
def setting() -> Setting:
    """1,000,000 people, 50 campaigns, every feature on; a perfect wire."""
    return make_ready(benchmark_scenario(REQUESTED))


@pytest.mark.slow
def test_events(benchmark: BenchmarkFixture, setting: Setting) -> None:
    """One run in process; what it did is what `batch` does."""
    reference, book = run_batch(fresh_truth(setting))
    ledger, events_book = benchmark.pedantic(
        run_events, setup=lambda: ((fresh_truth(setting),), {}), rounds=3, warmup_rounds=1
    )
    assert ledger.auctions == reference.auctions > 80_000
    assert len(ledger.exposures) == len(reference.exposures) > 40_000
    assert events_book.campaigns["spent_nanos"].sum() == book.campaigns["spent_nanos"].sum() > 0
    benchmark.extra_info["auctions_per_s"] = (
        round(ledger.auctions / benchmark.stats.stats.min) if benchmark.stats else 0
    )
