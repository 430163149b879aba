"""What an experiment says the campaign caused, with a 95 % interval, beside what it truly caused.

The difference of means between arms, times the people treated. Counts are purchases of the product, values currency
units. Persons: Welch's interval. Places: ratio of totals, linearised over places.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from experiments.ledger import Ledger
from experiments.measure.designs import CONTROL, treated_places, twin_of
from experiments.setting import Setting
from openrtb.money import NANOS_PER_UNIT

Array = NDArray[np.float64]


class Estimate(NamedTuple):
    """One experiment's answer: purchases caused in the treated group."""

    design: str
    estimate: float | None
    low: float | None
    high: float | None
    truth: int
    """Purchases that exposures of the campaign caused, by their labels."""
    treated: int
    control: int
    """People (geo: places) compared."""
    spend: float
    """What the campaign itself paid."""
    extra_cost: float
    """Paid for ads of the control group."""
    forgone: float | None
    """Value not earned because the control group saw nothing: truth per person treated, times the control group."""

    @property
    def covers(self) -> bool | None:
        """Whether the interval holds the truth; None without an interval."""
        return None if self.low is None or self.high is None else self.low <= self.truth <= self.high


def estimate(design: str, setting: Setting, ledger: Ledger, campaign_id: str) -> Estimate:
    """Analyse a run of `designed(...)`."""
    names = [plan.campaign_id for plan in setting.plans]
    mine = names.index(campaign_id)
    product_ix = list(setting.scenario.products).index(str(setting.plans[mine].product))
    bought = ledger.purchases[ledger.purchases["product_ix"] == product_ix]
    caused = bought[bought["caused_by_ix"] == mine]
    shown = ledger.exposures
    own = shown[shown["campaign_ix"] == mine]
    if design == "geo":
        treated, control, scale = _places(setting, bought)
        found = _ratio_interval(treated, control, scale)
        sizes = len(treated[0]), len(control[0])
        people = float(treated[1].sum()), float(control[1].sum())
        extra = 0.0
    else:
        twin = shown[shown["campaign_ix"] == names.index(twin_of(campaign_id))] if design != "itt" else shown[:0]
        counts_t, counts_c = _persons(design, setting, bought, own, twin)
        found = _welch(counts_t, counts_c)
        sizes = len(counts_t), len(counts_c)
        people = float(sizes[0]), float(sizes[1])
        extra = float(twin["price_nanos"].sum()) / NANOS_PER_UNIT if design == "psa" else 0.0
    value = float(caused["value_nanos"].sum()) / NANOS_PER_UNIT
    return Estimate(
        design,
        *found,
        truth=len(caused),
        treated=sizes[0],
        control=sizes[1],
        spend=float(own["price_nanos"].sum()) / NANOS_PER_UNIT,
        extra_cost=extra,
        forgone=value / people[0] * people[1] if people[0] else None,
    )


def _persons(
    design: str, setting: Setting, bought: NDArray[np.void], own: NDArray[np.void], twin: NDArray[np.void]
) -> tuple[Array, Array]:
    """Purchases per person counted, by arm: of everybody recognised (itt), or of those who saw (or would have seen)."""
    count, consent = len(setting.world.homes), setting.world.homes["consent"] == 1
    if design == "itt":
        bit = np.uint64(list(setting.scenario.people.interests).index(CONTROL))
        control = ((setting.world.interests >> bit) & np.uint64(1)) == 1
        purchases = np.bincount(bought["person_ix"], minlength=count).astype(np.float64)
        return purchases[consent & ~control], purchases[consent & control]
    first_s = np.full(count, math.inf)
    for rows in (own, twin):  # the arms share no person
        np.minimum.at(first_s, rows["person_ix"], rows["time_s"])
    after = bought["time_s"] >= first_s[bought["person_ix"]]
    purchases = np.bincount(bought["person_ix"][after], minlength=count).astype(np.float64)
    return purchases[np.unique(own["person_ix"])], purchases[np.unique(twin["person_ix"])]


def _welch(treated: Array, control: Array) -> tuple[float | None, float | None, float | None]:
    from scipy import special

    n, m = len(treated), len(control)
    if n < 2 or m < 2:
        return None, None, None
    lift = float(treated.mean() - control.mean()) * n
    a, b = float(treated.var(ddof=1)) / n, float(control.var(ddof=1)) / m
    if a + b == 0.0:
        return lift, None, None
    freedom = (a + b) ** 2 / (a**2 / (n - 1) + b**2 / (m - 1))
    half = float(special.stdtrit(freedom, 0.975)) * math.sqrt(a + b) * n
    return lift, lift - half, lift + half


def _places(setting: Setting, bought: NDArray[np.void]) -> tuple[tuple[Array, Array], tuple[Array, Array], float]:
    """Purchases and people per place, by arm; and the people treated."""
    names = list(setting.scenario.places)
    home = setting.world.homes["place_ix"]
    people = np.bincount(home, minlength=len(names)).astype(np.float64)
    purchases = np.bincount(home[bought["person_ix"]], minlength=len(names)).astype(np.float64)
    chosen = set(treated_places(setting.scenario))
    flags = np.array([name in chosen for name in names]) & (people > 0)
    rest = ~np.array([name in chosen for name in names]) & (people > 0)
    return (purchases[flags], people[flags]), (purchases[rest], people[rest]), float(people[flags].sum())


def _ratio_interval(
    treated: tuple[Array, Array], control: tuple[Array, Array], scale: float
) -> tuple[float | None, float | None, float | None]:
    from scipy import special

    def rate(arm: tuple[Array, Array]) -> tuple[float, float]:
        purchases, people = arm
        value = float(purchases.sum() / people.sum())
        off = purchases - value * people
        count = len(people)
        return value, float(np.sum(off**2)) * count / max(count - 1, 1) / float(people.sum()) ** 2

    if len(treated[0]) < 2 or len(control[0]) < 2:
        return None, None, None
    (t, t_var), (c, c_var) = rate(treated), rate(control)
    half = float(special.stdtrit(len(treated[0]) + len(control[0]) - 2, 0.975)) * math.sqrt(t_var + c_var) * scale
    lift = (t - c) * scale
    return lift, lift - half, lift + half
