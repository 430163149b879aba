"""Slow, obvious pacing by price: the multiplier of one campaign, as documented. Money in nanos, times in s."""

from __future__ import annotations

import math

from bidder.plan import CampaignPlan


class Pacer:
    """The multiplier of one campaign and what moves it."""

    def __init__(self, plan: CampaignPlan, start_hour: int = 0, start_of_day_s: int = 0) -> None:
        self.start_hour, self.offset_s = start_hour, start_of_day_s % 3600
        pacing = plan.pacing
        self.plan = plan
        self.by_mu = pacing.kind in ("adaptive", "multiplicative")
        self.mu = pacing.start if self.by_mu else 0.0
        self.multiplier = 1.0 / (1.0 + self.mu) if pacing.kind != "pid" else pacing.start
        self.pass_share = pacing.start if pacing.kind == "throttled" else 1.0
        self.price = 0.0
        self.bought_worth, self.tick_worth = 0.0, 0.0
        self.target = plan.total_nanos / pacing.auctions if pacing.auctions else None
        self.entered, self.wins = 0, 0
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
        self.set_multiplier()

    def set_multiplier(self) -> None:
        """Both shadow prices together."""
        share = self.plan.pacing.target if self.by_mu else 0.0
        self.multiplier = (1.0 + self.price * share) / (1.0 + self.mu + self.price)

    def passed(self, begin_s: float, end_s: float, now_s: float) -> float:
        """Part of the weight of the hours between two times that lies before a third, hour by hour."""
        shape = self.plan.pacing.shape
        if not shape:
            return (now_s - begin_s) / (end_s - begin_s)
        whole = self._weight(shape, begin_s, end_s)
        return self._weight(shape, begin_s, now_s) / whole if whole > 0 else 1.0

    def _weight(self, shape: tuple[float, ...], begin_s: float, end_s: float) -> float:
        sign = 1.0 if end_s >= begin_s else -1.0
        at, last, total = *sorted((begin_s, end_s)), 0.0
        while at < last:
            hours = (at + self.offset_s) / 3600.0
            next_s = min(last, (math.floor(hours) + 1) * 3600.0 - self.offset_s)
            total += shape[(self.start_hour + math.floor(hours)) % 168] * (next_s - at) / 3600.0
            at = next_s
        return sign * total

    def after_auction(self, paid: int, first_news: bool = True) -> None:
        """The end of an auction it bid in; a late win was counted as lost before."""
        if not self.by_mu:
            return
        self.entered += first_news
        if self.target is not None:
            self.move_mu((self.target if first_news else 0.0) - float(paid))

    def tick(self, now_s: float, spent: int, outcomes: int = 0) -> None:
        """A control interval ends; *outcomes* are what an eCPC controller counts."""
        if self.plan.pacing.kind in ("asap", "even") or now_s < self.plan.start_s:
            return
        since_s = max(self.tick_s, self.plan.start_s)
        if self.by_mu:
            self._look_ahead(now_s, now_s - since_s, spent)
            self._look_at_target(now_s, now_s - since_s, spent)
        elif self.plan.pacing.kind == "throttled":
            self._throttle(now_s, now_s - since_s, spent)
        elif self.plan.pacing.kind == "ecpc":
            self._steer_cost(spent, outcomes)
        elif now_s > since_s and self.plan.end_s > since_s and self.plan.total_nanos > self.tick_spent:
            target = float(self.plan.total_nanos - self.tick_spent) * self.passed(since_s, self.plan.end_s, now_s)
            if target > 0.0:
                self._control(spent, target)
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

    def _look_at_target(self, now_s: float, tick_length_s: float, spent: int) -> None:
        pacing = self.plan.pacing
        allowed = pacing.target * (self.bought_worth - self.tick_worth)
        spend = float(spent - self.tick_spent)
        self.tick_worth = self.bought_worth
        if pacing.target > 0 and max(spend, allowed) > 0:
            left_s = max(self.plan.end_s - now_s, tick_length_s)
            if left_s > 0:
                allowed = max(allowed - (spent - pacing.target * self.bought_worth) * tick_length_s / left_s, 0.0)
            error = (spend - allowed) / max(spend, allowed)
            price = (1.0 + self.price) * math.exp(pacing.target_step * error) - 1.0
            self.price = min(max(price, 0.0), pacing.highest)
            self.set_multiplier()

    def _steer_cost(self, spent: int, outcomes: int) -> None:
        pacing = self.plan.pacing
        cost = (spent + pacing.target) / (outcomes + 1)
        self.errors.append(max(1.0 - cost / pacing.target, -10.0))
        self.integral = min(max(self.integral + self.errors[-1], -10.0), 10.0)
        kp, ki, kd = pacing.gains
        push = kp * self.errors[-1] + ki * self.integral + kd * (self.errors[-1] - self.errors[-2])
        self.multiplier = min(math.exp(min(max(push, -2.0), 2.0)), pacing.highest)

    def _throttle(self, now_s: float, tick_length_s: float, spent: int) -> None:
        if tick_length_s <= 0:
            return
        plan = self.plan
        done, then = (
            self.passed(plan.start_s, plan.end_s, at_s) for at_s in (now_s, min(now_s + tick_length_s, plan.end_s))
        )
        left = max(plan.total_nanos - spent, 0)
        wanted = left * (then - done) / (1 - done) if done < 1 else left
        most = (1 + plan.pacing.step_per_nano) ** min(tick_length_s / 60, 600)
        spend = spent - self.tick_spent
        steady = 4 * spent / self.wins if self.wins else 0.0
        factor = min(max((wanted + steady) / (spend + steady), 1 / most), most) if spend + steady > 0 else most
        self.pass_share = min(max(self.pass_share * factor, 1e-4), 1.0)

    def _control(self, spent: int, target: float) -> None:
        kp, ki, kd = self.plan.pacing.gains
        self.errors.append(max(1.0 - float(spent - self.tick_spent) / target, -10.0))
        self.integral = min(max(self.integral + self.errors[-1], -10.0), 10.0)
        change = kp * self.errors[-1] + ki * self.integral + kd * (self.errors[-1] - self.errors[-2])
        self.multiplier = min(max(self.multiplier + change, 0.0), self.plan.pacing.highest)
