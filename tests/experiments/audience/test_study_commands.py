"""`bidlab dmp produce`, `vary` and `identity` from the command line, and what a scenario may get wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from experiments.errors import ScenarioError
from experiments.scenario.loader import dump_yaml, load, load_text
from tests.command_line import bidlab

SMALL = ("--set", "people.count=400", "--set", "days=1", "--set", "traffic.requests_per_day=4000")


def test_four_sources_from_files_to_a_segment(tmp_path: Path) -> None:
    told = bidlab(tmp_path, "dmp", "produce", "four-sources", "files", *SMALL)
    assert told.code == 0, told.stderr
    commands = [line.split()[1:] for line in told.stdout.splitlines()]
    assert [command[2] for command in commands[:4]] == [
        f"files/{name}.yaml" for name in ("site", "crm", "partner", "vendor")
    ]
    for command in commands[:4]:
        done = bidlab(tmp_path, *command)
        assert (done.code, done.stderr) == (0, "")
        assert "rejected" not in done.stdout
    rows = json.loads(bidlab(tmp_path, *commands[4], "--json").stdout)
    sizes = {row["segment"]: row for row in rows}
    assert set(sizes) == {"runners", "runners-bought", "*"}
    assert 0 < sizes["runners"]["person"] < sizes["runners"]["cookie"] + 400


def test_a_setting_varied_with_its_picture(tmp_path: Path) -> None:
    levels = ("cookie", "person", "household")
    told = bidlab(
        *(tmp_path, "dmp", "vary", "four-sources", "audience.level", *levels, *SMALL, "--json", "--plot", "p.png")
    )
    assert told.code == 0, told.stderr
    rows = json.loads(told.stdout)
    assert [row["audience.level"] for row in rows] == list(levels)
    cookie, person, _ = rows
    assert cookie["counted_reach"] > person["counted_reach"]
    assert cookie["cap_accuracy"] < person["cap_accuracy"]
    assert (tmp_path / "p.png").read_bytes()[:4] == b"\x89PNG"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("vary", "four-sources", "audience.levle", "cookie"), "levle"),
        (("vary", "four-sources", "people.consent_share", "1", "2"), "must be at most 1"),
        (("produce", "learning", "files"), "learning: has no audience platform"),
        (("identity", "learning"), "learning: has no audience platform"),
        (("produce", "four-sources", "file/below", *SMALL), "cannot be written"),
    ],
)
def test_mistakes_on_the_command_line(tmp_path: Path, arguments: tuple[str, ...], told: str) -> None:
    (tmp_path / "file").touch()
    answer = bidlab(tmp_path, "dmp", *arguments)
    assert answer.code != 0
    assert told in answer.stderr


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ('segments.runners.rule={tag: "site:swimming"}', "there is no tag 'site:swimming'"),
        ("segments.runners.rule={source: sight}", "there is no source 'sight'; did you mean site?"),
        ("segments.runners.rule={event: {name: viewed}}", "there is no event 'viewed'"),
        ("segments.runners.rule={not: {segment: walkers}}", "there is no segment 'walkers'"),
        ("segments.runners.rule={any: [{segment: runners-bought}]}", "goes in a circle: runners → runners-bought"),
        ("segments.runners.rule={attribute: {name: age, below: 30}}", "no attributes; use a tag"),
        ("segments.runners.rule={}", "give exactly one of all, any"),
        ("segments.runners={interest: running}", "is seen through sources here"),
        ("segments.runners={recall: 0.5}", "give either an interest or a rule"),
        ("audience=null", "needs sources to look at"),
        ("audience.sources.site.interests={walking: {}}", "no interest is called 'walking'"),
        ("audience.sources.site.interests.running.precision=0.1", "write at least 0.1489"),
        ("audience.sources.site.guesses={}", "guesses join cookies"),
        ("audience.sources.partner.guesses={low: 0.9, high: 0.7}", "must not be above high"),
        ("audience.sources.site.identifiers=[cookie, cookie]", "one is named twice"),
        ("audience.sources={}", "audience.sources: needs at least 1 entry"),
        ("audience.level=device", "is not one of cookie, person, household"),
    ],
)
def test_mistakes_in_a_scenario(change: str, told: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        load("four-sources", [change])
    assert told in str(caught.value)


@pytest.mark.parametrize("key", ["cookies", "household"])
def test_cookies_and_households_need_a_platform(key: str) -> None:
    with pytest.raises(ScenarioError, match=f"people.{key}: has no meaning without an audience platform"):
        load("learning", [f"people.{key}=2"])


def test_the_scenario_as_resolved_loads_back_with_its_rules() -> None:
    scenario: Any = load("four-sources")
    assert load_text(dump_yaml(scenario), "resolved") == scenario
