"""Tables on a narrow terminal: no number is cut, and every block begins with the names."""

from __future__ import annotations

import pytest

from experiments.cli import tables
from experiments.cli.tables import blocks, print_table


def test_columns_that_do_not_fit_go_below() -> None:
    assert blocks([10, 5, 5, 5], 1, 80) == [[0, 1, 2, 3]]
    assert blocks([10, 5, 5, 5], 1, 30) == [[0, 1, 2], [0, 3]]
    assert blocks([10, 60, 5], 1, 30) == [[0, 1], [0, 2]]
    assert blocks([10], 1, 30) == [[0]]


@pytest.mark.parametrize("width", [50, 80, 190])
def test_no_cell_is_cut(width: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "FILE_WIDTH", width)
    headings = ["campaign", *(f"incremental value {k}" for k in range(9))]
    print_table(headings, [["awareness-for-everybody", *(f"€12,345.6{k}" for k in range(9))]], "money in EUR")
    told = capsys.readouterr().out
    assert "…" not in told
    assert all(f"€12,345.6{k}" in told for k in range(9))
    assert told.count("awareness-for-everybody") == told.count("campaign") > (width < 190)
    assert all(len(line.rstrip()) <= width for line in told.splitlines())
