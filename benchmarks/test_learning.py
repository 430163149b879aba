"""The batch driver with all learning and pacing on. Each run asserts the work done: what was learned, and how often."""

from __future__ import annotations

from typing import Any

from benchmarks.world import benchmark_scenario
from bidder.core.delays import HEARD_CLICKS, HEARD_PURCHASES, LISTED_CLICKS, LISTED_PURCHASES
from experiments.drivers.batch import run_batch
from experiments.scenario.models import Scenario
from experiments.setting import fresh_truth, make_ready

AUCTIONS = 1_000_000
PACINGS: tuple[Any, ...] = (
    {"kind": "adaptive", "step": 0.002},
    {"kind": "throttled", "shape": "diurnal"},
    {"kind": "adaptive", "form": "multiplicative", "step": 0.002, "target_cpa": 1.5},
    {"kind": "pid"},
    {"kind": "shaped"},
    {"kind": "ecpc", "target": 0.4},
)


def learning_scenario(auctions: int) -> Scenario:
    """The benchmark world; every campaign that bids on clicks or purchases learns them by model and explores."""
    data = benchmark_scenario(auctions).model_dump()
    for c, campaign in enumerate(data["campaigns"].values()):
        modelled = campaign["goal"]["kind"] in ("cpc", "cpa")
        method = {"method": "model", "explore": True} if modelled else {"method": "pooled"}
        campaign["rates"] = {**campaign["rates"], **method}
        pacing = PACINGS[c % len(PACINGS)]
        if "target_cpa" in pacing and campaign["goal"]["kind"] != "cpa":
            pacing = PACINGS[0]
        campaign["pacing"] = pacing
    return Scenario.model_validate(data)


def test_all_learning_and_pacing(benchmark: Any) -> None:
    setting = make_ready(learning_scenario(AUCTIONS))

    def fresh() -> tuple[tuple[Any, ...], dict[str, Any]]:
        return (fresh_truth(setting),), {}

    ledger, book = benchmark.pedantic(run_batch, setup=fresh, rounds=3, warmup_rounds=1)
    benchmark.extra_info["auctions"] = ledger.auctions
    assert ledger.auctions == 1_026_358
    assert len(ledger.exposures) > 150_000
    assert book.campaigns["spent_nanos"].sum() == ledger.exposures["price_nanos"].sum()
    assert book.learners[:, HEARD_CLICKS].sum() > 40
    assert book.learners[:, HEARD_PURCHASES].sum() > 40
    assert book.learners[:, [LISTED_CLICKS, LISTED_PURCHASES]].sum() > 200
    if benchmark.stats:
        benchmark.extra_info["auctions_per_s"] = round(ledger.auctions / benchmark.stats.stats.min)
