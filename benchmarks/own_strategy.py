"""What a user's own bid costs: the benchmark world, every rule replaced by a function that says the same.

Each way must buy the same impressions at the same prices, so none can be faster by doing less.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from benchmarks.world import benchmark_scenario
from experiments.drivers.batch import run_batch
from experiments.scenario.models import Scenario
from experiments.setting import fresh_truth, make_ready

_BODY = """
def bid(opportunity):
    late = opportunity.elapsed > 0.9 and opportunity.spent < 0.0
    shade = 0.5 if late else 1.0
    if opportunity.worth_cpm < opportunity.floor_cpm:
        return 0.0
    return shade * opportunity.worth_cpm
"""
COMPILED, PLAIN = f"from numba import njit\n@njit{_BODY}", _BODY
RULES: dict[str, str | None] = {"rule": None, "compiled": COMPILED, "plain": PLAIN}
ROUNDS = 5


def own_strategy_scenario(auctions: int, source: str | None) -> Scenario:
    """The benchmark world with *source* as everybody's strategy; None: the built-in truthful rule."""
    scenario = benchmark_scenario(auctions)
    if source is None:
        return scenario
    given = {"strategy": "own.py:bid", "strategy_source": source}
    campaigns = {name: campaign.model_copy(update=given) for name, campaign in scenario.campaigns.items()}
    return scenario.model_copy(update={"campaigns": campaigns})


def own_strategy_ns(auctions: int, names: Sequence[str] = ("rule", "compiled")) -> dict[str, float]:
    """Least nanoseconds of CPU per auction for each of RULES named, measured in turn."""
    settings = {name: make_ready(own_strategy_scenario(auctions, RULES[name])) for name in names}
    best, bought = dict.fromkeys(names, float("inf")), {}
    for round_ix in range(ROUNDS + 1):  # the first compiles
        for name in names:
            settings[name] = fresh_truth(settings[name])
            started = time.process_time()
            ledger, _ = run_batch(settings[name])
            spent_ns = (time.process_time() - started) * 1e9 / ledger.auctions
            best[name] = min(best[name], spent_ns) if round_ix else best[name]
            bought[name] = ledger.exposures
    for name in names:
        assert len(bought[name]) > auctions // 5
        np.testing.assert_array_equal(bought[name]["price_nanos"], bought[names[0]]["price_nanos"])
    return best


if __name__ == "__main__":
    result = own_strategy_ns(1_000_000, tuple(RULES))
    for name, nanoseconds in result.items():
        print(f"{name:10}{nanoseconds:10.1f} ns per auction, {nanoseconds / result['rule']:.3f} of the built-in rule")
