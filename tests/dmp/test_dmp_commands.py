"""`bidlab dmp` from the command line, on the demo's files and on real bid logs; and its page of documentation."""

from __future__ import annotations

import csv
import gzip
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
import yaml
from typer.main import get_command

from dmp.answers import overlap
from dmp.audience import Reader, open_audience
from dmp.consent import STORAGE
from dmp.demo import write_demo
from dmp.evidence import Evidence
from dmp.rules import SegmentFile
from dmp.segments import evaluate
from dmp.sources.importer import import_source
from dmp.store import Store
from experiments.audience_plot import plot_overlap
from experiments.cli import commands
from tests.command_line import bidlab

ROOT = Path(__file__).parents[2]


def run(*arguments: str, cwd: Path, code: int = 0) -> str:
    """The command's output; its messages when it fails as expected."""
    done = bidlab(cwd, "dmp", *arguments)
    assert done.code == code, done.stderr
    return done.stdout if code == 0 else done.stderr


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo")
    for path in write_demo(folder, people=600):
        import_source(Store(folder / "audience"), path)
    return folder


def test_the_demo_is_the_same_each_time(tmp_path: Path) -> None:
    write_demo(tmp_path / "a", people=50)
    run("demo", "b", cwd=tmp_path)
    write_demo(tmp_path / "c", people=50)
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "c" / path.name).read_bytes()
    command = [sys.executable, "-m", "experiments.cli", "dmp", "demo", "b"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("bidlab: ")
    assert done.stderr.count("\n") == 1
    assert "holds a demo already" in done.stderr


def test_questions_agree_with_each_other(home: Path) -> None:
    rows = json.loads(run("reach", "--json", cwd=home))
    sizes = {row["segment"]: row["persons"] for row in json.loads(run("size", "--json", cwd=home))}
    assert {row["segment"]: row["person"] for row in rows} == sizes
    listed = json.loads(run("segments", "--json", cwd=home))
    assert {row["segment"]: row["persons"] for row in listed} == {n: s for n, s in sizes.items() if n != "*"}
    matrix = json.loads(run("overlap", "--json", "--plot", "o.png", cwd=home))
    assert {row["segment"]: row[row["segment"]] for row in matrix} == {n: s for n, s in sizes.items() if n != "*"}
    assert (home / "o.png").stat().st_size > 10_000
    assert all(size > 0 for size in sizes.values())
    joined = {row["segment"]: row for row in json.loads(run("reach", "--threshold", "0.8", "--json", cwd=home))}
    exact = {row["segment"]: row for row in rows}
    assert exact["app-users"]["cookie"] == 0 < joined["app-users"]["cookie"]
    assert joined["*"]["person"] < exact["*"]["person"]


def test_a_person_explained_exported_and_forgotten(tmp_path: Path) -> None:
    for path in write_demo(tmp_path, people=60):
        run("import", str(path), cwd=tmp_path)
    someone = next(
        json.loads(line)["mail"] for line in (tmp_path / "crm.jsonl").read_text().splitlines() if '"yes"}' in line
    )
    told = json.loads(run("explain", f"email:{someone}", "--json", cwd=tmp_path))
    assert "crm" in told["identities"][0]["sources"] + told["identities"][1]["sources"]
    assert json.loads(run("export", f"email:{someone}", cwd=tmp_path))["records"]
    run("activate", cwd=tmp_path)
    assert "entered for" in run("consent", f"email:{someone}", "--refuse", "personalised_ads", cwd=tmp_path)
    run("explain", f"email:{someone}", cwd=tmp_path)
    assert "erased" in run("erase", f"email:{someone}", cwd=tmp_path)
    assert "nobody who allows this" in run("explain", f"email:{someone}", cwd=tmp_path, code=1)
    assert "identities removed" in run("compact", cwd=tmp_path)
    assert "1 batch withdrawn" in run("withdraw", "vendor", cwd=tmp_path)
    assert json.loads(run("match", "--json", cwd=tmp_path))[0]["source"] == "site"
    again = run("import", str(tmp_path / "site.yaml"), cwd=tmp_path)
    assert "already in; nothing changed" in again


def test_the_threshold_of_a_use_and_nothing_else(home: Path) -> None:
    named, plain = (run("reach", "--threshold", score, cwd=home) for score in ("targeting", "0.8"))
    assert named == plain != run("reach", cwd=home)
    for wrong in ("1.5", "aim", "nan"):
        assert "neither a score from 0 to 1 nor one of" in " ".join(
            run("reach", "--threshold", wrong, cwd=home, code=2).replace("│", " ").split()
        )


def test_schemas_are_those_files_are_checked_by(tmp_path: Path) -> None:
    for kind, needed in (("source", "identifiers"), ("segments", "segments")):
        schema = json.loads(run("schema", kind, cwd=tmp_path))
        assert needed in schema["properties"]
        assert schema["additionalProperties"] is False


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["size", "nope"], "unknown segment 'nope'; segments: runners"),
        (["import", "gone.yaml"], "gone.yaml: cannot be read"),
        (["segments", "--segments", "gone.yaml"], "gone.yaml: cannot be read"),
        (["match", "--store", "elsewhere"], "elsewhere: holds no audience yet"),
        (["consent", "cookie:a"], "give either --allow or --refuse"),
        (["consent", "cookie:a", "--allow", "spying"], "unknown purpose 'spying'"),
        (["explain", "abc"], "write kind:value"),
        (["schema", "people"], "there is no schema of 'people'; choose source or segments"),
        (["taxonomy", "site.yaml"], "has no column"),
        (["overlap", "--plot", "nowhere/o.png"], "cannot be written"),
        (["withdraw", "nobody"], "no source 'nobody' here; sources: site"),
    ],
)
def test_mistakes_are_one_message(home: Path, arguments: list[str], told: str) -> None:
    assert told in run(*arguments, cwd=home, code=1)


def test_segments_are_checked_against_an_imported_taxonomy(home: Path, tmp_path: Path) -> None:
    table = "Unique ID\tParent ID\tCondensed Name (1st, 2nd, Last Tier)\tTier 1\n1\t\tSports\tSports\n"
    (tmp_path / "t.tsv").write_text(table)
    assert "1 nodes in 1 trees" in run("taxonomy", str(tmp_path / "t.tsv"), "--store", "tree", cwd=home)
    (home / "tree" / "taxonomy.json").rename(home / "audience" / "taxonomy.json")
    segments = {"segments": {"s": {"rule": {"source": "site"}, "taxonomy": "sports"}}}
    (tmp_path / "s.yaml").write_text(yaml.safe_dump(segments))
    assert "sports" in run("segments", "--segments", str(tmp_path / "s.yaml"), cwd=home)
    (tmp_path / "s.yaml").write_text(yaml.safe_dump(segments).replace("sports", "sport"))
    told = run("segments", "--segments", str(tmp_path / "s.yaml"), cwd=home, code=1)
    assert "segment s: taxonomy: 'sport' is not in the taxonomy" in told
    (home / "audience" / "taxonomy.json").unlink()


def test_every_command_and_option_is_documented() -> None:
    app = typer.Typer()
    commands.register(app)
    group: Any = get_command(app)
    page = (ROOT / "docs" / "audience.md").read_text("utf-8")
    table = {row.split("`")[1].split()[2]: row for row in page.splitlines() if row.startswith("| `bidlab dmp ")}
    subcommands = group.commands["dmp"].commands
    assert set(table) == set(subcommands)
    for name, command in subcommands.items():
        options = {p.opts[0] for p in command.params if p.param_type_name == "option"} - {"--help"}
        assert set(re.findall(r"--[a-z]+", table[name])) == options, name


IPINYOU = {
    "party": "first",
    "channel": "bid_log",
    "region": "US",
    "identifiers": [{"column": "userid", "kind": "cookie"}],
}
LOG = [
    *("click", "weekday", "hour", "bidid", "at", "logtype", "userid", "useragent", "ip", "region", "city", "exchange"),
    *(
        "domain",
        "url",
        "urlid",
        "slotid",
        "width",
        "height",
        "visibility",
        "format",
        "floor",
        "creative",
        "bid",
        "price",
    ),
    *("keypage", "advertiser", "usertag"),
]


def test_real_bid_logs(shared_data: Path, tmp_path: Path) -> None:
    """iPinYou rows: users as cookies, user tags as segments; totals as counted apart from the program."""
    mixed = {
        "source": "mixed", "file": str(shared_data / "ipinyou" / "mixed.combined.csv.gz"), "format": "csv",
        "as_of": "2013-10-27", "tags": {"column": "usertag"}, "attributes": [{"column": "region", "type": "number"}],
    }  # fmt: skip
    log = {
        "source": "log", "file": str(shared_data / "ipinyou" / "2259.train.log.txt.gz"), "format": "csv",
        "delimiter": "\t", "header": LOG, "time": {"column": "at", "form": "compact"}, "event": {"name": "impression"},
        "tags": {"column": "usertag"},
    }  # fmt: skip
    test_log = {
        **log, "source": "test-log", "file": str(shared_data / "ipinyou" / "2259.test.log.txt.gz"),
        "header": [*LOG, "clicks", "conversions"],
    }  # fmt: skip
    store = Store(tmp_path / "audience")
    rows = {}
    for declared in (mixed, log, test_log):
        path = tmp_path / f"{declared['source']}.yaml"
        path.write_text(yaml.safe_dump({**IPINYOU, **declared}))
        batch = import_source(store, path).batch
        rows[declared["source"]] = (batch.rows, batch.stored, batch.held_back, batch.rejected)
    assert rows == {"mixed": (11_028, 11_028, 0, {}), "log": (8_355, 8_355, 0, {}), "test-log": (4_171, 4_171, 0, {})}
    audience = open_audience(store, STORAGE, Reader("test", "test"))
    evidence = Evidence(audience)
    tags = list(evidence.all_tags())[:5]
    file = SegmentFile.model_validate({"segments": {f"tag-{tag}": {"rule": {"tag": tag}} for tag in tags}})
    owners: dict[str, set[str]] = {}
    with gzip.open(str(mixed["file"]), "rt") as text:
        for row in csv.DictReader(text):
            for tag in row["usertag"].split(","):
                owners.setdefault(tag, set()).add(row["userid"])
    for file_name in (str(log["file"]), str(test_log["file"])):
        with gzip.open(file_name, "rt") as text:
            for cells in csv.reader(text, delimiter="\t"):
                for tag in cells[26].split(","):
                    owners.setdefault(tag, set()).add(cells[6])
    assert evidence.all_tags() == {tag: len(users) for tag, users in owners.items() if tag not in ("", "null")}
    counts = overlap(evaluate(file, evidence))
    assert np.diag(counts).tolist() == list(evidence.all_tags().values())[:5]
    assert (counts <= np.minimum.outer(np.diag(counts), np.diag(counts))).all()
    plot_overlap(list(file.segments), counts, tmp_path / "o.png")
