"""Pacing by price: a multiplier on the bid that follows the spend, instead of refusing to bid.

Adaptive pacing holds mu, the price of a unit of budget, and bids worth / (1 + mu): after every auction the campaign bid
in, mu moves by step * (spend - target). Balseiro and Gur, "Learning in repeated auctions with budgets", Management
Science 2019; the multiplicative form is mirror descent with entropy (Balseiro, Lu, Mirrokni, Operations Research 2023).
PID control moves the multiplier itself once per tick. `decide` reads the multiplier, `settle` alone moves it.
Money in nanos, so steps are per nano; times in s.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from bidder.core.codes import PACE_ADAPTIVE, PACE_MULTIPLICATIVE, PACE_PID
from bidder.core.kernel import kernel

LOWEST_MU = 1e-9
"""The multiplicative form cannot leave 0, so it stays above this."""
WORST_ERROR, MOST_INTEGRAL = 10.0, 10.0
"""Bounds of the error and of the sum of errors of PID control, so that neither a burst nor a gap winds it up."""


@kernel
def additive_mu(mu: float, step: float, target: float, spend: float, highest: float) -> float:
    """Projected subgradient step: mu - step * (target - spend), kept in 0..highest."""
    return min(max(mu - step * (target - spend), 0.0), highest)


@kernel
def multiplicative_mu(mu: float, step: float, target: float, spend: float, highest: float) -> float:
    """Entropy step: mu * exp(-step * (target - spend)), kept in LOWEST_MU..highest."""
    return min(max(mu * math.exp(min(-step * (target - spend), 700.0)), LOWEST_MU), highest)


@kernel
def pid_change(kp: float, ki: float, kd: float, error: float, integral: float, previous: float) -> float:
    """What PID control adds to the multiplier: kp * error + ki * sum of errors + kd * (error - previous error)."""
    return kp * error + ki * integral + kd * (error - previous)


@kernel
def _move_mu(campaigns: NDArray[np.void], campaign_ix: int, target_nanos: float, spend_nanos: float) -> None:
    mu, step, highest = (
        campaigns["mu"][campaign_ix],
        campaigns["pace_step"][campaign_ix],
        campaigns["pace_highest"][campaign_ix],
    )
    if campaigns["pace"][campaign_ix] == PACE_ADAPTIVE:
        mu = additive_mu(mu, step, target_nanos, spend_nanos, highest)
    else:
        mu = multiplicative_mu(mu, step, target_nanos, spend_nanos, highest)
    campaigns["mu"][campaign_ix] = mu
    campaigns["multiplier"][campaign_ix] = 1.0 / (1.0 + mu)


@kernel
def pace_auction(campaigns: NDArray[np.void], campaign_ix: int, spend_nanos: int, auctions: int) -> None:
    """Take in the result of an auction the campaign bid in: what it paid, 0 if it lost.

    *auctions* is 0 for spend of an auction whose loss has been taken in before (a late win), else 1.
    """
    pace = campaigns["pace"][campaign_ix]
    if pace != PACE_ADAPTIVE and pace != PACE_MULTIPLICATIVE:
        return
    campaigns["entered"][campaign_ix] += auctions
    target_nanos = campaigns["pace_target_nanos"][campaign_ix]
    if target_nanos >= 0.0:
        _move_mu(campaigns, campaign_ix, auctions * target_nanos, float(spend_nanos))


@kernel
def pace_tick(campaigns: NDArray[np.void], campaign_ix: int, now_s: float) -> None:
    """Once per control interval: PID's control, and adaptive pacing's target and its way out of silence."""
    pace, start_s = campaigns["pace"][campaign_ix], campaigns["start_s"][campaign_ix]
    if pace < PACE_ADAPTIVE or now_s < start_s:
        return
    if pace == PACE_PID:
        _pid_tick(campaigns, campaign_ix, now_s)
    else:
        _adaptive_tick(campaigns, campaign_ix, now_s)
    campaigns["tick_s"][campaign_ix] = now_s
    campaigns["tick_entered"][campaign_ix] = campaigns["entered"][campaign_ix]
    campaigns["tick_spent_nanos"][campaign_ix] = campaigns["spent_nanos"][campaign_ix]


@kernel
def _adaptive_tick(campaigns: NDArray[np.void], campaign_ix: int, now_s: float) -> None:
    entered, start_s = campaigns["entered"][campaign_ix], campaigns["start_s"][campaign_ix]
    if entered == 0 or now_s <= start_s:
        return
    per_s = entered / (now_s - start_s)
    if campaigns["pace_auctions"][campaign_ix] == 0.0:
        left_nanos = float(max(campaigns["total_nanos"][campaign_ix] - campaigns["spent_nanos"][campaign_ix], 0))
        expected = max(1.0, per_s * (campaigns["end_s"][campaign_ix] - now_s))
        campaigns["pace_target_nanos"][campaign_ix] = left_nanos / expected
    if entered == campaigns["tick_entered"][campaign_ix]:
        # No bid at all, perhaps because mu holds them below the floors, and then no auction would ever lower it.
        missed = per_s * (now_s - max(campaigns["tick_s"][campaign_ix], start_s))
        _move_mu(campaigns, campaign_ix, missed * campaigns["pace_target_nanos"][campaign_ix], 0.0)


@kernel
def _pid_tick(campaigns: NDArray[np.void], campaign_ix: int, now_s: float) -> None:
    since_s = max(campaigns["tick_s"][campaign_ix], campaigns["start_s"][campaign_ix])
    left_s = campaigns["end_s"][campaign_ix] - since_s
    left_nanos = float(campaigns["total_nanos"][campaign_ix] - campaigns["tick_spent_nanos"][campaign_ix])
    if now_s <= since_s or left_s <= 0.0 or left_nanos <= 0.0:
        return
    target_nanos = left_nanos * ((now_s - since_s) / left_s)
    spend_nanos = float(campaigns["spent_nanos"][campaign_ix] - campaigns["tick_spent_nanos"][campaign_ix])
    error = max(1.0 - spend_nanos / target_nanos, -WORST_ERROR)
    integral = min(max(campaigns["pid_integral"][campaign_ix] + error, -MOST_INTEGRAL), MOST_INTEGRAL)
    change = pid_change(
        campaigns["pid_p"][campaign_ix],
        campaigns["pid_i"][campaign_ix],
        campaigns["pid_d"][campaign_ix],
        error,
        integral,
        campaigns["pid_error"][campaign_ix],
    )
    campaigns["pid_integral"][campaign_ix] = integral
    campaigns["pid_error"][campaign_ix] = error
    multiplier = campaigns["multiplier"][campaign_ix] + change
    campaigns["multiplier"][campaign_ix] = min(max(multiplier, 0.0), campaigns["pace_highest"][campaign_ix])
