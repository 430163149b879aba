"""Cells on a dask cluster: the same bytes as in one process; what is unreachable or different is told in seconds."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from experiments.cli.sweep import sweep
from experiments.errors import SweepError
from experiments.sweep import cluster
from experiments.sweep.cell import Cell, Failure, Measured, to_json
from experiments.sweep.engine import compute
from experiments.sweep.store import Store
from tests.command_line import bidlab
from tests.experiments.sweep.test_sweep import BUDGET, SMALL, cells_of
from tests.patience import HANG_S

distributed = pytest.importorskip("distributed")
dask = pytest.importorskip("dask")


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A scheduler with two worker processes on this machine."""
    with (
        dask.config.set({"distributed.comm.timeouts.connect": HANG_S, "distributed.comm.timeouts.tcp": HANG_S}),
        pytest.MonkeyPatch.context() as patch,
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address="127.0.0.1:0", silence_logs=50
        ) as local,
    ):
        patch.setattr(cluster, "CONNECT_S", HANG_S)
        yield local.scheduler_address


def free_port() -> int:
    """A port nobody listens at."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@pytest.mark.slow
def test_a_cluster_gives_the_bytes_of_one_process(address: str, tmp_path: Path) -> None:
    cells = cells_of(6)
    here, there = compute(cells), compute(cells, store=Store(tmp_path), dask=address)
    assert all(isinstance(outcome, Measured) for outcome in here)
    assert [to_json(o) for o in here if isinstance(o, Measured)] == [
        to_json(o) for o in there if isinstance(o, Measured)
    ]
    ran: list[bool] = []
    again = compute(cells, store=Store(tmp_path), dask="tcp://never-asked:1", on_cell=lambda d, t, run: ran.append(run))
    assert again == there
    assert ran == [False] * 6


@pytest.mark.slow
def test_a_failure_stays_that_cell_s_own(address: str) -> None:
    good = cells_of(1)[0]
    broken = good.scenario.model_copy(update={"driver": "no such driver"})
    found = compute([Cell(broken), good], dask=address)
    assert isinstance(found[0], Failure)
    assert isinstance(found[1], Measured)


@pytest.mark.slow
def test_the_command_writes_the_same_tables(address: str, tmp_path: Path) -> None:
    small = [part for change in SMALL for part in ("--set", change)]
    command = ["sweep", "learning", *small, "--vary", f"{BUDGET}=2,3", "--seeds", "2"]
    for folder, more in (("a", []), ("b", ["--dask", address])):
        done = bidlab(tmp_path, *command, "--out", folder, *more)
        assert done.code == 0, done.stderr
        assert done.stdout.startswith("4 cells: 4 run")
    files = {
        name: sorted((tmp_path / name).rglob("*.parquet")) + sorted((tmp_path / name / "cells").rglob("*.json"))
        for name in ("a", "b")
    }
    assert len(files["a"]) == 6
    for one, other in zip(files["a"], files["b"], strict=True):
        assert one.relative_to(tmp_path / "a") == other.relative_to(tmp_path / "b")
        assert one.read_bytes() == other.read_bytes()


@pytest.mark.slow
def test_workers_with_another_program_are_refused(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "source_version", lambda: "0" * 16)
    with pytest.raises(SweepError, match="no worker has this bidlab"):
        list(cluster.on_cluster(cells_of(1), address))


@pytest.mark.parametrize(
    ("address_of", "said"),
    [
        (lambda: f"tcp://127.0.0.1:{free_port()}", "no scheduler answers there"),
        (lambda: "carrier-pigeon://loft", "no scheduler answers there"),
        (lambda: " ", "names no address"),
    ],
)
def test_an_unreachable_scheduler_is_told_when_its_time_is_over(
    address_of: object, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "CONNECT_S", 1.0)
    assert callable(address_of)
    began_s = time.monotonic()
    with pytest.raises(SweepError, match=said):
        list(cluster.on_cluster(cells_of(1), address_of()))
    assert time.monotonic() - began_s < HANG_S


def test_a_scheduler_without_workers_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with distributed.LocalCluster(
        n_workers=0, processes=False, dashboard_address="127.0.0.1:0", silence_logs=50
    ) as empty:
        for connect_s in (1.0, 5.0, 25.0):  # on a loaded machine it may not even answer in the first
            monkeypatch.setattr(cluster, "CONNECT_S", connect_s)
            with pytest.raises(SweepError) as told:
                list(cluster.on_cluster(cells_of(1), empty.scheduler_address))
            if "no scheduler answers" not in str(told.value):
                break
    assert "has no workers" in str(told.value)


def test_here_or_there_not_both() -> None:
    with pytest.raises(SweepError, match="--workers and --dask"):
        sweep("learning", dask="tcp://127.0.0.1:1", workers=2)
