"""Strategies in a scenario: where the file is found, what is carried along, and what each mistake is told as."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from experiments import own_strategies
from experiments.compile.buyer import compile_plans
from experiments.errors import ScenarioError
from experiments.own_strategies import load_strategies
from experiments.run import run_scenario
from experiments.scenario import Scenario
from experiments.scenario.loader import dump_yaml, load, load_text
from tests.command_line import bidlab

CASES = Path(__file__).parents[2] / "cases"
SOURCE = "def bid(opportunity):\n    return 0.5\n"


def one(campaign: str, folder: Path) -> Scenario:
    """The first campaign of the shipped scenario `learning` with further settings."""
    scenario = load("learning", [])
    name = next(iter(scenario.campaigns))
    text = (folder / "plan.yaml").read_text() if (folder / "plan.yaml").exists() else dump_yaml(scenario)
    return load_text(text, "plan.yaml", [f"campaigns.{name}.{line}" for line in campaign.splitlines()], folder)


def test_a_scenario_carries_the_text_and_loads_back_without_the_file() -> None:
    scenario = load(CASES / "parity-strategy.yaml")
    again = load_text(dump_yaml(scenario), "copy.yaml", folder=Path("/"))
    assert again == scenario
    plans = compile_plans(again)
    assert next(plan.bid.strategy.name for plan in plans if plan.bid.strategy) == "own_bids.py:fewer_times"
    assert plans[0].bid.strategy is not None
    assert plans[0].bid.strategy.source == (CASES / "own_bids.py").read_text()
    assert plans[3].bid.max_nanos == 900_000


def test_the_file_is_looked_for_beside_the_scenario_and_then_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    beside, here = tmp_path / "beside", tmp_path / "here"
    for folder in (beside, here):
        folder.mkdir()
        (folder / "b.py").write_text(f"# {folder.name}\n{SOURCE}")
    monkeypatch.chdir(here)
    setting = "bid={kind: truthful}\nstrategy=b.py:bid"
    assert next(iter(one(setting, beside).campaigns.values())).strategy_source == f"# beside\n{SOURCE}"
    (beside / "b.py").unlink()
    assert next(iter(one(setting, beside).campaigns.values())).strategy_source == f"# here\n{SOURCE}"


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ("strategy=b.py:nope", "b.py defines no function 'nope'"),
        ("strategy=missing.py:bid", "there is no file missing.py beside the scenario or here; `bidlab init"),
        ("strategy=b.py", "write file.py:function"),
        ("strategy=two.py:bid", "two.py:1: bid must take one argument"),
        ("strategy=broken.py:bid", "broken.py:2: is not Python"),
        ("strategy=latin.py:bid", "latin.py:1: is not UTF-8"),
        ("strategy=3", "must be text"),
        ("strategy_source=x", "is the text of no strategy"),
        ("strategy=b.py:bid\nbid={kind: constant, price: 1}", "says what to bid, and so does strategy"),
        ("strategy=b.py:bid\nbid={kind: truthful, multiplier: 0.5}", "says what to bid, and so does strategy"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_before_anything_runs(tmp_path: Path, settings: str, told: str) -> None:
    (tmp_path / "b.py").write_text(f"raise SystemExit\n{SOURCE}")
    (tmp_path / "two.py").write_text("def bid(a, b):\n    return a\n")
    (tmp_path / "broken.py").write_text("x = 1\ndef bid(o) return\n")
    (tmp_path / "latin.py").write_bytes(b"# caf\xe9\n")
    with pytest.raises(ScenarioError) as caught:
        one("bid={kind: truthful}\n" + settings, tmp_path)
    assert told in str(caught.value)
    assert ".strategy" in str(caught.value) or ".bid" in str(caught.value)


def test_a_file_that_fails_when_run_is_a_scenario_error(tmp_path: Path) -> None:
    (tmp_path / "b.py").write_text(f"import math\nmath.sqrt(-1)\n{SOURCE}")
    scenario = one("bid={kind: truthful}\nstrategy=b.py:bid", tmp_path)
    with pytest.raises(ScenarioError, match=r"strategy: b\.py:2: cannot be run: ValueError"):
        load_strategies(compile_plans(scenario))


def test_a_scenario_made_in_python_must_bring_the_text() -> None:
    data = load(CASES / "parity-strategy.yaml").model_dump()
    data["campaigns"]["plain"]["strategy_source"] = None
    with pytest.raises(ValueError, match="give its text in strategy_source"):
        Scenario.model_validate(data)


def test_the_starter_is_written_once(tmp_path: Path) -> None:
    assert bidlab(tmp_path, "init", "--strategy", "my_bid.py").code == 0
    refused = bidlab(tmp_path, "init", "--strategy", "my_bid.py")
    assert (refused.code, "is already there" in refused.stderr) == (1, True)
    assert bidlab(tmp_path, "init", "--strategy", "my_bid").code == 1
    assert one("bid={kind: truthful}\nstrategy=my_bid.py:bid", tmp_path)


def test_the_starter_buys_and_a_failing_one_is_told_of() -> None:
    starter = Path(own_strategies.__file__).with_name("starter_strategy.py").read_text()
    failing = "\ndef bid(o):\n    return o.nothing\n"
    for source, told in (
        (starter, None),
        (failing, r"campaign awareness: b\.py:bid gave no usable bid for .*b\.py:3: Attr"),
    ):
        given = {"strategy": "b.py:bid", "strategy_source": source, "bid": {"kind": "truthful"}}
        data = load("learning").model_dump()
        data |= {"days": 0.05, "campaigns": {"awareness": data["campaigns"]["awareness"] | given}}
        data["people"]["count"] = 200
        scenario = Scenario.model_validate(data)
        outcome = run_scenario(scenario, "")
        said = list(own_strategies.failures(compile_plans(scenario), outcome.tables))
        assert len(said) == (told is not None)
        assert told is None or re.match(told, said[0])
        assert (outcome.tables["exposures"].num_rows > 10) == (told is None)
