"""Slow, obvious pacing by price: the multiplier of one campaign, as documented. Money in nanos, times in s."""

from __future__ import annotations

import math

from bidder.plan import CampaignPlan


class Pacer:
    """The multiplier of one campaign and what moves it."""

    def __init__(self, plan: CampaignPlan) -> None:
        pacing = plan.pacing
        self.plan = plan
        self.by_mu = pacing.kind in ("adaptive", "multiplicative")
        self.mu = pacing.start if self.by_mu else 0.0
        self.multiplier = 1.0 / (1.0 + self.mu) if pacing.kind != "pid" else pacing.start
        self.target = plan.total_nanos / pacing.auctions if pacing.auctions else None
        self.entered = 0
        self.errors = [0.0]
        self.integral = 0.0
        self.tick_s, self.tick_entered, self.tick_spent = 0.0, 0, 0

    def move_mu(self, shortfall: float) -> None:
        """One step of the dual variable, *shortfall* = target - spend."""
        pacing = self.plan.pacing
        if pacing.kind == "adaptive":
            self.mu = min(max(self.mu - pacing.step_per_nano * shortfall, 0.0), pacing.highest)
        else:
            factor = math.exp(min(-pacing.step_per_nano * shortfall, 700.0))
            self.mu = min(max(self.mu * factor, 1e-9), pacing.highest)
        self.multiplier = 1.0 / (1.0 + self.mu)

    def after_auction(self, paid: int, first_news: bool = True) -> None:
        """The end of an auction it bid in; a late win was counted as lost before."""
        if not self.by_mu:
            return
        self.entered += first_news
        if self.target is not None:
            self.move_mu((self.target if first_news else 0.0) - float(paid))

    def tick(self, now_s: float, spent: int) -> None:
        """A control interval ends."""
        if self.plan.pacing.kind in ("asap", "even") or now_s < self.plan.start_s:
            return
        since_s = max(self.tick_s, self.plan.start_s)
        if self.by_mu:
            self._look_ahead(now_s, now_s - since_s, spent)
        elif now_s > since_s and self.plan.end_s > since_s and self.plan.total_nanos > self.tick_spent:
            left_share = (now_s - since_s) / (self.plan.end_s - since_s)
            self._control(spent, float(self.plan.total_nanos - self.tick_spent) * left_share)
        self.tick_s, self.tick_entered, self.tick_spent = now_s, self.entered, spent

    def _look_ahead(self, now_s: float, tick_length_s: float, spent: int) -> None:
        plan = self.plan
        if self.entered == 0 or now_s <= plan.start_s:
            return
        per_s = self.entered / (now_s - plan.start_s)
        if not plan.pacing.auctions:
            self.target = max(0.0, float(plan.total_nanos - spent)) / max(1.0, per_s * (plan.end_s - now_s))
        if self.entered == self.tick_entered:
            assert self.target is not None
            self.move_mu(per_s * tick_length_s * self.target)

    def _control(self, spent: int, target: float) -> None:
        kp, ki, kd = self.plan.pacing.gains
        self.errors.append(max(1.0 - float(spent - self.tick_spent) / target, -10.0))
        self.integral = min(max(self.integral + self.errors[-1], -10.0), 10.0)
        change = kp * self.errors[-1] + ki * self.integral + kd * (self.errors[-1] - self.errors[-2])
        self.multiplier = min(max(self.multiplier + change, 0.0), self.plan.pacing.highest)
