"""Comparisons: differences by hand, intervals that shrink by pairing, and what cannot be paired."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

import numpy as np
import pytest

from experiments.compare.differences import ALL, MEASURES, differences, pairs
from experiments.compare.figure import figure
from experiments.compare.sides import Side, changed, check_pairs, read_sides
from experiments.errors import RunError, StudyError
from experiments.report.plots import style
from experiments.results.run_directory import RunDirectory
from experiments.results.tables import build_tables, read_parquet, schema_of
from tests.command_line import bidlab
from tests.experiments import synthetic_run

SCENARIO = "name: synthetic\nseed: {seed}\ntraffic:\n  requests_per_day: {requests}\n"


def write(folder: Path, seed: int, requests: int = 100, wins: int = 400, campaigns: int = 2, **manifest: str) -> Path:
    """A made-up run of *seed* whose scenario asks for *requests*."""
    tables = build_tables(
        synthetic_run.columns(campaigns=campaigns, wins=wins, conversions=60, products=1, days=1, seed=seed)
    )
    text = SCENARIO.format(seed=seed, requests=requests)
    return RunDirectory(folder).write(tables, synthetic_run.manifest(seed=seed, **manifest), text, report=False)


def row(spend: float, value: float, **more: float) -> dict[str, float]:
    """A campaign's row, money in currency units, margin a half."""
    zero = dict.fromkeys(("data_nanos", "attributed_conversions", "attributed_value_nanos", "truth_conversions"), 0.0)
    amounts = {"spend_nanos": spend * 1e9, "truth_value_nanos": value * 1e9, "margin": 0.5}
    return {**zero, "impressions": 1000.0, "clicks": 1.0, "truth_reach": 10.0, **amounts, **more}


def side(label: str, *rows: dict[str, float]) -> Side:
    """A side of one campaign with a seed per row."""
    return Side(label, "EUR", {seed: {"c": row} for seed, row in enumerate(rows)}, {})


def test_differences_by_hand() -> None:
    a, b = side("a", row(10, 30), row(20, 50)), side("b", row(12, 40), row(24, 62))
    found = {(d.campaign_id, d.measure): d for d in differences([a, b], [0, 1])}
    assert found["c", "spend"].difference.mean == pytest.approx(3.0)
    assert found["c", "value"].difference.mean == pytest.approx(11.0)
    # Student's t with one degree of freedom is 12.706; the differences 10 and 12 have a standard error of 1
    assert found["c", "value"].difference.high == pytest.approx(11.0 + 12.7062, rel=1e-4)
    assert found["c", "profit"].difference.mean == pytest.approx((20 - 12 + 31 - 24 - 15 + 10 - 25 + 20) / 2)
    assert found["c", "romi"].before == pytest.approx((40 - 30) / 30)
    assert found["c", "romi"].difference.mean == pytest.approx((51 - 36) / 36 - (40 - 30) / 30)
    assert found["c", "spend"].variance_cut == pytest.approx((25 + 36) / 1)
    assert found[ALL, "spend"].difference == found["c", "spend"].difference
    assert (ALL, "reach") not in found
    assert {measure for _, measure in found} == set(MEASURES)
    kept = [r for r in pairs([a, b], [0, 1]) if r["measure"] == "value" and r["campaign_id"] == "c"]
    assert [(r["seed"], r["before"], r["after"], r["difference"]) for r in kept] == [(0, 30, 40, 10), (1, 50, 62, 12)]


def test_a_ratio_moved_by_the_same_luck_on_both_sides_has_a_narrow_interval() -> None:
    """Both sides' values share their luck; the ratio's difference is 0.2 and hardly varies, each ratio varies a lot."""
    rng = np.random.default_rng(1)
    luck = rng.normal(0, 5, 30)
    a = side("a", *(row(10, 30 + u) for u in luck))
    b = side("b", *(row(10, 34 + u + e) for u, e in zip(luck, rng.normal(0, 0.1, 30), strict=True)))
    band = next(d.difference for d in differences([a, b], range(30)) if d.measure == "romi")
    assert band.low is not None
    assert band.high is not None
    assert band.low < 0.2 < band.high
    assert band.high - band.low < 0.02


def test_nothing_spent_has_no_return_and_one_pair_no_interval() -> None:
    found = {d.measure: d for d in differences([side("a", row(0, 0, impressions=0)), side("b", row(5, 9))], [0])}
    assert found["romi"].before is None
    assert found["romi"].difference == (None, None, None)
    assert found["cpm"].difference.mean is None
    assert found["spend"].difference == (5.0, None, None)
    assert found["spend"].variance_cut is None
    with style.look():
        plot = figure(list(found.values()), "EUR", 1)
        assert "no interval" in plot.caption
        assert style.png_of(plot).startswith(b"\x89PNG")


def test_sides_from_runs_and_folders_of_runs(tmp_path: Path) -> None:
    for seed in (3, 4, 5):
        write(tmp_path / "a" / f"run-{seed}", seed)
        write(tmp_path / "b" / f"run-{seed}", seed, requests=200, wins=500)
    sides = read_sides([tmp_path / "a", tmp_path / "b"])
    assert [s.label for s in sides] == ["a", "b"]
    assert check_pairs(sides) == [3, 4, 5]
    assert changed(*sides) == ["traffic.requests_per_day: 100 -> 200"]
    alone = read_sides([tmp_path / "a" / "run-4", tmp_path / "b"])
    assert check_pairs(alone) == [4]
    spend = next(d for d in differences(alone, [4]) if d.measure == "spend")
    table = read_parquet(tmp_path / "a" / "run-4" / "campaigns.parquet").to_pylist()
    assert spend.before == pytest.approx(sum(r["spend_nanos"] + r["data_nanos"] for r in table) / 1e9)


def test_what_cannot_be_paired_is_told(tmp_path: Path) -> None:
    first, other_seed = write(tmp_path / "first", 1), write(tmp_path / "second", 2)
    dollars, mixed = write(tmp_path / "dollars", 1, currency="USD"), tmp_path / "mixed"
    write(mixed / "x", 1)
    write(mixed / "y", 2, requests=7)
    twice = tmp_path / "twice"
    shutil.copytree(first, twice / "x")
    shutil.copytree(first, twice / "y")
    (tmp_path / "empty").mkdir()
    for paths, said in (
        ([first, other_seed], "no seed is in all of them"),
        ([first, dollars], "its money is USD"),
        ([first, first], "given twice"),
        ([first], "one thing only"),
        ([first, mixed], "traffic.requests_per_day of y is not that of x"),
        ([first, twice], "holds seed 1 twice"),
        ([first, tmp_path / "empty"], "is no finished run"),
        ([first, tmp_path / "nowhere"], "is no finished run"),
    ):
        with pytest.raises(StudyError, match=said):
            check_pairs(read_sides(paths))
    foreign = Side("foreign", "EUR", {1: {"somebody-else": row(1, 1)}}, {})
    with pytest.raises(StudyError, match="no campaign in common"):
        check_pairs([read_sides([first, other_seed])[0], foreign])
    (first / "campaigns.parquet").write_bytes(b"")
    with pytest.raises(RunError, match=r"campaigns\.parquet"):
        read_sides([first, other_seed])


@pytest.mark.slow
def test_the_command_on_a_sweep(tmp_path: Path) -> None:
    """Its rows agree with the table of the sweep, and pairing cuts the variance of spend."""
    small = ["--set", "traffic.requests_per_day=3000", "--set", "people.count=500", "--seeds", "3"]
    vary = ["--vary", "campaigns.buyers.budget.total=0.5,0.6"]
    swept = bidlab(tmp_path, "sweep", "learning", *small, *vary, "--out", str(tmp_path), "--json")
    assert swept.code == 0, swept.stderr
    folder = json.loads(swept.stdout)["sweep"]
    done = bidlab(tmp_path, "compare", folder, "--out", str(tmp_path / "studies"), "--json")
    assert done.code == 0, done.stderr
    told = json.loads(done.stdout)
    assert len(told["seeds"]) == 3
    study = Path(told["study"])
    assert (study / "comparison.png").stat().st_size > 10_000
    for name in ("comparison", "comparison_pairs"):
        assert read_parquet(study / f"{name}.parquet").schema.equals(schema_of(name))
    found = {(r["campaign_id"], r["measure"]): r for r in told["rows"]}
    spends: dict[int, list[float]] = {}
    for r in read_parquet(Path(folder) / "sweep_campaigns.parquet").to_pylist():
        if r["campaign_id"] == "buyers":
            spends.setdefault(r["cell"], []).append((r["spend_nanos"] + r["data_nanos"]) / 1e9)
    cells = [sum(spends[cell]) for cell in sorted(spends)]
    expected = (sum(cells[3:]) - sum(cells[:3])) / 3
    assert math.isclose(found["buyers", "spend"]["difference"], expected, abs_tol=1e-9)
    assert expected > 0
