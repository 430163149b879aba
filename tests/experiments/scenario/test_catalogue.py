"""What a newcomer meets first: the list of scenarios, the help, a name that is nearly right, a file of another kind."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from unittest import mock

import pytest

from experiments.cli import app, commands
from experiments.errors import ScenarioError
from experiments.scenario import catalogue
from experiments.scenario.catalogue import first_sentence
from experiments.scenario.loader import SHIPPED, load, shipped_names
from tests.command_line import bidlab

CHECKOUT = Path(__file__).parents[3]


def test_every_shipped_scenario_is_listed_with_what_it_is_for(tmp_path: Path) -> None:
    done = bidlab(tmp_path, "scenarios", "--json")
    assert done.code == 0, done.stderr
    told = {entry["name"]: entry for entry in json.loads(done.stdout)}
    assert set(told) == set(shipped_names())
    assert next(iter(told)) == "learning"
    assert told["retail-launch"]["people"] == 1_000_000
    assert all(20 <= len(entry["about"]) <= 200 for entry in told.values())


def test_the_list_as_a_table(tmp_path: Path) -> None:
    with mock.patch.object(catalogue, "shipped_names", return_value=["sell-openly", "learning"]):
        table = bidlab(tmp_path, "scenarios").stdout
    assert "sell-openly" in table
    assert "A small market to learn from" in table
    assert "50,000" in table


def test_a_comment_s_first_sentence() -> None:
    assert first_sentence("# One thing\n# and 2.5 more. Another.\n#\n# Rest.\nname: x") == "One thing and 2.5 more"
    assert first_sentence("name: x  # no comment before") == ""


def test_every_command_stands_in_a_group_of_the_help(tmp_path: Path) -> None:
    text = bidlab(tmp_path, "--help").stdout
    names = {str(info.name) for info in (*app.registered_commands, *app.registered_groups)}
    assert set(commands.PANEL_OF) <= names
    assert all(panel in text for panel in commands.PANELS)
    assert bidlab(tmp_path, "--version").stdout.startswith("bidlab 0.")


def test_the_help_waits_for_no_heavy_library() -> None:
    code = (
        "import sys; from experiments.cli import app, commands; commands.register(app); "
        "print({'matplotlib', 'numba', 'pyarrow', 'scipy'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=CHECKOUT)
    assert done.stdout == "set()\n"


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("plan.yml", "did you mean plan.yaml?"),
        ("retail", "did you mean retail-launch?"),
        ("learning.yaml", "did you mean learning?"),
        ("nope", "`bidlab scenarios` lists the shipped ones"),
    ],
)
def test_a_name_that_is_nearly_right(given: str, meant: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("plan.yaml").write_text((SHIPPED / "learning.yaml").read_text())
    with pytest.raises(ScenarioError) as caught:
        load(given)
    assert meant in str(caught.value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ((CHECKOUT / "docs/publisher-page/exchange.yaml").read_text(), "an exchange's configuration"),
        ('{"$schema": "x", "$defs": {}}', "the JSON Schema"),
        ('{"id": "1", "imp": []}', "an OpenRTB request"),
    ],
)
def test_a_file_of_another_kind_is_called_by_its_name(text: str, told: str, tmp_path: Path) -> None:
    file = tmp_path / "other.yaml"
    file.write_text(text)
    with pytest.raises(ScenarioError, match="not a scenario") as caught:
        load(file)
    assert told in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
