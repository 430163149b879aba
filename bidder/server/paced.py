"""Where pacing stands, as the accounts keep it over a restart, and the budgets it is to see. Money in nanos."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from bidder.core.codes import PACE_ADAPTIVE, PACE_MULTIPLICATIVE

PACED = (
    *("mu", "multiplier", "pace_target_nanos", "entered", "tick_entered", "tick_spent_nanos", "tick_s"),
    *("pid_integral", "pid_error"),
)
"""Where pacing stands: fields of a campaign's row."""


def written(campaigns: NDArray[np.void], pacings: Sequence[str], numbers: Sequence[int]) -> list[tuple[bytes, int]]:
    """Where each paced campaign stands, with its number; *pacings* says how each is paced."""
    return [
        (msgspec.json.encode([pacings[c], [float(campaigns[name][c]) for name in PACED]]), numbers[c])
        for c in np.flatnonzero(campaigns["pace"] >= PACE_ADAPTIVE).tolist()
    ]


def recover(
    campaigns: NDArray[np.void], known: Mapping[int, bytes], pacings: Sequence[str], numbers: Sequence[int]
) -> None:
    """Go on where the last worker that wrote it down stood, campaigns with another pacing now excepted."""
    for campaign_ix, number in enumerate(numbers):
        pacing, values = msgspec.json.decode(known.get(number, b'["",[]]'))
        if pacing == pacings[campaign_ix]:
            for name, value in zip(PACED, values, strict=True):
                campaigns[name][campaign_ix] = value


def paced_totals(campaigns: NDArray[np.void], totals: NDArray[np.int64], workers: int) -> NDArray[np.int64]:
    """int64[C]: budgets as pacing is to see them. By mu it steers what the worker's own auctions spend, so it sees the
    worker's share of what is left; by PID what all spend."""
    spent, by_mu = campaigns["spent_nanos"], np.isin(campaigns["pace"], (PACE_ADAPTIVE, PACE_MULTIPLICATIVE))
    share: NDArray[np.int64] = np.where(by_mu, spent + (totals - spent) // workers, totals)
    return share
