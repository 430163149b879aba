"""Opportunities per CPU-second of the shipped tournament: 48 agents, hindsight taken for each of them."""

from __future__ import annotations

import time

from experiments.scenario.loader import load
from experiments.setting import Setting, fresh_truth, make_ready
from experiments.tournament.run import run_tournament

AGENTS, AUCTIONS, BIDS = 48, 205_623, 6_075_363
ROUNDS = 5


def tournament_setting() -> Setting:
    """The shipped scenario, ready to run."""
    return make_ready(load("tournament"))


def opportunities_per_s() -> float:
    """The best of several rounds after one that compiles."""
    setting, best = tournament_setting(), 0.0
    for _ in range(ROUNDS + 1):
        setting = fresh_truth(setting)
        started = time.process_time()
        played = run_tournament(setting)
        best = max(best, AUCTIONS / (time.process_time() - started))
        assert played.ledger.auctions == AUCTIONS
        assert played.ledger.tallies.results.sum() == BIDS
    return best


if __name__ == "__main__":
    print(f"tournament {opportunities_per_s():12,.0f} opportunities per CPU-second, {AGENTS} agents, {BIDS:,} bids")
