"""Outcomes: adstock against summing all past exposures, clicks and purchases against their stated probabilities."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from exchange_sim.draws import AUCTION_OF, CLICK, CONVERSION, DELAY, key_of, uniform
from exchange_sim.outcomes import draw_organic, expose
from exchange_sim.pending import PENDING
from exchange_sim.people import fits, in_market, person_key
from exchange_sim.world import OPPORTUNITY
from tests.oracles import market as oracle
from tests.oracles.worlds import world_of

EFFECT = {
    "ctr": 0.3, "conversion": 0.6, "off_interest": 0.5, "off_window": 0.25, "formats": {"video": 1.5, "mobile": 0.0},
    "half_life_h": 6.0, "saturation": 3.0, "delay_h": 5.0,
}  # fmt: skip
FORMATS = ("display", "mobile", "video")
WORLD = world_of(
    people={"count": 50, "interests": {"cars": 0.5}},
    products={
        "car": {
            "interest": "cars", "value": 10.0, "organic_per_1000_people_per_day": 40.0,
            "in_market": {"cycle_days": 4, "window_days": 2}, "effect": EFFECT,
        }
    },
    publishers={"site": {"slots": {name: {"format": name} for name in FORMATS}}},
    campaigns={
        name: {"budget": {"total": 1.0}, "goal": {"kind": "cpm", "value": 1.0}} | extra
        for name, extra in (("with", {"product": "car"}), ("without", {}))
    },
)  # fmt: skip


@given(
    seed=st.integers(0, 2**62),
    history=st.lists(
        st.tuples(st.integers(0, 2), st.integers(0, 4 * 200_000), st.integers(0, 2)), min_size=1, max_size=25
    ),
)
def test_every_exposure_as_the_formula_says(seed: int, history: list[tuple[int, int, int]]) -> None:
    """Replay random histories of three people; probabilities recomputed from the whole past decide the same draws."""
    world = WORLD._replace(stock=np.zeros_like(WORLD.stock))
    pending, size = np.zeros(64, PENDING), np.zeros(1, np.int64)
    seen: dict[int, list[float]] = {0: [], 1: [], 2: []}
    time_s, due = 0.0, []
    for k, (person_ix, quarters, slot_ix) in enumerate(history):
        time_s += quarters / 4
        opps = np.zeros(1, OPPORTUNITY)
        key = np.uint64(key_of(np.uint64(seed), AUCTION_OF, k))
        opps["key"], opps["time_s"], opps["person_ix"], opps["slot_ix"] = key, time_s, person_ix, slot_ix
        opps["auction_ix"] = k
        clicked = expose(world, opps, 0, 0, pending, size)
        strength = 1 / (1 + oracle.stock(seen[person_ix], time_s, 6 * 3600.0) / 3.0)
        strength *= EFFECT["formats"].get(FORMATS[slot_ix], 1.0)  # type: ignore[attr-defined]
        strength *= 1.0 if fits(world, 0, person_ix) else 0.5
        person = np.uint64(person_key(world.seed_key, person_ix))
        conversion = 0.6 * strength * (1.0 if in_market(world, 0, person, time_s) else 0.25)
        seen[person_ix].append(time_s)
        # float32 keeps times to 1/8 s over a fortnight: draws that near the edge may fall either way
        if abs(uniform(key, CLICK) - 0.3 * strength) > 1e-4:
            assert clicked == (uniform(key, CLICK) < 0.3 * strength)
        if abs(uniform(key, CONVERSION) - conversion) < 1e-4:
            return
        if uniform(key, CONVERSION) < conversion:
            due.append((time_s - 5 * 3600.0 * math.log(uniform(key, DELAY)), person_ix, k))
        assert size[0] == len(due)
    got = [(float(p["due_s"]), int(p["person_ix"]), int(p["auction_ix"])) for p in pending[: size[0]]]
    assert sorted(got) == sorted(due)
    assert all(p["campaign_ix"] == 0 and p["value_nanos"] == 10_000_000_000 for p in pending[: size[0]])


@given(times=st.lists(st.integers(0, 86400 * 20), min_size=1, max_size=60).map(sorted))
def test_recursive_stock_is_the_sum_over_the_past(times: list[int]) -> None:
    """Equal within what float32 keeps (times to 1/8 s, stock to 1e-7)."""
    world = WORLD._replace(stock=np.zeros_like(WORLD.stock))
    pending, size = np.zeros(64, PENDING), np.zeros(1, np.int64)
    opps = np.zeros(1, OPPORTUNITY)
    for k, time_s in enumerate(times):
        opps["time_s"], opps["slot_ix"], opps["key"] = time_s, 1, k  # the format without effect: nobody buys
        assert not expose(world, opps, 0, 0, pending, size)
        expected = oracle.stock(times[:k], float(time_s), 6 * 3600.0) + 1.0
        assert math.isclose(world.stock[0, 0, 0], expected, rel_tol=2e-5)
    assert size[0] == 0


def test_a_campaign_without_a_product_causes_nothing() -> None:
    world = WORLD._replace(stock=np.zeros_like(WORLD.stock))
    pending, size = np.zeros(64, PENDING), np.zeros(1, np.int64)
    opps = np.zeros(1, OPPORTUNITY)
    for k in range(50):
        opps["key"] = k
        assert not expose(world, opps, 0, 1, pending, size)
    assert size[0] == 0
    assert not world.stock.any()


def _organic(until: list[float], room: int) -> list[tuple[float, int]]:
    cursor, size, found = np.zeros((1, 2)), np.zeros(1, np.int64), []
    pending = np.zeros(room, PENDING)
    for until_s in until:
        while not draw_organic(WORLD, cursor, until_s, pending, size):
            found += [(float(p["due_s"]), int(p["person_ix"])) for p in pending[: size[0]]]
            size[0] = 0
    return sorted(found + [(float(p["due_s"]), int(p["person_ix"])) for p in pending[: size[0]]])


def test_organic_purchases_do_not_depend_on_how_they_are_asked_for() -> None:
    """In one call or in many, with room for all or for three at a time: the same people at the same times."""
    days = [86400.0 * k for k in range(1, 41)]
    whole = _organic([days[-1]], 4096)
    assert whole == _organic(days, 4096) == _organic(days, 3)
    assert len(whole) == len(set(whole)) > 0


def test_organic_purchases_are_as_many_as_stated_and_by_people_who_fit() -> None:
    """Poisson: 40 per 1000 people and day, fitting people in the market only; standard error sqrt(mean)."""
    days = 400
    bought = _organic([86400.0 * days], 4096)
    fitting = [p for p in range(50) if fits(WORLD, 0, p)]
    mean = 0.04 * len(fitting) * 0.5 * days
    assert abs(len(bought) - mean) < 4 * math.sqrt(mean)
    for time_s, person_ix in bought:
        assert person_ix in fitting
        assert in_market(WORLD, 0, np.uint64(person_key(WORLD.seed_key, person_ix)), time_s)
