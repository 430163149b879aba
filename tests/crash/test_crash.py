"""kill -9 under load, a few times; `make crash` does it a hundred times."""

from __future__ import annotations

from pathlib import Path

from tests.crash.series import series


def test_nothing_acknowledged_is_lost_and_nothing_overspent(tmp_path: Path) -> None:
    told = series(4, seed=1, folder=tmp_path)
    assert told.startswith("4 kills")
    assert " 0 bids" not in told
