"""Cookies and households: how many, whose, and that a request shows one of its person's own."""

from __future__ import annotations

import numpy as np
import pytest

from exchange_sim.identities import (
    MOST,
    cookie_count,
    cookie_name,
    cookie_of,
    cookies_shown,
    draw_cookies,
    draw_households,
)
from tests.oracles.worlds import world_of

KEY = np.uint64(99)
AUDIENCE = {"sources": {"site": {"identifiers": ["cookie"]}}}


@pytest.mark.parametrize("mean", [1.0, 2.5, 6.0])
def test_people_have_as_many_cookies_as_said(mean: float) -> None:
    counts = np.diff(draw_cookies(KEY, 4000, mean))
    assert counts.min() == 1
    assert counts.max() <= MOST
    # Geometric: variance mean * (mean - 1).
    assert abs(counts.mean() - mean) <= 4 * (mean * (mean - 1) / 4000) ** 0.5
    if mean > 1:
        assert abs((counts == 1).mean() - 1 / mean) < 4 * (0.25 / 4000) ** 0.5


def test_households_are_as_large_as_said_and_have_one_head() -> None:
    heads = draw_households(KEY, 4000, 2.2)
    sizes = np.unique(heads, return_counts=True)[1]
    assert abs(sizes.mean() - 2.2) < 0.2
    assert (heads[heads] == heads).all()
    assert (np.diff(heads) >= 0).all()
    assert (draw_households(KEY, 500, 1.0) == np.arange(500)).all()


def test_a_household_lives_in_one_place_and_everybody_decides_alone() -> None:
    people = {"count": 3000, "consent_share": 0.5, "household": 3.0, "interests": {"a": 0.5}}
    places = {"town": {"share": 1.0, "lat": 50.0}, "shore": {"share": 1.0, "lat": 54.0}}
    world = world_of(people=people, places=places, audience=AUDIENCE)
    for field in ("lat", "lon", "place_ix"):
        assert (world.homes[field] == world.homes[field][world.heads]).all(), field
    together = world.heads != np.arange(3000)
    agree = (world.homes["consent"] == world.homes["consent"][world.heads])[together]
    assert abs(agree.mean() - 0.5) < 0.06


def test_requests_show_each_of_a_person_s_cookies_as_often() -> None:
    world = world_of(people={"count": 50, "cookies": 4.0}, audience=AUDIENCE)
    person = int(np.argmax(np.diff(world.cookies)))
    own = range(int(world.cookies[person]), int(world.cookies[person + 1]))
    shown = cookies_shown(world, np.arange(8000), np.full(8000, person))
    counts = np.bincount(shown, minlength=cookie_count(world))
    assert counts.sum() == counts[own.start : own.stop].sum() == 8000
    expected = 8000 / len(own)
    assert (np.abs(counts[own.start : own.stop] - expected) < 5 * expected**0.5).all()


def test_without_a_platform_a_cookie_is_its_person() -> None:
    world = world_of()
    assert cookie_count(world) == 100
    assert cookie_of(world, 7, np.uint64(1)) == 7


def test_names_of_cookies_are_all_different_and_tell_nothing() -> None:
    names = {cookie_name(KEY, c) for c in range(1000)}
    assert len(names) == 1000
    assert all(len(name) == 16 for name in names)
