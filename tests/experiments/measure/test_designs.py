"""Experiments inside the simulation: fair coins, the same luck, estimates that hold the truth; refusals."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from experiments.drivers.batch import run_batch
from experiments.errors import StudyError
from experiments.measure.designs import CONTROL, DESIGNS, designed, treated_places, twin_of
from experiments.measure.estimates import estimate
from experiments.measure.trials import repeat, summarise
from experiments.results.tables import read_parquet, schema_of
from experiments.scenario.loader import load
from experiments.setting import make_ready
from tests.command_line import bidlab

pytestmark = pytest.mark.slow

CASES = Path(__file__).parents[2] / "cases"
CASE = CASES / "ghost-ads.yaml"


def test_nobody_in_the_control_group_sees_the_campaign_and_the_twin_is_fair() -> None:
    base = load(CASE)
    setting = make_ready(designed(base, "tea-time", "ghost"))
    ledger, _ = run_batch(setting)
    bit = np.uint64(list(setting.scenario.people.interests).index(CONTROL))
    control = ((setting.world.interests >> bit) & np.uint64(1)) == 1
    assert abs(control.mean() - 0.5) < 4 * 0.5 / np.sqrt(len(control))
    names = [plan.campaign_id for plan in setting.plans]
    shown = ledger.exposures
    own, twin = (shown[shown["campaign_ix"] == names.index(name)] for name in ("tea-time", twin_of("tea-time")))
    assert not control[own["person_ix"]].any()
    assert control[twin["person_ix"]].all()
    # With money for everybody the two together buy exactly what the campaign alone would have bought of these people.
    alone = base.model_copy(update={"people": base.people.model_copy(update={"consent_share": 0.9})})
    plain, _ = run_batch(make_ready(alone))
    known = plain.exposures[plain.exposures["consent"] == 1]
    assert sorted(shown["auction_ix"].tolist()) == known["auction_ix"].tolist()


def test_psa_pays_for_its_control_group_and_ghost_ads_do_not() -> None:
    found = {design: repeat(load(CASE), "tea-time", design, 1)[0] for design in DESIGNS}
    assert found["psa"].extra_cost > 0.0
    assert found["ghost"].extra_cost == found["itt"].extra_cost == found["geo"].extra_cost == 0.0
    assert found["psa"].estimate == found["ghost"].estimate
    assert found["itt"].treated > found["ghost"].treated  # everybody assigned, not only who saw it
    for answer in found.values():
        assert answer.low is not None
        assert answer.forgone is not None
        assert answer.forgone > 0.0


def test_ghost_ads_are_unbiased_and_cover() -> None:
    """30 repeats here; 400 in `make romi-bars`."""
    told = summarise(
        repeat(load(CASE, ["traffic.requests_per_day=6000", "people.count=6000"]), "tea-time", "ghost", 30)
    )
    assert told.bias is not None
    assert told.bias_error is not None
    assert told.coverage is not None
    assert abs(told.bias) < 4 * told.bias_error
    assert told.coverage >= 0.8
    assert told.truth > 10


def test_without_effect_the_truth_is_exactly_zero() -> None:
    base = load(CASES / "no-effect.yaml", ["traffic.requests_per_day=15000", "people.count=4000"])
    setting = make_ready(designed(base, "useless", "ghost"))
    ledger, _ = run_batch(setting)
    found = estimate("ghost", setting, ledger, "useless")
    assert found.truth == 0
    assert found.forgone == 0.0


def test_an_empty_arm_has_no_estimate() -> None:
    setting = make_ready(
        designed(
            load(CASE, ["publishers.site.slots.slot.floor=9", "publishers.site.slots.clip.floor=9"]),
            "tea-time",
            "ghost",
        )
    )
    ledger, _ = run_batch(setting)
    found = estimate("ghost", setting, ledger, "tea-time")
    assert (found.estimate, found.low, found.high, found.covers) == (None, None, None, None)
    assert summarise([found]).estimate is None


def test_what_cannot_be_an_experiment_is_refused() -> None:
    base = load(CASE)
    with pytest.raises(StudyError, match="did you mean tea-time"):
        designed(base, "tea-tim", "ghost")
    with pytest.raises(StudyError, match="must be one of"):
        designed(base, "tea-time", "gohst")
    with pytest.raises(StudyError, match="--share"):
        designed(base, "tea-time", "ghost", 1.0)
    with pytest.raises(StudyError, match="places are too few"):
        designed(load("learning"), "buyers", "geo")
    with pytest.raises(StudyError, match="no product"):
        designed(load(CASES / "closed-world.yaml"), "scaled", "ghost")
    assert len(treated_places(base)) == len(base.places) / 2


def test_the_command(tmp_path: Path) -> None:
    command = ["measure", "experiment", str(CASE), "--campaign", "tea-time"]
    small = ["--set", "people.count=2000", "--design", "ghost", "--design", "geo", "--repeats", "2"]
    done = bidlab(tmp_path, *command, *small, "--out", str(tmp_path / "x"), "--json")
    assert done.code == 0, done.stderr
    assert [row["design"] for row in json.loads(done.stdout)["designs"]] == ["ghost", "geo"]
    assert read_parquet(tmp_path / "x" / "experiments.parquet").schema.equals(schema_of("experiments"))
    assert (tmp_path / "x" / "experiments.png").stat().st_size > 10_000
