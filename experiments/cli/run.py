"""`bidlab run SCENARIO`: simulate a scenario and write its run directory with the report."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from experiments.cli.interrupts import held_interrupts
from experiments.errors import RunError
from experiments.kernel_cache import compiling, counting

if TYPE_CHECKING:
    from experiments.drivers.batch import Progress
    from experiments.scenario.models import Scenario


def run(
    scenario: Annotated[str, typer.Argument(help="A scenario file, or the name of a shipped one.")],
    overrides: Annotated[
        list[str] | None, typer.Option("--set", help="Change one setting: campaigns.launch.budget.total=5000.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Seed instead of the scenario's.")] = None,
    driver: Annotated[str | None, typer.Option(help="batch, events or live, instead of the scenario's.")] = None,
    bidder: Annotated[str | None, typer.Option(help="With the driver live: where bid requests go.")] = None,
    conversion_key: Annotated[
        Path | None, typer.Option(help="With the driver live: conversion.key of the bidder's state folder.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder that holds the runs.")] = Path("runs"),
    report: Annotated[bool, typer.Option(help="Write report.html and the plots.")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Run a scenario; progress goes to stderr, the summary to stdout."""
    from experiments.compile.buyer import compile_plans
    from experiments.missed_targets import missed_targets
    from experiments.own_strategies import failures
    from experiments.results.run_directory import RunDirectory, run_path
    from experiments.results.summary import summarise
    from experiments.run import run_scenario
    from experiments.scenario.loader import load

    changes = list(overrides or [])
    changes += [f"seed={seed}"] if seed is not None else []
    changes += [f"driver={driver}"] if driver is not None else []
    plan = load(scenario, changes)
    if bidder is not None and plan.driver != "live":
        raise RunError(f"--bidder {bidder}: only the driver live asks a bidder at a URL; add --driver live")
    if bidder is not None and not bidder.startswith(("http://", "https://")):
        raise RunError(f"--bidder {bidder}: must begin with http:// or https://")
    key = None if conversion_key is None else _key(conversion_key, plan.driver)
    again = "" if bidder is None else f" --bidder {shlex.quote(bidder)}"
    again += "" if conversion_key is None else f" --conversion-key {shlex.quote(str(conversion_key))}"
    path = run_path(out, plan.name, datetime.now())
    with RunDirectory(path) as directory:
        with held_interrupts() as check, compiling() as compiled_s, progress_bar(plan, check) as progress:
            outcome = run_scenario(
                plan, f"bidlab run {shlex.quote(str(path / 'scenario.yaml'))}{again}", progress, bidder, key
            )
        directory.write(outcome.tables, outcome.manifest, outcome.scenario_yaml, report=report)
    plans = compile_plans(plan)
    for told in (*failures(plans, outcome.tables), *missed_targets(plans, outcome.tables)):
        print(f"bidlab: {told}", file=sys.stderr)
    summary = summarise(outcome.tables, plan.currency)
    if as_json:
        print(json.dumps({"run": str(path), **summary}, indent=2))
        return
    _show(summary)
    manifest = outcome.manifest
    once = f", {compiled_s():.0f} s of it to compile the kernels, once" if compiled_s() >= 1 else ""
    print(f"{manifest.auctions:,} auctions in {manifest.cpu_s:.1f} CPU seconds ({manifest.wall_s:.1f} s{once})")
    print(f"report: {path / 'report.html'}" if report else f"tables: {path}")


def _key(path: Path, driver: str) -> bytes:
    """What an advertiser signs purchases with."""
    from bidder.errors import ServeError
    from bidder.server.state import read_key

    if driver != "live":
        raise RunError(f"--conversion-key {path}: only the driver live tells a bidder of purchases; add --driver live")
    try:
        return read_key(path)
    except OSError as error:
        raise RunError(
            f"--conversion-key {path}: cannot be read ({error.strerror}); name the bidder's conversion.key"
        ) from None
    except ServeError as error:
        raise RunError(f"--conversion-key {error}") from None


def _show(summary: dict[str, object]) -> None:
    from rich.console import Console

    from experiments.results.summary import summary_table

    console = Console()
    width = console.width if console.is_terminal else 160
    Console(width=width).print(summary_table(summary, width))


@contextmanager
def progress_bar(scenario: Scenario, check: Callable[[], None]) -> Iterator[Progress]:
    """A bar on stderr with simulated time, auctions per second and spend; silent off a terminal.

    *check* is called at every step.
    """
    if not sys.stderr.isatty():
        yield lambda time_s, auctions, spend_nanos: check()
        return
    from rich.console import Console
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("day {task.fields[day]:.1f}  {task.fields[rate]:,.0f} auctions/s  {task.fields[spend]}"),
        TimeRemainingColumn(),
    )
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("making ready", total=scenario.days * 86400.0, day=0.0, rate=0.0, spend="")

        def compiled(count: int) -> None:
            bar.update(task, description=f"compiling kernels, kept for the next run: {count} so far")

        def progress(time_s: float, auctions: int, spend_nanos: int) -> None:
            check()
            elapsed = bar.tasks[0].elapsed or 0.0
            bar.update(
                task,
                description=scenario.name,
                completed=time_s,
                day=time_s / 86400.0,
                rate=auctions / elapsed if elapsed > 0 else 0.0,
                spend=f"{spend_nanos / 1e9:,.2f} {scenario.currency}",
            )

        with counting(compiled):
            yield progress
