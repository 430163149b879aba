"""Campaigns in parts, allocation over them, and phases that pay for one another."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pytest

from experiments.errors import StudyError
from experiments.funds.parts import split_all, split_campaign
from experiments.funds.phases import Phased, _cell, plan_phases, run_phases
from experiments.results.tables import read_parquet, schema_of
from experiments.scenario.loader import load
from experiments.sweep.cell import Cell, Outcome
from experiments.sweep.engine import compute
from tests.command_line import bidlab

pytestmark = pytest.mark.slow

SMALL = ["traffic.requests_per_day=20000", "people.count=2500", "days=6"]


@pytest.fixture(scope="module")
def found() -> Phased:
    """Three phases of `buyers`, two seeds."""
    slow = ["products.espresso-machine.effect.conversion=0.02", "products.espresso-machine.effect.delay_h=40"]
    base = load("learning", [*SMALL, *slow])
    plan = plan_phases(base, "buyers", 3, first=1.5, reinvest=0.01, seeds=2)
    return run_phases(plan, lambda cells: compute(cells))


def test_the_next_phase_has_what_the_last_brought_in(found: Phased) -> None:
    assert (found.truth[:2] > 0).all()
    assert found.budget[0].tolist() == [1.5, 1.5]
    assert found.budget[1:] == pytest.approx(0.01 * found.truth[:2], abs=1e-6)
    assert (found.spend <= found.budget + 1e-9).all()
    assert (found.spend > 0.9 * found.budget).all()
    assert found.cash[-1] == pytest.approx((found.truth - found.spend).sum(axis=0))
    assert (found.credited >= 0).all()


def test_later_phases_do_not_change_what_came_in_before(found: Phased) -> None:
    """Each stage's own figures for the phases so far are those of the last stage, to the nano."""
    stages: list[list[Outcome]] = []

    def kept(cells: object) -> list[Outcome]:
        assert isinstance(cells, list)
        assert all(isinstance(cell, Cell) for cell in cells)
        stages.append(compute(cells))
        return stages[-1]

    again = run_phases(found.plan, kept)
    assert (again.truth == found.truth).all()
    last = stages[-1]
    for k, stage in enumerate(stages):
        for early, late in zip(stage, last, strict=True):
            assert early.groups[: k + 1] == late.groups[: k + 1]  # type: ignore[union-attr]


def test_what_comes_in_late_is_counted_when_it_comes(found: Phased) -> None:
    """Phase 1 goes on selling after its end: its own purchases by the end of the run are more than by its own end."""
    plan = found.plan
    alone = run_phases(plan._replace(reinvest=1e-12), lambda cells: compute(cells))
    assert (alone.budget[1:] < 1e-6).all()
    assert alone.spend[1:].sum() == 0.0
    assert alone.truth[0].tolist() == found.truth[0].tolist()
    assert alone.truth[1:].sum() > 0


def test_a_daily_limit_above_a_phases_money_is_no_obstacle() -> None:
    """Three phases of 5.33 each under a daily limit of 9, and the limit is still there when a phase has more."""
    plan = plan_phases(load("learning"), "awareness", 3, seeds=1)
    assert plan.first == pytest.approx(16 / 3)
    budgets = np.array([5.0, 20.0, 3.0])
    cell = _cell(plan, budgets, 1)
    daily = [cell.scenario.campaigns[name].budget.daily for name in plan.phases]
    assert daily == [5.0, 9.0, 3.0]
    split, parts = split_all(load("learning"), ["awareness=time:4"])
    assert {split.campaigns[part].budget.daily for part in parts["awareness"]} == {4.0}


def test_flights_follow_one_another_and_channels_do_not_overlap() -> None:
    base = load("retail-launch")
    name = "app-reach" if "app-reach" in base.campaigns else next(iter(base.campaigns))
    split, parts = split_campaign(base, name, "time:4")
    flights = [split.campaigns[part] for part in parts]
    assert [part.removeprefix(f"{name}-") for part in parts] == ["1", "2", "3", "4"]
    assert all(a.end == b.start for a, b in itertools.pairwise(flights))
    assert sum(flight.budget.total for flight in flights) == pytest.approx(base.campaigns[name].budget.total)
    assert list(split.campaigns)[list(base.campaigns).index(name)] == parts[0]
    split, told = split_all(load("learning"), ["buyers=publisher", "awareness=device"])
    assert told["buyers"] == [f"buyers-{publisher}" for publisher in load("learning").publishers]
    targets = [split.campaigns[part].target.publishers for part in told["buyers"]]
    assert sorted(publisher for target in targets for publisher in target) == sorted(load("learning").publishers)
    assert len({tuple(split.campaigns[part].target.devices) for part in told["awareness"]}) == len(told["awareness"])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("buyers", "is not campaign=how"),
        ("buyer=format", "did you mean buyers"),
        ("buyers=weekday", "must be format, device, publisher or time:N"),
        ("buyers=time:1", "whole number of flights from 2"),
        ("buyers=format", "only one part"),
    ],
)
def test_parts_that_cannot_be_made_are_told(text: str, said: str) -> None:
    with pytest.raises(StudyError, match=said):
        split_all(load("learning", ["campaigns.buyers.target.formats=[display]"]), [text])


def test_phases_that_cannot_be_are_told() -> None:
    base = load("learning")
    for options, said in (
        ({"count": 1}, "whole number of flights"),
        ({"count": 3, "first": 0.0}, "--first 0"),
        ({"count": 3, "reinvest": 1.5}, "--reinvest 1.5"),
        ({"count": 3, "counted": "hope"}, "--count hope"),
    ):
        with pytest.raises(StudyError, match=said):
            plan_phases(base, "buyers", **options)  # type: ignore[arg-type]
    with pytest.raises(StudyError, match="did you mean buyers"):
        plan_phases(base, "buyer", 3)


def test_the_commands(tmp_path: Path) -> None:
    small = [part for change in SMALL for part in ("--set", change)]
    done = bidlab(
        tmp_path, "phases", "learning", "--campaign", "buyers", *small, "--seeds", "2", "--out", str(tmp_path), "--json"
    )
    assert done.code == 0, done.stderr
    told = json.loads(done.stdout)
    folder = Path(told["study"])
    table = read_parquet(folder / "phases.parquet")
    assert table.schema.equals(schema_of("phases"))
    assert len(table) == 6
    budgets = [row["budget"] for row in table.to_pylist() if row["phase"] == 1]
    assert told["phases"][0]["budget"] == pytest.approx(float(np.mean(budgets)))
    assert (folder / "phases.png").stat().st_size > 10_000
    split = ["--campaign", "buyers", "--split", "buyers=time:2", "--points", "4", "--seeds", "2", "--fresh", "2"]
    done = bidlab(tmp_path, "allocate", "learning", *small, *split, "--out", str(tmp_path), "--json")
    assert done.code == 0, done.stderr
    assert json.loads(done.stdout)["budgets"].keys() == {"buyers-1", "buyers-2"}
