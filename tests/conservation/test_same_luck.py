"""Runs that must be equal: repeated, with other ticks, beside an idle campaign, and without the ads' effect."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from bidder.core.book import Book
from bidder.core.codes import NOT_TARGETED
from experiments.drivers.batch import run_batch
from experiments.setting import fresh_truth
from tests.oracles.markets import INTERPRETED, random_market

seeds = st.integers(0, 2**32 - 1)
few = settings(max_examples=6 if INTERPRETED else 30)
TRUTH = ["time_s", "person_ix", "value_nanos", "product_ix"]
Runner = Callable[[dict[str, Any]], Any]
Bits = Callable[[np.ndarray], list[bytes]]


@few
@given(seed=seeds)
def test_the_same_run_twice(seed: int, run: Runner, bits: Bits) -> None:
    """Made ready again, or run again from the same setting: the same bytes."""
    first = run(random_market(seed))
    again = run(random_market(seed))
    assert first.content() == again.content()
    ledger, book = run_batch(fresh_truth(first.setting))
    assert bits(ledger.exposures) == bits(first.ledger.exposures)
    assert seen(book) == seen(first.book)
    empty = np.zeros(0, book.memory.dtype)
    pairs = zip(book._replace(memory=empty), first.book._replace(memory=empty), strict=True)
    assert all(np.array_equal(a, b) for a, b in pairs)


def seen(book: Book) -> list[list[Any]]:
    """Everybody's list of exposures (the rest of memory is never read, so nobody clears it)."""
    return [book.memory[p["start"] : p["start"] + p["count"]].tolist() for p in book.persons]


@few
@given(seed=seeds, tick_s=st.sampled_from([333.0, 7200.0, 86400.0]))
def test_ticks_do_not_matter_when_nothing_is_learned(seed: int, tick_s: float, run: Runner, bits: Bits) -> None:
    """But for how long an ended campaign is still asked, and says that it has ended."""
    data = random_market(seed, learned=False)
    first, other = run(data), run(data | {"tick_s": tick_s})
    for run_ in (first, other):
        run_.ledger.tallies.reasons[:, NOT_TARGETED] = 0
    assert first.content() == other.content()


@few
@given(seed=seeds)
def test_an_idle_campaign_changes_nobody_else_s_ledger(seed: int, run: Runner, bits: Bits) -> None:
    """Common random numbers: a campaign nobody can see, put before all others, moves indices and nothing else."""
    data = random_market(seed)
    idle = {
        "budget": {"total": 100.0},
        "goal": {"kind": "private", "value": {"kind": "uniform", "low": 0.0, "high": 5.0}},
        "target": {"segments": {"any": ["nobody"]}, "geofence": {"lat": 52.5, "lon": 13.4, "radius_km": 100.0}},
        "caps": [{"limit": 1, "per": "1h"}],
    }
    first, other = run(data), run(data | {"campaigns": {"idle": idle} | data["campaigns"]})
    exposures, purchases = other.ledger.exposures, other.ledger.purchases
    exposures["campaign_ix"] -= 1
    for name in ("attributed_ix", "caused_by_ix"):
        purchases[name][purchases[name] >= 0] -= 1
    assert bits(exposures) == bits(first.ledger.exposures)
    assert bits(purchases) == bits(first.ledger.purchases)
    assert (other.ledger.tallies.reasons[1:] == first.ledger.tallies.reasons).all()
    assert (other.ledger.tallies.results[1:] == first.ledger.tallies.results).all()
    assert not other.ledger.tallies.results[0].any()


@few
@given(seed=seeds)
def test_without_their_effect_the_ads_cause_nothing_and_the_rest_stays(seed: int, run: Runner, bits: Bits) -> None:
    """Nothing learned, so the same impressions are bought; what people bought anyway is the same row for row."""
    data = random_market(seed, learned=False)
    without = copy.deepcopy(data)
    for product in without["products"].values():
        product["effect"]["conversion"] = 0.0
    first, other = run(data), run(without)
    assert bits(other.ledger.exposures) == bits(first.ledger.exposures)
    assert (other.ledger.purchases["caused_by_ix"] == -1).all()
    organic = first.ledger.purchases[first.ledger.purchases["caused_by_ix"] == -1]
    assert bits(organic) == bits(other.ledger.purchases)


@few
@given(seed=seeds)
def test_without_the_ads_people_buy_what_they_would_have_bought(seed: int, run: Runner, bits: Bits) -> None:
    """The counterfactual itself: campaigns that cannot afford one impression leave exactly the organic purchases."""
    data = random_market(seed)
    without = copy.deepcopy(data)
    for campaign in without["campaigns"].values():
        campaign["budget"] = {"total": 1e-9}
        campaign["bid"] = {"kind": "constant", "price": 1.0}
    first, other = run(data), run(without)
    assert len(other.ledger.exposures) == 0 or other.ledger.exposures["price_nanos"].sum() <= len(data["campaigns"])
    organic = first.ledger.purchases[first.ledger.purchases["caused_by_ix"] == -1]
    nobody = other.ledger.purchases[other.ledger.purchases["caused_by_ix"] == -1]
    assert bits(organic[TRUTH]) == bits(nobody[TRUTH])
    assert len(nobody) == len(other.ledger.purchases)
