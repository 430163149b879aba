"""From the bids of a scenario to the price list of the book."""

from __future__ import annotations

import math
from typing import Any

import pytest

from bidder.core.book import BID_PRICE, WORTH
from experiments.setting import make_ready
from tests.oracles.worlds import scenario_of

RATE = 0.002
ORTB = {"c": 2.0, "rate_per_cpm": 0.0004}


@pytest.mark.parametrize(
    ("bid", "cpm"),
    [
        ({"kind": "constant", "price": 1.5}, 1.5),
        ({"kind": "truthful", "multiplier": 0.5}, 1.0),
        ({"kind": "linear", "base_price": 3.0, "average_rate": 0.004}, 1.5),
        ({"kind": "mcpc", "max_ecpc": 0.8}, 1.6),
        ({"kind": "ortb1", **ORTB}, math.sqrt(2.0 / 0.0004 * RATE + 4.0) - 2.0),
        ({"kind": "ortb2", **ORTB}, 4.0 * math.sinh(math.asinh(RATE / 0.0008) / 3.0)),
        ({"kind": "shaded", "curve": {"kind": "uniform", "rivals": 3, "high": 9.0}}, 1.5),
        ({"kind": "shaded", "curve": {"kind": "uniform", "rivals": 3, "high": 1.2}}, 1.2),
        ({"kind": "shaded", "curve": {"kind": "lognormal", "median": 1.0, "sigma": 1.0}}, 0.919943),
        ({"kind": "shaded", "curve": {"kind": "lognormal", "median": 0.4, "sigma": 1.0}}, 0.4 * 1.671444),
        ({"kind": "ortb2", **ORTB, "max": 0.1}, 0.1),
    ],
)
def test_each_rule_reaches_the_price_list(bid: dict[str, Any], cpm: float) -> None:
    """A click is worth 1 and its rate 0.002, so an impression is worth 2 CPM."""
    campaign = {
        "product": "car",
        "budget": {"total": 10.0},
        "goal": {"kind": "cpc", "value": 1.0},
        "rates": {"ctr": RATE},
        "bid": bid,
    }
    book = make_ready(scenario_of(campaigns={"c": campaign}, products={"car": {"value": 10.0}})).new_book()
    assert book.prices[0, 0, WORTH] == 2_000_000
    assert book.prices[0, 0, BID_PRICE] == pytest.approx(cpm * 1e6, abs=1.0)
