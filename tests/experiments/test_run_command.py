"""`bidlab run` as a person meets it: real folders, a real process where that could matter, a real Ctrl-C."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from experiments.results.dictionary import FATES, TABLES
from experiments.results.run_directory import read_run
from tests.command_line import bidlab
from tests.patience import HANG_S, wait_until

BIDLAB = [sys.executable, "-m", "experiments.cli"]
SMALL = ["--set", "traffic.requests_per_day=2000", "--set", "people.count=500"]


def process(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*BIDLAB, *map(str, arguments)], capture_output=True, text=True, timeout=1200.0)


def only_run(folder: Path) -> Path:
    (run,) = folder.iterdir()
    return run


def parquet_hashes(run: Path) -> dict[str, str]:
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in sorted(run.glob("*.parquet"))}


def test_a_run_leaves_what_the_design_promises(tmp_path: Path) -> None:
    done = process("run", "learning", *SMALL, "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    run = only_run(tmp_path)
    assert {file.name for file in run.iterdir()} >= {
        *("manifest.json", "scenario.yaml", "summary.csv", "report.html", "plots"),
        *(f"{table}.parquet" for table in TABLES),
    }
    assert str(run / "report.html") in done.stdout


def test_json_adds_up_and_names_the_run(tmp_path: Path) -> None:
    done = bidlab(tmp_path, "run", "learning", *SMALL, "--out", tmp_path, "--json", "--no-report")
    assert done.code == 0, done.stderr
    summary = json.loads(done.stdout)
    run = read_run(Path(summary["run"]))
    assert sum(summary["fates"].values()) == summary["requests"] == run.manifest.auctions
    assert set(summary["fates"]) == set(FATES)
    assert not (Path(summary["run"]) / "report.html").exists()


def test_same_scenario_same_bytes_whatever_the_report_and_folder(tmp_path: Path) -> None:
    """Nor does it matter in which process: hashes of strings differ between two."""
    assert bidlab(tmp_path, "run", "learning", *SMALL, "--out", tmp_path / "a").code == 0
    for folder, options in (("b", []), ("c", ["--no-report"])):
        done = process("run", "learning", *SMALL, "--out", tmp_path / folder, *options)
        assert done.returncode == 0, done.stderr
    first, again, without = (parquet_hashes(only_run(tmp_path / folder)) for folder in "abc")
    assert len(first) == len(TABLES)
    assert first == again == without


def test_the_manifest_s_command_remakes_the_run(tmp_path: Path) -> None:
    made = bidlab(tmp_path, "run", "learning", *SMALL, "--seed", "5", "--out", tmp_path / "a", "--no-report")
    assert made.code == 0
    first = only_run(tmp_path / "a")
    command = json.loads((first / "manifest.json").read_text())["command"].split()
    assert command[:2] == ["bidlab", "run"]
    assert bidlab(tmp_path, *command[1:], "--out", tmp_path / "b", "--no-report").code == 0
    assert parquet_hashes(only_run(tmp_path / "b")) == parquet_hashes(first)


def test_another_seed_gives_another_run(tmp_path: Path) -> None:
    for seed in ("1", "2"):
        done = bidlab(tmp_path, "run", "learning", *SMALL, "--seed", seed, "--out", tmp_path / seed, "--no-report")
        assert done.code == 0
    assert parquet_hashes(only_run(tmp_path / "1")) != parquet_hashes(only_run(tmp_path / "2"))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["run", "no-such-file.yaml"], "no-such-file.yaml"),
        (["run", "learning", "--set", "campaigns.nobody.budget.total=1"], "nobody"),
        (["run", "learning", "--set", "days=-1"], "days"),
        (["run", "learning", "--driver", "telepathy"], "telepathy"),
        (["run", "learning", "--seed", "-3"], "seed"),
        (["run", "learning", "--conversion-key", "no-such-key"], "add --driver live"),
        (["run", "learning", "--driver", "live", "--conversion-key", "no-such-key"], "no-such-key: cannot be read"),
    ],
)
def test_a_mistake_is_one_message(tmp_path: Path, arguments: list[str], says: str) -> None:
    done = bidlab(tmp_path, *arguments, "--out", tmp_path / "runs")
    assert done.code == 1
    assert done.stdout == ""
    assert done.stderr.startswith("bidlab: ")
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "runs").exists()


def test_an_output_that_is_a_file_is_refused_before_simulating(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("not a folder")
    done = bidlab(tmp_path, "run", "learning", "--out", tmp_path / "runs")
    assert done.code == 1
    assert str(tmp_path / "runs") in done.stderr
    assert "Traceback" not in done.stderr


def test_a_full_disk_leaves_nothing(tmp_path: Path) -> None:
    """A file-size limit stands in for the full disk; the results tests fill a real one."""
    code = "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000)); "
    code += "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); from experiments.cli import main; main()"
    arguments = ["run", "learning", "--out", str(tmp_path)]
    environment = {**os.environ, "NUMBA_DISABLE_JIT": os.environ.get("NUMBA_DISABLE_JIT", "0")}
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments, *SMALL], capture_output=True, text=True, env=environment
    )
    assert done.returncode == 1, done.stderr
    assert done.stderr.startswith("bidlab: ")
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_ctrl_c_leaves_nothing(tmp_path: Path) -> None:
    warm = bidlab(tmp_path, "run", "learning", *SMALL, "--out", tmp_path / "warm", "--no-report")
    assert warm.code == 0  # compiled by now
    out = tmp_path / "runs"
    started = subprocess.Popen(
        [*BIDLAB, "run", "retail-launch", "--set", "traffic.requests_per_day=20000000", "--out", str(out)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_until(lambda: (out.is_dir() and list(out.iterdir())) or started.poll() is not None)
    time.sleep(1.0)
    started.send_signal(signal.SIGINT)
    stdout, stderr = started.communicate(timeout=HANG_S)
    assert started.returncode == 130, stderr
    assert stdout == ""
    assert stderr == "bidlab: interrupted; nothing was left behind\n"
    assert not out.exists()


@pytest.mark.slow
def test_ctrl_c_while_kernels_are_compiled_is_not_lost(tmp_path: Path) -> None:
    """The loop's own kernels are compiled again; those they call come from the cache, to save most of a minute."""
    warm = bidlab(tmp_path, "run", "learning", *SMALL, "--out", tmp_path / "warm", "--no-report")
    assert warm.code == 0
    kernels = tmp_path / "kernels"
    # Not what other processes are about to put in place: it may be gone by the time it is copied.
    shutil.copytree(os.environ["NUMBA_CACHE_DIR"], kernels, ignore=shutil.ignore_patterns("*.tmp.*"))
    for file in kernels.rglob("batch_kernel.*"):
        file.unlink()
    started = subprocess.Popen(
        [*BIDLAB, "run", "learning", "--out", str(tmp_path / "runs")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "NUMBA_CACHE_DIR": str(kernels)},
    )
    wait_until(lambda: list(kernels.rglob("batch_kernel.*")) or started.poll() is not None, within_s=1200.0)
    assert not list(kernels.rglob("batch_kernel.advance-*")), "compiled already: the interrupt would come too late"
    started.send_signal(signal.SIGINT)
    stdout, stderr = started.communicate(timeout=1200.0)
    assert started.returncode == 130, stderr
    assert stdout == ""
    assert stderr == "bidlab: interrupted; nothing was left behind\n"
    assert not (tmp_path / "runs").exists()
