"""People's reaction: annoyance adds up and is forgotten, dulls ads, and makes people opt out at the stated rate."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange_sim.draws import OPT_OUT, uniform
from exchange_sim.reaction import Reaction, annoy, nobody_minds
from experiments.compile.reaction import audience_share
from experiments.drivers.batch import run_batch
from experiments.drivers.events import run_events
from experiments.scenario.loader import load
from experiments.setting import fresh_truth, make_ready
from tests.parity.test_parity import assert_equal_books, assert_equal_ledgers

CASES = Path(__file__).parents[1] / "cases"


def reaction(annoys: float, opt_out: float, people: int = 1) -> Reaction:
    """Tolerance 10, half-life 100 s."""
    felt, withdrawn = np.zeros((people, 2), np.float32), np.zeros(people, np.uint8)
    return Reaction(felt, withdrawn, np.array([1.0, annoys]), np.array([10.0, 100.0, opt_out]))


@given(steps=st.lists(st.tuples(st.integers(0, 1), st.floats(0, 500)), min_size=1, max_size=12))
def test_annoyance_is_the_sum_of_what_is_remembered(steps: list[tuple[int, float]]) -> None:
    """Against a sum over all earlier ads, each halved every half-life."""
    told, now_s, seen = reaction(3.0, 0.0), 0.0, []
    for campaign_ix, gap_s in steps:
        now_s += gap_s
        felt = sum(added * 0.5 ** ((now_s - then_s) / 100.0) for added, then_s in seen)
        left = annoy(told, 0, campaign_ix, True, np.uint64(1), now_s)
        assert left == pytest.approx(1.0 / (1.0 + felt / 10.0), rel=1e-4)
        seen.append((3.0 if campaign_ix else 1.0, now_s))
    assert not told.withdrawn.any()


def test_people_opt_out_at_the_stated_rate_and_only_once_they_consent() -> None:
    """The first ad of 3 units at 0.01 per unit: 3 % of 20,000 people, within 4 standard errors."""
    count = 20_000
    told = reaction(3.0, 0.01, count)
    for k in range(count):
        annoy(told, k, 1, True, np.uint64(k * 7919 + 11), 0.0)
    error = math.sqrt(0.03 * 0.97 * count)
    assert abs(int(told.withdrawn.sum()) - 0.03 * count) < 4 * error
    assert [uniform(np.uint64(k * 7919 + 11), OPT_OUT) < 0.03 for k in range(50)] == told.withdrawn[:50].tolist()
    strangers = reaction(3.0, 1.0, 100)
    for k in range(100):
        annoy(strangers, k, 1, False, np.uint64(k), 0.0)
    assert not strangers.withdrawn.any()


def test_nobody_minds_where_no_reaction_is_stated() -> None:
    assert annoy(nobody_minds(), 0, 0, True, np.uint64(1), 0.0) == 1.0


CHANGES = ["days=0.2", "people.reaction={tolerance: 5, creep: 2, opt_out: 0.01}"]


def test_who_opts_out_is_a_stranger_from_then_on_and_drivers_agree() -> None:
    """Consent is seen to end, never to begin; a campaign that must know people buys nobody afterwards."""
    setting = make_ready(load(CASES / "parity-learned.yaml", CHANGES))
    batch, batch_book = run_batch(setting)
    left = np.flatnonzero(setting.world.reaction.withdrawn)
    assert len(left) > 20
    consents = setting.world.homes["consent"]
    assert (consents[left] == 1).all()
    for person_ix in left:
        shown = batch.exposures["consent"][batch.exposures["person_ix"] == person_ix].tolist()
        assert shown == sorted(shown, reverse=True)
        assert shown[0] == 1
    events, events_book = run_events(fresh_truth(setting))
    assert_equal_ledgers(batch, events)
    assert_equal_books(batch_book, events_book, setting.end_s)
    calm = fresh_truth(setting)
    assert not calm.world.reaction.withdrawn.any()
    assert not calm.world.reaction.felt.any()


def test_narrow_campaigns_annoy_more() -> None:
    """What an ad adds follows from the share of people its segments leave."""
    setting = make_ready(load("over-targeting", ["people.count=4000"]))
    plan, rows = setting.plans[0], setting.audience.rows
    share = audience_share(rows, plan, setting.directory)
    members = np.array([row[0] & np.uint64(1) for row in rows])
    assert share == members.mean() < 0.2
    assert setting.world.reaction.annoys[0] == pytest.approx(1.0 + 2.0 * math.log10(1.0 / share))
