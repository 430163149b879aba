"""Random sequences of decisions, bids, wins, losses, clicks, purchases and ticks: book and oracle stay equal."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bidder.build import build_book
from bidder.core import settle
from bidder.plan import BidPlan, CampaignPlan, Directory
from tests.oracles.pair import Pair

OPERATIONS = ("request",) * 8 + ("answer",) * 4 + ("buy", "buy", "lose", "late", "click", "convert", "convert", "tick")
TEMPOS = {
    "minutes": (0.25, 30.0, 300.0, 900.0),
    "hours": (0.25, 600.0, 3600.0, 7200.0),
    "days": (0.25, 3600.0, 20_000.0, 90_000.0),
}
"""Seconds between two operations."""


def play(pair: Pair, seed: int, length: int, tempo: str) -> None:
    """Random operations done to both; the clock never stands still, so no two exposures fall on one instant."""
    luck_of = Random(seed)
    for _ in range(length):
        pair.now_s += luck_of.choice(TEMPOS[tempo])
        act(pair, luck_of.choice(OPERATIONS), luck_of.randrange(2**16))
    pair.check()


def act(pair: Pair, operation: str, luck: int) -> None:
    """One operation; *luck* chooses campaign, person, slot and outcome."""
    c, person_ix = luck % len(pair.plans), -1 if luck % 11 == 0 else luck % pair.people
    slot_ix, product_ix = luck % len(pair.directory.slots), luck % len(pair.directory.products)
    if operation == "request":
        imp = pair.impression()
        winner, bid = pair.decide(imp)
        if winner >= 0 and luck % 3 == 0:
            pair.reserve(winner, imp["person_ix"], imp["slot_ix"], bid)
        elif winner >= 0:
            pair.buy(winner, imp["person_ix"], imp["slot_ix"], bid - bid // (2 + luck % 7))
    elif operation == "answer" and pair.in_flight:
        pair.answer(luck % len(pair.in_flight), won=luck % 2 == 1, price_share=1.0 if luck % 5 else 0.5)
    elif operation == "buy":
        pair.buy(c, person_ix, slot_ix, 1000 + luck)
    elif operation == "lose":
        pair.lose(c)
    elif operation == "late":
        pair.late_win(c, person_ix, slot_ix, 400_000)
    elif operation == "click":
        pair.click(c, slot_ix)
    elif operation == "convert":
        pair.convert(product_ix, person_ix, luck)
    elif operation == "tick":
        pair.tick()


@given(
    seed=st.integers(0, 2**32 - 1),
    length=st.integers(1, 250),
    tempo=st.sampled_from(sorted(TEMPOS)),
    campaigns=st.sampled_from([1, 3, 8]),
    people=st.integers(1, 4),
)
def test_any_sequence_of_operations(seed: int, length: int, tempo: str, campaigns: int, people: int) -> None:
    play(Pair(Random(seed), campaigns, segments=4, people=people, signals=1, picky=0.3), seed, length, tempo)


@given(seed=st.integers(0, 2**32 - 1), length=st.integers(1, 120), tempo=st.sampled_from(sorted(TEMPOS)))
@settings(max_examples=10)
def test_any_sequence_with_more_than_64_campaigns_and_segments(seed: int, length: int, tempo: str) -> None:
    play(Pair(Random(seed), campaigns=70, segments=70, people=2, signals=2, picky=0.8), seed, length, tempo)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
def test_long_lives(seed: int) -> None:
    """Thousands of operations on few people: lists outgrow blocks, blocks are used again, old exposures are dropped."""
    pair = Pair(Random(seed), campaigns=6, segments=3, people=5, signals=1, picky=0.2)
    for round_ix in range(8):
        play(pair, 10 * seed + round_ix, 300, "hours" if round_ix % 4 == 3 else "minutes")


def _book(total: int, daily: int | None, start_of_day_s: int = 0):  # type: ignore[no-untyped-def]
    plan = CampaignPlan("c", total, 0.0, 9e9, "cpm", BidPlan("constant", 10.0), 1.0, daily_nanos=daily)
    return build_book(
        [plan], Directory(("p",), ("p/s",), ("h",), (), (), ()), people_count=1, start_of_day_s=start_of_day_s
    )


def test_a_bid_is_charged_to_the_day_it_was_made_in() -> None:
    """Sent before midnight and won after it: yesterday pays, today's budget stays whole."""
    book = _book(1000, 10, start_of_day_s=86_390)
    day_ix = settle.reserve(book, 0, -1, 0, 10, 5.0)
    assert settle.reserve(book, 0, -1, 0, 4, 20.0) == day_ix + 1
    settle.win(book, 0, -1, 0, 10, 9, day_ix, 0, 21.0)
    assert book.campaigns["spent_nanos"][0] == 9
    assert book.campaigns["spent_day_nanos"][0] == 0
    assert book.campaigns["reserved_day_nanos"][0] == 4
    assert not settle.late_win(book, 0, -1, 0, 7, 22.0)
    assert settle.late_win(book, 0, -1, 0, 6, 22.0)
    assert not settle.late_win(book, 0, -1, 0, 1, 23.0)


def test_a_late_win_is_refused_to_the_nano() -> None:
    book = _book(100, None)
    settle.buy(book, 0, -1, 0, 60, 0.0)
    assert not settle.late_win(book, 0, -1, 0, 41, 1.0)
    assert settle.late_win(book, 0, -1, 0, 40, 1.0)
    assert book.campaigns["spent_nanos"][0] == 100


def test_reserve_and_win_amount_to_a_purchase() -> None:
    one, two = _book(100, 100), _book(100, 100)
    day_ix = settle.reserve(one, 0, 0, 0, 50, 7.0)
    settle.win(one, 0, 0, 0, 50, 30, day_ix, 0, 7.0)
    settle.buy(two, 0, 0, 0, 30, 7.0)
    assert all(np.array_equal(a, b) for a, b in zip(one, two, strict=True))
