"""Forecasts: budgets buy more, the cap really bites; reconciliation of a plan with a run."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from experiments.errors import RunError, StudyError
from experiments.funds.forecast import cells_of, forecast, rows_of
from experiments.funds.reconcile import read_both, reconcile
from experiments.results.run_directory import RunDirectory
from experiments.results.tables import read_parquet, schema_of
from experiments.romi.question import BUDGET, ask
from experiments.run import run_scenario
from experiments.scenario.loader import load
from experiments.sweep.engine import compute
from tests.command_line import bidlab

pytestmark = pytest.mark.slow

SMALL = ["traffic.requests_per_day=12000", "people.count=1500"]


def test_the_frequency_cap_changes_frequency_and_reach() -> None:
    """Same budget, looser caps: more impressions a person, fewer people reached per impression."""
    base = load("learning", [*SMALL, "campaigns.awareness.budget={total: 1000}", "campaigns.awareness.pacing=asap"])
    assert base.campaigns["awareness"].caps
    question = ask(base, "awareness", "caps.0.limit", [1, 2, 5], 3)
    found = forecast(question, compute(cells_of(question)))
    mean = {name: grid.mean(axis=1) for name, grid in found.measures.items()}
    assert (np.diff(mean["frequency"]) > 0.05).all()
    assert (np.diff(mean["impressions"]) > 0).all()
    assert abs(mean["reach"][-1] / mean["reach"][0] - 1) < 0.05


def test_more_budget_delivers_more_and_the_band_holds_its_mean() -> None:
    base = load("learning", SMALL)
    question = ask(base, "buyers", BUDGET, [1.0, 2.0, 4.0], 4)
    rows = rows_of(forecast(question, compute(cells_of(question))))
    spend = [row for row in rows if row["measure"] == "spend"]
    assert [row["current"] for row in spend] == [False, False, False, True]
    assert all(row["low"] <= row["mean"] <= row["high"] <= row["value"] + 1e-9 for row in spend)
    assert spend[0]["mean"] < spend[1]["mean"] < spend[2]["mean"]
    cpa = [row for row in rows if row["measure"] == "cpa"]
    assert all(row["mean"] is None or row["mean"] > 0 for row in cpa)


def test_a_campaign_without_product_can_be_forecast_but_earns_nothing() -> None:
    from tests.oracles.worlds import scenario_of

    question = ask(scenario_of(), "c", BUDGET, [0.5], 2, needs_return=False)
    rows = rows_of(forecast(question, compute(cells_of(question))))
    assert next(row for row in rows if row["measure"] == "cpa")["mean"] is None
    with pytest.raises(StudyError, match="advertises no product"):
        ask(scenario_of(), "c", BUDGET, [0.5], 2)


def test_plan_run_and_bill_with_their_differences(tmp_path: Path) -> None:
    lossy = ["driver=events", "wire.lost_notices=0.3", "traffic.requests_per_day=1500", "people.count=800"]
    outcome = run_scenario(load("learning", lossy), "bidlab run x")
    with RunDirectory(tmp_path / "run") as directory:
        directory.write(outcome.tables, outcome.manifest, outcome.scenario_yaml, report=False)
    plan, run = read_both("learning", tmp_path / "run")
    rows = {row["campaign_id"]: row for row in reconcile(plan, run)}
    table = {row["campaign_id"]: row for row in outcome.tables["campaigns"].to_pylist()}
    for name, row in rows.items():
        assert row["planned_nanos"] - row["delivered_nanos"] == row["gap_nanos"]
        assert row["delivered_nanos"] == table[name]["spend_nanos"]
        assert row["billed_nanos"] + row["unbilled_nanos"] == row["delivered_nanos"]
        assert "under plan" in row["explanation"]
    assert any(row["unbilled_nanos"] > 0 and "win notices were lost" in row["explanation"] for row in rows.values())
    other = load("learning", ["campaigns.buyers.budget.total=20"])
    told = {row["campaign_id"]: row["explanation"] for row in reconcile(other, run)}
    assert "the run's budget was" in told["buyers"]
    renamed = other.model_copy(update={"campaigns": {"new": other.campaigns["buyers"]}})
    told = {row["campaign_id"]: row["explanation"] for row in reconcile(renamed, run)}
    assert told["new"] == "planned, but not in the run"
    assert told["buyers"] == "ran, but is not in the plan"
    done = bidlab(tmp_path, "reconcile", "learning", str(tmp_path / "run"), "--out", str(tmp_path / "r"), "--json")
    assert done.code == 0, done.stderr
    assert len(json.loads(done.stdout)) == 2
    assert read_parquet(tmp_path / "r" / "reconciliation.parquet").schema.equals(schema_of("reconciliation"))
    with pytest.raises(RunError, match="not the folder of a whole run"):
        read_both("learning", tmp_path)


def test_the_forecast_command(tmp_path: Path) -> None:
    small = [part for change in SMALL for part in ("--set", change)]
    command = ["forecast", "learning", "--campaign", "awareness", "--vary", "caps.0.limit=1,3", "--seeds", "2"]
    done = bidlab(tmp_path, *command, *small, "--out", str(tmp_path), "--json")
    assert done.code == 0, done.stderr
    folder = Path(json.loads(done.stdout)["study"])
    assert read_parquet(folder / "forecast.parquet").schema.equals(schema_of("forecast"))
    assert (folder / "forecast.png").stat().st_size > 10_000
