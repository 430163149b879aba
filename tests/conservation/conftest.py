"""How the properties run a market."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest

from bidder.core.book import Book
from experiments.drivers.batch import run_batch
from experiments.ledger import Ledger
from experiments.setting import Setting, make_ready
from tests.oracles.markets import market


class Run(NamedTuple):
    """A finished run."""

    setting: Setting
    ledger: Ledger
    book: Book

    def days(self, times_s: np.ndarray) -> np.ndarray:
        """Calendar day of each time, from the scenario's own start."""
        start = self.setting.scenario.start
        since_midnight_s = start.hour * 3600 + start.minute * 60 + start.second
        return ((times_s + since_midnight_s) // 86400).astype(np.int64)

    def content(self) -> list[bytes]:
        """Everything a run hands on, to the last bit."""
        ledger = self.ledger
        return [*columns(ledger.exposures), *columns(ledger.purchases), *(t.tobytes() for t in ledger.tallies)]


def columns(rows: np.ndarray) -> list[bytes]:
    """The bytes of each column (between columns lies padding, which nobody writes)."""
    return [rows[name].tobytes() for name in rows.dtype.names]


def run_market(data: dict[str, Any]) -> Run:
    """Run the scenario in *data* with driver batch."""
    setting = make_ready(market(data))
    return Run(setting, *run_batch(setting))


@pytest.fixture(scope="session")
def run():  # type: ignore[no-untyped-def]
    """`run_market`."""
    return run_market


@pytest.fixture(scope="session")
def bits():  # type: ignore[no-untyped-def]
    """`columns`."""
    return columns
