"""kill -9 under load, a few times; `make crash` does it a hundred times."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.crash.series import Service, series, totals_eur
from tests.patience import HANG_S

pytestmark = pytest.mark.slow
KEEP_S = 3000.0
"""A bill that is told again after a kill must still be known, however long the service takes to be back."""


def test_nothing_acknowledged_is_lost_and_nothing_overspent(tmp_path: Path) -> None:
    told = series(4, seed=1, folder=tmp_path, keep_s=KEEP_S)
    assert told.startswith("4 kills")
    assert " 0 bids" not in told


def test_a_worker_is_replaced_and_its_bills_are_paid_by_the_others(tmp_path: Path) -> None:
    told = series(2, seed=2, folder=tmp_path, workers=2, only_a_worker=True, keep_s=KEEP_S)
    assert told.startswith("2 kills")
    assert " 0 bids" not in told


def test_workers_end_when_their_parent_is_killed(tmp_path: Path) -> None:
    budgets = totals_eur(1)
    service = Service(tmp_path, 2, budgets)
    assert len(service.workers()) == 2
    service.process.kill()
    service.process.communicate(timeout=HANG_S)  # returns when nobody holds its output open any more
    again = Service(tmp_path, 1, budgets)  # nobody holds the folder
    assert "awareness: 0.000000000 of 1.00 EUR" in again.end()
