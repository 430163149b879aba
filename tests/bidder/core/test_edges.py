"""The exact edges of caps, budgets, pacing and last touch, to the second and to the nano."""

from __future__ import annotations

import pytest

from bidder.build import build_book
from bidder.core import settle
from bidder.core.book import Book
from bidder.core.budgets import affordable, on_plan
from bidder.core.caps import capped
from bidder.plan import BidPlan, CampaignPlan, CapPlan, Directory, PacePlan

DIRECTORY = Directory(("p",), ("s0", "s1"), ("h",), (), (), ("thing",))
HOUR_S = 3600.0


def _book(start_of_day_s: int = 0, campaigns: int = 1, **plan: object) -> Book:
    base: dict[str, object] = {
        "campaign_id": "c", "total_nanos": 10**9, "start_s": 0.0, "end_s": 86400.0 * 10, "goal": "cpm",
        "bid": BidPlan("constant", 10.0),
    }  # fmt: skip
    plans = [CampaignPlan(**(base | plan)) for _ in range(campaigns)]  # type: ignore[arg-type]
    return build_book(plans, DIRECTORY, people_count=1, start_of_day_s=start_of_day_s)


@pytest.mark.parametrize(("now_s", "expected"), [(100.0 + HOUR_S - 0.25, True), (100.0 + HOUR_S, False)])
def test_a_sliding_window_is_over_when_it_is_exactly_as_old_as_long(now_s: float, expected: bool) -> None:
    book = _book(caps=(CapPlan(1, HOUR_S, True),))
    settle.buy(book, 0, 0, 0, 1, 100.0)
    assert capped(book, 0, 0, now_s) == expected


@pytest.mark.parametrize(
    ("seen_s", "now_s", "expected"),
    [(1800.0, 1800.25, True), (1800.0, 5399.75, True), (1800.0, 5400.0, False), (1799.75, 1800.0, False)],
)
def test_a_fixed_window_holds_its_start_and_not_its_end(seen_s: float, now_s: float, expected: bool) -> None:
    """The scenario starts half past a full hour, so an hour's window begins after 1800 s."""
    book = _book(start_of_day_s=12 * 3600 + 1800, caps=(CapPlan(1, HOUR_S, False),))
    settle.buy(book, 0, 0, 0, 1, seen_s)
    assert capped(book, 0, 0, now_s) == expected


def test_every_one_of_several_caps_holds() -> None:
    """Two an hour and three a day: the third in the day is free after an hour, the fourth is not."""
    book = _book(caps=(CapPlan(2, HOUR_S, True), CapPlan(3, 86400.0, False)))
    for now_s, expected in ((0.0, False), (10.0, False), (20.0, True), (HOUR_S, False), (3 * HOUR_S, True)):
        assert capped(book, 0, 0, now_s) == expected
        if not expected:
            settle.buy(book, 0, 0, 0, 1, now_s)
    assert not capped(book, 0, 0, 86400.0)


def test_bids_in_flight_count_until_they_are_lost() -> None:
    book = _book(caps=(CapPlan(1, HOUR_S, True),))
    day_ix = settle.reserve(book, 0, 0, 0, 10, 0.0)
    assert capped(book, 0, 0, 5 * HOUR_S)
    settle.release(book, 0, 0, 10, day_ix, 0)
    assert not capped(book, 0, 0, 5 * HOUR_S)


def test_budgets_to_the_nano() -> None:
    book = _book(total_nanos=100, daily_nanos=40)
    assert affordable(book.campaigns, 0, 40, 0)
    assert not affordable(book.campaigns, 0, 41, 0)
    for day_ix in range(2):
        settle.buy(book, 0, -1, 0, 40, 86400.0 * day_ix)
        assert not affordable(book.campaigns, 0, 1, day_ix)
    assert affordable(book.campaigns, 0, 20, 2)
    assert not affordable(book.campaigns, 0, 21, 2)


def test_even_pacing_to_the_nano() -> None:
    """1000 nanos over ten days, at most 200 a day: after a quarter of the first day 25 in all, 50 of the day's."""
    book = _book(total_nanos=1000, daily_nanos=200, pacing=PacePlan("even"))
    assert on_plan(book, 0, 25, 21_600.0, 0, 0.25)
    assert not on_plan(book, 0, 26, 21_600.0, 0, 0.25)
    assert on_plan(book, 0, 50, 5 * 86400.0 + 21_600.0, 5, 0.25)
    assert not on_plan(book, 0, 51, 5 * 86400.0 + 21_600.0, 5, 0.25)


def test_last_touch_is_the_latest_whatever_the_order_in_memory() -> None:
    """A lost bid's place is taken by the last of the list, which puts the latest exposure first."""
    book = _book(campaigns=3, product="thing", lookback_s=HOUR_S, caps=(CapPlan(9, HOUR_S, True),))
    day_ix = settle.reserve(book, 0, 0, 0, 10, 0.0)
    settle.buy(book, 1, 0, 0, 1, 1.0)
    settle.buy(book, 2, 0, 1, 1, 2.0)
    settle.release(book, 0, 0, 10, day_ix, 0)
    assert book.memory["campaign_ix"][book.persons["start"][0]] == 2
    assert settle.convert(book, 0, 0, 5, 3.0) == 2, "both exposures are young enough"
    assert settle.convert(book, 0, 0, 5, 2.0 + HOUR_S) == 2
    assert settle.convert(book, 0, 0, 5, 2.25 + HOUR_S) == -1
    assert settle.convert(book, 0, -1, 5, 2.0) == -1
