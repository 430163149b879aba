"""A ROMI study on disk: tables, figures, the interactive page, and how to make it again."""

from __future__ import annotations

from pathlib import Path

from experiments.report.plots import style
from experiments.results.study_folder import study_json, write_study
from experiments.romi.curve import Curve, answers
from experiments.romi.figures import plots
from experiments.romi.page import build_page
from experiments.romi.tables import tables_of
from experiments.scenario.loader import dump_yaml, scenario_hash


def save(curve: Curve, path: Path, command: str) -> Path:
    """Write the study's folder; raises `StudyError` when it cannot be written."""
    base = curve.points.question.base
    with style.look():
        drawn = plots(curve)
        page = build_page(curve, drawn, command)
        files = {f"figures/{plot.name}.png": style.png_of(plot) for plot in drawn}
    files["romi.html"] = page.encode()
    files["scenario.yaml"] = dump_yaml(base).encode()
    files["study.json"] = study_json(command, scenario_hash(base), answers(curve))
    return write_study(path, tables_of(curve), files)
