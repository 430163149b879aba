"""Traffic: arrivals against inverting the intensity, who and where against the shares, blocks of any size."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from exchange_sim.draws import AUCTION_OF, GAP, key_of, uniform
from exchange_sim.traffic import draw_opportunities, draw_signals, next_arrival_s
from exchange_sim.world import OPPORTUNITY, World
from tests.oracles import market as oracle
from tests.oracles.worlds import world_of

BUSY = world_of(
    start="2026-01-07T17:40:30",
    people={"count": 1000, "activity_skew": 2.0, "consent_share": 0.6},
    publishers={
        "a": {"share": 3, "slots": {"x": {"format": "display", "share": 2}, "y": {"format": "video"}}},
        "b": {"slots": {"z": {"format": "mobile", "devices": {"mobile": 3, "tablet": 1}}}},
    },
    traffic={"requests_per_day": 200_000, "hours": "diurnal"},
)


def _opportunities(world: World, blocks: list[int], until_s: float = 1e9) -> np.ndarray:
    cursor, found = np.zeros(2), []
    for most in blocks:
        opps = np.zeros(most, OPPORTUNITY)
        found.append(opps[: draw_opportunities(world, opps, most, cursor, until_s)])
    return np.concatenate(found)


@given(
    weights=st.lists(st.sampled_from([0.0, 0.0, 1.0, 5.0]), min_size=168, max_size=168).filter(any),
    seed=st.integers(0, 2**62),
    offset_s=st.integers(0, 86399),
    after_s=st.integers(0, 4 * 86400 * 14).map(lambda k: k / 4),
)
def test_the_next_arrival_inverts_the_intensity(weights: list[float], seed: int, offset_s: int, after_s: float) -> None:
    """Also across hours in which nothing arrives, and from any second of the day."""
    rates = np.array(weights) / 3600.0
    world = BUSY._replace(rate_per_s=rates, start_of_day_s=offset_s, start_hour=24 + offset_s // 3600)
    key = np.uint64(seed)

    def hour_of(time_s: float) -> int:
        return int((24 * 3600 + offset_s + time_s) // 3600 % 168)

    expected = oracle.arrival_s(rates, hour_of, after_s, -math.log(uniform(key, GAP)))
    assert math.isclose(next_arrival_s(world, key, after_s), expected, abs_tol=1e-3)


@given(blocks=st.lists(st.integers(1, 50), min_size=1, max_size=8))
def test_blocks_do_not_matter(blocks: list[int]) -> None:
    """Drawn one by one or in any blocks: the same opportunities to the last bit (positions are NaN without fences)."""
    whole = _opportunities(BUSY, [sum(blocks)])
    assert _opportunities(BUSY, blocks).tobytes() == whole.tobytes()
    assert (np.diff(whole["time_s"]) > 0).all()
    assert (whole["auction_ix"] == np.arange(sum(blocks))).all()


def test_time_stops_where_it_is_told_and_goes_on() -> None:
    whole = _opportunities(BUSY, [400])
    cut = float(whole["time_s"][150])
    cursor, opps = np.zeros(2), np.zeros(400, OPPORTUNITY)
    assert draw_opportunities(BUSY, opps, 400, cursor, cut) == 150
    assert draw_opportunities(BUSY, opps, 400, cursor, cut) == 0
    assert draw_opportunities(BUSY, opps, 250, cursor, 1e9) == 250
    assert opps[:250].tobytes() == whole[150:].tobytes()


def test_people_slots_and_devices_at_their_shares() -> None:
    """Each share within 4 standard errors sqrt(p (1 - p) / n); person = count * u^2, so half see it with P = 0.71."""
    n = 20_000
    opps = _opportunities(BUSY, [n])
    checks: dict[str, tuple[Any, float]] = {
        "first half of people": (opps["person_ix"] < 500, math.sqrt(0.5)),
        "slot a/x": (opps["slot_ix"] == 0, 3 / 4 * 2 / 3),
        "slot a/y": (opps["slot_ix"] == 1, 3 / 4 / 3),
        "slot b/z": (opps["slot_ix"] == 2, 1 / 4),
        "tablets": ((opps["slot_ix"] == 2) & (opps["device_ix"] == 2), 1 / 4 / 4),
        "desktops": (opps["device_ix"] == 0, 3 / 4),
    }
    for what, (flags, share) in checks.items():
        assert abs(flags.mean() - share) < 4 * math.sqrt(share * (1 - share) / n), what
    assert set(opps["device_ix"][opps["slot_ix"] == 2].tolist()) == {1, 2}
    assert (opps["consent"] == BUSY.homes["consent"][opps["person_ix"]]).all()
    assert (opps["place_ix"] == BUSY.homes["place_ix"][opps["person_ix"]]).all()
    assert np.isnan(opps["lat"]).all(), "no campaign has a fence, so nobody's position is sent"


def test_positions_are_sent_of_people_who_consent() -> None:
    world = BUSY._replace(with_position=1)
    opps = _opportunities(world, [500])
    known = opps["consent"] == 1
    assert 0 < known.sum() < 500
    assert (opps["lat"][known] == world.homes["lat"][opps["person_ix"][known]]).all()
    assert np.isnan(opps["lat"][~known]).all()
    assert np.isnan(opps["lon"][~known]).all()


def test_private_values_belong_to_names() -> None:
    """Each campaign's values follow its distribution and stay the same when another campaign comes before it."""

    def signals(*names: str) -> np.ndarray:
        world = world_of(
            campaigns={
                name: {
                    "budget": {"total": 1.0},
                    "goal": {"kind": "private", "value": {"kind": "uniform", "low": 0.0, "high": 2.0}},
                }
                for name in names
            }
        )
        rows = np.zeros((3000, len(names)), np.int64)
        for k, row in enumerate(rows):
            draw_signals(world, np.uint64(key_of(world.seed_key, AUCTION_OF, k)), row)
        return rows / 1e6

    both = signals("a", "b")
    assert (both[:, 1:] == signals("b")).all()
    for column in both.T:
        assert stats.kstest(column / 2, "uniform").pvalue > 1e-4
    assert abs(np.corrcoef(both.T)[0, 1]) < 4 / math.sqrt(3000)


@given(
    shares=st.lists(st.sampled_from([1.0, 1.0, 2.0, 0.5]), min_size=1, max_size=6),
    networks=st.integers(0, 3),
)
def test_slots_have_their_shares_beside_slots_without_traffic(shares: list[float], networks: int) -> None:
    """The alias table, summed by hand; what networks resell as has none."""
    own = {f"s{k}": {"format": "display", "share": share} for k, share in enumerate(shares)}
    resold = {f"n{k}": {"format": "display"} for k in range(networks)}
    net = {"networks": {"n": {"buys": {"site": {"price": 0.1}}, "slots": resold}}} if networks else {}
    slots = world_of(publishers={"site": {"slots": own}}, **net).slots
    drawn = np.zeros(len(slots))
    np.add.at(drawn, np.arange(len(slots)), slots["alias_share"] / len(slots))
    np.add.at(drawn, slots["alias_ix"], (1.0 - slots["alias_share"]) / len(slots))
    np.testing.assert_allclose(drawn, [share / sum(shares) for share in shares] + [0.0] * networks, atol=1e-12)
