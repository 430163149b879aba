"""Shading and ORTB bids against numerical maxima and closed forms; learned win curves against the truth."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import optimize, special, stats

from bidder.core.bids import ortb1, ortb2
from bidder.core.shading import log_mills, shade_lognormal, shade_uniform
from bidder.errors import FeedbackError
from bidder.learn import Feedback, StepCurve, fit_lognormal, fit_steps

LOGNORMAL_01 = {1.0: 0.548597, 2.0: 0.919943, 5.0: 1.671444}
"""Best bid against a lognormal(0, 1) highest rival, by worth."""


def best_bid(surplus: Callable[[float], float], highest: float) -> float:
    """Numerical maximiser on 0..highest: a grid on a log scale finds the hill, golden section its top."""
    grid = highest * np.exp(np.linspace(-60.0, 0.0, 2001))
    k = int(np.argmax([surplus(float(b)) for b in grid]))
    low, high = grid[max(k - 1, 0)], grid[min(k + 1, len(grid) - 1)]
    found = optimize.minimize_scalar(
        lambda b: -surplus(b), bounds=(low, high), method="bounded", options={"xatol": 1e-12 * high, "maxiter": 500}
    )
    return float(found.x)


@given(
    rate=st.floats(1e-5, 1.0), c=st.floats(0.01, 100.0), lagrange=st.floats(1e-5, 10.0), power=st.sampled_from([1, 2])
)
def test_ortb_bids_are_the_numerical_argmax(rate: float, c: float, lagrange: float, power: int) -> None:
    """(rate - lagrange b) w(b): the derivative's root by bracketing, to 1e-6 of the bid."""

    def slope(b: float) -> float:
        # d/db of (rate - lagrange b) b^p / (b^p + c^p), times a positive factor
        return (rate - lagrange * b) * power * c**power - lagrange * b * (b**power + c**power)

    expected = float(optimize.brentq(slope, 0.0, rate / lagrange, xtol=1e-300, rtol=1e-13))
    got = ortb1(rate, c, lagrange) if power == 1 else ortb2(rate, c, lagrange)
    assert got == pytest.approx(expected, rel=1e-6)
    grid = best_bid(lambda b: (rate - lagrange * b) * b**power / (b**power + c**power), rate / lagrange)
    assert got == pytest.approx(grid, rel=1e-5)


def test_ortb2_is_the_published_pair_of_cube_roots() -> None:
    rate, c, lagrange = 0.003, 40.0, 2e-5
    root = (rate + math.sqrt(c * c * lagrange * lagrange + rate * rate)) / (c * lagrange)
    assert ortb2(rate, c, lagrange) == pytest.approx(c * (root ** (1 / 3) - root ** (-1 / 3)), rel=1e-12)
    assert ortb2(0.0, c, lagrange) == 0.0


@pytest.mark.parametrize(("worth", "bid"), LOGNORMAL_01.items())
def test_lognormal_bids_of_the_table(worth: float, bid: float) -> None:
    assert shade_lognormal(worth, 0.0, 1.0) == pytest.approx(bid, abs=5e-7)


@given(worth=st.floats(1e-3, 1e3), mu=st.floats(-3, 3), sigma=st.floats(0.1, 4.0))
def test_lognormal_shading_is_the_numerical_argmax(worth: float, mu: float, sigma: float) -> None:
    got = shade_lognormal(worth, mu, sigma)

    def log_surplus(b: float) -> float:
        return math.log(worth - b) + float(special.log_ndtr((math.log(b) - mu) / sigma)) if 0 < b < worth else -math.inf

    assert 0.0 < got < worth
    best = log_surplus(best_bid(log_surplus, worth))
    assert log_surplus(got) >= best - 1e-9
    z = (math.log(got) - mu) / sigma
    condition = (worth - got) / got * math.exp(stats.norm.logpdf(z) - stats.norm.logcdf(z)) / sigma
    assert condition == pytest.approx(1.0, rel=1e-6)


@given(worth=st.floats(1e-12, 1e15), mu=st.floats(-20, 40), sigma=st.floats(0.01, 20.0))
def test_lognormal_shading_never_leaves_its_range(worth: float, mu: float, sigma: float) -> None:
    bid = shade_lognormal(worth, mu, sigma)
    assert 0.0 <= bid <= worth
    assert shade_lognormal(2.0 * worth, mu, sigma) >= bid * (1.0 - 1e-9)


@pytest.mark.parametrize("worth", [0.0, -1.0, math.nan])
def test_no_worth_no_bid(worth: float) -> None:
    assert shade_lognormal(worth, 0.0, 1.0) == 0.0


@given(z=st.floats(-300.0, 35.0))
def test_log_mills_against_scipy(z: float) -> None:
    expected = stats.norm.logpdf(z) - stats.norm.logcdf(z)
    assert log_mills(z) == pytest.approx(expected, rel=1e-9, abs=1e-9)


@given(worth=st.floats(0.01, 3.0), rivals=st.integers(1, 20))
def test_uniform_shading(worth: float, rivals: int) -> None:
    """m / (m + 1) of the worth, which is the numerical argmax of (v - b) min(b, 1)^m."""
    got = shade_uniform(worth, 1.0, float(rivals))
    assert got == pytest.approx(min(rivals / (rivals + 1) * worth, 1.0))
    assert got == pytest.approx(best_bid(lambda b: (worth - b) * min(b, 1.0) ** rivals, worth), rel=1e-4)


# -- learning --

KINDS = ("bounds", "price of losses", "price of wins", "minimum to win")


def feedback(kind: str, price: NDArray[np.float64], bid: NDArray[np.float64]) -> Feedback:
    """What a bidder is told: nothing but wins and losses, the price when it lost or won, or always."""
    won = bid >= price
    hidden = {"bounds": won | ~won, "price of losses": won, "price of wins": ~won, "minimum to win": won & ~won}[kind]
    return Feedback(bid, won, np.where(hidden, np.nan, price))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("kind", KINDS)
def test_bids_learned_from_100_000_auctions_are_within_2_percent(kind: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    price, bid = np.exp(rng.normal(size=100_000)), np.exp(rng.normal(size=100_000))
    mu, sigma = fit_lognormal(feedback(kind, price, bid))
    for worth, expected in LOGNORMAL_01.items():
        assert shade_lognormal(worth, mu, sigma) == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize("kind", KINDS)
def test_step_curves_learned_from_100_000_auctions_lose_little(kind: str) -> None:
    """The curve comes near the true one; the surplus is flat at its top, so the bid itself may differ more."""
    rng = np.random.default_rng(11)
    price, bid = np.exp(rng.normal(size=100_000)), np.exp(rng.normal(size=100_000))
    curve = fit_steps(feedback(kind, price, bid))
    inner = (curve.price > 0.2) & (curve.price < 5.0)
    assert np.max(np.abs(curve.win - stats.norm.cdf(np.log(curve.price)))[inner]) < (
        0.06 if kind == "bounds" else 0.012
    )
    for worth, best in LOGNORMAL_01.items():
        got = curve.shade(worth)
        win, best_win = stats.lognorm.cdf([got, best], 1.0)
        assert (worth - got) * win >= 0.985 * (worth - best) * best_win


@pytest.mark.parametrize("kind", KINDS)
def test_likelihood_equals_scipys(kind: str) -> None:
    """The fit maximises the censored likelihood written with scipy's distributions."""
    rng = np.random.default_rng(3)
    price, bid = np.exp(0.4 + 0.7 * rng.normal(size=400)), np.exp(0.3 + rng.normal(size=400))
    seen = feedback(kind, price, bid)

    def minus_log_likelihood(parameters: Any) -> float:
        mu, sigma = parameters[0], math.exp(parameters[1])
        normal = stats.norm(mu, sigma)
        told = ~np.isnan(seen.price)
        total = normal.logpdf(np.log(seen.price[told])).sum()
        total += normal.logcdf(np.log(seen.bid[~told & seen.won])).sum()
        return -float(total + normal.logsf(np.log(seen.bid[~told & ~seen.won])).sum())

    mu, sigma = fit_lognormal(seen)
    best = optimize.minimize(
        minus_log_likelihood, [0.0, 0.0], method="Nelder-Mead", options={"xatol": 1e-8, "fatol": 1e-10}
    )
    assert (mu, math.log(sigma)) == pytest.approx(tuple(best.x), abs=1e-5)


def survival_by_hand(at: list[float], seen: list[bool]) -> dict[float, float]:
    """Kaplan and Meier's product over distinct seen values: those at risk are counted anew each time."""
    survival, result = 1.0, {}
    for value in sorted(set(at)):
        at_risk = sum(other >= value for other in at)
        deaths = sum(other == value and here for other, here in zip(at, seen, strict=True))
        survival *= 1.0 - deaths / at_risk
        result[value] = survival
    return result


observations = st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), min_size=1, max_size=40)


@given(rows=observations)
def test_product_limit_against_counting(rows: list[tuple[int, int]]) -> None:
    price, bid = (np.array(column, float) for column in zip(*rows, strict=True))
    seen = feedback("price of wins", price, bid)
    if not seen.won.any():
        return
    curve = fit_steps(seen)
    expected = survival_by_hand(seen.at.tolist(), seen.won.tolist())
    assert dict(zip(curve.price.tolist(), (1.0 - curve.win).tolist(), strict=True)) == pytest.approx(expected)


@given(rows=observations)
def test_reverse_product_limit_against_counting(rows: list[tuple[int, int]]) -> None:
    """Left-censored prices are right-censored ones on the axis turned round."""
    price, bid = (np.array(column, float) for column in zip(*rows, strict=True))
    seen = feedback("price of losses", price, bid)
    if seen.won.all() or not seen.won.any():
        return
    curve = fit_steps(seen)
    turned = survival_by_hand([-at for at in seen.at.tolist()], (~seen.won).tolist())
    for value, win in zip(curve.price.tolist(), curve.win.tolist(), strict=True):
        above = [-at for at in turned if -at > value]
        assert win == pytest.approx(turned[-min(above)] if above else 1.0)


@given(rows=observations)
def test_isotonic_curve_against_the_minimax_formula(rows: list[tuple[int, int]]) -> None:
    """max over lower, min over upper ends of the mean win rate in between (Robertson et al. 1988)."""
    price, bid = (np.array(column, float) for column in zip(*rows, strict=True))
    seen = feedback("bounds", price, bid)
    curve = fit_steps(seen)
    levels = sorted(set(seen.bid.tolist()))

    def mean(low: float, high: float) -> float:
        return float(seen.won[(seen.bid >= low) & (seen.bid <= high)].mean())

    for level in levels:
        expected = max(min(mean(low, high) for high in levels if high >= level) for low in levels if low <= level)
        got = curve.win[np.searchsorted(curve.price, level, side="right") - 1]
        assert got == pytest.approx(expected)


def test_minimum_to_win_everywhere_is_the_plain_share() -> None:
    price = np.array([3.0, 1.0, 2.0, 2.0])
    curve = fit_steps(feedback("minimum to win", price, np.full(4, 2.0)))
    assert curve.price.tolist() == [1.0, 2.0, 3.0]
    assert curve.win.tolist() == pytest.approx([0.25, 0.75, 1.0])
    assert curve.shade(2.5) == 2.0 or curve.shade(2.5) == 1.0


def test_shading_on_steps_by_hand() -> None:
    curve = StepCurve(np.array([1.0, 2.0]), np.array([0.25, 0.75]))
    assert [curve.shade(worth) for worth in (0.5, 1.5, 2.2, 4.0)] == [0.0, 1.0, 1.0, 2.0]


ONES = np.ones(3)


@pytest.mark.parametrize(
    ("bid", "won", "price", "message"),
    [
        (np.ones(2), np.ones(3, bool), ONES, "of the same length"),
        (np.ones(0), np.ones(0, bool), np.ones(0), "of the same length"),
        (np.array([1.0, 0.0, 2.0]), np.ones(3, bool), ONES, "a bid that is not above 0"),
        (ONES, np.ones(3, bool), np.array([1.0, -1.0, 2.0]), "a price that is not above 0"),
        (ONES, np.ones(3, bool), np.array([1.0, np.inf, 2.0]), "a price that is not above 0"),
    ],
)
def test_bad_feedback(bid: Any, won: Any, price: Any, message: str) -> None:
    with pytest.raises(FeedbackError, match=message):
        Feedback(bid, won, price)


@pytest.mark.parametrize("won", [[True] * 4, [False] * 4, [False, False, True, True]])
def test_feedback_without_a_maximum_is_refused(won: list[bool]) -> None:
    """Only wins, only losses, and a single bid that parts the two: the likelihood has no top."""
    with pytest.raises(FeedbackError, match="fits no lognormal win curve"):
        fit_lognormal(Feedback(np.array([1.0, 2.0, 3.0, 4.0]), np.array(won), np.full(4, np.nan)))


def test_one_price_only_is_refused() -> None:
    with pytest.raises(FeedbackError, match="fits no lognormal win curve"):
        fit_lognormal(Feedback(ONES, np.ones(3, bool), ONES))


def test_all_kinds_mixed_have_no_product_limit() -> None:
    mixed = Feedback(np.array([1.0, 2.0, 3.0]), np.array([True, False, True]), np.array([np.nan, np.nan, 2.0]))
    with pytest.raises(FeedbackError, match="use fit_lognormal"):
        fit_steps(mixed)
