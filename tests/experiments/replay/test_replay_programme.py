"""The dynamic programmes against exact fractions and closed forms."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.errors import ReplayError
from experiments.replay.log import BidLog
from experiments.replay.programme import Market, best_bid, run_programme, value_table
from tests.oracles import replay as oracle


def as_log(rows: list[oracle.Row]) -> BidLog:
    click, price, pctr = zip(*rows, strict=True)
    return BidLog(np.array(click, np.uint8), np.array(price, np.int64), np.array(pctr, np.float64), sum(price))


def values(episode: int, budget: int, share: list[float], rate: float, highest_bid: int) -> Any:
    table = np.empty((episode, budget + 1))
    value_table(episode, budget, np.array(share), rate, highest_bid, table)
    return table


def test_with_money_for_everything_each_auction_is_worth_its_rate() -> None:
    share = [0.1, 0.2, 0.3, 0.4]
    table = values(6, 40, share, 0.25, 3)
    assert table[:, 40] == pytest.approx(0.25 * np.arange(6))


def test_one_auction_left_is_worth_the_rate_times_the_chance_to_afford_it() -> None:
    share = [0.1, 0.2, 0.3, 0.4]
    table = values(2, 5, share, 0.25, 3)
    assert table[1] == pytest.approx([0.0, 0.075, 0.15, 0.25, 0.25, 0.25])


def test_price_one_always_makes_it_a_count_of_what_can_be_bought() -> None:
    """Every price is 1: with n auctions and budget b, min(n, b) are won."""
    table = values(9, 6, [0.0, 1.0], 1.0, 1)
    assert table == pytest.approx(np.minimum.outer(np.arange(9), np.arange(7)))


def test_values_rise_with_money_and_with_auctions() -> None:
    rng = np.random.default_rng(5)
    table = values(40, 60, list(rng.dirichlet(np.ones(12))), 0.01, 11)
    assert np.all(np.diff(table, axis=0) >= 0)
    assert np.all(np.diff(table, axis=1) >= 0)


def test_the_last_auction_gets_all_the_money_and_a_worthless_one_none() -> None:
    table = values(30, 50, [0.0] + [0.05] * 20, 0.01, 20)
    assert best_bid(table[0], 13, 0.001, 20) == 13
    assert best_bid(table[0], 50, 0.001, 20) == 20
    assert best_bid(table[29], 20, 0.0, 20) == 0
    assert best_bid(table[29], 20, 0.005, 20) < best_bid(table[29], 20, 0.03, 20)


@settings(deadline=None, max_examples=100)
@given(
    rows=st.lists(
        st.tuples(st.integers(0, 1), st.integers(0, 9), st.integers(1, 2**20).map(lambda k: k / 2**21)),
        min_size=1,
        max_size=14,
    ),
    weights=st.lists(st.integers(0, 3), min_size=2, max_size=8).filter(any),
    mean=st.integers(1, 2**20).map(lambda k: Fraction(k, 2**21)),
    budget=st.integers(1, 20),
    episode=st.integers(1, 7),
    cap=st.none() | st.integers(0, 9),
    bid=st.sampled_from(["rlb", "mdp"]),
)
def test_programmes_equal_exact_fractions(
    rows: list[oracle.Row],
    weights: list[int],
    mean: Fraction,
    budget: int,
    episode: int,
    cap: int | None,
    bid: str,
) -> None:
    # Weights over powers of two keep most sums exact; a little noise on rates breaks the ties that rounding decides.
    noise = Fraction(1, 2**30)
    mean += noise / 3
    share = [Fraction(weight, sum(weights)) for weight in weights]
    highest = len(weights) - 1 if cap is None else min(cap, len(weights) - 1)
    if bid == "mdp" and _nearly_tied(share, mean, budget, min(episode, len(rows)), highest):
        return
    (run,) = run_programme(
        as_log(rows), bid, Market(np.array([float(s) for s in share]), float(mean)), [budget], episode, cap
    )
    expected = oracle.planned(rows, share, mean, budget, min(episode, len(rows)), highest, bid == "rlb")
    assert (run.bids, run.wins, run.clicks, run.spend) == expected
    assert run.spend <= budget * -(-len(rows) // episode)


def _nearly_tied(share: list[Fraction], mean: Fraction, budget: int, episode: int, highest: int) -> bool:
    """Whether some bid's margin at the mean rate is within rounding of zero, so that doubles may decide otherwise."""
    table = values(episode, budget, [float(s) for s in share], float(mean), highest)
    return any(
        abs(float(mean) + row[b - d] - row[b]) < 1e-12
        for row in table
        for b in range(budget + 1)
        for d in range(1, min(b, highest) + 1)
    )


def test_a_budget_beyond_use_costs_no_memory() -> None:
    rows = [(1, 3, 0.5)] * 10
    market = Market(np.full(5, 0.2), 0.5)
    small, large = (run_programme(as_log(rows), "rlb", market, [b], 5, None)[0] for b in (20, 2**62))
    assert (small.wins, small.spend) == (large.wins, large.spend) == (10, 30)


def test_too_many_states_are_refused() -> None:
    rows = [(1, 3, 0.5)] * 100_000
    with pytest.raises(ReplayError, match="take a shorter --episode or a smaller --budget"):
        run_programme(as_log(rows), "rlb", Market(np.full(5, 0.2), 0.5), [100_000], None, None)
