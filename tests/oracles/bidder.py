"""Slow, obvious bidder: campaigns as lists and dicts, caps by counting the whole history of exposures.

Written from the plans and the published rules. It shares nothing with the kernels but the names of the reasons and the
plan objects people hand to both. Money in nanos, times in seconds since the scenario's start.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from bidder.plan import CampaignPlan, Directory
from tests.oracles.bids import bid_nanos, distance_km, draw
from tests.oracles.pacing import Pacer

DAY_S = 86400
FORMATS = ("display", "mobile", "video")
DEVICES = ("desktop", "mobile", "tablet", "tv")


@dataclass
class Exposure:
    """One ad shown to one known person."""

    person_ix: int
    slot_ix: int
    time_s: float


@dataclass
class Flight:
    """One bid sent and not yet answered."""

    person_ix: int
    bid_nanos: int
    day_ix: int


@dataclass
class Account:
    """Everything that has happened to one campaign."""

    plan: CampaignPlan
    ctr: list[float]
    cvr: list[float]
    wins: Counter[int] = field(default_factory=Counter)
    clicks: Counter[int] = field(default_factory=Counter)
    conversions: Counter[int] = field(default_factory=Counter)
    conversion_nanos: int = 0
    spent_on: defaultdict[int, int] = field(default_factory=lambda: defaultdict(int))
    flights: list[Flight] = field(default_factory=list)
    exposures: list[Exposure] = field(default_factory=list)
    news: bool = False
    active: bool = True
    start_hour: int = 0
    start_of_day_s: int = 0
    pacer: Pacer = field(init=False)
    purchase_worth: float = field(init=False)

    def __post_init__(self) -> None:
        """Pacing and worth as planned."""
        self.purchase_worth = self.plan.goal_value_nanos
        self.pacer = Pacer(self.plan, self.start_hour, self.start_of_day_s)

    @property
    def spent(self) -> int:
        """Over all days."""
        return sum(self.spent_on.values())

    @property
    def committed(self) -> int:
        """Spent and held."""
        return sum(self.spent_on.values()) + sum(flight.bid_nanos for flight in self.flights)

    def committed_on(self, day_ix: int) -> int:
        """Spent and held on one day."""
        return self.spent_on[day_ix] + sum(flight.bid_nanos for flight in self.flights if flight.day_ix == day_ix)


class OracleBidder:
    """The bidder as its documentation describes it."""

    def __init__(
        self, plans: Sequence[CampaignPlan], directory: Directory, start_hour: int = 0, start_of_day_s: int = 0
    ) -> None:
        slots = len(directory.slots)
        self.accounts = [
            Account(plan, [plan.ctr] * slots, [plan.cvr] * slots, start_hour=start_hour, start_of_day_s=start_of_day_s)
            for plan in plans
        ]
        self.directory = directory
        self.start_hour = start_hour
        self.start_of_day_s = start_of_day_s

    def day_ix(self, now_s: float) -> int:
        """Calendar day, 0 being the one the scenario starts in."""
        return int((now_s + self.start_of_day_s) // DAY_S)

    # -- reading --

    def decide(
        self, imp: dict[str, Any], segments: set[str], signals: Sequence[int]
    ) -> tuple[tuple[int, int, int, str], dict[int, str]]:
        """((campaign or -1, bid, worth, reason of the request), reason of each targeted campaign)."""
        reasons: dict[int, str] = {}
        offers = []
        for c, account in enumerate(self.accounts):
            if not self._right_context(account, imp):
                continue
            if imp["person_ix"] < 0:
                if account.plan.needs_person:
                    reasons[c] = "no_consent"
                    continue
            elif not self._right_audience(account.plan, segments):
                continue
            worth, bid = self.paced_quote(c, imp, signals)
            reasons[c] = self._reason(c, imp, bid)
            if reasons[c] == "bid":
                first = bool(imp["deal_first"] and account.plan.target.deals)
                offers.append((first, bid, -c, worth))
        for _, _, minus_c, _ in sorted(offers)[:-1]:
            reasons[-minus_c] = "outranked"
        if offers:
            _, bid, minus_c, worth = max(offers)
            return (-minus_c, bid, worth, "bid"), reasons
        order = ("not_targeted", "no_consent", "no_value", "below_floor", "budget_gone", "paced", "capped")
        furthest = max((order.index(reason) for reason in reasons.values()), default=0)
        return (-1, 0, 0, order[furthest]), reasons

    def _right_context(self, account: Account, imp: dict[str, Any]) -> bool:
        target, directory = account.plan.target, self.directory
        if not account.active:
            return False
        if target.formats and FORMATS[imp["format_ix"]] not in target.formats:
            return False
        if target.devices and DEVICES[imp["device_ix"]] not in target.devices:
            return False
        if target.hours and imp["hour"] not in target.hours:
            return False
        if target.places and directory.places[imp["place_ix"]] not in target.places:
            return False
        if target.publishers and directory.publishers[imp["publisher_ix"]] not in target.publishers:
            return False
        return not target.deals or (imp["deal_ix"] >= 0 and directory.deals[imp["deal_ix"]] in target.deals)

    @staticmethod
    def _right_audience(plan: CampaignPlan, segments: set[str]) -> bool:
        target = plan.target
        if target.any_segments and not any(name in segments for name in target.any_segments):
            return False
        if not all(name in segments for name in target.all_segments):
            return False
        return not any(name in segments for name in target.none_segments)

    def quote(self, account: Account, slot_ix: int, signals: Sequence[int], factor: float = 1.0) -> tuple[int, int]:
        """Worth and bid; *factor* is that of the person's frequency."""
        plan = account.plan
        ctr = account.ctr[slot_ix]
        if plan.goal == "private":
            worth = signals[plan.signal_ix]
            return worth, bid_nanos(plan.bid, float(worth), ctr, 1.0)
        rate = {"cpm": 1.0, "cpc": ctr, "cpa": account.cvr[slot_ix], "roas": account.cvr[slot_ix]}[plan.goal]
        value = rate * (account.purchase_worth * factor)
        return int(value), bid_nanos(plan.bid, value, ctr * factor, rate * factor)

    def earlier(self, c: int, person_ix: int, now_s: float) -> int:
        """Exposures of the person to ads of the campaign's product that anything still asks for."""
        product, count = self.accounts[c].plan.product, 0
        for k, other in enumerate(self.accounts):
            if k != c and (product is None or other.plan.product != product):
                continue
            windows = self.windows_s(k)
            looks_back = other.plan.product is not None or other.plan.worth_by_frequency
            keep_s = max([*windows, other.plan.lookback_s if looks_back else 0.0])
            shown = [e for e in other.exposures if e.person_ix == person_ix]
            if not windows and not other.plan.worth_by_frequency:
                shown = shown[-1:]
            count += sum(keep_s > 0 and exposure.time_s >= now_s - keep_s for exposure in shown)
        return count

    def windows_s(self, c: int) -> list[float]:
        """Windows of every cap the campaign's exposures count for."""
        product = self.accounts[c].plan.product
        return [
            cap.window_s
            for k, other in enumerate(self.accounts)
            for cap in other.plan.caps
            if k == c or cap.scope == "all" or (cap.scope == "product" and product and other.plan.product == product)
        ]

    def paced_quote(self, c: int, imp: dict[str, Any], signals: Sequence[int]) -> tuple[int, int]:
        """Worth, and the bid under the multiplier: shaded rules see a smaller worth, others have their bid cut."""
        account, factor, curve = self.accounts[c], 1.0, self.accounts[c].plan.worth_by_frequency
        if curve and account.plan.goal != "private":
            earlier = 0 if imp["person_ix"] < 0 else self.earlier(c, imp["person_ix"], imp["now_s"])
            factor = curve[min(earlier, len(curve) - 1)]
        worth, bid = self.quote(account, imp["slot_ix"], signals, factor)
        if account.plan.bid.kind == "random" and account.plan.goal != "private":
            low, high, highest = account.plan.bid.a, account.plan.bid.b, account.plan.bid.max_nanos
            bid = int(low + draw(imp, c, 1 << 60) * (high - low))
            bid = bid if highest is None else min(bid, highest)
        if account.plan.pacing.kind in ("asap", "even"):
            return worth, bid
        if account.plan.bid.kind.startswith("shaded"):
            exact = float(worth)
            if curve and account.plan.goal != "private":
                plan, slot_ix = account.plan, imp["slot_ix"]
                rate = {"cpm": 1.0, "cpc": account.ctr[slot_ix]}.get(plan.goal, account.cvr[slot_ix])
                exact = rate * (account.purchase_worth * factor)
            return worth, bid_nanos(account.plan.bid, exact * account.pacer.multiplier, 0.0, 1.0)
        return worth, int(bid * account.pacer.multiplier)

    def _reason(self, c: int, imp: dict[str, Any], bid: int) -> str:
        account = self.accounts[c]
        plan, now_s = account.plan, imp["now_s"]
        if not plan.start_s <= now_s < plan.end_s:
            return "not_targeted"
        if plan.target.fence is not None:
            lat, lon, radius_km = plan.target.fence
            if math.isnan(imp["lat"]) or distance_km(lat, lon, imp["lat"], imp["lon"]) > radius_km:
                return "not_targeted"
        floor = imp["deal_floor_nanos"] if plan.target.deals else imp["floor_nanos"]
        live = plan.goal != "private" and (plan.worth_by_frequency or plan.bid.kind == "random")
        if live and not self.affordable(account, max(floor, 1), now_s):
            return "budget_gone"
        if bid <= 0:
            return "no_value"
        if bid < floor:
            return "below_floor"
        if not self.affordable(account, bid, now_s):
            return "budget_gone"
        if plan.pacing.kind == "even" and not self._on_plan(account, bid, now_s):
            return "paced"
        if plan.pacing.kind == "throttled" and draw(imp, c, 1 << 61) >= account.pacer.pass_share:
            return "paced"
        if imp["person_ix"] >= 0 and self.capped(c, imp["person_ix"], now_s):
            return "capped"
        return "bid"

    def affordable(self, account: Account, nanos: int, now_s: float) -> bool:
        """Whether both budgets have that much left."""
        if account.committed + nanos > account.plan.total_nanos:
            return False
        daily = account.plan.daily_nanos
        return daily is None or account.committed_on(self.day_ix(now_s)) + nanos <= daily

    def _on_plan(self, account: Account, bid: int, now_s: float) -> bool:
        plan = account.plan
        planned = (now_s - plan.start_s) * (plan.total_nanos / (plan.end_s - plan.start_s))
        if plan.pacing.shape:
            planned = plan.total_nanos * account.pacer.passed(plan.start_s, plan.end_s, now_s)
        if account.committed + bid > int(planned):
            return False
        if plan.daily_nanos is None:
            return True
        today_ix = self.day_ix(now_s)
        passed = (now_s + self.start_of_day_s) / DAY_S - today_ix
        if plan.pacing.shape:
            midnight_s = today_ix * DAY_S - self.start_of_day_s
            passed = account.pacer.passed(midnight_s, midnight_s + DAY_S, now_s)
        return account.committed_on(today_ix) + bid <= int(plan.daily_nanos * passed)

    def capped(self, c: int, person_ix: int, now_s: float) -> bool:
        """Whether any cap is used up, counting the full history and the bids in flight of all it looks at."""
        account = self.accounts[c]
        for cap in account.plan.caps:
            product = account.plan.product
            looked_at = [
                other
                for other in self.accounts
                if other is account
                or cap.scope == "all"
                or (cap.scope == "product" and product is not None and other.plan.product == product)
            ]
            seen = sum(flight.person_ix == person_ix for other in looked_at for flight in other.flights)
            for exposure in [exposure for other in looked_at for exposure in other.exposures]:
                if exposure.person_ix != person_ix:
                    continue
                if cap.sliding:
                    inside = now_s - exposure.time_s < cap.window_s
                else:
                    inside = self._window(exposure.time_s, cap.window_s) == self._window(now_s, cap.window_s)
                seen += inside
            if seen >= cap.limit:
                return True
        return False

    def _window(self, time_s: float, window_s: float) -> int:
        return int((time_s + self.start_of_day_s) // window_s)

    # -- writing --

    def reserve(self, c: int, person_ix: int, bid: int, now_s: float) -> Flight:
        """Send a bid."""
        flight = Flight(person_ix, bid, self.day_ix(now_s))
        self.accounts[c].flights.append(flight)
        return flight

    def release(self, c: int, flight: Flight) -> None:
        """A bid was lost or has expired."""
        self._end(c, flight)
        self.accounts[c].pacer.after_auction(0)

    def _end(self, c: int, flight: Flight) -> None:
        flights = self.accounts[c].flights
        flights.pop(next(k for k, other in enumerate(flights) if other is flight))

    def win(self, c: int, flight: Flight, slot_ix: int, price: int, now_s: float) -> None:
        """A bid was won: charged to the day it was made."""
        self._end(c, flight)
        self._book(c, flight.person_ix, slot_ix, price, flight.day_ix, now_s)
        self.accounts[c].pacer.after_auction(price)

    def buy(self, c: int, person_ix: int, slot_ix: int, price: int, now_s: float) -> None:
        """Bid and win at once."""
        self._book(c, person_ix, slot_ix, price, self.day_ix(now_s), now_s)
        self.accounts[c].pacer.after_auction(price)

    def lose(self, c: int) -> None:
        """Bid and lose at once."""
        self.accounts[c].pacer.after_auction(0)

    def late_win(self, c: int, person_ix: int, slot_ix: int, price: int, now_s: float) -> bool:
        """A win after the bid had expired: only if the money is still there."""
        if not self.affordable(self.accounts[c], price, now_s):
            return False
        self._book(c, person_ix, slot_ix, price, self.day_ix(now_s), now_s)
        self.accounts[c].pacer.after_auction(price, first_news=False)
        return True

    def _book(self, c: int, person_ix: int, slot_ix: int, price: int, day_ix: int, now_s: float) -> None:
        account = self.accounts[c]
        account.spent_on[day_ix] += price
        account.pacer.wins += 1
        account.pacer.bought_worth += self.quote(account, slot_ix, (0,) * 9)[0] if account.plan.goal != "private" else 0
        account.wins[slot_ix] += 1
        account.news = True
        if person_ix >= 0:
            account.exposures.append(Exposure(person_ix, slot_ix, now_s))

    def click(self, c: int, slot_ix: int) -> None:
        """An ad was clicked."""
        self.accounts[c].clicks[slot_ix] += 1
        self.accounts[c].news = True

    def convert(self, product: str, person_ix: int, value_nanos: int, now_s: float) -> int:
        """A purchase: credited to the latest exposure not older than its campaign's look-back, of a page the last."""
        touches = [
            (exposure.time_s, exposure.slot_ix, c)
            for c, account in enumerate(self.accounts)
            for exposure in account.exposures
            if account.plan.product == product
            and exposure.person_ix == person_ix
            and exposure.time_s >= now_s - account.plan.lookback_s
        ]
        if not touches:
            return -1
        _, slot_ix, c = max(touches)
        self.accounts[c].conversions[slot_ix] += 1
        self.accounts[c].conversion_nanos += value_nanos
        self.accounts[c].news = True
        return c

    def tick(self, now_s: float) -> None:
        """Retire what has ended; refresh the learned rates where anything has happened."""
        for account in self.accounts:
            plan = account.plan
            if now_s >= plan.end_s:
                account.active = False
                continue
            bought = plan.goal in ("cpa", "roas")
            outcomes = account.conversions.total() if bought else account.clicks.total()
            account.pacer.tick(now_s, account.spent, outcomes)
            if plan.learned and account.news:
                account.news = False
                strength = plan.prior_impressions
                for s in range(len(account.ctr)):
                    account.ctr[s] = (plan.ctr * strength + account.clicks[s]) / (strength + account.wins[s])
                    account.cvr[s] = (plan.cvr * strength + account.conversions[s]) / (strength + account.wins[s])
                if plan.goal == "roas":
                    basket = plan.goal_value_nanos * plan.roas_target
                    mean = (5 * basket + account.conversion_nanos) / (5 + account.conversions.total())
                    account.purchase_worth = mean / plan.roas_target
