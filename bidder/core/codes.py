"""Codes shared by the kernels: why a campaign did not bid, how it bids, what it wants.

Plain module-level integers, because compiled code reads them as constants.
"""

from __future__ import annotations

# Why a campaign did not bid, in the order the checks are made. A request's own reason is the furthest any of them came.
NOT_TARGETED = 0
NO_CONSENT = 1
BAD_BID = 2
NO_VALUE = 3
BELOW_FLOOR = 4
BUDGET_GONE = 5
PACED = 6
CAPPED = 7
OUTRANKED = 8
BID = 9

REASONS = (
    "not_targeted",
    "no_consent",
    "bad_bid",
    "no_value",
    "below_floor",
    "budget_gone",
    "paced",
    "capped",
    "outranked",
    "bid",
)

GOAL_CPM, GOAL_CPC, GOAL_CPA, GOAL_PRIVATE = 0, 1, 2, 3
GOALS = ("cpm", "cpc", "cpa", "private")

BID_CONSTANT, BID_TRUTHFUL, BID_LINEAR, BID_MCPC, BID_ORTB1, BID_ORTB2 = 0, 1, 2, 3, 4, 5
BID_SHADED_LOGNORMAL, BID_SHADED_UNIFORM = 6, 7
BIDS = ("constant", "truthful", "linear", "mcpc", "ortb1", "ortb2", "shaded_lognormal", "shaded_uniform")

# From PACE_ADAPTIVE on, pacing works through the bid's multiplier.
PACE_ASAP, PACE_EVEN, PACE_ADAPTIVE, PACE_MULTIPLICATIVE, PACE_PID = 0, 1, 2, 3, 4
PACES = ("asap", "even", "adaptive", "multiplicative", "pid")

FORMATS = ("display", "mobile", "video", "native", "audio")
DEVICES = ("desktop", "mobile", "tablet", "tv")

NO_DAILY_LIMIT = 2**62
DAY_S = 86400.0
HOUR_S = 3600.0
WEEK_HOURS = 168
