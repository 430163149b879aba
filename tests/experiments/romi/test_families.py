"""Curve families and turning points against calculus."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.romi import bands
from experiments.romi.families import FAMILIES, fit_all
from experiments.romi.optimum import best_spend, break_even, romi_at

TRUE = {"hill": (900.0, 40.0, 1.4), "power": (100.0, 0.5), "negexp": (700.0, 60.0)}


@pytest.mark.parametrize("family", sorted(TRUE))
def test_a_family_finds_its_own_parameters_and_is_preferred(family: str) -> None:
    spend = np.linspace(5.0, 250.0, 20)
    value = FAMILIES[family].formula(spend, *TRUE[family])
    best = fit_all(spend, value, np.zeros(20))[0]
    assert best.family == family
    assert best.parameters == pytest.approx(TRUE[family], rel=1e-4)
    assert best.r2 == pytest.approx(1.0)


@pytest.mark.parametrize("family", sorted(TRUE))
def test_slopes_are_derivatives(family: str) -> None:
    s, step = np.array([1.0, 10.0, 100.0]), 1e-4
    formula, slope = FAMILIES[family].formula, FAMILIES[family].slope
    numeric = (formula(s + step, *TRUE[family]) - formula(s - step, *TRUE[family])) / (2 * step)
    assert slope(s, *TRUE[family]) == pytest.approx(numeric, rel=1e-6)


def test_nothing_above_zero_is_not_fitted() -> None:
    spend = np.linspace(1.0, 5.0, 5)
    assert fit_all(spend, np.zeros(5), np.zeros(5)) == []
    assert fit_all(np.zeros(5), np.ones(5), np.zeros(5)) == []


def test_square_root_with_margin_two_fifths() -> None:
    """f = 100 sqrt(x), margin 0.4: 20 / sqrt(x) = 1 at x = 400, where ROMI is (800 - 400) / 400."""
    best = best_spend(lambda x: 100.0 * math.sqrt(x), 0.4, 0.0, 5000.0)
    assert best.spend == pytest.approx(400.0, rel=1e-6)
    assert not best.at_the_end
    assert romi_at(lambda x: 100.0 * math.sqrt(x), 0.4, best.spend) == pytest.approx(1.0, rel=1e-6)
    assert break_even(lambda x: 100.0 * math.sqrt(x), 0.4, 0.0, 5000.0) == pytest.approx(1600.0)


@given(a=st.floats(20.0, 500.0), margin=st.floats(0.1, 1.0))
def test_square_roots_in_general(a: float, margin: float) -> None:
    peak = (margin * a / 2.0) ** 2
    best = best_spend(lambda x: a * math.sqrt(x), margin, 0.0, 3.0 * peak)
    assert best.spend == pytest.approx(peak, rel=1e-4)
    cut = best_spend(lambda x: a * math.sqrt(x), margin, 0.0, peak / 2.0)
    assert cut.at_the_end
    assert break_even(lambda x: a * math.sqrt(x), margin, 0.0, 5.0 * peak) == pytest.approx(4.0 * peak)
    assert break_even(lambda x: a * math.sqrt(x), margin, 0.0, 3.0 * peak) is None


def test_bands_are_student_s_and_never_divide_by_zero() -> None:
    samples = np.array([1.0, 2.0, 3.0])
    half = 4.302652729911275 / math.sqrt(3.0)
    assert bands.mean(samples) == pytest.approx((2.0, 2.0 - half, 2.0 + half))
    assert bands.mean(samples[:1]) == (1.0, None, None)
    assert bands.ratio(samples, np.zeros(3)) == (None, None, None)
    assert bands.ratio(2.0 * samples, samples) == pytest.approx((2.0, 2.0, 2.0))
    assert bands.romi(1.5 * samples, samples) == pytest.approx((0.5, 0.5, 0.5))
