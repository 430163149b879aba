"""The page of strategies: every rule and pacing is on it, and its figure can be drawn again."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bidder.core.codes import BIDS, GOALS, PACES
from experiments.replay.programme import PROGRAMMES
from experiments.strategy_plot import draw, main

PAGE = Path(__file__).parents[2] / "docs" / "strategies.md"


@pytest.mark.slow
def test_the_figure_is_drawn_and_every_line_has_data(tmp_path: Path) -> None:
    assert main([str(tmp_path / "figure.png")]) == 0
    assert (tmp_path / "figure.png").read_bytes().startswith(b"\x89PNG")
    lines = [len(axes.get_lines()) for axes in draw().figure.axes]
    assert lines == [5, 4, 4, 3]


@pytest.mark.parametrize("arguments", [[], ["figure.svg"], ["no-such-folder/figure.png"]])
def test_mistakes_are_one_message(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_every_strategy_is_on_the_page() -> None:
    text = PAGE.read_text(encoding="utf-8")
    words = set(re.findall(r"[a-z0-9]+", text))
    named = {part for name in (*BIDS, *PACES, *GOALS, *PROGRAMMES) for part in name.split("_")}
    assert named <= words
    assert (PAGE.parent / "strategies.png").is_file()
    assert "(strategies.png)" in text
