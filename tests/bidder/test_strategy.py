"""Strategies written by users: what is refused and how, and what compiled code makes of the rest."""

from __future__ import annotations

import math
from typing import get_type_hints

import numpy as np
import pytest
from numba import config

from bidder.build import build_book
from bidder.core.book import IMPRESSION
from bidder.core.codes import REASONS
from bidder.core.decide import decide
from bidder.core.settle import buy
from bidder.core.strategy import FLOATS, Opportunity
from bidder.errors import StrategyError
from bidder.plan import BidPlan, CampaignPlan, CapPlan, Directory, PacePlan, TargetPlan
from bidder.strategy import StrategyPlan, load_strategy

DIRECTORY = Directory(("p",), ("p/a", "p/b"), ("here",), (), ("s",), ())
NOTHING = np.zeros(0, np.int64)
COMPILED, PLAIN = "from numba import njit\n\n\n@njit\ndef bid(o):\n    ", "def bid(o):\n    "
BOTH = pytest.mark.parametrize("head", [COMPILED, PLAIN], ids=["njit", "plain"])


def plan(source: str, **changes: object) -> CampaignPlan:
    """A campaign of 1 (currency) a day for two days whose strategy is *source*; an impression is worth 0.5 CPM."""
    limit = changes.pop("max_nanos", None)
    values: dict[str, object] = {
        "campaign_id": "c",
        "total_nanos": 2_000_000_000,
        "start_s": 0.0,
        "end_s": 172_800.0,
        "goal": "cpm",
        "goal_value_nanos": 500_000.0,
        "bid": BidPlan("truthful", 1.0, 0.0, limit, StrategyPlan("my_bid.py", source, "bid")),
        "ctr": 0.25,
        "cvr": 0.125,
        "lookback_s": 1e9,
    } | changes
    return CampaignPlan(**values)  # type: ignore[arg-type]


def ask(campaign: CampaignPlan, floor_nanos: int = 0, wins: int = 0) -> tuple[int, str]:
    """(bid, reason) for one impression of person 0 in slot b at 43,200 s, after *wins* purchases of 1,000 nanos."""
    book = build_book([campaign], DIRECTORY, people_count=1)
    for _ in range(wins):
        buy(book, 0, 0, 1, 1_000, 43_000.0)
    imps = np.zeros(1, IMPRESSION)
    imps["now_s"], imps["slot_ix"], imps["floor_nanos"], imps["hour"], imps["deal_ix"] = (
        43_200.0,
        1,
        floor_nanos,
        12,
        -1,
    )
    tally = np.zeros((1, len(REASONS)), np.int64)
    _, bid, _, reason = decide(book, np.zeros(1, np.uint64), imps, 0, NOTHING, tally)
    assert tally.sum() == tally[0, reason] == 1
    return bid, REASONS[reason]


def test_the_fields_are_as_the_call_passes_them() -> None:
    types = [hint.__name__ for hint in get_type_hints(Opportunity).values()]
    assert types == ["float"] * FLOATS + ["int"] * (len(types) - FLOATS)


SEEN = Opportunity(0.5, 0.2, 0.25, 0.125, 2.0, 3e-6, 0.25, 43_200.0, 3, 0, 0, 3, 12, 1, 0, 0, 0, 0)
WEIGHTS = [1.0 + math.sqrt(k) for k in range(len(SEEN))]


@BOTH
def test_what_a_strategy_sees(head: str) -> None:
    """A sum in which no two fields weigh the same."""
    total = " + ".join(f"{weight!r} * o.{field}" for weight, field in zip(WEIGHTS, SEEN._fields, strict=True))
    campaign = plan(f"{head}return ({total}) / 1e5", caps=(CapPlan(9, 1e6, True),))
    expected = sum(weight * value for weight, value in zip(WEIGHTS, SEEN, strict=True))
    assert ask(campaign, 200_000, wins=3) == (round(10 * expected), "bid")


@BOTH
def test_every_worth_survives_the_way_there_and_back(head: str) -> None:
    source = f"{head}return o.worth_cpm"
    for worth in (1, 999_999, 290_001, 4_350_003, 123_456_789_013):
        assert ask(plan(source, goal_value_nanos=float(worth), total_nanos=10**15))[0] == worth


@BOTH
@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("return 0.0", "no_value"),
        ("return -1e-9", "bad_bid"),
        ("return o.worth_cpm * float('nan')", "bad_bid"),
        ("return 1e999", "bad_bid"),
        ("return 2.000001", "bad_bid"),
        ("if o.ctr > 0.0:\n        raise ValueError('no')\n    return 1.0", "bad_bid"),
        ("return 1.0 / (o.wins * 1.0)", "bad_bid"),
        ("return 0.1", "below_floor"),
        ("return 2", "bid"),
    ],
)
def test_only_a_bid_from_nothing_to_the_maximum_is_one(head: str, body: str, reason: str) -> None:
    bid, told = ask(plan(head + body, max_nanos=2_000_000), floor_nanos=150_000)
    assert told == reason
    assert (bid > 0) == (reason == "bid")


@BOTH
def test_without_a_maximum_the_budget_is_the_limit(head: str) -> None:
    assert ask(plan(f"{head}return 1e9")) == (0, "budget_gone")
    assert ask(plan(f"{head}return 1e300")) == (0, "bad_bid")


@BOTH
def test_pacing_by_price_multiplies_it(head: str) -> None:
    pacing = PacePlan("adaptive", start=1.0, highest=5.0, step_per_nano=1e-9)
    assert ask(plan(f"{head}return 0.8", pacing=pacing)) == (400_000, "bid")


def test_the_rules_of_the_plan_hold_for_it() -> None:
    source = f"{COMPILED}return 1.0"
    assert ask(plan(source, start_s=50_000.0))[1] == "not_targeted"
    assert ask(plan(source, target=TargetPlan(fence=(1.0, 1.0, 1.0))))[1] == "not_targeted"
    assert ask(plan(source, caps=(CapPlan(2, 1e6, True),)), wins=2)[1] == "capped"
    assert ask(plan(source, daily_nanos=999_999))[1] == "budget_gone"


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("def bid(o:\n  return 1", r"my_bid\.py:1: is not Python"),
        ("x = 1", r"my_bid\.py defines no function 'bid' .*def bid\(opportunity\)"),
        ("def bid():\n    return 1.0", r"my_bid\.py:1: bid must take one argument, the opportunity; write"),
        ("\ndef bid(worth, floor):\n    return 1.0", r"my_bid\.py:2: bid must take one argument"),
        ("def bid(o, *, k):\n    return 1.0", r"must take one argument"),
        ("import nowhere_at_all\ndef bid(o):\n    return 1.0", r"my_bid\.py:1: cannot be run: ModuleNotFoundError"),
        ("def bid(o):\n    return 1.0\nbid = 3", r"my_bid\.py:bid is no function"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_with_its_line(source: str, told: str) -> None:
    with pytest.raises(StrategyError, match=told):
        load_strategy(StrategyPlan("my_bid.py", source, "bid"))


@pytest.mark.skipif(bool(config.DISABLE_JIT), reason="nothing is compiled")  # type: ignore[attr-defined]
@pytest.mark.parametrize(
    ("source", "told"),
    [
        (f"{COMPILED}return o.worth", r"my_bid\.py:bid cannot be compiled: .*worth"),
        (f"{COMPILED}return 'much'", r"my_bid\.py:bid returns .*, not a number"),
        (f"{COMPILED}pass", r"my_bid\.py:bid returns none, not a number"),
        (COMPILED.replace("@njit", "@njit(cache=True)") + "return 1.0", r"write @njit without cache"),
    ],
)
def test_what_cannot_be_compiled_is_refused(source: str, told: str) -> None:
    with pytest.raises(StrategyError, match=told):
        load_strategy(StrategyPlan("my_bid.py", source, "bid"))


def test_a_plain_function_that_raises_keeps_its_first_reason() -> None:
    campaign = plan("\n\ndef bid(o):\n    return 1.0 / (o.wins * 1.0)")
    assert ask(campaign)[1] == "bad_bid"
    assert ask(campaign)[1] == "bad_bid"
    assert campaign.bid.strategy is not None
    assert load_strategy(campaign.bid.strategy).failed == ["my_bid.py:4: ZeroDivisionError: float division by zero"]


def test_an_edited_file_is_another_strategy() -> None:
    first, second = (StrategyPlan("my_bid.py", f"{COMPILED}return {price}", "bid") for price in (0.5, 0.75))
    assert load_strategy(first).address != load_strategy(second).address
    assert load_strategy(first) is load_strategy(StrategyPlan("my_bid.py", f"{COMPILED}return 0.5", "bid"))
