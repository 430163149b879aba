"""Citations: what is printed really makes the run again, to the byte, figures too; changed runs are refused."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from experiments.errors import RunError
from experiments.results.citation import cite_folder
from experiments.results.manifest import scenario_hash
from experiments.results.run_directory import RunDirectory
from experiments.results.study_folder import command_line, study_json, write_study
from experiments.results.tables import build_tables
from tests.command_line import bidlab
from tests.experiments import synthetic_run

ROOT = Path(__file__).parents[3]
BIDLAB = [sys.executable, "-m", "experiments.cli"]


def made_up(folder: Path, **manifest: object) -> Path:
    """A made-up run without figures."""
    tables = build_tables(synthetic_run.columns(campaigns=1, wins=50, conversions=5, products=1, days=1))
    text = synthetic_run.SCENARIO_YAML
    about = synthetic_run.manifest(**{"scenario_hash": scenario_hash(text), **manifest})
    return RunDirectory(folder).write(tables, about, text, report=False)


def test_bibtex_is_well_formed_whatever_the_title(tmp_path: Path) -> None:
    folder = made_up(tmp_path / "a b", title="50 % {off _shoes_ & $5~^\\", versions={"python": "3.0.0"})
    cited = cite_folder(folder)
    program, run = cited.bibtex
    assert program.startswith("@software{bidlab-0.1.0,")
    assert run.startswith("@misc{synthetic-7-")
    for entry in cited.bibtex:
        bare = re.sub(r"\\[#$%&_]|\\text\w+\{\}", "", entry)
        depth = 0
        for character in bare:
            depth += (character == "{") - (character == "}")
            assert depth >= 0
        assert depth == 0
        assert not set(bare) & set("\\#$%&_~^")
    assert "year         = {2026}" in run
    assert "month        = jan" in run
    assert shlex.split(cited.command) == ["bidlab", "run", str(folder / "scenario.yaml")]
    assert [note.startswith("made with python 3.0.0, here is 3.") for note in cited.notes] == [True]


def test_a_bidder_at_a_url_stays_in_the_command_and_the_live_driver_is_told(tmp_path: Path) -> None:
    url = "bidlab run x/scenario.yaml --bidder http://127.0.0.1:8080/bid"
    cited = cite_folder(made_up(tmp_path / "run", driver="live", command=url))
    assert cited.command.endswith("scenario.yaml --bidder http://127.0.0.1:8080/bid")
    assert any("real time" in note for note in cited.notes)


def test_what_was_changed_or_is_no_run_is_refused(tmp_path: Path) -> None:
    folder = made_up(tmp_path / "run")
    (folder / "scenario.yaml").write_text("name: other\n")
    with pytest.raises(RunError, match="was changed after the run"):
        cite_folder(folder)
    (folder / "scenario.yaml").unlink()
    with pytest.raises(RunError, match="cannot be remade"):
        cite_folder(folder)
    with pytest.raises(RunError, match="neither"):
        cite_folder(tmp_path)
    (tmp_path / "study.json").write_text("{}")
    with pytest.raises(RunError, match="part of a study"):
        cite_folder(tmp_path)


def test_a_study_is_cited_by_its_command(tmp_path: Path) -> None:
    command = command_line("bidlab x", "my plan.yaml", set=["a=1 2", "b='"], total=2.5, goal=None)
    assert shlex.split(command)[1:] == ["x", "my plan.yaml", "--set", "a=1 2", "--set", "b='", "--total", "2.5"]
    folder = write_study(tmp_path / "st", {}, {"study.json": study_json(command, "ab", {}), "figures/y.png": b"x"})
    cited = cite_folder(folder)
    assert cited.command == command
    assert cited.figures == ("figures/y.png",)
    assert cited.notes == ()


@pytest.mark.slow
def test_the_printed_command_makes_every_table_and_figure_again(tmp_path: Path) -> None:
    small = ["--set", "traffic.requests_per_day=2000", "--set", "people.count=300", "--set", "days=1"]

    def out(*words: str) -> str:
        done = bidlab(tmp_path, *words)
        assert done.code == 0, done.stderr
        return done.stdout

    first = tmp_path / json.loads(out("run", "learning", *small, "--out", "the runs", "--json"))["run"]
    cited = json.loads(out("cite", str(first.relative_to(tmp_path)), "--json"))
    assert len(cited["figures"]) > 5
    assert cited["notes"] == []
    again = shlex.split(cited["command"])
    assert again[0] == "bidlab"
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [*BIDLAB, *again[1:], "--out", "again", "--json"]  # in a process of its own, as whoever reads it will
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=env)
    assert done.returncode == 0, done.stderr
    second = tmp_path / json.loads(done.stdout)["run"]
    for name in (*cited["figures"], *(file.name for file in first.glob("*.parquet")), "scenario.yaml"):
        assert (first / name).read_bytes() == (second / name).read_bytes(), name
    assert out("cite", str(first)).startswith("@software{")


def test_the_citation_file_names_the_version_of_the_project() -> None:
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert cited["version"] == tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert cited["cff-version"] == "1.2.0"
    assert {"message", "title", "authors"} <= set(cited)
