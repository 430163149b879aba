"""The notebooks under docs/notebooks run from top to bottom, each in a folder of its own, warnings being errors."""

from __future__ import annotations

import json
import re
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))


def cells(notebook: Path, kind: str) -> list[str]:
    """Sources of a notebook's cells of one kind, in order."""
    read = json.loads(notebook.read_text(encoding="utf-8"))
    assert (read["nbformat"], read["nbformat_minor"]) == (4, 5)
    return ["".join(cell["source"]) for cell in read["cells"] if cell["cell_type"] == kind]


def test_there_is_one_for_each_group_of_users() -> None:
    assert [notebook.stem for notebook in NOTEBOOKS] == ["engineer", "media-team", "researcher"]


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda notebook: notebook.stem)
def test_it_is_kept_without_outputs_and_its_links_lead_somewhere(notebook: Path) -> None:
    read = json.loads(notebook.read_text(encoding="utf-8"))
    assert all(cell["outputs"] == [] for cell in read["cells"] if cell["cell_type"] == "code")
    links = [link for text in cells(notebook, "markdown") for link in re.findall(r"\]\(([^)#]+)", text)]
    assert links
    assert [link for link in links if not (notebook.parent / link).exists()] == []


@pytest.mark.slow
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda notebook: notebook.stem)
def test_it_runs_from_top_to_bottom(notebook: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / f"{notebook.stem}.py"
    # a cell's last value is shown by a notebook; here it only has to be made
    script.write_text("\n\n".join(cells(notebook, "code")), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(script))


@pytest.mark.slow
def test_the_python_page_runs_from_top_to_bottom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", page, flags=re.MULTILINE | re.DOTALL)
    assert len(blocks) >= 6
    script = tmp_path / "page.py"
    script.write_text("\n\n".join(blocks), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(script))
    assert {"report.html", "win-rate.png", "runs", "sweeps"} <= {file.name for file in tmp_path.iterdir()}
