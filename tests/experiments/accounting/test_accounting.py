"""Accounting: tables made from a real run obey every identity, and say what the ledger says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from experiments.accounting.tables import account
from experiments.drivers.batch import run_batch
from experiments.results.conservation import identities
from experiments.results.tables import build_tables
from experiments.scenario.loader import load
from experiments.setting import make_ready

CASES = Path(__file__).parents[2] / "cases"
SMALL = ["traffic.requests_per_day=1500", "people.count=400"]


@pytest.mark.parametrize("case", ["parity-learned", "parity-first-price", "no-effect", "lognormal-values"])
def test_every_identity_holds(case: str) -> None:
    setting = make_ready(load(CASES / f"{case}.yaml", SMALL))
    ledger, book = run_batch(setting)
    tables = build_tables(account(setting, ledger, book))
    assert len(ledger.exposures) > 0
    assert [statement for statement, holds in identities(tables) if not holds] == []


def test_nothing_bought_gives_no_romi_and_no_error() -> None:
    setting = make_ready(load("learning", [*SMALL, "campaigns.buyers.budget.total=0.000000002"]))
    ledger, book = run_batch(setting)
    rows = build_tables(account(setting, ledger, book))["campaigns"].to_pylist()
    poor = next(row for row in rows if row["campaign_id"] == "buyers")
    assert poor["spend_nanos"] == 0
    assert poor["truth_romi"] is None


def test_value_of_private_campaigns_is_the_worth_of_what_they_bought() -> None:
    setting = make_ready(load(CASES / "lognormal-values.yaml", SMALL))
    ledger, book = run_batch(setting)
    row = build_tables(account(setting, ledger, book))["campaigns"].to_pylist()[0]
    assert row["truth_value_nanos"] == int(np.sum(ledger.exposures["worth_nanos"])) > 0


def test_planned_spend_adds_up_to_the_budget_of_a_campaign_inside_the_scenario() -> None:
    setting = make_ready(load("learning", SMALL))
    ledger, book = run_batch(setting)
    tables = build_tables(account(setting, ledger, book))
    planned = tables["delivery"].group_by("campaign_id").aggregate([("planned_spend_nanos", "sum")]).to_pylist()
    budgets = {row["campaign_id"]: row["budget_nanos"] for row in tables["campaigns"].to_pylist()}
    assert {row["campaign_id"]: row["planned_spend_nanos_sum"] for row in planned} == budgets
