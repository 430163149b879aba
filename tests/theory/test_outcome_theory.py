"""Outcomes against the truth a scenario declares, within 4 standard errors at a million auctions."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

pytestmark = pytest.mark.slow


def check_share(flags: np.ndarray, share: float) -> None:
    """A binomial share: standard error sqrt(p (1 - p) / n)."""
    assert len(flags) > 10_000
    assert abs(flags.mean() - share) <= 4 * math.sqrt(share * (1 - share) / len(flags))


def test_a_campaign_that_causes_nothing_measures_exactly_zero(run_case: Callable[..., object]) -> None:
    """People buy, the campaign is credited with purchases by last touch, and the truth says: not one of them."""
    case = run_case("no-effect")
    purchases = case.ledger.purchases
    assert len(case.exposures) > 100_000
    assert (purchases["attributed_ix"] == 0).sum() > 50
    assert (purchases["caused_by_ix"] >= 0).sum() == 0
    assert purchases["value_nanos"][purchases["caused_by_ix"] >= 0].sum() == 0


def test_first_exposures_work_as_declared(run_case: Callable[..., object]) -> None:
    """Clicks by fit and format; purchases caused, averaged over the window's 4 days of 10 (each person counts once, so
    the draws are independent): conversion * (0.4 + 0.6 * off_window)."""
    case = run_case("fresh-exposures")
    rows, purchases = case.exposures, case.ledger.purchases
    first = np.unique(rows["person_ix"], return_index=True)[1]
    shown = rows[first]
    fit = (case.setting.world.interests[shown["person_ix"]] & np.uint64(1)) == 1
    video = shown["slot_ix"] == 1
    caused = np.isin(shown["auction_ix"], purchases["auction_ix"][purchases["caused_by_ix"] == 0])
    for fits, of_fit in ((True, 1.0), (False, 0.4)):
        for is_video, of_format in ((True, 1.5), (False, 1.0)):
            group = (fit == fits) & (video == is_video)
            check_share(shown["clicked"][group] == 1, 0.05 * of_fit * of_format)
            check_share(caused[group], 0.04 * of_fit * of_format * (0.4 + 0.6 * 0.5))


def test_delays_are_exponential_with_the_declared_mean(run_case: Callable[..., object]) -> None:
    """Mean 6 h; the standard error of an exponential's mean is mean / sqrt(n)."""
    case = run_case("fresh-exposures")
    caused = case.ledger.purchases[case.ledger.purchases["caused_by_ix"] >= 0]
    at = np.searchsorted(case.exposures["auction_ix"], caused["auction_ix"])
    delays_h = (caused["time_s"] - case.exposures["time_s"][at]) / 3600
    assert (delays_h >= 0).all()
    assert abs(delays_h.mean() - 6) <= 4 * 6 / math.sqrt(len(delays_h))
    share = math.exp(-1)
    assert abs((delays_h > 6).mean() - share) <= 4 * math.sqrt(share * (1 - share) / len(delays_h))


def test_organic_purchases_at_the_declared_rate(run_case: Callable[..., object]) -> None:
    """5 per 1000 fitting people in the market and day, everybody being in it for 4 of the 10 days (Poisson: se
    sqrt(mean)); and by nobody who does not fit."""
    case = run_case("fresh-exposures")
    organic = case.ledger.purchases[case.ledger.purchases["caused_by_ix"] < 0]
    fits = (case.setting.world.interests & np.uint64(1)) == 1
    mean = 0.005 * fits.sum() * 4
    assert abs(len(organic) - mean) <= 4 * math.sqrt(mean)
    assert fits[organic["person_ix"]].all()
