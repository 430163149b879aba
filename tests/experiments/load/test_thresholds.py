"""What a load test is made of, without a bidder: schedule, thresholds, the search, prices, forgeries, windows."""

from __future__ import annotations

from typing import Any

import pytest

from bidder.plan import CapPlan
from exchange_sim.server.checks import Sound
from experiments.errors import RunError
from experiments.load.feedback import forged, price_of
from experiments.load.require import requirement
from experiments.load.search import find_max
from experiments.load.traffic import Pace, Schedule
from experiments.load.watch import most_within
from openrtb.messages import Deal


def test_most_exposures_in_a_window() -> None:
    assert most_within([], 10.0) == 0
    assert most_within([0.0, 5.0, 10.0], 10.0) == 2
    assert most_within([0.0, 5.0, 9.99, 10.0], 10.0) == 3
    assert CapPlan(1, 10.0, True).sliding


@pytest.mark.parametrize(
    ("at", "deal_at", "price"), [(1, None, 400), (2, None, 250), (2, 1, 400), (1, 2, 250), (1, 3, 100)]
)
def test_a_deal_says_what_is_paid_in_it(at: int, deal_at: int | None, price: int) -> None:
    assert price_of(Sound(400, 100, 1, Deal("d", at=deal_at)), at, 0.5) == price


def test_a_forgery_differs_in_one_character() -> None:
    url = "http://h/n?b=1&s=abcdefgh&p=2.5"
    lie = forged(url)
    assert sum(a != b for a, b in zip(url, lie, strict=True)) == 1
    assert lie.endswith("&p=2.5")


def test_the_ramp_and_the_rate() -> None:
    moments: list[float] = []
    schedule = Schedule(Pace(1000.0, 10.0, ramp_s=4.0), 3, moments.append)
    schedule.advance(100.0)
    assert schedule.next_s() == float("inf")
    assert moments == sorted(moments)
    assert moments[-1] < 10.0
    assert len(moments) == pytest.approx(8000, abs=300)
    assert sum(m < 2.0 for m in moments) == pytest.approx(500, abs=100)
    again: list[float] = []
    Schedule(Pace(1000.0, 10.0, ramp_s=4.0), 3, again.append).advance(100.0)
    assert again == moments


RESULT: dict[str, Any] = {
    "latency_ms": {"p99": 19.5, "p99.9": 40.0, "max": 50.0},
    "counts": {"timeouts": 2, "errors": 0, "bids": 500},
    **{"sent": 1000, "rate_per_s": 100.0, "violations": ["x"]},
}


@pytest.mark.parametrize(
    ("text", "met"),
    [
        ("p99<20ms", True),
        ("p99<19500us", False),
        ("p99<=0.0195s", True),
        ("p99.9 < 30 ms", False),
        ("max>=50ms", True),
        ("timeouts<0.1%", False),
        ("timeouts<=0.2%", True),
        ("timeouts=2", True),
        ("errors=0", True),
        ("bids>40%", True),
        ("rate>=100", True),
        ("violations=0", False),
    ],
)
def test_thresholds(text: str, met: bool) -> None:
    assert requirement(text).met(RESULT) == met


@pytest.mark.parametrize("text", ["p99", "p99<20", "p98<20ms", "timeouts<x%", "rate<5%", "p99<20%", "errors<3ms", ""])
def test_what_is_no_threshold_is_told(text: str) -> None:
    with pytest.raises(RunError, match="--require"):
        requirement(text)


@pytest.mark.parametrize("capacity", [0.5, 3.0, 170.0, 1000.0, 31_234.0])
def test_the_search_ends_just_below_what_holds(capacity: float) -> None:
    def run_at(rate: float) -> dict[str, Any]:
        late = 0 if rate <= capacity else 1000
        return {
            **RESULT,
            "sent": int(rate * 10),
            "counts": {"timeouts": late},
            "asked": {"duration_s": 10.0, "ramp_s": 0.0},
        }

    best, steps = find_max(run_at, 10.0, [requirement("timeouts<0.1%")])
    if capacity < 1.0:
        assert best is None
        assert steps[-1].rate_per_s == 1.0
        return
    assert best is not None
    assert capacity / 1.05 <= best.rate_per_s <= capacity
    assert len(steps) < 25
