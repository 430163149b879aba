"""Pacing by price in a world with a known answer, and its controllers against closed forms.

Worths v and highest rival bids d are uniform on 0..1 CPM, second price, and 0.06 CPM may be spent per auction. Bidding
v / (1 + mu) spends 1 / (6 (1 + mu)^2) per auction, so mu = 2/3 in the limit.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numba import njit
from numpy.typing import NDArray

from bidder.build import build_book
from bidder.core import settle
from bidder.core.book import IMPRESSION, Book
from bidder.core.budgets import affordable
from bidder.core.pacing import additive_mu, multiplicative_mu, pace_tick, pid_change
from bidder.core.pricing import quote
from bidder.plan import BidPlan, CampaignPlan, Directory, PacePlan

TARGET_CPM = 0.06
LIMIT = 2.0 / 3.0
CPM = 1_000_000


def book_of(auctions: int, pacing: PacePlan) -> Book:
    plan = CampaignPlan(
        "c", round(auctions * TARGET_CPM * CPM), 0.0, float(auctions), "private", BidPlan("truthful", 1.0),
        signal_ix=0, pacing=pacing,
    )  # fmt: skip
    return build_book([plan], Directory(("p",), ("p/s",), ("h",), (), (), ()), people_count=1)


@njit
def play(book: Book, worth: NDArray[np.int64], rival: NDArray[np.int64], tick_every: int) -> tuple[float, float]:
    """One auction a second, second price; returns the surplus in nanos and the mean mu of the second half."""
    surplus, mus, signals, imps = 0.0, 0.0, np.zeros(1, np.int64), np.zeros(1, IMPRESSION)
    for t in range(len(worth)):
        if t % tick_every == 0:
            settle.tick(book, float(t))
        if 2 * t >= len(worth):
            mus += book.campaigns["mu"][0]
        signals[0] = worth[t]
        _, bid = quote(book, 0, imps, 0, signals)
        if bid <= 0 or not affordable(book.campaigns, 0, bid, 0):
            continue
        if bid > rival[t]:
            settle.buy(book, 0, -1, 0, rival[t], float(t))
            surplus += worth[t] - rival[t]
        else:
            settle.lose(book, 0)
    return surplus, 2.0 * mus / len(worth)


def best_in_hindsight(worth: NDArray[np.int64], rival: NDArray[np.int64], budget: float) -> float:
    """Most surplus the budget can buy when every auction is known: by worth per cost, the last one in part."""
    gain, cost = (worth - rival).astype(float), rival.astype(float)
    good = gain > 0
    order = np.argsort(-gain[good] / np.maximum(cost[good], 1e-9))
    gain, cost = gain[good][order], cost[good][order]
    share = np.clip((budget - (np.cumsum(cost) - cost)) / np.maximum(cost, 1e-9), 0.0, 1.0)
    return float((gain * share).sum())


@cache
def outcome(kind: str, auctions: int, seed: int = 0) -> tuple[float, float, float]:
    """(mean mu, share of the budget spent, regret in CPM over the root of the number of auctions)."""
    rng = np.random.default_rng(seed)
    worth, rival = rng.integers(1, CPM, (2, auctions))
    pacing = PacePlan(
        kind,  # type: ignore[arg-type]
        start=0.1,
        highest=50.0,
        step_per_nano=(3.0 if kind == "adaptive" else 10.0) / math.sqrt(auctions) / CPM,
        auctions=auctions,
    )
    book = book_of(auctions, pacing)
    surplus, mu = play(book, worth, rival, auctions)
    budget = float(book.campaigns["total_nanos"][0])
    regret = (best_in_hindsight(worth, rival, budget) - surplus) / CPM
    return (
        mu,
        float(book.campaigns["spent_nanos"][0]) / budget,
        regret / math.sqrt(auctions),
    )


SIZES = [1000, 10_000, pytest.param(100_000, marks=pytest.mark.slow), pytest.param(1_000_000, marks=pytest.mark.slow)]


@pytest.mark.parametrize("kind", ["adaptive", "multiplicative"])
@pytest.mark.parametrize("auctions", SIZES)
def test_regret_grows_no_faster_than_the_root_of_the_number_of_auctions(kind: str, auctions: int) -> None:
    for seed in range(3):
        assert -0.01 < outcome(kind, auctions, seed)[2] < 0.5


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["adaptive", "multiplicative"])
def test_the_multiplier_finds_its_limit_and_the_budget_is_spent(kind: str) -> None:
    mu, spent, _ = outcome(kind, 1_000_000)
    assert mu == pytest.approx(LIMIT, rel=0.02)
    assert 0.99 <= spent <= 1.0


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["adaptive", "multiplicative"])
def test_without_a_number_of_auctions_it_is_estimated_at_ticks(kind: str) -> None:
    rng = np.random.default_rng(7)
    worth, rival = rng.integers(1, CPM, (2, 300_000))
    book = book_of(300_000, PacePlan(kind, 0.1, 50.0, 0.005 / CPM))  # type: ignore[arg-type]
    _, mu = play(book, worth, rival, 300)
    assert mu == pytest.approx(LIMIT, rel=0.05)
    assert 0.99 <= book.campaigns["spent_nanos"][0] / book.campaigns["total_nanos"][0] <= 1.0


@pytest.mark.slow
@pytest.mark.parametrize("change", ["stops", "doubles", "ends early"])
@pytest.mark.parametrize("kind", ["adaptive", "multiplicative", "pid"])
def test_pacing_survives_changes_of_traffic(kind: str, change: str) -> None:
    """Never above the budget; close to all of it where the traffic allows, and never a stuck multiplier."""
    rng = np.random.default_rng(8)
    n = 120_000
    worth, rival = rng.integers(1, CPM, (2, n))
    seconds = np.arange(n)
    if change == "stops":
        worth[(seconds > n // 3) & (seconds < n // 2)] = 0
    elif change == "doubles":
        worth[(seconds < n // 2) & (seconds % 2 == 0)] = 0
    else:
        worth[seconds > 3 * n // 4] = 0
    pacing = PacePlan(kind, 0.1, 50.0, 0.005 / CPM)  # type: ignore[arg-type]
    if kind == "pid":
        pacing = PacePlan("pid", 1.0, 1.0, gains=(0.2, 0.0, 0.0))
    book = book_of(n, pacing)
    play(book, worth, rival, 300)
    spent = book.campaigns["spent_nanos"][0] / book.campaigns["total_nanos"][0]
    assert spent <= 1.0
    assert spent >= (0.7 if change == "ends early" else 0.98)


def test_a_campaign_priced_out_of_every_auction_comes_back() -> None:
    """With mu so high that nothing is bid, ticks lower it by the auctions it used to enter."""
    book = book_of(10_000, PacePlan("adaptive", 0.0, 50.0, 0.05 / CPM, 10_000.0))
    for _ in range(100):
        settle.lose(book, 0)
    settle.tick(book, 100.0)
    book.campaigns["mu"][0], book.campaigns["multiplier"][0] = 40.0, 1.0 / 41.0
    settle.tick(book, 200.0)
    # 100 auctions in 200 s: the silent 100 s count as 50 lost ones.
    assert book.campaigns["mu"][0] == pytest.approx(40.0 - 0.05 * TARGET_CPM * 50)
    assert book.campaigns["multiplier"][0] == pytest.approx(1.0 / (1.0 + book.campaigns["mu"][0]))


@pytest.mark.parametrize("kp", [0.1, 0.3, 1.0])
def test_p_control_on_a_step_closes_the_gap_geometrically(kp: float) -> None:
    """The spend of a tick is the multiplier times its target: after k ticks the multiplier is 1 - (1 - Kp)^k."""
    book = book_of(1000, PacePlan("pid", 0.0, 1.0, gains=(kp, 0.0, 0.0)))
    campaigns = book.campaigns
    pace_tick(book, 0, 0.0)
    for k in range(1, 13):
        left = float(campaigns["total_nanos"][0] - campaigns["spent_nanos"][0])
        target = left / (1000.0 - 10.0 * (k - 1)) * 10.0
        campaigns["spent_nanos"][0] += round(campaigns["multiplier"][0] * target)
        pace_tick(book, 0, 10.0 * k)
        assert campaigns["multiplier"][0] == pytest.approx(1.0 - (1.0 - kp) ** k, abs=1e-6)


finite = st.floats(-1e9, 1e9)


@given(
    mu=st.floats(0, 100), step=st.floats(1e-12, 1), target=st.floats(0, 1e9), spend=st.floats(0, 1e9),
    highest=st.floats(1e-6, 100),
)  # fmt: skip
def test_mu_stays_in_its_range_and_moves_the_right_way(
    mu: float, step: float, target: float, spend: float, highest: float
) -> None:
    mu = min(mu, highest)
    for move, lowest in ((additive_mu, 0.0), (multiplicative_mu, 1e-9)):
        start = max(mu, lowest)
        moved = move(start, step, target, spend, highest)
        assert lowest <= moved <= highest
        assert moved >= start if spend >= target else moved <= start


@given(p=finite, i=finite, d=finite, error=st.floats(-10, 1), integral=st.floats(-10, 10), before=st.floats(-10, 1))
def test_pid_sum(p: float, i: float, d: float, error: float, integral: float, before: float) -> None:
    expected = math.fsum((p * error, i * integral, d * (error - before)))
    assert pid_change(p, i, d, error, integral, before) == pytest.approx(expected, rel=1e-9, abs=1e-3)


def test_losing_at_once_is_reserving_and_releasing() -> None:
    books = [book_of(100, PacePlan("adaptive", 0.5, 9.0, 1e-6, 100.0)) for _ in range(2)]
    day = settle.reserve(books[0], 0, -1, 0, 500, 1.0)
    settle.release(books[0], 0, -1, 500, day, 0)
    settle.lose(books[1], 0)
    assert books[0].campaigns["mu"][0] == books[1].campaigns["mu"][0] < 0.5
    assert books[0].campaigns["entered"][0] == books[1].campaigns["entered"][0] == 1


def test_shaded_bids_are_worked_out_for_the_worth_the_budget_leaves() -> None:
    """First price: a campaign with mu maximises v - (1 + mu) b, which is shading v / (1 + mu)."""
    plan = CampaignPlan(
        "c", 10**12, 0.0, 9.0, "cpm", BidPlan("shaded_lognormal", math.log(1e6), 1.0), 10e6,
        pacing=PacePlan("adaptive", 1.0, 9.0, 0.0, 1.0),
    )  # fmt: skip
    book = build_book([plan], Directory(("p",), ("p/s",), ("h",), (), (), ()), people_count=1)
    worth, bid = quote(book, 0, np.zeros(1, IMPRESSION), 0, np.zeros(1, np.int64))
    assert worth == 10_000_000
    assert bid == pytest.approx(1_671_444, abs=2)
