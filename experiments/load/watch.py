"""Budgets and caps seen from outside: what the bidder took money for, against what its campaigns were allowed.

Only billing notices the bidder has acknowledged count, in nanos per impression, times in s of the run. The bidder's
own midnight is not known here: within a run of less than a day two days' budgets may rightly be spent, and a fixed
window may rightly hold its cap twice when a boundary falls into it.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from itertools import pairwise

from bidder.plan import CampaignPlan, CapPlan
from openrtb.money import nanos_to_units

DAY_S = 86400.0


class Watch:
    """Keeps the account of each campaign the scenario knows."""

    def __init__(self, plans: Sequence[CampaignPlan]) -> None:
        self.spent_nanos: Counter[str] = Counter()
        self.billed: Counter[str] = Counter()
        self._plans = {plan.campaign_id: plan for plan in plans}
        self._seen: dict[tuple[str, str], list[float]] = defaultdict(list)

    def bill(self, campaign_id: str | None, user_id: str | None, price_nanos: int, time_s: float) -> None:
        """The bidder has acknowledged a bill; *user_id* None: for an ad to somebody it could not recognise."""
        name = campaign_id or "(no cid)"
        self.spent_nanos[name] += price_nanos
        self.billed[name] += 1
        plan = self._plans.get(name)
        if plan is not None and plan.caps and user_id is not None:
            self._seen[name, user_id].append(time_s)

    def violations(self, lasted_s: float) -> list[str]:
        """Every budget and cap that was broken, one sentence each."""
        return [*self._budgets(lasted_s), *self._caps()]

    def _budgets(self, lasted_s: float) -> Iterator[str]:
        days = 1 + math.ceil(lasted_s / DAY_S)
        for name, spent in self.spent_nanos.items():
            plan = self._plans.get(name)
            if plan is None:
                continue
            limits = [("total budget", plan.total_nanos)]
            if plan.daily_nanos is not None:
                limits.append((f"daily budget on {days} days", plan.daily_nanos * days))
            for what, limit in limits:
                if spent > limit:
                    yield f"{name}: spent {nanos_to_units(spent):.9f}, above its {what} of {nanos_to_units(limit):.9f}"

    def _caps(self) -> Iterator[str]:
        broken: Counter[tuple[str, CapPlan]] = Counter()
        for (name, _), times in self._seen.items():
            times.sort()
            for cap in self._plans[name].caps:
                allowed = cap.limit if cap.sliding else 2 * cap.limit
                broken[name, cap] += most_within(times, cap.window_s) > allowed
        for (name, cap), people in broken.items():
            if people:
                kind = "sliding" if cap.sliding else "fixed"
                yield f"{name}: {people:,} people above the cap of {cap.limit} in {cap.window_s:g} s ({kind})"


def most_within(times: Sequence[float], window_s: float) -> int:
    """Most of the sorted *times* in any stretch shorter than *window_s*."""
    assert all(a <= b for a, b in pairwise(times))
    return max(
        (k + 1 - bisect_left(times, math.nextafter(t - window_s, math.inf)) for k, t in enumerate(times)), default=0
    )
