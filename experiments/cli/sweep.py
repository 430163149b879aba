"""`bidlab sweep SCENARIO`: any settings times seeds, each combination computed once and kept."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Annotated

import typer

from experiments.cli.cells_bar import cells_bar
from experiments.errors import SweepError


def sweep(
    scenario: Annotated[str, typer.Argument(help="A scenario file, or the name of a shipped one.")],
    vary: Annotated[
        list[str] | None, typer.Option("--vary", metavar="PATH=VALUES", help="A setting and its values: days=1,2,3.")
    ] = None,
    overrides: Annotated[list[str] | None, typer.Option("--set", help="Change one setting in every cell.")] = None,
    seeds: Annotated[int, typer.Option(help="Seeds per combination, counted from the scenario's.")] = 1,
    workers: Annotated[int, typer.Option(min=1, help="Processes.")] = 1,
    dask: Annotated[
        str | None, typer.Option("--dask", metavar="ADDRESS", help="A dask scheduler whose workers run the cells.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder that holds the cells and the sweeps.")] = Path("sweeps"),
    as_json: Annotated[bool, typer.Option("--json", help="Print what was done as JSON.")] = False,
) -> None:
    """Run a scenario under many settings and seeds; give the same command again to go on after a stop."""
    from experiments.results.study_folder import command_line, study_json, write_study
    from experiments.scenario.loader import scenario_hash
    from experiments.sweep.cell import Cell, Failure, Outcome, source_version
    from experiments.sweep.engine import compute
    from experiments.sweep.grid import grid, load_base
    from experiments.sweep.output import csv_of, failures, tables_of
    from experiments.sweep.store import Store

    if dask is not None and workers > 1:
        raise SweepError("--workers and --dask: processes here or workers of a scheduler, not both; leave one out")
    base = load_base(scenario, overrides or [])
    points = grid(base, vary or [], seeds)
    cells = [point.cell for point in points if isinstance(point.cell, Cell)]
    store, ran = Store(out / "cells"), [0]
    with cells_bar("sweep", 2 if dask else workers) as (on_cell, check):

        def count(done: int, total: int, run: bool) -> None:
            ran[0] += run
            on_cell(done, total, run)

        results = iter(compute(cells, store=store, workers=workers, dask=dask, on_cell=count, check=check))
    outcomes: list[Outcome] = [p.cell if isinstance(p.cell, Failure) else next(results) for p in points]
    failed = failures(points, outcomes)
    folder = out / f"{base.name}-{_identity([scenario_hash(base), source_version(), vary, seeds])}"
    command = command_line("bidlab sweep", scenario, vary=vary, seeds=seeds, set=overrides)
    answers = {"cells": len(points), "failed": len(failed)}
    files = {
        "sweep.csv": csv_of(points, outcomes, base.currency).encode(),
        "failures.txt": "".join(f"{line}\n" for line in failed).encode(),
        "study.json": study_json(command, scenario_hash(base), {**answers, "currency": base.currency}),
    }
    write_study(folder, tables_of(points, outcomes), files, replace=True)
    if as_json:
        told = {"sweep": str(folder), **answers, "ran": ran[0], "kept": len(cells) - ran[0]}
        print(json.dumps(told, indent=2))
    else:
        print(
            f"{len(points):,} cells: {ran[0]:,} run, {len(cells) - ran[0]:,} kept from before, {len(failed):,} failed"
        )
        print(f"tables: {folder}")
    if failed:
        more = f"\n... and {len(failed) - 5:,} more" if len(failed) > 5 else ""
        told_failed = "\n".join(failed[:5])
        raise SweepError(
            f"{len(failed):,} of {len(points):,} cells failed (all of them in {folder / 'failures.txt'}, "
            f"their scenarios in {store.folder / 'failed'}):\n{told_failed}{more}"
        )


def _identity(parts: list[object]) -> str:
    """Eight hex digits that name a sweep by all it is made of."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:8]
