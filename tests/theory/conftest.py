"""Runs of the textbook worlds in tests/cases, each made once and shared by the tests that look at it."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from bidder.core.book import Book
from experiments.drivers.batch import run_batch
from experiments.ledger import SLOT_REVENUE, Ledger
from experiments.scenario.loader import load
from experiments.setting import Setting, make_ready

CASES = Path(__file__).parents[1] / "cases"
FEWEST = 1_000_000


class Case(NamedTuple):
    """A finished run of at least FEWEST auctions."""

    setting: Setting
    ledger: Ledger
    book: Book

    @property
    def auctions(self) -> int:
        """Requests."""
        return self.ledger.auctions

    @property
    def exposures(self) -> NDArray[np.void]:
        """Impressions bought, one row each."""
        return self.ledger.exposures

    @property
    def revenue_cpm(self) -> float:
        """What sellers earned per request, from whoever won."""
        return float(self.ledger.tallies.slots[:, SLOT_REVENUE].sum()) / self.auctions / 1e6

    @property
    def paid_cpm(self) -> float:
        """What our campaigns paid per request."""
        return float(self.exposures["price_nanos"].sum()) / self.auctions / 1e6


@lru_cache(maxsize=8)
def _run(name: str, *overrides: str) -> Case:
    setting = make_ready(load(CASES / f"{name}.yaml", overrides))
    case = Case(setting, *run_batch(setting))
    assert case.auctions >= FEWEST
    return case


@pytest.fixture(scope="session")
def run_case() -> Callable[..., Case]:
    """run_case(name of the file, "key=value" ...) → Case."""
    return _run
