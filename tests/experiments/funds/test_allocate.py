"""The command from curves to proof, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from experiments.errors import StudyError
from experiments.funds.allocate import Allocation, allocate, planned, proof_cells, prove, questions
from experiments.results.tables import read_parquet, schema_of
from experiments.romi.curve import curve_of
from experiments.romi.points import collect
from experiments.scenario.loader import load
from experiments.scenario.models import Scenario
from experiments.sweep.engine import compute
from tests.command_line import bidlab

pytestmark = pytest.mark.slow

SMALL = ["traffic.requests_per_day=12000", "people.count=3000", "campaigns.awareness.budget={total: 8, daily: 4}"]


@pytest.fixture(scope="module")
def shared_out() -> tuple[Scenario, Allocation]:
    """Two campaigns of `learning`, their money shared anew."""
    base = load("learning", SMALL)
    asked = questions(base, ["awareness", "buyers"], 17.0, 4, 3)
    curves = {name: curve_of(collect(question, compute(question.cells()))) for name, question in asked.items()}
    return base, allocate(curves, 17.0)


def test_the_new_plan_spends_what_the_split_wants_and_its_gain_is_measured_on_other_seeds(
    shared_out: tuple[Scenario, Allocation],
) -> None:
    base, allocation = shared_out
    assert sum(allocation.after.spend) <= 17.0 * (1 + 1e-9)
    assert allocation.expected >= 0.0
    cells, seeds = proof_cells(base, allocation, 3)
    assert not set(seeds) & {s for c in allocation.curves.values() for s in c.points.question.seeds}
    outcomes = compute(cells)
    proof = prove(outcomes, seeds)
    assert proof.spend.mean == pytest.approx(sum(allocation.after.spend) - sum(allocation.before.spend), abs=0.5)
    new, off = planned(base, allocation.budgets)
    assert off == ()
    budget = new.campaigns["awareness"].budget
    assert budget.daily == pytest.approx(budget.total / 2)


def test_a_campaign_that_gets_nothing_is_switched_off(shared_out: tuple[Scenario, Allocation]) -> None:
    base, allocation = shared_out
    less = allocate(allocation.curves, 5.0, bounds={"awareness": (0.0, 0.0)})
    assert less.budgets["awareness"] == 0.0
    plan, off = planned(base, less.budgets)
    assert off == ("awareness",)
    assert plan.campaigns["awareness"] == base.campaigns["awareness"]


def test_goals_and_bounds_that_cannot_be_met_are_refused(shared_out: tuple[Scenario, Allocation]) -> None:
    curves = shared_out[1].curves
    for arguments, said in (
        ({"goal": "fame"}, "must be one of"),
        ({"goal": "romi"}, "needs a --target"),
        ({"target": 1.0}, "takes no --target"),
        ({"bounds": {"awarenes": (0.0, 1.0)}}, "no such campaign"),
        ({"bounds": {"buyers": (6.0, 5.0)}}, "above the upper"),
        ({"bounds": {"buyers": (900.0, 1000.0)}}, "cannot spend more"),
        ({"goal": "romi", "target": 1e9}, "cannot be reached"),
    ):
        with pytest.raises(StudyError, match=said):
            allocate(curves, 17.0, **arguments)  # type: ignore[arg-type]
    with pytest.raises(StudyError, match="twice"):
        questions(shared_out[0], ["buyers", "buyers"], 5.0, 4, 1)


def test_the_command(tmp_path: Path) -> None:
    small = [part for change in SMALL for part in ("--set", change)]
    command = ["allocate", "learning", *small, "--points", "4", "--seeds", "2"]
    done = bidlab(tmp_path, *command, "--fresh", "2", "--out", str(tmp_path), "--json")
    assert done.code == 0, done.stderr
    folder = Path(json.loads(done.stdout)["study"])
    assert read_parquet(folder / "allocation.parquet").schema.equals(schema_of("allocation"))
    assert load(folder / "scenario.yaml").campaigns.keys() == load("learning").campaigns.keys()
    refused = bidlab(tmp_path, *command, "--bound", "buyers=2")
    assert refused.code == 1
    assert refused.stderr.startswith("bidlab: --bound buyers=2: is not campaign=low:high")
    refused = bidlab(tmp_path, *command, "--bound", "buyers=30:20")
    assert (
        refused.stderr
        == "bidlab: --bound buyers=30:20: the lower bound is above the upper; give the smaller number first\n"
    )
