"""`bidlab replay`: what it prints, where (a terminal and a full disk as a process), and how each mistake ends."""

from __future__ import annotations

import csv
import gzip
import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from experiments.replay.landscape import read_stats
from tests.command_line import Done, bidlab
from tests.oracles import replay as oracle

pytestmark = pytest.mark.slow

ROWS = [(ix % 7 == 0, ix * 37 % 101, (ix * 13 % 100) / 4000) for ix in range(500)]
LANDSCAPE = {
    "imp_train": 1000,
    "clk_train": 12,
    "cost_train": 50_000,
    "price_counter_train": [round(1e6 * (b / (b + 30) - (b - 1) / (b + 29))) if b else 0 for b in range(301)],
}
COLUMNS = ["bid", "param", "budget", "bids", "wins", "clicks", "spend"]
COMMAND = [sys.executable, "-m", "experiments.cli", "replay"]
ROOT = Path(__file__).parents[3]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    plain = "".join(f"{click:d} {price} {pctr!r}\n" for click, price, pctr in ROWS)
    (tmp_path / "log.txt").write_text(plain)
    (tmp_path / "log.txt.gz").write_bytes(gzip.compress(plain.encode()))
    (tmp_path / "cut.gz").write_bytes(gzip.compress(plain.encode())[:-50])
    (tmp_path / "empty.txt").touch()
    (tmp_path / "broken.txt").write_text("0 5 0.1\n0 -5 0.1\n")
    (tmp_path / "many.txt").write_text("0 90 0.1\n" * 30_000)
    (tmp_path / "stats.json").write_text(json.dumps(LANDSCAPE))
    (tmp_path / "no-stats.json").write_text("{")
    return tmp_path


def run(folder: Path, arguments: str) -> Done:
    return bidlab(folder, "replay", *arguments.split())


def printed(folder: Path, arguments: str) -> list[list[str]]:
    done = run(folder, arguments)
    assert (done.code, done.stderr) == (0, "")
    return [line.split("\t") for line in done.stdout.splitlines()]


def test_tsv_of_a_grid_equals_the_oracle(folder: Path) -> None:
    table = printed(folder, "log.txt.gz --bid const --param 5:45:20 --budget 500,9000")
    rows = [(bool(c), p, v) for c, p, v in ROWS]
    expected = [COLUMNS]
    for budget in (500, 9000):
        for param in (5, 25, 45):
            how = oracle.replay(rows, oracle.bid_rule("const", param, 1.0), budget, tie_wins=False, may_cross=True)
            expected.append(["const", str(param), str(budget), *(str(int(count)) for count in how)])
    assert table == expected
    assert len({tuple(row[2:]) for row in table[1:]}) == 6


@pytest.mark.parametrize(
    ("bid", "param", "option"),
    [
        ("lin", 30, "--base-ctr"),
        ("mcpc", 1, "--max-ecpc"),
        ("ortb1", 0.0001, "--landscape-c"),
        ("ortb2", 0.0001, "--landscape-c"),
    ],
)
def test_training_totals_from_the_file_or_by_hand(folder: Path, bid: str, param: float, option: str) -> None:
    stats = read_stats(folder / "stats.json")
    fitted = {"lin": stats.base_ctr, "mcpc": stats.max_ecpc, "ortb1": stats.landscape_c}
    scale = stats.landscape_c(2) if bid == "ortb2" else fitted[bid]()
    switches = f"--param {param} --budget 300 --win ge --stop before --episode 60 --cap 80 --json"
    by_file = run(folder, f"log.txt --bid {bid} --stats stats.json {switches}")
    by_hand = run(folder, f"log.txt --bid {bid} {option} {scale!r} {switches}")
    assert (by_file.code, by_file.stderr) == (0, "")
    assert by_file.stdout == by_hand.stdout
    (row,) = json.loads(by_file.stdout)
    expected = oracle.replay(
        ROWS, oracle.bid_rule(bid, param, scale), 300, tie_wins=True, may_cross=False, episode_rows=60, cap=80
    )
    assert list(row) == COLUMNS
    assert tuple(row.values())[3:] == expected
    assert row["wins"] > 20


@pytest.mark.parametrize("bid", ["rlb", "mdp"])
def test_a_programme_runs_and_its_options_count(folder: Path, bid: str) -> None:
    how = f"log.txt --bid {bid} --stats stats.json --budget 300 --episode 60 --json"
    runs = [
        run(folder, f"{how} {options}")
        for options in ("", "--win ge --stop before --smoothing 1", "--smoothing 1e9", "--base-ctr 0.5", "--cap 5")
    ]
    assert [(done.code, done.stderr) for done in runs] == [(0, "")] * len(runs)
    rows = [json.loads(done.stdout)[0] for done in runs]
    assert rows[0] == rows[1]
    assert all(row["wins"] > 0 and row["spend"] <= 300 * 9 for row in rows)
    assert rows[2] != rows[0]
    assert rows[4] != rows[0]
    assert (rows[3] != rows[0]) == (bid == "rlb"), "scaling every rate changes no bid of mdp"


def test_without_a_budget_nothing_stops(folder: Path) -> None:
    (_, row) = printed(folder, "log.txt --bid const --param 1000")
    spend = sum(price for _, price, _ in ROWS)
    assert row == ["const", "1000", str(spend), "500", "500", str(sum(click for click, _, _ in ROWS)), str(spend)]


def test_out_files_hold_the_printed_rows(folder: Path) -> None:
    for name in ("rows.csv", "rows.parquet"):
        (_, *rows) = printed(folder, f"log.txt --bid const --param 5,25 --budget 900 --out {name}")
        if name.endswith("csv"):
            with (folder / name).open(newline="") as file:
                written = list(csv.reader(file))[1:]
        else:
            written = [
                [f"{v:g}" if isinstance(v, float) else str(v) for v in row.values()]
                for row in pq.read_table(folder / name).to_pylist()
            ]
        assert written == rows
    assert not list(folder.glob("*.part"))


def test_a_terminal_gets_a_table(folder: Path) -> None:
    leader, follower = pty.openpty()
    environment = os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "100", "TERM": "dumb"}
    arguments = ["log.txt", "--bid", "const", "--param", "25"]
    with subprocess.Popen([*COMMAND, *arguments], cwd=folder, env=environment, stdout=follower, stderr=subprocess.PIPE):
        os.close(follower)
        output = b""
        while True:
            try:
                block = os.read(leader, 65536)
            except OSError:  # Linux reports the far end's closing so
                break
            if not block:
                break
            output += block
    os.close(leader)
    assert all(name.encode() in output for name in COLUMNS)
    assert "│ const │".encode() in output


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("form", ["", " --json"])
def test_a_full_disk_is_one_message(folder: Path, form: str) -> None:
    arguments = f"log.txt --bid const --param 1:5{form}".split()
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [*COMMAND, *arguments],
            cwd=folder,
            env=environment,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr.startswith("bidlab: the rows cannot be printed: No space left on device")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("none.txt --bid const --param 5", "none.txt: there is no such log"),
        (". --bid const --param 5", "is a folder"),
        ("empty.txt --bid const --param 5", "empty.txt: holds no auction"),
        ("cut.gz --bid const --param 5", "cut.gz: the gzip file is cut short"),
        ("broken.txt --bid const --param 5", "broken.txt:2: price is '-5'; it must be a whole number from 0"),
        (
            "log.txt --bid liner --param 5",
            "one of const, lin, mcpc, ortb1, ortb2, rlb, mdp; did you mean lin?",
        ),
        ("log.txt --bid const", "--bid const needs --param"),
        ("log.txt --bid const --param 5:x", "--param 5:x: 'x' is no number"),
        ("log.txt --bid const --param 5 --budget 0", "--budget 0: 0 must be a whole number"),
        ("log.txt --bid const --param 5 --budget -3", "--budget -3: -3 must be a whole number"),
        ("log.txt --bid const --param 5 --win both", "--win both: must be one of gt, ge"),
        ("log.txt --bid const --param 5 --stop never", "--stop never: must be one of after, before"),
        ("log.txt --bid const --param 5 --episode 0", "--episode 0: must be a whole number from 1"),
        ("log.txt --bid const --param 5 --cap -1", "--cap -1: must be a whole number from 0"),
        ("log.txt --bid lin --param 5", "--bid lin needs the training totals: give --stats LANDSCAPE.json"),
        ("log.txt --bid rlb --budget 9", "--bid rlb needs the training prices: give --stats LANDSCAPE.json"),
        ("log.txt --bid rlb --budget 9 --param 5", "--param 5: --bid rlb has no parameter; leave it out"),
        ("log.txt --bid mdp --win gt", "--win gt: --bid mdp plans with --win ge alone; leave it out"),
        ("log.txt --bid mdp --stop after", "--stop after: --bid mdp plans with --stop before alone"),
        ("log.txt --bid mdp --stats stats.json --max-ecpc 5", "--max-ecpc has no meaning with --bid mdp"),
        ("log.txt --bid lin --param 5 --smoothing 1", "--smoothing has no meaning with --bid lin"),
        ("log.txt --bid mdp --stats stats.json --smoothing -1", "--smoothing -1.0: must be a number from 0"),
        ("log.txt --bid mdp --stats stats.json --smoothing nan", "--smoothing nan: must be a number from 0"),
        ("log.txt --bid mdp --stats stats.json --base-ctr 2", "--base-ctr 2.0: must be a probability above 0"),
        ("many.txt --bid rlb --stats stats.json", "make 81000030000 states, more than 134217728; take a shorter"),
        ("log.txt --bid lin --param 5 --base-ctr nan", "--base-ctr nan: must be a number above 0"),
        ("log.txt --bid lin --param 5 --max-ecpc 5", "--max-ecpc has no meaning with --bid lin"),
        ("log.txt --bid lin --param 5 --stats none.json", "none.json: there is no such landscape file"),
        ("log.txt --bid lin --param 5 --stats no-stats.json", "no-stats.json:1: the landscape file is not JSON"),
        ("log.txt --bid const --param 5 --out rows.xls", "--out rows.xls: the name must end in .parquet or .csv"),
        ("log.txt --bid const --param 5 --out no/rows.csv", "--out no/rows.csv: there is no folder no"),
    ],
)
def test_a_mistake_is_one_message(folder: Path, arguments: str, message: str) -> None:
    before = sorted(folder.iterdir())
    done = run(folder, arguments)
    assert (done.code, done.stdout) == (1, "")
    assert done.stderr.startswith("bidlab: ")
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert sorted(folder.iterdir()) == before
