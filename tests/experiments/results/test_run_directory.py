"""A run's folder is whole or absent, and what goes wrong is one clear message."""

from __future__ import annotations

import csv
import errno
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from experiments.errors import RunError
from experiments.results.dictionary import TABLES
from experiments.results.run_directory import RunDirectory, read_run, run_path, write_pages
from tests.experiments import synthetic_run
from tests.patience import HANG_S, wait_until

TABLES_IN = synthetic_run.tables(wins=2000, conversions=50, days=2)


def write(path: Path, *, report: bool = False) -> Path:
    return RunDirectory(path).write(TABLES_IN, synthetic_run.manifest(), synthetic_run.SCENARIO_YAML, report=report)


def test_a_run_is_written_whole_and_read_back(tmp_path: Path) -> None:
    path = write(tmp_path / "runs" / "first")
    run = read_run(path)
    assert run.manifest == synthetic_run.manifest()
    assert run.scenario_yaml == synthetic_run.SCENARIO_YAML
    for name in TABLES:
        assert run.tables[name].to_pylist() == TABLES_IN[name].to_pylist()
    assert [p.name for p in path.parent.iterdir()] == ["first"]
    assert json.loads((path / "manifest.json").read_text())["seed"] == 7


def test_the_report_changes_no_table_and_adds_page_and_plots(tmp_path: Path) -> None:
    bare, full = write(tmp_path / "bare"), write(tmp_path / "full", report=True)
    for name in TABLES:
        assert (bare / f"{name}.parquet").read_bytes() == (full / f"{name}.parquet").read_bytes()
    assert not (bare / "report.html").exists()
    assert (full / "report.html").stat().st_size > 10_000
    plots = list((full / "plots").glob("*.png"))
    assert len(plots) >= 8
    assert all(plot.read_bytes().startswith(b"\x89PNG") for plot in plots)
    write_pages(read_run(bare), bare, new=False)
    made = [file.relative_to(full) for file in [*full.glob("*.html"), *full.glob("plots/*.png")]]
    assert len(made) > 4
    for name in made:
        assert (bare / name).read_bytes() == (full / name).read_bytes()
    with pytest.raises(RunError, match="exists already"):
        write_pages(read_run(bare), full, new=True)


def test_summary_csv_is_in_currency_units(tmp_path: Path) -> None:
    rows = list(csv.DictReader((write(tmp_path / "run") / "summary.csv").open()))
    assert [row["campaign_id"] for row in rows] == TABLES_IN["campaigns"]["campaign_id"].to_pylist()
    spend = np.array(TABLES_IN["campaigns"]["spend_nanos"]) / 1e9
    assert [float(row["spend_EUR"]) for row in rows] == pytest.approx(list(spend), rel=1e-15)


def test_run_paths_never_clash(tmp_path: Path) -> None:
    at = datetime(2026, 1, 5, 12, 30, 1)
    assert run_path(tmp_path, "demo", at).name == "20260105-123001-demo"
    run_path(tmp_path, "demo", at).mkdir()
    assert run_path(tmp_path, "demo", at).name == "20260105-123001-demo-2"


def test_an_existing_folder_is_never_overwritten(tmp_path: Path) -> None:
    for path in (write(tmp_path / "run"), tmp_path / "empty"):
        path.mkdir(exist_ok=True)
        before = sorted(path.iterdir())
        with pytest.raises(RunError, match=rf"{path}: .* exists already, and a run never overwrites"):
            write(path)
        assert sorted(path.iterdir()) == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["empty", "run"]


def test_a_folder_that_appears_meanwhile_is_never_overwritten(tmp_path: Path) -> None:
    with RunDirectory(tmp_path / "run") as run:
        (tmp_path / "run").mkdir()
        with pytest.raises(RunError, match="exists already"):
            run.write(TABLES_IN, synthetic_run.manifest(), "", report=False)
    assert list((tmp_path / "run").iterdir()) == []
    assert [p.name for p in tmp_path.iterdir()] == ["run"]


@pytest.mark.parametrize("below", ["", "deeper"])
def test_an_output_path_that_is_a_file_is_named(tmp_path: Path, below: str) -> None:
    (tmp_path / "runs").write_text("mine")
    with pytest.raises(RunError, match="a folder is wanted here, and a part of this path is a file"):
        write(tmp_path / "runs" / below / "run")
    assert (tmp_path / "runs").read_text() == "mine"


def test_leaving_without_writing_leaves_nothing(tmp_path: Path) -> None:
    with RunDirectory(tmp_path / "run"):
        assert [p.name.startswith(".partial-run-") for p in tmp_path.iterdir()] == [True]
    assert list(tmp_path.iterdir()) == []


def test_tables_that_break_the_dictionary_leave_nothing(tmp_path: Path) -> None:
    tables = {**TABLES_IN, "fates": TABLES_IN["reach"]}
    with pytest.raises(ValueError, match="fates: not the dictionary's columns"):
        RunDirectory(tmp_path / "run").write(tables, synthetic_run.manifest(), "", report=False)
    with pytest.raises(ValueError, match="a run has the tables"):
        RunDirectory(tmp_path / "run").write({}, synthetic_run.manifest(), "", report=False)
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def readonly_folder() -> Iterator[Path]:
    """A folder that this process may not write, whoever runs the tests."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o555)
    was = os.geteuid()
    if was == 0:
        os.seteuid(65534)  # root may write anywhere; the nobody user may not
    yield folder
    os.seteuid(was)
    shutil.rmtree(folder)


def test_an_unwritable_folder_is_refused_before_the_run(readonly_folder: Path) -> None:
    with pytest.raises(RunError, match=rf"{readonly_folder}.*must be writable, and it is not"):
        RunDirectory(readonly_folder / "runs" / "run").__enter__()
    with pytest.raises(RunError, match="must be writable"):
        RunDirectory(readonly_folder / "run").__enter__()


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 64 KiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a tiny file system cannot be mounted here (that needs root)")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_full_disk_is_one_message_and_leaves_nothing(tiny_disk: Path) -> None:
    with pytest.raises(RunError, match=rf"{tiny_disk / 'run'}: .*the disk is full; free some space"):
        write(tiny_disk / "run")
    assert list(tiny_disk.iterdir()) == []


def test_a_file_size_limit_is_one_message_and_leaves_nothing(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    try:
        with pytest.raises(RunError, match="the file is larger than this system allows"):
            write(tmp_path / "run")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, ignored)
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_while_writing_leaves_nothing(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from experiments.results.run_directory import RunDirectory\n"
        "from tests.experiments import synthetic_run as s\n"
        "tables = s.tables(wins=1000, days=2)\n"
        "for n in range(1000): RunDirectory(Path(sys.argv[1]) / f'{n}').write(tables, s.manifest(), '')\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stderr=subprocess.PIPE, text=True)
    wait_until(lambda: list(tmp_path.glob(".partial-*/*.parquet")) or process.poll() is not None)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=HANG_S)
    assert "KeyboardInterrupt" in stderr
    assert process.returncode != 0
    assert list(tmp_path.glob(".partial-*")) == []
    for whole in tmp_path.iterdir():
        read_run(whole)


@pytest.mark.parametrize("name", ["manifest.json", "scenario.yaml", "reach.parquet"])
def test_a_folder_that_lacks_a_file_is_not_a_run(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / "run")
    (path / name).unlink()
    with pytest.raises(RunError, match=f"{name}: no such file"):
        read_run(path)


@pytest.mark.parametrize("name", ["manifest.json", "exposures.parquet"])
def test_a_truncated_file_is_named(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / "run")
    (path / name).write_bytes((path / name).read_bytes()[:-40])
    with pytest.raises(RunError, match=f"{name}: cannot be read as part of a run"):
        read_run(path)


def test_a_table_of_another_version_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "run")
    shutil.copy(path / "fates.parquet", path / "reach.parquet")
    with pytest.raises(RunError, match=r"reach.parquet: its columns are not those of the data dictionary"):
        read_run(path)


def test_every_disk_rule_tells_how_to_mend_it() -> None:
    from experiments.results.run_directory import _RULES

    assert errno.ENOSPC in _RULES
    assert all(";" in rule for rule in _RULES.values())
