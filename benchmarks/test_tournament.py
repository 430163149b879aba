"""The shipped tournament of 48 agents. Each round asserts the work done, so none can get faster by doing less."""

from __future__ import annotations

from typing import Any

from benchmarks.tournament import AGENTS, AUCTIONS, BIDS, tournament_setting
from experiments.ledger import RESULT_OUTBID, RESULT_WON
from experiments.setting import fresh_truth
from experiments.tournament.run import run_tournament


def test_tournament(benchmark: Any) -> None:
    setting = tournament_setting()

    def fresh() -> tuple[tuple[Any, ...], dict[str, Any]]:
        return (fresh_truth(setting),), {}

    played = benchmark.pedantic(run_tournament, setup=fresh, rounds=3, warmup_rounds=1)
    results = played.ledger.tallies.results
    assert (len(results), played.ledger.auctions) == (AGENTS, AUCTIONS)
    assert results[:, RESULT_WON].sum() + results[:, RESULT_OUTBID].sum() == BIDS
    assert results[:, RESULT_WON].sum() == len(played.ledger.exposures)
