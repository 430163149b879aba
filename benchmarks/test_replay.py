"""Speed of `bidlab replay`: reading a log, and a grid of runs; each asserts the work it did."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from experiments.replay.grid import Settings, run_grid
from experiments.replay.log import BidLog, read_log

ROWS = 200_000
PARAMS: list[int | float] = list(range(5, 301, 5))
BASE_CTR = 0.004


@pytest.fixture(scope="module")
def log() -> BidLog:
    """A made-up log: prices 1..300 thinning out, click rates around 0.4 %."""
    draw = np.random.default_rng(7)
    price = np.minimum(draw.exponential(70.0, ROWS).astype(np.int64) + 1, 300)
    pctr = np.minimum(draw.lognormal(np.log(BASE_CTR), 0.6, ROWS), 1.0)
    click = (draw.random(ROWS) < pctr).astype(np.uint8)
    return BidLog(click, price, pctr, int(price.sum()))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("settings", "budget"),
    [(Settings(), 10**12), (Settings(tie_wins=True, may_cross=False, episode_rows=1000, cap=300), 2000)],
    ids=["after", "before-episodes"],
)
def test_grid_of_linear_bids(benchmark: BenchmarkFixture, log: BidLog, settings: Settings, budget: int) -> None:
    """60 runs over 200,000 rows, 12 million auctions."""
    rows = benchmark(run_grid, log, "lin", BASE_CTR, PARAMS, [budget], settings)
    assert [row.bids for row in rows] == [ROWS] * len(PARAMS)
    bid = np.floor(log.pctr * 150 / BASE_CTR).astype(np.int64)
    run = rows[PARAMS.index(150)]
    if settings.may_cross:
        won = bid > log.price
        assert (run.wins, run.spend) == (int(won.sum()), int(log.price[won].sum()))
        assert run.clicks == int(log.click[won].sum())
    else:
        assert 0.9 * 200 * budget < run.spend <= 200 * budget
        assert run.wins > 200 * 20


def test_read_rows(benchmark: BenchmarkFixture, log: BidLog, tmp_path: Path) -> None:
    """200,000 `click price pCTR` rows from disk."""
    path = tmp_path / "log.txt"
    rows = zip(log.click.tolist(), log.price.tolist(), log.pctr.tolist(), strict=True)
    path.write_text("".join(f"{click} {price} {pctr!r}\n" for click, price, pctr in rows))
    read = benchmark(read_log, path)
    assert (len(read.price), read.price_sum) == (ROWS, log.price_sum)
    assert np.array_equal(read.pctr, log.pctr)
