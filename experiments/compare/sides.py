"""What is compared: finished runs, folders of runs that differ in their seed only, and the combinations of a sweep.

Read from disk; nothing is run. Money in int64 nanos.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from experiments.errors import StudyError
from experiments.results.run_directory import Run, read_run
from experiments.results.tables import read_parquet, schema_of
from experiments.scenario.document import parse

Rows = Mapping[str, Mapping[str, Any]]
"""Rows of the campaigns table by campaign_id."""


class Side(NamedTuple):
    """One of the things compared."""

    label: str
    currency: str
    by_seed: Mapping[int, Rows]
    settings: Mapping[str, str]
    """What is known of its scenario, the seed aside: path and value as text."""


def read_sides(paths: Sequence[Path]) -> list[Side]:
    """The sides that *paths* hold, in order, each read once; raises `StudyError` or `RunError`."""
    for number, path in enumerate(paths):
        if path.resolve() in [other.resolve() for other in paths[:number]]:
            raise StudyError(f"{path}: is given twice; a run compared with itself differs by nothing")
    sides = [side for path in paths for side in _sides_in(path)]
    if len(sides) < 2:
        raise StudyError(f"{paths[0]}: holds one thing only; name another run to compare it with")
    return sides


def check_pairs(sides: Sequence[Side]) -> list[int]:
    """Seeds every side has, sorted; raises `StudyError` when sides cannot be paired."""
    first = sides[0]
    for side in sides[1:]:
        if side.currency != first.currency:
            raise StudyError(
                f"{side.label}: its money is {side.currency}, that of {first.label} {first.currency}; "
                "amounts in different currencies have no difference"
            )
        if not set(_campaigns(side)) & set(_campaigns(first)):
            mine, theirs = (", ".join(_campaigns(one)[:3]) for one in (side, first))
            raise StudyError(
                f"{side.label}: has no campaign in common with {first.label} ({mine} against {theirs}); "
                "compare runs of the same plan with something changed"
            )
    common = sorted(set.intersection(*(set(side.by_seed) for side in sides)))
    if not common:
        told = "; ".join(f"{side.label}: {_seeds(side)}" for side in sides[:4])
        raise StudyError(
            f"no seed is in all of them ({told}), so the people and their luck differ and nothing can be paired; "
            "run the same seed on both sides (--seed)"
        )
    return common


def changed(first: Side, side: Side) -> list[str]:
    """Settings in which two sides differ, as `path: before -> after`."""
    paths = [*first.settings, *(path for path in side.settings if path not in first.settings)]
    return [
        f"{path}: {first.settings.get(path, 'none')} -> {side.settings.get(path, 'none')}"
        for path in paths
        if first.settings.get(path) != side.settings.get(path)
    ]


def _campaigns(side: Side) -> list[str]:
    return list(next(iter(side.by_seed.values())))


def _seeds(side: Side) -> str:
    seeds = sorted(side.by_seed)
    return f"seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds[:5]))}{', ...' if len(seeds) > 5 else ''}"


def _sides_in(path: Path) -> list[Side]:
    if (path / "manifest.json").exists():
        return [_of_runs(path, [(path, read_run(path))])]
    if (path / "sweep_settings.parquet").exists():
        return _of_sweep(path)
    runs = sorted(file.parent for file in path.glob("*/manifest.json") if not file.parent.name.startswith("."))
    if not runs:
        raise StudyError(
            f"{path}: is no finished run, no sweep and no folder of runs; name one that bidlab has written"
        )
    return [_of_runs(path, [(folder, read_run(folder)) for folder in runs])]


def _of_runs(path: Path, runs: Sequence[tuple[Path, Run]]) -> Side:
    """One side of runs that may differ in their seed only."""
    by_seed: dict[int, Rows] = {}
    first_folder, first = runs[0]
    settings = _settings(first.scenario_yaml)
    for folder, run in runs:
        seed, mine = run.manifest.seed, _settings(run.scenario_yaml)
        if mine != settings:
            odd = next(key for key in {**settings, **mine} if settings.get(key) != mine.get(key))
            raise StudyError(
                f"{path}: holds runs that differ in more than their seed ({odd} of {folder.name} is not that of "
                f"{first_folder.name}); name the runs one by one, or keep each plan's in a folder of its own"
            )
        if seed in by_seed:
            raise StudyError(f"{path}: holds seed {seed} twice; keep one of them")
        by_seed[seed] = _by_campaign(run.tables["campaigns"])
    return Side(path.resolve().name, first.manifest.currency, by_seed, settings)


def _of_sweep(path: Path) -> list[Side]:
    """A side for each combination of a sweep, failed cells left out."""
    tables = {name: _table(path, name) for name in ("sweep_settings", "sweep_campaigns")}
    try:
        currency = json.loads((path / "study.json").read_text())["answers"]["currency"]
    except (OSError, ValueError, TypeError, KeyError):
        raise StudyError(f"{path / 'study.json'}: does not say the currency; give the sweep's command again") from None
    settings: dict[int, dict[str, str]] = {}
    for row in tables["sweep_settings"].to_pylist():
        settings.setdefault(row["cell"], {})[row["path"]] = row["value"]
    cells: dict[int, list[Mapping[str, Any]]] = {}
    for row in tables["sweep_campaigns"].to_pylist():
        cells.setdefault(row["cell"], []).append(row)
    grouped: dict[str, tuple[dict[int, Rows], dict[str, str]]] = {}
    for cell, rows in cells.items():
        mine = {key: value for key, value in settings[cell].items() if key != "seed"}
        label = ", ".join(f"{key}={value}" for key, value in mine.items()) or path.resolve().name
        grouped.setdefault(label, ({}, mine))[0][rows[0]["seed"]] = {row["campaign_id"]: row for row in rows}
    return [Side(label, currency, by_seed, mine) for label, (by_seed, mine) in grouped.items()]


def _table(path: Path, name: str) -> pa.Table:
    try:
        table = read_parquet(path / f"{name}.parquet")
    except (OSError, ValueError) as error:
        raise StudyError(f"{path / name}.parquet: cannot be read ({error}); give the sweep's command again") from None
    if not table.schema.equals(schema_of(name)):
        raise StudyError(f"{path / name}.parquet: its columns are not the dictionary's; give the sweep's command again")
    return table


def _by_campaign(table: pa.Table) -> Rows:
    return {row["campaign_id"]: row for row in table.to_pylist()}


def _settings(scenario_yaml: str) -> dict[str, str]:
    """Every setting of a scenario but its seed and names, flat, as text."""
    found: dict[str, str] = {}

    def walk(prefix: str, value: Any) -> None:
        if isinstance(value, dict) and value:
            for key, inner in value.items():
                walk(f"{prefix}.{key}" if prefix else str(key), inner)
        elif isinstance(value, list) and value:
            for number, inner in enumerate(value):
                walk(f"{prefix}.{number}", inner)
        else:
            found[prefix] = value if isinstance(value, str) else json.dumps(value, default=str)

    walk("", parse(scenario_yaml).data)
    return {key: value for key, value in found.items() if key not in ("seed", "name", "title")}
