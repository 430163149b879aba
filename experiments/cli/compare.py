"""`bidlab compare RUN_A RUN_B ...`: what changed between finished runs, pair by pair of the same seed."""

from __future__ import annotations

import json
import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from experiments.cli.measure import show


def compare(
    runs: Annotated[list[Path], typer.Argument(help="Finished runs, folders of runs, or sweeps; first: the base.")],
    out: Annotated[Path, typer.Option(help="Folder that holds the studies.")] = Path("studies"),
    as_json: Annotated[bool, typer.Option("--json", help="Print the rows as JSON.")] = False,
) -> None:
    """Paired differences with intervals: everything against what is given first."""
    from experiments.compare.differences import differences, pairs, rows_of
    from experiments.compare.figure import figure
    from experiments.compare.sides import changed, check_pairs, read_sides
    from experiments.report.plots import style
    from experiments.results.run_directory import run_path
    from experiments.results.study_folder import command_line, study_json, write_study
    from experiments.results.tables import build_table

    sides = read_sides(runs)
    seeds = check_pairs(sides)
    found = differences(sides, seeds)
    rows, paired = rows_of(found, seeds), pairs(sides, seeds)
    with style.look():
        png = style.png_of(figure(found, sides[0].currency, len(seeds)))
    command = command_line("bidlab compare", *map(str, runs))
    answers = {"sides": [side.label for side in sides], "seeds": seeds}
    files = {"comparison.png": png, "study.json": study_json(command, "", answers)}
    tables = {
        name: build_table(name, {key: [row[key] for row in some] for key in some[0]})
        for name, some in (("comparison", rows), ("comparison_pairs", paired))
    }
    folder = write_study(run_path(out, "compare", datetime.now()), tables, files)
    left_out = sorted({seed for side in sides for seed in side.by_seed} - set(seeds))
    if left_out:
        print(f"seeds that not every side has are left out: {', '.join(map(str, left_out))}", file=sys.stderr)
    if as_json:
        print(json.dumps({"study": str(folder), "seeds": seeds, "rows": rows}, indent=2))
        return
    for side in sides[1:]:
        print(f"{side.label} against {sides[0].label}")
        for line in changed(sides[0], side)[:8] or ["nothing in the scenario"]:
            print(f"  changed: {line}")
        keys = ("campaign_id", "measure", "before", "after", "difference", "difference_low", "difference_high")
        mine = [{key: _plain(row[key]) for key in keys} for row in rows if row["side"] == side.label and _first(row)]
        show(mine, f"{len(seeds)} pair{'s' if len(seeds) > 1 else ''}; money in {side.currency}; 95 % intervals")
    print(f"figure: {folder / 'comparison.png'}")


def _first(row: dict[str, Any]) -> bool:
    """Whether the row is seen on the terminal: everything of all campaigns, the main measures of each one."""
    return row["campaign_id"] == "*" or row["measure"] in ("spend", "value", "profit", "romi")


def _plain(value: Any) -> Any:
    """No minus before a zero."""
    return round(value, 2) + 0.0 if isinstance(value, float) else value
