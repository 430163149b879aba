"""Published results, to the integer: 330 rows of Zhang et al.'s rules, Cai et al.'s episodes, nine ORTB1 constants."""

from __future__ import annotations

import csv
from collections import defaultdict
from pathlib import Path

import pytest

from experiments.replay.grid import Settings, run_grid
from experiments.replay.landscape import read_stats
from experiments.replay.log import BidLog, read_log
from experiments.replay.programme import Market, run_programme

pytestmark = pytest.mark.slow

EPISODES = Settings(tie_wins=True, may_cross=False, episode_rows=1000, cap=300)


@pytest.fixture(scope="module")
def log(shared_data: Path) -> BidLog:
    return read_log(shared_data / "ipinyou" / "2997.test.txt.gz")


def test_the_log_is_read_whole(log: BidLog) -> None:
    assert len(log.price) == len(log.pctr) == len(log.click) == 156_063
    assert (int(log.click.sum()), int(log.price.sum()), log.price_sum) == (530, 8_617_148, 8_617_148)


def test_all_330_reference_rows(log: BidLog, shared_data: Path) -> None:
    stats = read_stats(shared_data / "ipinyou" / "landscape_2997.json")
    scales = {"const": 1.0, "lin": stats.base_ctr(), "mcpc": stats.max_ecpc()}
    with (shared_data / "ipinyou" / "reference_2997.tsv").open(newline="") as file:
        reference = list(csv.DictReader(file, delimiter="\t"))
    groups: dict[tuple[str, int], list[dict[str, str]]] = defaultdict(list)
    for row in reference:
        assert int(row["budget"]) == 8_617_148 // int(row["prop"])
        groups[row["algo"], int(row["budget"])].append(row)
    compared = 0
    for (bid, budget), rows in groups.items():
        runs = run_grid(log, bid, scales[bid], [int(row["para"]) for row in rows], [budget], Settings())
        for run, row in zip(runs, rows, strict=True):
            expected = tuple(int(row[name]) for name in ("bids", "imps", "clks", "spend"))
            assert (run.bids, run.wins, run.clicks, run.spend) == expected, row
            compared += 1
    assert compared == 330


@pytest.mark.parametrize(
    ("bid", "scale", "param", "expected"),
    [
        ("mcpc", 14205.68, 1, (156_063, 14_752, 48, 307_751)),
        ("lin", 1386 / 312437, 10, (156_063, 32_208, 71, 203_610)),
    ],
)
def test_closed_rules_of_the_episode_table(
    log: BidLog, bid: str, scale: float, param: int, expected: tuple[int, ...]
) -> None:
    budget = int(19689072 / 312437 / 32 * 1000)
    assert budget == 1969
    (run,) = run_grid(log, bid, scale, [param], [budget], EPISODES)
    assert (run.bids, run.wins, run.clicks, run.spend) == expected


@pytest.mark.parametrize(
    ("bid", "expected"), [("mdp", (156_063, 40_395, 80, 306_637)), ("rlb", (156_063, 39_680, 78, 304_375))]
)
def test_programmes_of_the_episode_table(log: BidLog, shared_data: Path, bid: str, expected: tuple[int, ...]) -> None:
    stats = read_stats(shared_data / "ipinyou" / "landscape_2997.json")
    market = Market(stats.price_share(1.0), stats.base_ctr())
    (run,) = run_programme(log, bid, market, [1969], 1000, 300)
    assert (run.bids, run.wins, run.clicks, run.spend) == expected


@pytest.mark.parametrize(
    ("campaign", "c"),
    [(1458, 34), (2259, 50), (2261, 47), (2821, 47), (2997, 28), (3358, 51), (3386, 39), (3427, 42), (3476, 41)],
)
def test_ortb1_constants(shared_data: Path, campaign: int, c: int) -> None:
    assert read_stats(shared_data / "ipinyou" / f"landscape_{campaign}.json").landscape_c() == c
