"""Kernels against the oracle, switch by switch and with drawn logs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.replay.grid import Settings, run_grid
from experiments.replay.log import BidLog
from tests.oracles import replay as oracle

Row = oracle.Row

ROWS: list[Row] = [(0, 10, 0.01), (1, 0, 0.02), (1, 20, 0.03), (0, 10, 0.0), (1, 5, 0.005), (0, 30, 1.0), (1, 10, 0.01)]


def as_log(rows: list[Row]) -> BidLog:
    click, price, pctr = zip(*rows, strict=True)
    return BidLog(np.array(click, np.uint8), np.array(price, np.int64), np.array(pctr, np.float64), sum(price))


def tallies(rows: list[Row], bid: str, param: float, budget: int, scale: float = 1.0, **how: Any) -> tuple[int, ...]:
    (run,) = run_grid(as_log(rows), bid, scale, [param], [budget], Settings(**how))
    return run.bids, run.wins, run.clicks, run.spend


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ({}, (7, 2, 2, 5)),
        ({"tie_wins": True}, (5, 4, 2, 25)),
        ({"tie_wins": True, "may_cross": False}, (7, 3, 1, 20)),
        ({"tie_wins": True, "cap": 9}, (7, 2, 2, 5)),
        ({"tie_wins": True, "episode_rows": 4}, (7, 5, 3, 35)),
    ],
)
def test_each_switch_by_hand(how: dict[str, Any], expected: tuple[int, ...]) -> None:
    """A constant bid of 10 with a budget of 20 over ROWS; the sums were worked out on paper."""
    assert tallies(ROWS, "const", 10, 20, **how) == expected


def test_the_last_win_may_cross_by_its_whole_price() -> None:
    assert tallies([(0, 7, 0.1)] * 3, "const", 9, 8) == (2, 2, 0, 14)
    assert tallies([(0, 7, 0.1)] * 3, "const", 9, 14) == (3, 3, 0, 21), "a spend equal to the budget goes on"


def test_an_empty_budget_still_takes_free_impressions_where_ties_win() -> None:
    rows = [(0, 5, 0.1), (1, 0, 0.1), (1, 1, 0.1)]
    assert tallies(rows, "const", 5, 5, tie_wins=True, may_cross=False) == (3, 2, 1, 5)


def test_bids_beyond_int64_are_cut_and_not_wrapped() -> None:
    rows = [(1, 2**53 - 1, 1.0)]
    assert tallies(rows, "lin", 1e300, 2**62, scale=1e-300) == (1, 1, 1, 2**53 - 1)
    assert tallies(rows, "ortb1", 1e-300, 2**62, scale=1e300) == (1, 1, 1, 2**53 - 1)
    assert tallies(rows, "ortb2", 1e-300, 2**62, scale=1e-5) == (1, 1, 1, 2**53 - 1)


@pytest.mark.parametrize("may_cross", [True, False])
def test_more_clicks_than_one_byte_counts(may_cross: bool) -> None:
    assert tallies([(1, 3, 0.5)] * 300, "const", 4, 1000, may_cross=may_cross) == (300, 300, 300, 900)


def test_a_grid_gives_the_single_runs_budget_by_budget() -> None:
    grid = run_grid(as_log(ROWS), "const", 1.0, [5, 11, 25], [1, 30], Settings())
    single = [
        run_grid(as_log(ROWS), "const", 1.0, [param], [budget], Settings())[0]
        for budget in (1, 30)
        for param in (5, 11, 25)
    ]
    assert grid == single
    assert [(row.budget, row.param) for row in grid] == [(1, 5), (1, 11), (1, 25), (30, 5), (30, 11), (30, 25)]


row = st.tuples(st.integers(0, 1), st.integers(0, 60), st.floats(0.0, 1.0))


@settings(deadline=None, max_examples=200)
@given(
    rows=st.lists(row, min_size=1, max_size=60),
    bid=st.sampled_from(["const", "lin", "mcpc", "ortb1", "ortb2"]),
    param=st.integers(1, 100),
    scale=st.floats(0.01, 100.0),
    budget=st.integers(1, 800),
    tie_wins=st.booleans(),
    may_cross=st.booleans(),
    episode_rows=st.none() | st.integers(1, 70),
    cap=st.none() | st.integers(0, 70),
)
def test_kernels_equal_the_oracle(rows: list[Row], bid: str, param: int, scale: float, budget: int, **how: Any) -> None:
    expected = oracle.replay(rows, oracle.bid_rule(bid, param, scale), budget, **how)
    got = tallies(rows, bid, param, budget, scale, **how)
    assert got == expected
    if not how["may_cross"] and how["episode_rows"] is None:
        assert got[3] <= budget
