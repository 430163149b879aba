"""A ROMI study on disk: tables, figures, the interactive page, and how to make it again."""

from __future__ import annotations

from pathlib import Path

from experiments.report.plots import style
from experiments.results.study_folder import study_json, write_study
from experiments.romi.curve import Curve, answers
from experiments.romi.figures import plots
from experiments.romi.groups import Groups, figure, table_of
from experiments.romi.page import build_page
from experiments.romi.tables import tables_of
from experiments.scenario.loader import dump_yaml, scenario_hash


def save(curve: Curve, path: Path, command: str, groups: Groups | None = None) -> Path:
    """Write the study's folder; raises `StudyError` when it cannot be written."""
    base, tables, told = curve.points.question.base, tables_of(curve), answers(curve)
    if groups is not None:
        tables["romi_groups"] = table_of(curve.points.question, groups)
        told["groups"] = {name: answers(of_group) for name, of_group in groups.curves.items()}
    with style.look():
        drawn = plots(curve)
        if drawn and groups is not None:
            drawn.append(figure(curve.points.question, groups.curves))
        page = build_page(curve, drawn, command)
        files = {f"figures/{plot.name}.png": style.png_of(plot) for plot in drawn}
    files["romi.html"] = page.encode()
    files["scenario.yaml"] = dump_yaml(base).encode()
    files["study.json"] = study_json(command, scenario_hash(base), told)
    return write_study(path, tables, files)
