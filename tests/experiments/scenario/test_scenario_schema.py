"""The JSON Schema, the reference page, and the commands init and validate."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from experiments.scenario import load
from experiments.scenario.document import parse
from experiments.scenario.loader import SHIPPED, shipped_names
from experiments.scenario.page import reference_page, undocumented
from experiments.scenario.schema import scenario_schema
from tests.command_line import bidlab

ROOT = Path(__file__).parents[3]
CASES = sorted((ROOT / "tests" / "cases").glob("*.yaml"))
SCENARIOS = [SHIPPED / f"{name}.yaml" for name in shipped_names()] + CASES


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(scenario_schema())


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_every_scenario_at_hand_fits_the_schema(path: Path) -> None:
    jsonschema.Draft202012Validator(scenario_schema()).validate(parse(path.read_text("utf-8")).data)


@pytest.mark.parametrize(
    ("key", "value"),
    [("dayz", 1), ("days", "1"), ("days", -1), ("tick_s", None), ("places", {"a b": {"share": 1}}), ("start", "soon")],
)
def test_the_schema_refuses_what_the_model_refuses(key: str, value: object) -> None:
    data = parse((SHIPPED / "learning.yaml").read_text("utf-8")).data
    data[key] = value
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(scenario_schema()).validate(data)


def test_every_setting_has_a_description() -> None:
    assert undocumented() == []


def test_the_reference_page_is_fresh() -> None:
    page = (ROOT / "docs" / "scenario.md").read_text("utf-8")
    assert page == reference_page(), "run: python -m experiments.scenario.page > docs/scenario.md"


def test_the_page_names_every_setting_and_every_part() -> None:
    page = reference_page()
    for name, part in scenario_schema()["$defs"].items():
        section = page.split(f"\n### {name}\n")[1].split("\n### ")[0]
        assert all(f"| `{key}` |" in section for key in part.get("properties", {})), name


def test_the_shipped_scenarios_are_what_they_claim() -> None:
    retail = load("retail-launch")
    assert retail.people.count == 1_000_000
    assert retail.traffic.requests_per_day * retail.days > 5_200_000 + 10 * 5_200_000**0.5
    assert {slot.format for seller in retail.publishers.values() for slot in seller.slots.values()} == {
        "display",
        "mobile",
        "video",
    }
    assert any(retail.products[campaign.product].effect.conversion == 0 for campaign in retail.campaigns.values())
    assert all(len(campaign.caps) == 2 for campaign in retail.campaigns.values())
    insurance = load("insurance-renewal").products["car-insurance"]
    assert insurance.in_market is not None
    assert (insurance.in_market.window_days, insurance.effect.off_window) == (21, 0)


def test_the_rivals_of_the_main_scenario_are_the_deciles_of_the_real_landscapes(shared_data: Path) -> None:
    rivals = load("retail-launch").rivals
    assert len(rivals) == 9
    for name, rival in rivals.items():
        landscape = json.loads((shared_data / "ipinyou" / f"landscape_{name.split('-')[1]}.json").read_text())
        counts = landscape["price_counter_train"]
        prices = [price for price, count in enumerate(counts) if count]
        total, seen, deciles = sum(counts), 0, [prices[0]]
        for price in prices:
            seen += counts[price]
            # A decile is the smallest price at which its share of the impressions is reached.
            deciles += [price] * (10 * seen // total - (len(deciles) - 1))
        assert rival.price.values == [price / 100 for price in deciles[:10] + prices[-1:]], name


def test_init_writes_a_scenario_that_validates(tmp_path: Path) -> None:
    made = bidlab(tmp_path, "init", "plan.yaml")
    assert (made.code, made.stderr) == (0, "")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["plan.yaml", "scenario.schema.json"]
    first_line = (tmp_path / "plan.yaml").read_text().splitlines()[0]
    assert first_line == "# yaml-language-server: $schema=scenario.schema.json"
    assert json.loads((tmp_path / "scenario.schema.json").read_text()) == scenario_schema()
    checked = bidlab(tmp_path, "validate", "plan.yaml")
    assert (checked.code, checked.stderr) == (0, "")
    assert checked.stdout.startswith("OK: learning runs 2 days from 2026-01-05 00:00 with 10,000 people (90% consent)")


def test_init_does_not_overwrite(tmp_path: Path) -> None:
    (tmp_path / "plan.yaml").write_text("precious")
    refused = bidlab(ROOT, "init", tmp_path / "plan.yaml")
    assert (refused.code, refused.stdout) == (1, "")
    assert "is already there; choose another name or add --force" in refused.stderr
    assert (tmp_path / "plan.yaml").read_text() == "precious"
    assert bidlab(ROOT, "init", tmp_path / "plan.yaml", "--force", "--like", "retail-launch").code == 0
    assert load(tmp_path / "plan.yaml") == load("retail-launch")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["init", "no/such/folder/plan.yaml"], "the folder no/such/folder does not exist"),
        (["init", "x.yaml", "--like", "lerning"], "did you mean learning?"),
        (["validate", "no.yaml"], "there is no such file"),
        (["validate", "."], "is a folder"),
        (["validate"], "name a scenario file"),
        (["validate", "bad.yaml"], "bidlab: 2 mistakes in bad.yaml\nbad.yaml:10: campaigns: is missing"),
        (["validate", "learning", "--set", "days=0"], "--set days=0: days: must be above 0, not 0"),
    ],
)
def test_a_mistake_ends_in_one_message_and_exit_code_1(tmp_path: Path, arguments: list[str], told: str) -> None:
    text = (SHIPPED / "learning.yaml").read_text("utf-8").replace("campaigns:", "campaing:")
    (tmp_path / "bad.yaml").write_text(text)
    done = bidlab(tmp_path, *arguments)
    assert (done.code, done.stdout) == (1, "")
    assert told in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "x.yaml").exists()


def test_validate_prints_the_schema() -> None:
    assert json.loads(bidlab(ROOT, "validate", "--schema").stdout) == scenario_schema()
