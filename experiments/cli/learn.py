"""`bidlab learn SOURCE`: how well rates are learned, in a scenario against the truth or on a recorded log."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from experiments.errors import ReplayError

if TYPE_CHECKING:
    from experiments.learning.judged import Judged


def learn(
    source: Annotated[str, typer.Argument(help="A scenario (file or shipped name), or a recorded log.")],
    test: Annotated[Path | None, typer.Option(metavar="LOG", help="Judge the rows of this log, learning on.")] = None,
    after: Annotated[
        int | None, typer.Option(metavar="N", help="Scenario: judge each campaign from its impression N on.")
    ] = None,
    overrides: Annotated[
        list[str] | None, typer.Option("--set", help="Scenario: change one setting, as in bidlab run.")
    ] = None,
    plot: Annotated[Path | None, typer.Option(metavar="FILE.png", help="Draw the calibration.")] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print a JSON array, with the bins of the calibration.")
    ] = False,
) -> None:
    """Judge learned rates: log loss, AUC, calibration, and in a scenario the distance to the oracle."""
    from experiments.learning.judged import judge_log, judge_scenario
    from experiments.scenario.loader import load, shipped_names

    if plot is not None and plot.suffix != ".png":
        raise ReplayError(f"--plot {plot}: must end in .png")
    if after is not None and after < 0:
        raise ReplayError(f"--after {after}: must be a whole number from 0")
    if Path(source).suffix in (".yaml", ".yml") or source in shipped_names():
        if test is not None:
            raise ReplayError("--test is for logs; a scenario is judged against its own truth: leave it out")
        found = judge_scenario(load(source, list(overrides or [])), after)
    else:
        if overrides or after is not None:
            raise ReplayError("--set and --after are for scenarios; leave them out with a log")
        found = judge_log(Path(source), test)
    if plot is not None:
        from experiments.learning.plot import calibration_plot
        from experiments.report.plots import style

        try:
            plot.write_bytes(style.png_of(calibration_plot(found)))
        except OSError as error:
            raise ReplayError(f"{plot}: cannot be written: {error.strerror or error}") from None
    if as_json:
        print(json.dumps([{**asdict(judged), "above_oracle": judged.above_oracle} for judged in found], indent=2))
    else:
        _show(found)


def _show(found: list[Judged]) -> None:
    """A table on stdout: tab separated when it is no terminal."""
    names: tuple[str, ...] = ("of", "predictions", "outcome", "skipped", "impressions", "outcomes")
    names += ("predicted/observed", "log_loss", "oracle_log_loss", "above_oracle", "auc")
    rows = [
        (
            *(judged.name, judged.source, judged.outcome, str(judged.skipped), str(judged.impressions)),
            *(str(judged.outcomes), _ratio(judged), f"{judged.log_loss:.6f}", _shown(judged.oracle_log_loss, "{:.6f}")),
            *(_shown(judged.above_oracle, "{:.2%}"), _shown(judged.auc, "{:.4f}")),
        )
        for judged in found
    ]
    if not sys.stdout.isatty():
        for row in (names, *rows):
            print("\t".join(row))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(*names)
    for row in rows:
        table.add_row(*row)
    Console().print(table)


def _shown(value: float | None, form: str) -> str:
    return "-" if value is None else form.format(value)


def _ratio(judged: Judged) -> str:
    """Mean prediction over observed rate."""
    return "-" if judged.outcomes == 0 else f"{judged.predicted * judged.impressions / judged.outcomes:.3f}"
