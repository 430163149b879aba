"""The bidding rules of the published replays: one bid per row from its predicted click rate.

Bids are cut to whole numbers of the log's price unit as `int()` does, so the order of the floating-point operations is
part of each rule: another order moves single bids by one unit. They are computed for the whole log before any auction,
which is exact because none of them looks at earlier results; only the budget does, and `auctions` applies it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

Bids = npt.NDArray[np.int64]
Rates = npt.NDArray[np.float64]

BID_LIMIT = 2**53
"""Above every price a log may hold, so cutting a bid there changes no auction."""


@njit(cache=True)
def whole(bid: float, cap: int) -> int:
    """Cut a bid ≥ 0 to a whole number and to *cap*; an infinite bid becomes *cap*."""
    return min(int(min(bid, float(BID_LIMIT))), cap)


@njit(cache=True)
def constant(pctr: Rates, param: float, scale: float, cap: int, bid: Bids) -> None:
    """Fill *bid* (rows,) with int(param)."""
    for i in range(len(pctr)):
        bid[i] = whole(param, cap)


@njit(cache=True, error_model="numpy")
def linear(pctr: Rates, param: float, scale: float, cap: int, bid: Bids) -> None:
    """Fill *bid* (rows,) with int(pctr · param / scale); scale = average click rate, param = bid at that rate.

    Perlich et al. 2012, "Bid optimizing and inventory scoring in targeted online advertising".
    """
    for i in range(len(pctr)):
        bid[i] = whole(pctr[i] * param / scale, cap)


@njit(cache=True)
def mcpc(pctr: Rates, param: float, scale: float, cap: int, bid: Bids) -> None:
    """Fill *bid* (rows,) with int(scale · pctr); scale = highest acceptable cost per click. *param* is not used.

    Lee et al. 2012, "Estimating conversion rate in display advertising from past performance data", with the training
    cost per click as the goal.
    """
    for i in range(len(pctr)):
        bid[i] = whole(scale * pctr[i], cap)


@njit(cache=True, error_model="numpy")
def ortb1(pctr: Rates, param: float, scale: float, cap: int, bid: Bids) -> None:
    """Fill *bid* (rows,) with int(sqrt(c · pctr / λ + c²) - c); c = scale, λ = param.

    Zhang, Yuan, Wang 2014, "Optimal real-time bidding for display advertising".
    """
    for i in range(len(pctr)):
        bid[i] = whole(math.sqrt(scale * pctr[i] / param + scale * scale) - scale, cap)


@njit(cache=True, error_model="numpy")
def ortb2(pctr: Rates, param: float, scale: float, cap: int, bid: Bids) -> None:
    """Fill *bid* (rows,) with int(2 c sinh(asinh(pctr / (λ c)) / 3)); c = scale, λ = param.

    The same as ORTB2 of Zhang, Yuan, Wang 2014 (the root of b³ + 3 c² b = 2 c² pctr / λ), without the cancellation of
    their two cube roots at small rates.
    """
    for i in range(len(pctr)):
        bid[i] = whole(2.0 * scale * math.sinh(math.asinh(pctr[i] / (param * scale)) / 3.0), cap)


class Rule(NamedTuple):
    """A rule's compiled filler, what its scale is (None: it has none) and whether its parameter matters."""

    fill: Callable[[Rates, float, float, int, Bids], None]
    scale_option: str | None
    uses_param: bool
    param_above_zero: bool
    power: int = 1
    """p of the win curve b^p / (b^p + c^p) its scale is fitted to."""


RULES = {
    "const": Rule(constant, None, True, False),
    "lin": Rule(linear, "--base-ctr", True, False),
    "mcpc": Rule(mcpc, "--max-ecpc", False, False),
    "ortb1": Rule(ortb1, "--landscape-c", True, True),
    "ortb2": Rule(ortb2, "--landscape-c", True, True, power=2),
}
