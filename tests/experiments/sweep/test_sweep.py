"""Sweeps: each cell once, the same bytes whatever was killed and however many workers, failures kept."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from experiments.drivers.batch import run_batch
from experiments.errors import ScenarioError, SweepError
from experiments.results.tables import read_parquet, schema_of
from experiments.scenario.loader import load
from experiments.setting import make_ready
from experiments.sweep.cell import Cell, Failure, Measured, cell_id, from_json, market_key, to_json
from experiments.sweep.engine import compute
from experiments.sweep.grid import grid, varied
from experiments.sweep.laboratory import Laboratory, measure
from experiments.sweep.store import Store
from experiments.sweep.values import numbers, split_values
from tests.command_line import bidlab
from tests.patience import wait_until

BIDLAB = [sys.executable, "-m", "experiments.cli"]
SMALL = ["traffic.requests_per_day=3000", "people.count=500"]
BUDGET = "campaigns.buyers.budget.total"


def cells_of(count: int = 4) -> list[Cell]:
    """Cells of two markets (seeds), taken in turns."""
    base = load("learning", SMALL)
    return [Cell(varied(base, {BUDGET: 2.0 + k // 2}).model_copy(update={"seed": 1 + k % 2})) for k in range(count)]


def test_values_as_people_type_them() -> None:
    assert split_values("--vary x=", "1,2,a") == [1, 2, "a"]
    assert split_values("--vary x=", "10:30:10") == [10, 20, 30]
    assert split_values("--vary x=", "0.1:0.3:0.1") == [0.1, 0.2, 0.3]
    assert split_values("--vary x=", "1:1000:*10") == [1, 10, 100, 1000]
    assert numbers("--budgets", "5,1,5") == [1.0, 5.0]
    for bad in ("", "5:1:1", "1:5:0", "0:5:*2", "1:2:1e-9", "[1"):
        with pytest.raises(SweepError, match="--vary"):
            split_values("--vary x=", bad)
    for bad in ("0,1", "a", "true", "-1"):
        with pytest.raises(SweepError, match="--budgets"):
            numbers("--budgets", bad)


def test_a_grid_has_every_combination_and_keeps_what_is_refused() -> None:
    base = load("learning", SMALL)
    points = grid(base, [f"{BUDGET}=3,-1,4", "tick_s=300,600"], 2)
    assert len(points) == 12
    assert [p.seed for p in points[:2]] == [base.seed, base.seed + 1]
    refused = [p for p in points if isinstance(p.cell, Failure)]
    assert len(refused) == 4
    assert all("budget.total" in p.cell.message for p in refused if isinstance(p.cell, Failure))
    with pytest.raises(SweepError, match="no combination"):
        grid(base, [f"{BUDGET}=-1,-2"], 1)
    with pytest.raises(SweepError, match="the same path twice"):
        grid(base, ["days=1", "days=2"], 1)
    with pytest.raises(ScenarioError, match="did you mean"):
        varied(base, {"campaigns.buyerz.budget.total": 3})


def test_a_shared_market_gives_what_a_run_of_its_own_gives() -> None:
    """Two budgets in one market, one after the other, and each alone: the same figures to the last unit."""
    laboratory = Laboratory()
    for cell in cells_of(4):
        setting = make_ready(cell.scenario)
        assert laboratory.run(cell) == measure(setting, *run_batch(setting))


def test_what_shares_a_market_and_what_does_not() -> None:
    base = load("learning", SMALL)
    same = [varied(base, {BUDGET: 1.0}), varied(base, {"campaigns.buyers.bid.multiplier": 0.5})]
    assert {market_key(scenario) for scenario in same} == {market_key(base)}
    other = [varied(base, {"seed": 9}), varied(base, {"people.count": 501}), varied(base, {"tick_s": 60})]
    assert len({market_key(scenario) for scenario in [base, *other]}) == 4
    ids = [cell_id(Cell(base)), cell_id(Cell(base, ("buyers",))), *(cell_id(Cell(s)) for s in same)]
    assert len(set(ids)) == 4


@pytest.mark.slow
def test_one_worker_and_two_give_the_same_bytes_and_nothing_runs_twice(tmp_path: Path) -> None:
    cells = cells_of(6)
    ran: list[bool] = []
    one = compute(cells, store=Store(tmp_path / "one"), on_cell=lambda done, total, run: ran.append(run))
    assert ran == [True] * 6
    two = compute(cells, store=Store(tmp_path / "two"), workers=2)
    assert one == two
    files = {file.relative_to(tmp_path / "one"): file.read_bytes() for file in (tmp_path / "one").rglob("*.json")}
    assert files == {f.relative_to(tmp_path / "two"): f.read_bytes() for f in (tmp_path / "two").rglob("*.json")}
    ran.clear()
    assert compute(cells, store=Store(tmp_path / "one"), on_cell=lambda done, total, run: ran.append(run)) == one
    assert ran == [False] * 6


def test_a_failure_keeps_its_scenario_and_the_rest_continue(tmp_path: Path) -> None:
    good = cells_of(2)
    broken = Cell(good[0].scenario.model_copy(update={"driver": "nonsense"}))
    store = Store(tmp_path)
    outcomes = compute([good[0], broken, good[1]], store=store)
    assert isinstance(outcomes[1], Failure)
    assert isinstance(outcomes[0], Measured)
    assert isinstance(outcomes[2], Measured)
    name = cell_id(broken)
    assert "driver: nonsense" in (tmp_path / "failed" / f"{name}.yaml").read_text()
    assert json.loads((tmp_path / "failed" / f"{name}.json").read_text())["message"]
    assert store.get(broken) is None


def test_a_damaged_cell_is_run_again(tmp_path: Path) -> None:
    (cell,) = cells_of(1)
    store = Store(tmp_path)
    (outcome,) = compute([cell], store=store)
    assert isinstance(outcome, Measured)
    assert from_json(to_json(outcome)) == outcome
    path = store.path(cell_id(cell))
    path.write_bytes(path.read_bytes()[:-40])
    assert store.get(cell) is None
    assert compute([cell], store=store) == [outcome]
    assert store.get(cell) == outcome


def test_cells_that_cannot_be_kept_are_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SweepError, match="cells cannot be kept here"):
        Store(tmp_path / "file" / "cells")


def sweep(folder: Path, *more: str) -> list[str]:
    """A sweep of 12 cells."""
    small = [part for change in SMALL for part in ("--set", change)]
    return [
        *BIDLAB,
        "sweep",
        "learning",
        *small,
        "--vary",
        f"{BUDGET}=2:7:1",
        "--seeds",
        "2",
        "--out",
        str(folder),
        *more,
    ]


def finished_in(folder: Path) -> list[Path]:
    """Files of the cells that are finished."""
    return sorted(folder.glob("cells/??/*.json"))


@pytest.mark.slow
@pytest.mark.parametrize("workers", ["1", "2"])
def test_kill_9_in_the_middle_then_the_same_command_finishes(tmp_path: Path, workers: str) -> None:
    """Cells finished before the kill keep their files untouched; no cell is run twice; the tables are as without it."""
    for days in (8, 32, 128):  # where this process is held up for too long, all is finished before the kill
        out = tmp_path / f"{days}"
        slow = ("--workers", workers, "--set", f"days={days}", "--set", "traffic.requests_per_day=25000")
        process = subprocess.Popen(sweep(out, *slow), start_new_session=True, stdout=subprocess.DEVNULL)
        wait_until(lambda: len(finished_in(out)) >= 3, pause_s=0.005, within_s=1200.0)  # noqa: B023
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        before = {path: (path.stat().st_mtime_ns, path.stat().st_ino) for path in finished_in(out)}
        if len(before) < 12:
            break
    assert 3 <= len(before) < 12
    done = subprocess.run([*sweep(out, *slow), "--json"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["cells"] == 12
    assert told["kept"] == len(before)
    assert told["ran"] == 12 - len(before)
    assert {path: (path.stat().st_mtime_ns, path.stat().st_ino) for path in before} == before
    assert len(finished_in(out)) == 12
    assert not list(out.rglob(".partial*"))


@pytest.mark.slow
def test_the_command_leaves_tables_and_tells_failures(tmp_path: Path) -> None:
    small = [part for change in SMALL for part in ("--set", change)]
    command = ["sweep", "learning", *small, "--vary", f"{BUDGET}=2,-1", "--seeds", "2", "--out", str(tmp_path)]
    done = bidlab(tmp_path, *command)
    assert done.code == 1
    assert "2 of 4 cells failed" in done.stderr
    assert "Traceback" not in done.stderr
    assert "4 cells: 2 run, 0 kept from before, 2 failed" in done.stdout
    (folder,) = tmp_path.glob("learning-*")
    for name in ("sweep_settings", "sweep_campaigns"):
        assert read_parquet(folder / f"{name}.parquet").schema.equals(schema_of(name))
    rows = list(csv.DictReader((folder / "sweep.csv").open()))
    assert {row[BUDGET] for row in rows} == {"2"}
    assert {row["campaign_id"] for row in rows} == {"awareness", "buyers"}
    assert len(read_parquet(folder / "sweep_settings.parquet")) == 8
