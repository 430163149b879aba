"""Bit tricks and distances against plain arithmetic."""

from __future__ import annotations

import math
from random import Random

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bidder.build import build_book, pack_bits
from bidder.core.targeting import audience_word, distance_km, inside_fence, lowest_bit
from bidder.plan import BidPlan, CampaignPlan, Directory, TargetPlan
from tests.oracles import bidder as oracle
from tests.oracles.bids import EARTH_RADIUS_KM

latitudes, longitudes = st.floats(-90, 90), st.floats(-180, 180)


@given(word=st.integers(1, 2**64 - 1))
def test_lowest_bit(word: int) -> None:
    assert lowest_bit(np.uint64(word)) == f"{word:b}"[::-1].index("1")


def test_lowest_bit_of_every_power_of_two() -> None:
    assert [lowest_bit(np.uint64(1 << k)) for k in range(64)] == list(range(64))
    assert [lowest_bit(np.uint64(2**64 - (1 << k))) for k in range(64)] == list(range(64))


@given(rows=st.integers(1, 3), count=st.integers(0, 200), seed=st.integers(0, 99))
def test_pack_bits(rows: int, count: int, seed: int) -> None:
    flags = np.random.default_rng(seed).random((rows, count)) < 0.5
    packed = pack_bits(flags)
    assert packed.shape == (rows, max(1, -(-count // 64)))
    for r in range(rows):
        value = sum(int(word) << (64 * k) for k, word in enumerate(packed[r]))
        assert value == sum(1 << j for j in range(count) if flags[r, j])


@given(a=latitudes, b=longitudes, c=latitudes, d=longitudes)
def test_distance(a: float, b: float, c: float, d: float) -> None:
    """Haversine against the angle between unit vectors: a millimetre at most, but metres at the antipodes."""
    expected = oracle.distance_km(a, b, c, d)
    near_antipode = expected > 20_000.0
    assert math.isclose(distance_km(a, b, c, d), expected, rel_tol=1e-9, abs_tol=1.0 if near_antipode else 1e-5)


def test_known_distances() -> None:
    assert math.isclose(distance_km(0, 0, 0, 90), math.pi / 2 * 6371.0088)
    assert math.isclose(distance_km(52.5200, 13.4050, 48.8566, 2.3522), 877.46, abs_tol=0.01)  # Berlin to Paris
    assert distance_km(10, 179.999, 10, -179.999) < 0.3


def _fenced(lat: float, lon: float, radius_km: float) -> CampaignPlan:
    target = TargetPlan(fence=(lat, lon, radius_km))
    return CampaignPlan("c", 1, 0.0, 1.0, "cpm", BidPlan("constant", 1.0), 1.0, target=target)


@given(
    lat=latitudes,
    lon=longitudes,
    radius_km=st.floats(0.1, 25_000),
    north=st.floats(-2, 2),
    east=st.floats(-2, 2),
)
def test_fence(lat: float, lon: float, radius_km: float, north: float, east: float) -> None:
    """Points around the edge of the disc, wherever it lies; within a metre of the edge either answer will do."""
    degrees = math.degrees(radius_km / EARTH_RADIUS_KM)
    there = (max(-90.0, min(90.0, lat + north * degrees)), lon + east * degrees)
    campaigns = build_book(
        [_fenced(lat, lon, radius_km)], Directory(("p",), ("s",), ("h",), (), (), ()), people_count=1
    )
    distance = oracle.distance_km(lat, lon, *there)
    if abs(distance - radius_km) > 1e-3 and distance < 20_000:
        assert inside_fence(campaigns.campaigns, 0, *there) == (distance <= radius_km)
    assert not inside_fence(campaigns.campaigns, 0, math.nan, math.nan)


@given(seed=st.integers(0, 2**32 - 1), campaigns=st.sampled_from([1, 64, 90]), segments=st.sampled_from([1, 8, 9, 130]))
def test_audience_words(seed: int, campaigns: int, segments: int) -> None:
    """any, all and none at once, over more than one word of campaigns and of segments."""
    rng = Random(seed)
    names = tuple(f"seg{j}" for j in range(segments))

    def some() -> tuple[str, ...]:
        return tuple(rng.sample(names, rng.randint(0, min(3, segments))))

    targets = [TargetPlan(any_segments=some(), all_segments=some(), none_segments=some()) for _ in range(campaigns)]
    plans = [CampaignPlan("c", 1, 0.0, 1.0, "cpm", BidPlan("constant", 1.0), 1.0, target=t) for t in targets]
    book = build_book(plans, Directory(("p",), ("s",), ("h",), (), names, ()), people_count=1)
    for chance in (0.0, 0.3, 0.8, 1.0):
        held = {name for name in names if rng.random() < chance}
        row = pack_bits(np.array([[name in held for name in names]]))[0]
        met = [
            c
            for word_ix in range(book.targets.shape[1])
            for c in range(64 * word_ix, 64 * word_ix + 64)
            if (int(audience_word(book, row, word_ix)) >> (c % 64)) & 1
        ]
        expected = [c for c, plan in enumerate(plans) if oracle.OracleBidder._right_audience(plan, held)]
        assert met == expected
