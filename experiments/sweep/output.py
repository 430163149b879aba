"""What a finished sweep leaves: two tidy tables, one CSV for spreadsheets, and what failed."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from experiments.results.study_dictionary import STUDIES
from experiments.results.tables import build_table
from experiments.sweep.cell import Failure, Outcome, cell_id
from experiments.sweep.grid import Point
from openrtb.money import NANOS_PER_UNIT


def tables_of(points: Sequence[Point], outcomes: Sequence[Outcome]) -> dict[str, pa.Table]:
    """`sweep_settings` and `sweep_campaigns`, cells in the order of the grid."""
    return {
        "sweep_settings": build_table("sweep_settings", _columns("sweep_settings", _settings(points, outcomes))),
        "sweep_campaigns": build_table("sweep_campaigns", _columns("sweep_campaigns", _campaigns(points, outcomes))),
    }


def csv_of(points: Sequence[Point], outcomes: Sequence[Outcome], currency: str) -> str:
    """One line per cell and campaign, a column per setting; money in units of the currency."""
    text = io.StringIO()
    paths = list(points[0].settings)
    fields = [column.name for column in STUDIES["sweep_campaigns"].columns]
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*paths, *(name.replace("_nanos", f"_{currency}") for name in fields)])
    for row in _campaigns(points, outcomes):
        values = [row[name] / NANOS_PER_UNIT if name.endswith("_nanos") else row[name] for name in fields]
        writer.writerow([*(_text(points[row["cell"]].settings[path]) for path in paths), *values])
    return text.getvalue()


def failures(points: Sequence[Point], outcomes: Sequence[Outcome]) -> list[str]:
    """One line per failed cell: its settings and why."""
    return [
        f"{', '.join([*(f'{path}={_text(value)}' for path, value in point.settings.items()), f'seed={point.seed}'])}: "
        f"{outcome.message}"
        for point, outcome in zip(points, outcomes, strict=True)
        if isinstance(outcome, Failure)
    ]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _columns(table: str, rows: list[dict[str, Any]]) -> dict[str, list[Any]]:
    return {column.name: [row[column.name] for row in rows] for column in STUDIES[table].columns}


def _settings(points: Sequence[Point], outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    rows = []
    for number, (point, outcome) in enumerate(zip(points, outcomes, strict=True)):
        name = "" if isinstance(point.cell, Failure) else cell_id(point.cell)
        status = "failed" if isinstance(outcome, Failure) else "done"
        for path, value in {**point.settings, "seed": point.seed}.items():
            plain = isinstance(value, int | float) and not isinstance(value, bool)
            rows.append(
                {
                    "cell": number,
                    "cell_id": name,
                    "status": status,
                    "path": path,
                    "value": _text(value),
                    "number": float(value) if plain else None,
                }
            )
    return rows


def _campaigns(points: Sequence[Point], outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    return [
        {"cell": number, "seed": point.seed, "auctions": outcome.auctions, **row}
        for number, (point, outcome) in enumerate(zip(points, outcomes, strict=True))
        if not isinstance(outcome, Failure)
        for row in outcome.campaigns
    ]
