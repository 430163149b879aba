"""Lists of exposures: growth, blocks used again, stale entries dropped, and the room promised beforehand."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bidder.build import build_book
from bidder.core.book import LARGEST_BLOCK, MEMORY_USED, SEEN, Book
from bidder.core.memory import IN_FLIGHT_S, block_entries, forget_in_flight, free_entries, remember
from bidder.plan import BidPlan, CampaignPlan, CapPlan, Directory
from bidder.room import ensure_room

KEEP_S = 1000.0
DIRECTORY = Directory(("p",), ("s0", "s1"), ("h",), (), (), ("thing",))


def _book(people: int, entries: int) -> Book:
    """Campaign 0 is capped and remembers everything for KEEP_S; 1 only its latest exposure; 2 nothing."""
    bid = BidPlan("constant", 1.0)
    plans = [
        CampaignPlan("capped", 1, 0.0, 9e9, "cpm", bid, 1.0, caps=(CapPlan(100, KEEP_S, True),)),
        CampaignPlan("touch", 1, 0.0, 9e9, "cpm", bid, 1.0, product="thing", lookback_s=KEEP_S),
        CampaignPlan("nothing", 1, 0.0, 9e9, "cpm", bid, 1.0),
    ]
    book = build_book(plans, DIRECTORY, people_count=people)
    return book._replace(memory=np.zeros(entries, SEEN))


def _list(book: Book, person_ix: int, since_s: float) -> list[tuple[int, float]]:
    start, count = int(book.persons["start"][person_ix]), int(book.persons["count"][person_ix])
    entries = book.memory[start : start + count]
    return sorted((int(e["campaign_ix"]), float(e["time_s"])) for e in entries if e["time_s"] >= since_s)


@given(
    seed=st.integers(0, 2**32 - 1),
    people=st.integers(1, 6),
    count=st.integers(0, 300),
    gap_s=st.sampled_from([1.0, 40.0]),
)
def test_lists_hold_what_is_still_needed(seed: int, people: int, count: int, gap_s: float) -> None:
    """Whatever was dropped or moved, everything younger than KEEP_S is there, once."""
    rng, book = Random(seed), _book(people, 16)
    truth: dict[int, list[tuple[int, float]]] = {p: [] for p in range(people)}
    now_s = 0.0
    for _ in range(count):
        now_s += gap_s
        person_ix, c = rng.randrange(people), rng.randrange(3)
        book = ensure_room(book)
        in_flight = (0, IN_FLIGHT_S)
        if c == 0 and rng.random() < 0.3:
            if in_flight in truth[person_ix]:
                forget_in_flight(book, person_ix, 0)
                truth[person_ix].remove(in_flight)
            else:
                remember(book, person_ix, 0, 0, IN_FLIGHT_S, now_s)
                truth[person_ix].append(in_flight)
        else:
            remember(book, person_ix, c, 1, now_s, now_s)
            if c == 1:
                truth[person_ix] = [entry for entry in truth[person_ix] if entry[0] != 1]
            if c < 2:
                truth[person_ix].append((c, now_s))
    for person_ix, seen in truth.items():
        assert _list(book, person_ix, now_s - KEEP_S) == sorted(e for e in seen if e[1] >= now_s - KEEP_S)


def test_blocks_left_behind_are_used_again() -> None:
    book = _book(3, 64)
    for k in range(5):
        remember(book, 0, 0, 0, float(k), float(k))
    used = int(book.index[MEMORY_USED])
    assert used == 4 + 8
    remember(book, 1, 0, 0, 5.0, 5.0)
    assert book.index[MEMORY_USED] == used, "the block of four that person 0 left was free"
    assert book.persons["start"][1] == 0
    remember(book, 2, 0, 0, 6.0, 6.0)
    assert book.index[MEMORY_USED] == used + 4


def test_a_full_list_drops_what_is_stale_before_it_grows() -> None:
    book = _book(1, 64)
    for k in range(4):
        remember(book, 0, 0, 0, float(k), float(k))
    remember(book, 0, 0, 0, KEEP_S + 2.0, KEEP_S + 2.0)
    assert (int(book.persons["room"][0]), int(book.persons["count"][0])) == (4, 3)
    assert _list(book, 0, 0.0) == [(0, 2.0), (0, 3.0), (0, KEEP_S + 2.0)]


@pytest.mark.parametrize("exposures", [1, 7, 100])
def test_room_made_beforehand_is_enough_for_the_worst_person(exposures: int) -> None:
    """Everything to one person, or to each a first exposure: nothing is written beyond what was free."""
    for people in (1, exposures):
        book = _book(people, 16)
        for k in range(40):
            remember(book, 0, 0, 0, float(k), float(k))
            book = ensure_room(book, exposures)
        assert free_entries(book) >= block_entries(book, exposures)
        for k in range(exposures):
            remember(book, k % people, 0, 0, 50.0 + k, 50.0 + k)
        assert book.index[MEMORY_USED] <= len(book.memory)
        assert book.index[LARGEST_BLOCK] >= 64
