"""Attribution as tidy rows: rule, product, channel, conversions, value; of a run also the rule `truth`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from experiments.measure.attribution import attribute
from experiments.measure.paths import Paths, read_paths
from experiments.measure.run_paths import paths_of_run
from experiments.run import DRIVERS
from experiments.scenario.models import Scenario
from experiments.setting import make_ready
from openrtb.money import NANOS_PER_UNIT


def credits_of_file(file: Path) -> list[dict[str, Any]]:
    """Rows of recorded paths; raises `StudyError` for a file that is none."""
    return _rows(read_paths(file), "")


def credits_of_scenario(scenario: Scenario) -> list[dict[str, Any]]:
    """Rows of a run of *scenario*, product by product, with the truth."""
    setting = make_ready(scenario)
    ledger, _ = DRIVERS[scenario.driver](setting, None)
    names, rows = [plan.campaign_id for plan in setting.plans], []
    for product_ix, product_id in enumerate(scenario.products):
        paths = paths_of_run(setting, ledger, product_id)
        mine = [c for c, plan in enumerate(setting.plans) if plan.product == product_id]
        if not mine:
            continue
        rows += [row for row in _rows(paths, product_id) if row["channel"] in {names[c] for c in mine}]
        caused = ledger.purchases[
            (ledger.purchases["product_ix"] == product_ix) & (ledger.purchases["caused_by_ix"] >= 0)
        ]
        for c in mine:
            own = caused[caused["caused_by_ix"] == c]
            value = int(np.sum(own["value_nanos"])) / NANOS_PER_UNIT
            rows.append(_row("truth", product_id, names[c], float(len(own)), value))
    return rows


def by_channel(rows: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Per product a row per channel with a column of conversions per rule."""
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for row in rows:
        line = found.setdefault(row["product_id"], {}).setdefault(row["channel"], {"channel": row["channel"]})
        line[row["rule"]] = float(row["conversions"])
    return {product_id: list(lines.values()) for product_id, lines in found.items()}


def _rows(paths: Paths, product_id: str) -> list[dict[str, Any]]:
    return [
        _row(rule, product_id, channel, float(credit.conversions[c]), float(credit.value[c]))
        for rule, credit in attribute(paths).items()
        for c, channel in enumerate(paths.channels)
    ]


def _row(rule: str, product_id: str, channel: str, conversions: float, value: float) -> dict[str, Any]:
    return {"rule": rule, "product_id": product_id, "channel": channel, "conversions": conversions, "value": value}
