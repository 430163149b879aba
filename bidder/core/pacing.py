"""Pacing by price: a multiplier on the bid that follows the spend, instead of refusing to bid.

Adaptive pacing holds mu, the price of a unit of budget, and bids worth / (1 + mu): after every auction the campaign bid
in, mu moves by step * (spend - target). Balseiro and Gur, "Learning in repeated auctions with budgets", Management
Science 2019; the multiplicative form is mirror descent with entropy (Balseiro, Lu, Mirrokni, Operations Research 2023).
PID control moves the multiplier itself once per tick. `decide` reads the multiplier, `settle` alone moves it.

A target for cost per purchase is a second constraint: spend <= share * worth bought, with a shadow price of its own,
lambda. The bid that maximises worth - spend under both is worth * (1 + lambda * share) / (1 + mu + lambda):
between the worth itself and the cost allowed for it (Aggarwal, Badanidiyuru, Mehta, "Autobidding with constraints",
WINE 2019). Throttled pacing (Agarwal et al., "Budget pacing for targeted online advertisements at LinkedIn",
KDD 2014) leaves bids alone and takes part in a share of the auctions. PID control of the effective cost per click or
purchase: Zhang et al., "Feedback control of real-time display advertising", WSDM 2016.
Money in nanos, so steps are per nano; times in s.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from bidder.core.book import Book
from bidder.core.budgets import shaped_share
from bidder.core.codes import (
    GOAL_CPA,
    GOAL_ROAS,
    PACE_ADAPTIVE,
    PACE_ECPC,
    PACE_MULTIPLICATIVE,
    PACE_PID,
    PACE_THROTTLED,
)
from bidder.core.ftrl import hashed
from bidder.core.kernel import kernel

LOWEST_MU = 1e-9
"""The multiplicative form cannot leave 0, so it stays above this."""
WORST_ERROR, MOST_INTEGRAL = 10.0, 10.0
"""Bounds of the error and of the sum of errors of PID control, so that neither a burst nor a gap winds it up."""

LEAST_SHARE = 1e-4
"""Throttled pacing never stays out of everything, or it would not notice that it may come back."""
LONGEST_MIN = 600.0
"""Minutes beyond which a longer tick lets the share change no further: a factor of 10^180 is enough."""
STEADY = 4.0
"""Wins that throttled pacing counts in, on both sides of its comparison."""
MOST_PUSH = 2.0
"""Bounds the exponent of eCPC control: bids between 1/7.4 and 7.4 times the rule's."""

_S12 = np.uint64(12)


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
    _set_multiplier(campaigns, campaign_ix)


@kernel
def _set_multiplier(campaigns: NDArray[np.void], campaign_ix: int) -> None:
    """The multiplier both shadow prices ask for."""
    price = campaigns["target_mu"][campaign_ix]
    allowed = 1.0 + price * campaigns["target_share"][campaign_ix]
    campaigns["multiplier"][campaign_ix] = allowed / (1.0 + campaigns["mu"][campaign_ix] + price)


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
def throttled(book: Book, campaign_ix: int, imps: NDArray[np.void], i: int) -> bool:
    """Whether a throttled campaign stays out of the auction for impression *i*: drawn from the request's number."""
    if book.campaigns["pace"][campaign_ix] != PACE_THROTTLED:
        return False
    bits = hashed(imps["request_no"][i] ^ 1 << 61, (campaign_ix << 20) ^ imps["slot_ix"][i])
    return np.float64(bits >> _S12) / 4503599627370496.0 >= book.campaigns["pass_share"][campaign_ix]


@kernel
def pace_tick(book: Book, campaign_ix: int, now_s: float) -> None:
    """Once per control interval: control of share, multiplier or target, and adaptive pacing's way out of silence."""
    campaigns = book.campaigns
    pace, start_s = campaigns["pace"][campaign_ix], campaigns["start_s"][campaign_ix]
    if pace < PACE_ADAPTIVE or now_s < start_s:
        return
    if pace == PACE_PID:
        _pid_tick(book, campaign_ix, now_s)
    elif pace == PACE_ECPC:
        _ecpc_tick(campaigns, campaign_ix)
    elif pace == PACE_THROTTLED:
        _throttle_tick(book, campaign_ix, now_s)
    else:
        _adaptive_tick(campaigns, campaign_ix, now_s)
        _target_tick(campaigns, campaign_ix, now_s)
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
def _target_tick(campaigns: NDArray[np.void], campaign_ix: int, now_s: float) -> None:
    """Move 1 + lambda by exp(step * error), error: the tick's spend against what it should have been, -1 to 1.

    That is what the tick's predicted worth allowed, less what earlier ticks spent above theirs (or plus what they
    left), spread over the time that is left: what was overspent while lambda had to be found is won back by the end.
    """
    share = campaigns["target_share"][campaign_ix]
    if share <= 0.0:
        return
    bought, spent = campaigns["bought_worth"][campaign_ix], float(campaigns["spent_nanos"][campaign_ix])
    allowed = share * (bought - campaigns["tick_bought_worth"][campaign_ix])
    spend = spent - campaigns["tick_spent_nanos"][campaign_ix]
    campaigns["tick_bought_worth"][campaign_ix] = bought
    if max(spend, allowed) <= 0.0:
        return
    tick_s = now_s - max(campaigns["tick_s"][campaign_ix], campaigns["start_s"][campaign_ix])
    left_s = max(campaigns["end_s"][campaign_ix] - now_s, tick_s)
    if left_s > 0.0:
        allowed = max(allowed - (spent - share * bought) * tick_s / left_s, 0.0)
    error = (spend - allowed) / max(spend, allowed)
    push = min(campaigns["target_step"][campaign_ix] * error, 700.0)
    price = (1.0 + campaigns["target_mu"][campaign_ix]) * math.exp(push) - 1.0
    campaigns["target_mu"][campaign_ix] = min(max(price, 0.0), campaigns["pace_highest"][campaign_ix])
    _set_multiplier(campaigns, campaign_ix)


@kernel
def _throttle_tick(book: Book, campaign_ix: int, now_s: float) -> None:
    """Scale the share by what should be spent in a tick like the last one, over what that one spent.

    What should be spent: the budget left, by the plan's weight of the coming tick in all that is left of it. STEADY
    wins at the mean price so far are added to both, so that few wins do not shake the share; it changes by at most the
    step per minute.
    """
    campaigns = book.campaigns
    start_s, end_s = campaigns["start_s"][campaign_ix], campaigns["end_s"][campaign_ix]
    tick_s = now_s - max(campaigns["tick_s"][campaign_ix], start_s)
    if tick_s <= 0.0:
        return
    done = shaped_share(book, campaign_ix, start_s, end_s, now_s)
    coming = shaped_share(book, campaign_ix, start_s, end_s, min(now_s + tick_s, end_s)) - done
    left = float(max(campaigns["total_nanos"][campaign_ix] - campaigns["spent_nanos"][campaign_ix], 0))
    wanted = left * coming / (1.0 - done) if done < 1.0 else left
    spend = float(campaigns["spent_nanos"][campaign_ix] - campaigns["tick_spent_nanos"][campaign_ix])
    most = (1.0 + campaigns["pace_step"][campaign_ix]) ** min(tick_s / 60.0, LONGEST_MIN)
    wins = campaigns["wins"][campaign_ix]
    steady = STEADY * campaigns["spent_nanos"][campaign_ix] / wins if wins > 0 else 0.0
    factor = min(max((wanted + steady) / (spend + steady), 1.0 / most), most) if spend + steady > 0.0 else most
    share = campaigns["pass_share"][campaign_ix] * factor
    campaigns["pass_share"][campaign_ix] = min(max(share, LEAST_SHARE), 1.0)


@kernel
def _correct(campaigns: NDArray[np.void], campaign_ix: int, error: float) -> float:
    """What the campaign's gains make of *error*, which is remembered."""
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
    return change


@kernel
def _ecpc_tick(campaigns: NDArray[np.void], campaign_ix: int) -> None:
    """Multiplier exp(kp e + ki sum e + kd de), e = 1 - cost per outcome so far / target.

    One outcome at the target is taken as given, so that none at all is no infinite cost.
    """
    goal, target = campaigns["goal"][campaign_ix], campaigns["target_ecpc"][campaign_ix]
    bought = goal in (GOAL_CPA, GOAL_ROAS)
    outcomes = campaigns["conversions"][campaign_ix] if bought else campaigns["clicks"][campaign_ix]
    cost = (campaigns["spent_nanos"][campaign_ix] + target) / (outcomes + 1.0)
    error = max(1.0 - cost / target, -WORST_ERROR)
    push = _correct(campaigns, campaign_ix, error)
    multiplier = math.exp(min(max(push, -MOST_PUSH), MOST_PUSH))
    campaigns["multiplier"][campaign_ix] = min(multiplier, campaigns["pace_highest"][campaign_ix])


@kernel
def _pid_tick(book: Book, campaign_ix: int, now_s: float) -> None:
    campaigns = book.campaigns
    since_s = max(campaigns["tick_s"][campaign_ix], campaigns["start_s"][campaign_ix])
    left_s = campaigns["end_s"][campaign_ix] - since_s
    left_nanos = float(campaigns["total_nanos"][campaign_ix] - campaigns["tick_spent_nanos"][campaign_ix])
    if now_s <= since_s or left_s <= 0.0 or left_nanos <= 0.0:
        return
    target_nanos = left_nanos * shaped_share(book, campaign_ix, since_s, since_s + left_s, now_s)
    if target_nanos <= 0.0:
        return
    spend_nanos = float(campaigns["spent_nanos"][campaign_ix] - campaigns["tick_spent_nanos"][campaign_ix])
    error = max(1.0 - spend_nanos / target_nanos, -WORST_ERROR)
    change = _correct(campaigns, campaign_ix, error)
    multiplier = campaigns["multiplier"][campaign_ix] + change
    campaigns["multiplier"][campaign_ix] = min(max(multiplier, 0.0), campaigns["pace_highest"][campaign_ix])
