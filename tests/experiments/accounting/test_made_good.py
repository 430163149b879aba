"""What guaranteed deals delivered after they were due: counted from what was bought, deal by deal."""

from __future__ import annotations

from typing import Any

import pytest

from exchange_sim.selling.rules import WAY_GUARANTEED
from experiments.accounting.tables import account
from experiments.drivers.batch import run_batch
from experiments.results.tables import build_tables
from experiments.scenario.loader import load
from experiments.scenario.models import Scenario
from experiments.setting import make_ready

SMALL = ["traffic.requests_per_day=3000", "people.count=500", "days=1"]
ORDER = {"publisher": "sports-tv", "kind": "guaranteed", "floor": 1.6, "probability": 1e-9}


def delivered(deals: dict[str, Any]) -> tuple[list[dict[str, Any]], list[float]]:
    """Rows of the deals, and the times at which anything guaranteed was delivered."""
    data = load("sell-guaranteed", [*SMALL, "deals.order.impressions=100"]).model_dump()
    data["deals"] = deals
    data["campaigns"]["shoes-order"]["target"] = {"deals": list(deals)}
    setting = make_ready(Scenario.model_validate(data))
    ledger, book = run_batch(setting)
    times = ledger.exposures["time_s"][ledger.exposures["way"] == WAY_GUARANTEED].tolist()
    return build_tables(account(setting, ledger, book))["deals"].to_pylist(), times


@pytest.mark.parametrize(("days", "late"), [(1.0, False), (0.3, True)])
def test_what_comes_after_the_due_day_is_made_good(days: float, late: bool) -> None:
    (row,), times = delivered({"order": ORDER | {"impressions": 80, "days": days}})
    assert row["delivered"] == len(times) == 80
    assert row["made_good"] == sum(time_s >= days * 86400.0 for time_s in times)
    assert (row["made_good"] > 0) is late


def test_deals_on_one_slot_are_told_apart() -> None:
    """The first takes all until it has what it owes; what is left is the second's, most of it late."""
    first, second = (ORDER | {"impressions": n, "days": 0.3} for n in (30, 40))
    rows, times = delivered({"first": first, "second": second})
    assert [row["delivered"] for row in rows] == [30, 40]
    late = [time_s >= 0.3 * 86400.0 for time_s in sorted(times)]
    assert [row["made_good"] for row in rows] == [sum(late[:30]), sum(late[30:])]
    assert rows[1]["made_good"] > 0
