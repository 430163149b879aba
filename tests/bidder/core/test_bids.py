"""Bidding rules: the oracle's numbers, the highest bid, and that ORTB1 is the optimum it claims to be."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from bidder.build import build_book
from bidder.core.bids import bid_nanos, linear, mcpc, ortb1
from bidder.plan import BidPlan, CampaignPlan, Directory
from tests.oracles import bidder as oracle

rates = st.floats(0, 1)
money = st.floats(0, 1e12)
DIRECTORY = Directory(("p",), ("s",), ("h",), (), (), ())


@given(
    kind=st.sampled_from(["constant", "truthful", "linear", "mcpc", "ortb1", "ortb2", "shaded_uniform"]),
    a=st.floats(1e-3, 1e9),
    b=st.floats(1e-9, 1),
    highest=st.none() | st.integers(1, 10**9),
    worth=money,
    ctr=rates,
    rate=rates,
)
def test_bids_as_the_oracle(
    kind: str, a: float, b: float, highest: int | None, worth: float, ctr: float, rate: float
) -> None:
    if kind == "truthful":
        a = a / 1e9  # a multiplier
    bid = BidPlan(kind, a, b, highest)  # type: ignore[arg-type]
    book = build_book([CampaignPlan("c", 1, 0.0, 1.0, "cpm", bid, 1.0)], DIRECTORY, people_count=1)
    got = bid_nanos(book.campaigns, 0, worth, ctr, rate)
    assert got == oracle.bid_nanos(bid, worth, ctr, rate)
    assert highest is None or got <= highest


@given(rate=st.floats(1e-6, 1e-1), c=st.floats(1e4, 1e7), lagrange=st.floats(1e-12, 1e-8))
def test_ortb1_maximises_the_surplus(rate: float, c: float, lagrange: float) -> None:
    """(rate - lagrange * b) * b / (b + c): no neighbouring bid does better."""

    def surplus(b: float) -> float:
        return (rate - lagrange * b) * b / (b + c)

    best = ortb1(rate, c, lagrange)
    assert best >= 0.0
    for factor in (0.5, 0.9, 0.99, 1.01, 1.1, 2.0):
        assert surplus(best) >= surplus(best * factor) - 1e-9 * abs(surplus(best))


@given(mu=st.floats(11.0, 17.0), sigma=st.floats(0.05, 3.0), highest=st.none() | st.integers(1, 10**9), worth=money)
def test_shaded_bids_as_the_oracle(mu: float, sigma: float, highest: int | None, worth: float) -> None:
    bid = BidPlan("shaded_lognormal", mu, sigma, highest)
    book = build_book([CampaignPlan("c", 1, 0.0, 1.0, "cpm", bid, 1.0)], DIRECTORY, people_count=1)
    got = bid_nanos(book.campaigns, 0, worth, 0.0, 1.0)
    assert math.isclose(got, oracle.bid_nanos(bid, worth, 0.0, 1.0), rel_tol=1e-9, abs_tol=1.0)
    assert highest is None or got <= highest


def test_rules_by_hand() -> None:
    assert linear(0.002, 1_000_000.0, 0.001) == 2_000_000.0
    assert mcpc(0.001, 500_000_000.0) == 500_000.0
    assert math.isclose(ortb1(0.001, 3e5, 1e-9), math.sqrt(3e5 / 1e-9 * 0.001 + 9e10) - 3e5)
