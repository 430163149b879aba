"""Markets at the edge of what a scenario may say: every rule with every pacing in each, and budgets stay whole.

No traffic, no feedback, prices of nothing and of the maximum, values too large and too small for any bid.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from bidder.core.codes import REASONS
from experiments.accounting.tables import account
from experiments.drivers.batch import run_batch
from experiments.results.conservation import identities
from experiments.results.summary import summarise
from experiments.results.tables import build_tables
from experiments.scenario.models import Scenario
from experiments.setting import make_ready
from experiments.tournament.run import run_tournament
from experiments.tournament.standings import agents_table
from tests.oracles.worlds import scenario_of

HIGHEST_CPM, LARGEST = 1_000_000.0, 1e12
UNIFORM = {"kind": "uniform", "rivals": 3, "high": 2.0}
RULES: dict[str, dict[str, Any]] = {
    "constant": {"kind": "constant", "price": 1.0},
    "truthful": {"kind": "truthful"},
    "linear": {"kind": "linear", "base_price": 1.0, "average_rate": 0.01},
    "mcpc": {"kind": "mcpc", "max_ecpc": 0.1},
    "ortb1": {"kind": "ortb1", "c": 1.0, "rate_per_cpm": 0.01},
    "ortb2": {"kind": "ortb2", "c": 1.0, "rate_per_cpm": 0.01},
    "lognormal": {"kind": "shaded", "curve": {"kind": "lognormal", "median": 1.0, "sigma": 0.5}},
    "uniform": {"kind": "shaded", "curve": UNIFORM},
}
PACINGS: dict[str, Any] = {
    "asap": "asap",
    "even": "even",
    "adaptive": {"kind": "adaptive", "step": 0.1},
    "multiplicative": {"kind": "adaptive", "form": "multiplicative", "step": 0.1},
    "planned": {"kind": "adaptive", "step": LARGEST, "auctions": 10.0, "highest": LARGEST},
    "pid": {"kind": "pid", "kp": 1e6, "ki": 1e6, "kd": 1e6},
}
OWN = "from numba import njit\n@njit\ndef bid(o):\n    return o.worth_cpm / (1.0 - o.spent / o.budget)\n"


def extreme(
    rules: dict[str, dict[str, Any]] = RULES, value: float = 1.0, total: float = 0.05, **parts: Any
) -> Scenario:
    """Forty-eight campaigns, every rule with every pacing, and one with a strategy of its own, for half a day."""
    shared = {"product": "p", "budget": {"total": total, "daily": total / 2}, "goal": {"kind": "cpc", "value": value}}
    shared |= {"rates": {"ctr": 0.01, "learned": True, "prior_impressions": 1.0}}
    campaigns = {
        f"{rule}-{pacing}": shared | {"bid": bid, "pacing": PACINGS[pacing]}
        for rule, bid in rules.items()
        for pacing in PACINGS
    }
    campaigns["own"] = shared | {"strategy": "own.py:bid", "strategy_source": OWN}
    base: dict[str, Any] = {
        "days": 0.5,
        "tick_s": 900.0,
        "products": {"p": {"effect": {"ctr": 0.01}}},
        "traffic": {"requests_per_day": 6000},
        "auction": {"kind": "second_price", "tie": "bidder"},
    }
    return scenario_of(campaigns=campaigns, **(base | parts))


NIGHT = [0.0] * 12 + [1.0] * 156
SAME_PRICE = {"kind": "histogram", "step": HIGHEST_CPM, "counts": [0, 1]}
AT_MOST = {"a": {"kind": "highest", "price": SAME_PRICE}}
DEAR_SITE = {"site": {"slots": {"slot": {"format": "display", "floor": HIGHEST_CPM}}}}
DEAR = {"constant": {"kind": "constant", "price": HIGHEST_CPM}, "truthful": {"kind": "truthful", "multiplier": LARGEST}}
HUGE = {name: {**rule, "max": HIGHEST_CPM} for name, rule in RULES.items()}

WORLDS: dict[str, tuple[Scenario, str]] = {
    "no traffic": (extreme(traffic={"requests_per_day": 1e6, "hours": NIGHT}), "nothing"),
    "no feedback": (extreme(products={"p": {"effect": {"ctr": 0.0}}}, value=50.0), "free"),
    "everybody clicks": (extreme(products={"p": {"effect": {"ctr": 1.0}}}), "free"),
    "price of nothing": (extreme(), "free"),
    "price of the maximum": (
        extreme(DEAR, value=1e6, total=1e9, publishers=DEAR_SITE, rivals=AT_MOST),
        "some",
    ),
    "above every budget": (extreme(DEAR, value=1e6, total=1.0, publishers=DEAR_SITE, rivals=AT_MOST), "nothing"),
    "value of the largest": (extreme(value=LARGEST, total=1e9), "free"),
    "value of the smallest": (extreme({"truthful": {"kind": "truthful", "multiplier": 1e-12}}, value=1e-12), "nothing"),
    "largest with a maximum": (
        extreme(HUGE, value=LARGEST, total=1e9, rivals=AT_MOST, auction={"kind": "first_price", "tie": "bidder"}),
        "some",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", WORLDS)
def test_budgets_stay_whole_and_figures_finite(name: str) -> None:
    scenario, bought = WORLDS[name]
    setting = make_ready(scenario)
    ledger, book = run_batch(setting)
    campaigns = book.campaigns
    for field in campaigns.dtype.names or ():
        assert np.isfinite(campaigns[field].astype(np.float64)).all(), field
    assert np.isfinite(book.cells).all()
    assert (book.prices >= 0).all()
    assert ((campaigns["spent_nanos"] >= 0) & (campaigns["spent_nanos"] <= campaigns["daily_nanos"])).all()
    assert not campaigns["reserved_nanos"].any()
    assert ((campaigns["multiplier"] >= 0) & (campaigns["multiplier"] <= 1)).all()
    tables = build_tables(account(setting, ledger, book))
    assert all(holds for _, holds in identities(tables)), identities(tables)
    summary = summarise(tables, "EUR")
    assert summary["total"]["spend"] == pytest.approx(campaigns["spent_nanos"].sum() / 1e9)
    spent, wins = int(campaigns["spent_nanos"].sum()), len(ledger.exposures)
    assert (wins > 0) == (bought != "nothing")
    assert (spent > 0) == (bought == "some")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["no traffic", "no feedback", "price of nothing", "price of the maximum"])
def test_a_tournament_there_has_finite_standings(name: str) -> None:
    setting = make_ready(WORLDS[name][0])
    played = run_tournament(setting)
    for row in agents_table(setting, played).to_pylist():
        assert 0 <= row["spend_nanos"] <= row["budget_nanos"] // 2
        assert 0 <= row["best_spend_nanos"] <= row["budget_nanos"] // 2 + 1
        assert row["bids"] >= row["impressions"] >= 0


def test_a_strategy_that_breaks_when_money_runs_out_stops_bidding() -> None:
    """The own strategy above divides by the budget left: at the end it is asked for the impossible and told no."""
    source = "from numba import njit\n@njit\ndef bid(o):\n    return 1.0 / (o.budget - o.spent - 0.01)\n"
    campaign = {
        "budget": {"total": 0.01},
        "goal": {"kind": "cpm", "value": 1.0},
        "bid": {"kind": "truthful", "max": 1.0},
    }
    campaigns = {"c": campaign | {"strategy": "own.py:bid", "strategy_source": source}}
    ledger, book = run_batch(make_ready(scenario_of(campaigns=campaigns, days=0.1)))
    assert ledger.auctions > 50
    assert ledger.tallies.reasons[0, REASONS.index("bad_bid")] == ledger.auctions
    assert book.campaigns["spent_nanos"][0] == 0
