"""Training totals of a campaign and the constant of its price landscape, from a landscape file.

A landscape file is JSON: `imp_train` (impressions), `clk_train` (clicks), `cost_train` (cost, in the log's price unit)
and `price_counter_train` (how often each winning price 0, 1, 2, … was seen). Other keys are ignored.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from experiments.errors import ReplayError

TOTALS = ("imp_train", "clk_train", "cost_train")


class TrainingStats(NamedTuple):
    """What a landscape file tells; a key it lacks is None. `price_counts` has shape (highest price + 1,)."""

    path: Path
    imp_train: int | None
    clk_train: int | None
    cost_train: int | None
    price_counts: npt.NDArray[np.int64] | None

    def base_ctr(self) -> float:
        """Return the average click rate, clicks per impression."""
        return self._total("clk_train") / self._total("imp_train")

    def max_ecpc(self) -> float:
        """Return the average cost per click, in the log's price unit."""
        return self._total("cost_train") / self._total("clk_train")

    def price_share(self, smoothing: float) -> npt.NDArray[np.float64]:
        """Return the smoothed share of each training price, shape (prices,), (count + s) / (sum of those)."""
        if self.price_counts is None:
            raise ReplayError(f"{self.path}: lacks price_counter_train, the prices this bid plans with")
        weights = self.price_counts + smoothing
        if not weights.sum() > 0:
            raise ReplayError(f"{self.path}: price_counter_train holds no price; give a --smoothing above 0")
        share: npt.NDArray[np.float64] = weights / weights.sum()
        return share

    def landscape_c(self, power: int = 1) -> int:
        """Return the fitted constant of `fit_landscape_c`."""
        if self.price_counts is None:
            raise ReplayError(f"{self.path}: lacks price_counter_train, from which the landscape constant is fitted")
        try:
            return fit_landscape_c(self.price_counts, power)
        except ValueError as error:
            raise ReplayError(f"{self.path}: price_counter_train {error}; give --landscape-c instead") from None

    def _total(self, key: str) -> int:
        value: int | None = getattr(self, key)
        if value is None:
            raise ReplayError(f"{self.path}: lacks {key}, which this bid needs")
        return value


def fit_landscape_c(price_counts: npt.NDArray[np.int64], power: int = 1) -> int:
    """Return the whole c ≥ 1 for which w(b) = b^p / (b^p + c^p) fits the share of prices up to b best.

    w is the win rate of ORTB1 (*power* p = 1) and of ORTB2 (p = 2) (Zhang, Yuan, Wang 2014, "Optimal real-time bidding
    for display advertising").
    The share at b counts prices 0..b, b included (a bid of b wins at a price of b). Least squares over
    b = 1..len(price_counts) - 2, each b with the same weight: both ends are left out, for prices 0..300 b = 1..299.

    Raises:
        ValueError: there are too few prices, or the best c lies beyond ten times the highest price.
    """
    highest = len(price_counts) - 1
    if highest < 2 or price_counts.sum() == 0:
        raise ValueError("holds too few prices to fit the win curve")
    share = np.cumsum(price_counts)[1:highest] / price_counts.sum()
    bid = np.arange(1.0, highest)
    candidates = np.arange(1.0, 10 * highest + 1)
    squares = [float(np.sum((bid**power / (bid**power + c**power) - share) ** 2)) for c in candidates]
    best = int(np.argmin(squares))
    if best == len(candidates) - 1:
        raise ValueError("does not follow the win curve")
    return int(candidates[best])


def read_stats(path: Path) -> TrainingStats:
    """Read a landscape file.

    Raises:
        ReplayError: the file is missing or not JSON, or a total is no positive whole number.
    """
    content = _json_object(path)
    totals = {key: _positive(content[key], key, path) if key in content else None for key in TOTALS}
    counts = content.get("price_counter_train")
    return TrainingStats(path, **totals, price_counts=None if counts is None else _counts(counts, path))


def _json_object(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ReplayError(f"{path}: there is no such landscape file (--stats)") from None
    except OSError as error:
        raise ReplayError(f"{path}: the landscape file cannot be read: {error.strerror or error}") from None
    except json.JSONDecodeError as error:
        raise ReplayError(f"{path}:{error.lineno}: the landscape file is not JSON: {error.msg}") from None
    except (ValueError, RecursionError):
        raise ReplayError(f"{path}: the landscape file is not JSON text") from None
    if not isinstance(content, dict):
        raise ReplayError(f'{path}: the landscape file must be a JSON object with "imp_train", "clk_train", …')
    return content


def _positive(value: object, key: str, path: Path) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < 2**63:
        raise ReplayError(f"{path}: {key} is {json.dumps(value)[:40]}; it must be a whole number above 0")
    return value


def _counts(values: object, path: Path) -> npt.NDArray[np.int64]:
    if isinstance(values, list) and all(type(value) is int and 0 <= value < 2**53 for value in values):
        return np.array(values, np.int64)
    raise ReplayError(f"{path}: price_counter_train must be a list of counts, whole numbers from 0")
