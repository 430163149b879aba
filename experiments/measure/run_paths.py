"""Paths of a run: what each recognised person had seen of a product before buying it, and of those who did not buy.

Only people with consent have paths: nobody else's exposures can be joined to their purchases. Channels are campaigns.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from experiments.ledger import Ledger
from experiments.measure.paths import Paths
from experiments.setting import Setting
from openrtb.money import NANOS_PER_UNIT


def paths_of_run(setting: Setting, ledger: Ledger, product_id: str) -> Paths:
    """Paths of *product_id*: per purchase the exposures inside the look-back; per person without one, all exposures."""
    product_ix = list(setting.scenario.products).index(product_id)
    plans = setting.plans
    ours = np.array([plan.product == product_id for plan in plans])
    lookback_s = np.array([plan.lookback_s for plan in plans])
    shown = ledger.exposures[ours[ledger.exposures["campaign_ix"]] & (ledger.exposures["consent"] == 1)]
    shown = shown[np.lexsort((shown["time_s"], shown["person_ix"]))]
    bought = ledger.purchases[ledger.purchases["product_ix"] == product_ix]
    bought = bought[setting.world.homes["consent"][bought["person_ix"]] == 1]
    people = shown["person_ix"]
    first = np.searchsorted(people, bought["person_ix"], "left")
    end = np.searchsorted(people, bought["person_ix"], "right")
    pieces: list[tuple[NDArray[np.int64], float, float, float]] = []
    for k in range(len(bought)):
        at = np.arange(first[k], end[k])
        age = bought["time_s"][k] - shown["time_s"][at]
        at = at[(age >= 0) & (age <= lookback_s[shown["campaign_ix"][at]])]
        if len(at):
            pieces.append((at, 1.0, bought["value_nanos"][k] / NANOS_PER_UNIT, float(bought["time_s"][k])))
    quiet = np.setdiff1d(np.unique(people), np.unique(bought["person_ix"]))
    lows, highs = np.searchsorted(people, quiet, "left"), np.searchsorted(people, quiet, "right")
    pieces += [(np.arange(low, high), 0.0, 0.0, setting.end_s) for low, high in zip(lows, highs, strict=True)]
    return _joined([plan.campaign_id for plan in plans], shown, pieces)


def _joined(
    names: list[str], shown: NDArray[np.void], pieces: list[tuple[NDArray[np.int64], float, float, float]]
) -> Paths:
    at = np.concatenate([piece[0] for piece in pieces]) if pieces else np.zeros(0, np.int64)
    lengths = [len(piece[0]) for piece in pieces]
    conversions = np.array([piece[1] for piece in pieces], np.float64)
    ends_s = np.repeat(np.array([piece[3] for piece in pieces], np.float64), lengths)
    return Paths(
        tuple(names),
        shown["campaign_ix"][at].astype(np.int32),
        np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        conversions,
        np.array([piece[2] for piece in pieces], np.float64),
        1.0 - conversions,
        ends_s - shown["time_s"][at],
    )
